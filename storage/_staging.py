"""The files of an artifact that was logged, kept beside the log until a server has them.

    <run folder>/artifacts/<key>/
        owner      held with flock by the process that makes it or hashes it
        entries    one JSON object a line: what it is, then its entries in the order of their paths
        pack       the small files, one behind the other
        1, 2, …    large files that are not hashed yet, links or copies
        <hex>      large files by their digest; equal ones of the run's artifacts are one file

A process that logs an artifact writes all of this, without waiting for the disk or for the hash of a large file, and
then appends the record that names it. `finish` does the rest: the digests, and a full sync. It runs in the background
of that process, or, where that process has died, in whichever comes next. FORMAT.md documents the lines.
"""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import fcntl
import io
import json
import os
import re
import shutil
from pathlib import Path
from typing import IO, Any, BinaryIO, Callable, Dict, Iterator, List, Mapping, NamedTuple, Optional, cast

from ._digests import HASH_BYTES, MD5, ManifestDigest, encoded, hash_descriptor, hex_of, new_hash
from ._errors import LogDamaged, LogInUse, LogNotFound, LogUnavailable, NewerFormat

ARTIFACTS_FOLDER = "artifacts"
OWNER, ENTRIES, PACK = "owner", "entries", "pack"
_VERSION = 1
# The first line holds the artifact's metadata, which is in a record too.
_LINE_BYTES_MAX = 32 << 20
_FILE_NAME = re.compile(r"[0-9a-f]{1,32}")
_KEY = re.compile(r"[A-Za-z0-9_-]{1,64}")


class StagedEntry(NamedTuple):
    """One file of an artifact. Its bytes are in the pack, in a file, or nowhere here: of a reference, and of an entry
    that an earlier version brought to the server."""

    path: str
    digest: str  # "" until a large file is hashed
    size: int
    pack: Optional[int] = None  # where it begins there
    file: str = ""
    ref: Optional[str] = None
    birth: Optional[str] = None  # the artifact at the server that brought it
    extra: Mapping[str, Any] = {}
    skip_cache: bool = False

    @property
    def is_here(self) -> bool:
        return self.pack is not None or bool(self.file)

    def line(self) -> bytes:
        fields: Dict[str, Any] = {"path": self.path, "digest": self.digest, "size": self.size}
        if self.pack is not None:
            fields["pack"] = self.pack
        for name, value in zip(_OPTIONAL, (self.file, self.ref, self.birth, self.extra, self.skip_cache)):
            if value:
                fields[name] = value
        return _encode(fields).encode() + b"\n"


_encode = json.JSONEncoder(separators=(",", ":")).encode
_OPTIONAL = ("file", "ref", "birth", "extra", "skip_cache")


@dataclasses.dataclass
class StagedHeader:
    """What an artifact is, as it was logged."""

    about: Dict[str, Any] = dataclasses.field(default_factory=dict)
    algorithm: str = MD5
    digest: str = ""  # "" until every file is hashed and on the disk
    files: int = 0
    size: int = 0  # bytes, all files together
    released: bool = False  # the files are not here any more: a server has them
    staging: int = _VERSION

    def line(self) -> bytes:
        return _encode(dataclasses.asdict(self)).encode() + b"\n"


class Staged:
    """An artifact's folder. Safe between threads as far as it only reads."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    # --- reading ------------------------------------------------------------------------------------------------------

    def header(self) -> StagedHeader:
        """Raises LogNotFound where it isn't there, LogUnavailable, LogDamaged, NewerFormat."""
        with self._open_entries() as file:
            return self._header(file)

    def entries(self) -> Iterator[StagedEntry]:
        """In the order of their paths, read as they are asked for. Raises as `header`."""
        with self._open_entries() as file:
            self._header(file)
            for line in _lines(file):
                yield self._entry(line)

    def open(self, entry: StagedEntry, offset: int = 0, size: Optional[int] = None) -> BinaryIO:
        """The bytes of an entry, or so many of them from `offset` on. Raises OSError where they can't be had."""
        size = entry.size - offset if size is None else size
        path = self.folder / PACK if entry.pack is not None else self.path_of(entry)
        return cast(BinaryIO, FileSlice(path, (entry.pack or 0) + offset, size))

    def path_of(self, entry: StagedEntry) -> Path:
        """Where a large file is."""
        if not _FILE_NAME.fullmatch(entry.file):
            raise FileNotFoundError(f"{entry.path}: its bytes are not in {self.folder}")
        return self.folder / entry.file

    def _open_entries(self) -> IO[bytes]:
        try:
            return (self.folder / ENTRIES).open("rb")
        except FileNotFoundError:
            raise LogNotFound("the files of an artifact were here and are gone", self.folder) from None
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise LogUnavailable(f"the files of an artifact are not to be had: {reason}", self.folder) from error

    def _header(self, file: IO[bytes]) -> StagedHeader:
        fields = self._parse(next(_lines(file), b""))
        if fields.get("staging", 0) > _VERSION:
            raise NewerFormat("a later version of this package has staged it", self.folder)
        names = {field.name for field in dataclasses.fields(StagedHeader)}
        return StagedHeader(**{name: value for name, value in fields.items() if name in names})

    def _entry(self, line: bytes) -> StagedEntry:
        fields = self._parse(line)
        try:
            return StagedEntry(**{name: value for name, value in fields.items() if name in StagedEntry._fields})
        except TypeError:
            raise LogDamaged("a line of its entries is incomplete", self.folder / ENTRIES) from None

    def _parse(self, line: bytes) -> Dict[str, Any]:
        try:
            fields = json.loads(line)
        except (ValueError, RecursionError):
            fields = None
        if not isinstance(fields, dict):
            raise LogDamaged("a line of its entries is no JSON object", self.folder / ENTRIES)
        return fields

    # --- finishing ----------------------------------------------------------------------------------------------------

    def finish(
        self, digests: Optional[Mapping[str, str]] = None, lock: Optional[OwnerFile] = None,
        progress: Callable[[int], None] = lambda count: None,
    ) -> StagedHeader:  # fmt: skip
        """Hash what isn't hashed yet and bring everything to the disk; return what is then known of it. Idempotent.

        digests: of large files, by the names that they have until then. lock: where the caller has it. Raises LogInUse
        where another process is at it, LogDamaged where a file isn't as it was logged, LogUnavailable, OSError.
        """
        header = self.header()
        if header.digest:
            return header
        held = lock or OwnerFile(self.folder)
        try:
            header = self.header()
            return header if header.digest else self._finish(header, dict(digests or {}), progress)
        finally:
            held.close()

    def _finish(self, header: StagedHeader, digests: Dict[str, str], progress: Callable[[int], None]) -> StagedHeader:
        names: Dict[str, str] = {}  # of large files: what they were called -> what they are called
        for entry in self.entries():
            if entry.file and entry.file not in names:
                digest = entry.digest or digests.get(entry.file) or self._hash(entry, header.algorithm, progress)
                digests[entry.file] = digest
                names[entry.file] = self._name_by_digest(entry, hex_of(digest))
        _sync(self.folder / PACK)
        done = self._rewrite(header, digests, names)
        for name in set(names) - set(names.values()):
            (self.folder / name).unlink(missing_ok=True)
        return done

    def _hash(self, entry: StagedEntry, algorithm: str, progress: Callable[[int], None]) -> str:
        descriptor = os.open(self.path_of(entry), os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            size = os.fstat(descriptor).st_size
            if size != entry.size:
                raise LogDamaged(
                    f"{entry.path} had {entry.size} bytes when it was logged and has {size}: it was changed although "
                    "its policy was immutable, or the machine lost power",
                    self.path_of(entry),
                )
            return hash_descriptor(descriptor, algorithm, progress)
        finally:
            os.close(descriptor)

    def _name_by_digest(self, entry: StagedEntry, name: str) -> str:
        """Give a large file its lasting name beside the one that it has; where the run has an equal one already, it is
        that one. Where there are no links, its name stays."""
        source, target = self.path_of(entry), self.folder / name
        _sync(source)
        twins = [twin for twin in self.folder.parent.glob(f"*/{name}") if twin.stat().st_size == entry.size]
        for candidate in (*twins, source):
            if target.exists():
                break
            with contextlib.suppress(OSError):
                os.link(candidate, target)
        return name if target.exists() else entry.file

    def _rewrite(self, header: StagedHeader, digests: Mapping[str, str], names: Mapping[str, str]) -> StagedHeader:
        def entries() -> Iterator[StagedEntry]:
            for entry in self.entries():
                yield entry._replace(digest=digests[entry.file], file=names[entry.file]) if entry.file else entry

        whole = ManifestDigest(header.algorithm)
        for entry in entries():
            whole.add(entry.path, entry.digest)
        done = dataclasses.replace(header, digest=whole.hexdigest())
        self._write(done, entries())
        return done

    def _write(self, header: StagedHeader, entries: Iterator[StagedEntry]) -> None:
        """Replace the lines, durably."""
        temporary = self.folder / f"{ENTRIES}.new"
        with temporary.open("wb") as file:
            file.write(header.line())
            file.writelines(entry.line() for entry in entries)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, self.folder / ENTRIES)
        _sync(self.folder)

    def rehash(self, algorithm: str) -> StagedHeader:
        """Hash all files anew, for a server that keeps them by another digest. Raises as `finish`."""
        header = self.finish()
        if header.algorithm == algorithm:
            return header

        def entries() -> Iterator[StagedEntry]:
            for entry in self.entries():
                if entry.ref is not None or not entry.is_here:
                    yield entry
                    continue
                with self.open(entry) as file:
                    found = new_hash(algorithm)
                    while True:
                        piece = file.read(HASH_BYTES)
                        if not piece:
                            break
                        found.update(piece)
                extra = {name: value for name, value in entry.extra.items() if name != "alg"}
                if algorithm != MD5:
                    extra["alg"] = algorithm
                yield entry._replace(digest=encoded(found), extra=extra)

        with contextlib.closing(OwnerFile(self.folder)):
            hashed = list(entries())
            whole = ManifestDigest(algorithm)
            for entry in hashed:
                whole.add(entry.path, entry.digest)
            done = dataclasses.replace(header, algorithm=algorithm, digest=whole.hexdigest())
            self._write(done, iter(hashed))
        return done

    def release(self) -> None:
        """Remove the files: a server has them. What they were stays known. Raises LogInUse, OSError."""
        with contextlib.closing(OwnerFile(self.folder)):
            header = self.header()
            if header.released:
                return
            self._write(dataclasses.replace(header, released=True), self.entries())
            for path in self.folder.iterdir():
                if path.name not in (OWNER, ENTRIES):
                    path.unlink()


def artifact_folder(run_folder: Path, name: str) -> Path:
    """Where a record says that an artifact is staged: below the run's folder, or anywhere on this machine."""
    if os.path.isabs(name):
        return Path(name)
    if not _KEY.fullmatch(name):
        raise LogDamaged(f"{name!r} is no name of an artifact's folder", run_folder)
    return run_folder / ARTIFACTS_FOLDER / name


def staged_artifacts(run_folder: Path) -> List[Staged]:
    """What is staged in a run's folder."""
    try:
        folders = sorted((run_folder / ARTIFACTS_FOLDER).iterdir())
    except OSError:
        return []
    return [Staged(folder) for folder in folders if (folder / ENTRIES).is_file()]


class OwnerFile:
    """The lock on an artifact's folder; it ends with the process, however it ends."""

    def __init__(self, folder: Path) -> None:
        """Raises LogInUse where another process has it, OSError."""
        self._descriptor = os.open(folder / OWNER, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._descriptor)
            raise LogInUse("another process is making or hashing it", folder) from None
        except BaseException:
            os.close(self._descriptor)
            raise

    def fileno(self) -> int:
        return self._descriptor

    def close(self) -> None:
        """Idempotent."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def is_being_made(folder: Path) -> bool:
    """Whether a process holds an artifact's folder."""
    try:
        OwnerFile(folder).close()
        return False
    except LogInUse:
        return True
    except OSError:
        return False


class FileSlice(io.RawIOBase):
    """A part of a file, as a file of its own. Reading it moves nothing that others see."""

    def __init__(self, path: Path, offset: int, size: int) -> None:
        """Raises OSError; a link is none of ours."""
        self._descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        self._offset, self._size, self._position = offset, size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._size}[whence]
        self._position = max(0, base + offset)
        return self._position

    def readinto(self, buffer: Any) -> int:
        left = max(0, self._size - self._position)
        with memoryview(buffer) as view:
            count = os.preadv(self._descriptor, [view[:left]], self._offset + self._position) if left else 0
        self._position += count
        return count

    def close(self) -> None:
        if not self.closed:
            os.close(self._descriptor)
        super().close()


def _lines(file: IO[bytes]) -> Iterator[bytes]:
    while True:
        line = file.readline(_LINE_BYTES_MAX)
        if not line:
            return
        yield line


def _sync(path: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def move_folder(source: Path, target: Path) -> None:
    """Move an artifact's folder; to another disk by copying. Raises OSError, and then nothing has moved."""
    from ._bulk_copy import copy_file

    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        os.rename(source, target)
        return
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
    target.mkdir(mode=0o700)
    try:
        for path in source.iterdir():
            if path.name != OWNER:
                with path.open("rb") as file:
                    copy_file(file.fileno(), target / path.name)
        (target / OWNER).touch(0o600)
    except BaseException:
        shutil.rmtree(target, ignore_errors=True)
        raise
    shutil.rmtree(source, ignore_errors=True)
