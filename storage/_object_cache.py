"""Files that came from a server or went to one, by their digests: what is here is not downloaded again.

    <folder>/obj/md5/ab/cdef…      by the digest of the content; xxh128 likewise
    <folder>/obj/etag/ab/cdef…     by address and ETag: what reference stores hold
    <folder>/tmp/                  files on their way in; large ones by their digests

All processes of a user share it, without a lock: a file comes in whole by a rename, and one that is removed while
somebody reads it stays with whoever reads it. The files that were used longest ago go first when the limit is reached.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
import secrets
import shutil
import time
from pathlib import Path
from typing import IO, Callable, Iterator, List, NamedTuple, Optional, Tuple

from ._bulk_copy import copy_file
from ._digests import MD5, hex_of
from ._growing_file import GrowingFile

# After so large a part of the limit has come in, this process looks whether the cache has outgrown it. Looking means
# walking through all of it.
_LOOK_PART = 20
# What a process left behind that was killed while it wrote.
_LEFTOVER_SECONDS = 24 * 3600.0
# Of a disk that is nearly full, the cache leaves this much to others; it looks when so much has come in.
_FREE_BYTES_MIN = 1 << 30
_UNSEEN_BYTES = 64 << 20
# Up to this size a file is read and written at once: what spares the page cache costs more than that.
_AT_ONCE_BYTES_MAX = 1 << 20


class CacheUse(NamedTuple):
    """What a cleanup has found and done, in bytes."""

    before: int
    reclaimed: int
    temporary: int  # what is on its way in, or was left on it


class ObjectCache:
    """Safe between threads and processes. Whoever can't write to it does without it."""

    def __init__(self, folder: Path, limit_bytes: Optional[int] = None) -> None:
        self.folder = folder
        self.limit_bytes = limit_bytes
        self._came_in = 0
        self._unseen = 0  # bytes that may come in before it is looked again what the disk has left

    def path_of(self, digest: str, algorithm: str = MD5) -> Path:
        """Where a file of this digest is, if it is here. Raises ValueError for what is no digest."""
        name = hex_of(digest)
        return Path(f"{self.folder}/obj/{algorithm.lower()}/{name[:2]}/{name[2:]}")

    def etag_path(self, url: str, etag: str) -> Path:
        """Where the object of a reference store is that had this ETag, if it is here."""
        parts = (hashlib.sha256(part.encode("utf-8", "surrogateescape")).digest() for part in (url, etag))
        name = hashlib.sha256(b"".join(parts)).hexdigest()
        return self.folder / "obj" / "etag" / name[:2] / name[2:]

    def open(self, path: Path, size: Optional[int]) -> Optional[IO[bytes]]:
        """A file that is here in this size, for reading; None where it isn't."""
        try:
            file = path.open("rb")
        except OSError:
            return None
        status = os.fstat(file.fileno())
        if size is not None and status.st_size != size:
            file.close()
            return None
        with contextlib.suppress(OSError):
            os.utime(path, ns=(time.time_ns(), status.st_mtime_ns))
        return file

    @contextlib.contextmanager
    def new_file(self, path: Path, size: int) -> Iterator[IO[bytes]]:
        """A file to write and read, which is in the cache under `path` when the block ends without an exception.

        Raises OSError where it can't be written.
        """
        self._make_room(size)
        self._make_folder(self.folder / "tmp")
        self._make_folder(path.parent)
        temporary = os.path.join(self.folder, "tmp", secrets.token_hex(12))
        with open(os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "w+b") as file:
            try:
                yield file
                file.flush()
                os.fchmod(file.fileno(), 0o444)
                os.replace(temporary, path)
            except BaseException:
                os.unlink(temporary)
                raise
        self._note(size)

    @contextlib.contextmanager
    def growing_file(self, path: Path, size: int, waiting: Callable[[], object]) -> Iterator[Optional[GrowingFile]]:
        """`new_file` for a large one: what has arrived of it stays when the block, or the process, ends before the
        rest has. None where another process has brought it meanwhile.

        waiting: called now and then while another process is at it. Raises OSError.
        """
        temporary = self.folder / "tmp" / f"{path.parent.parent.name}-{path.parent.name}{path.name}"
        present = temporary.stat().st_blocks * 512 if temporary.exists() else 0
        self._make_room(max(0, size - present))
        for folder in (temporary.parent, path.parent):
            self._make_folder(folder)
        with contextlib.closing(GrowingFile(temporary, size, waiting)) as file:
            if path.exists():
                file.remove()
                yield None
                return
            yield file
            file.finish(path)
        self._note(size)

    def adopt(self, path: Path, source: Path, size: int) -> None:
        """Take a file that lies elsewhere on the same disk, without copying it. Raises OSError."""
        if path.exists():
            return
        self._make_folder(path.parent)
        with contextlib.suppress(FileExistsError):
            os.link(source, path)
            self._note(size)

    # --- its size -----------------------------------------------------------------------------------------------------

    def cleanup(self, target_bytes: int, remove_temporary: bool = False) -> CacheUse:
        """Remove what was used longest ago until no more than this is left; with `remove_temporary`, also what is on
        its way in."""
        temporary = reclaimed = 0
        for status, path in _files(self.folder / "tmp"):
            left = remove_temporary or time.time() - status.st_mtime > _LEFTOVER_SECONDS
            if left and _remove(path):
                reclaimed += status.st_size
            else:
                temporary += status.st_size
        found = sorted(_files(self.folder / "obj"), key=lambda one: one[0].st_atime_ns)
        total = temporary + sum(status.st_size for status, _ in found)
        before = total + reclaimed
        for status, path in found:
            if total <= target_bytes:
                break
            if _remove(path):
                total -= status.st_size
                reclaimed += status.st_size
        return CacheUse(before, reclaimed, temporary)

    def _note(self, size: int) -> None:
        """Count what came in; from time to time, keep to the limit."""
        self._came_in += size
        if self.limit_bytes is None or self._came_in * _LOOK_PART < self.limit_bytes:
            return
        self._came_in = 0
        self._clean_alone(self.limit_bytes)

    def _make_room(self, size: int) -> None:
        if self.limit_bytes is not None and size > self.limit_bytes:
            raise OSError(f"{size} bytes are more than the cache may hold")
        self._unseen -= size
        if self._unseen > 0:
            return
        self._unseen = _UNSEEN_BYTES
        self._make_folder(self.folder)
        free = shutil.disk_usage(self.folder).free
        if free - size < _FREE_BYTES_MIN:
            use = self._clean_alone(0)
            if free + (use.reclaimed if use is not None else 0) - size < _FREE_BYTES_MIN:
                raise OSError(f"the disk of {self.folder} is nearly full")

    def _clean_alone(self, target_bytes: int) -> Optional[CacheUse]:
        """None where another process is at it."""
        with (self.folder / "cleanup.lock").open("ab") as lock:
            try:
                fcntl.flock(lock.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                return None
            return self.cleanup(target_bytes)

    def _make_folder(self, path: Path) -> None:
        """Private where this makes the cache; one that somebody has made for several is as they made it."""
        if not path.is_dir():
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            path.mkdir(parents=True, exist_ok=True)


def give_away(path: Path, target: Path) -> None:
    """Let a file leave the cache for where the user wants it: for a disk that has no room for both.

    Raises OSError where it is another disk, or the file is somebody else's too.
    """
    if os.stat(path).st_nlink != 1:
        raise OSError(errno.EMLINK, f"{path} is not the cache's alone")
    os.chmod(path, 0o666 & ~_umask())
    os.replace(path, target)


def write_from(source: IO[bytes], target: Path) -> None:
    """Copy a file of the cache to where the user wants it: a new file of the user's, in place of what was there.

    Raises OSError.
    """
    # Any name that the file may have leaves no room for an addition.
    temporary = target.parent / f".{secrets.token_hex(8)}.part"
    try:
        if os.fstat(source.fileno()).st_size <= _AT_ONCE_BYTES_MAX:
            with open(temporary, "xb") as file:
                file.write(source.read())
        else:
            copy_file(source.fileno(), temporary)
            os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


_known_umask: List[int] = []


def _umask() -> int:
    """What this process's umask is; the call that tells it also changes it, for other threads too, so once."""
    if not _known_umask:
        with contextlib.suppress(OSError):
            for line in Path("/proc/self/status").read_text().splitlines():
                if line.startswith("Umask:"):
                    _known_umask.append(int(line.split()[1], 8))
        if not _known_umask:
            mask = os.umask(0o022)
            os.umask(mask)
            _known_umask.append(mask)
    return _known_umask[0]


def _files(folder: Path) -> Iterator[Tuple[os.stat_result, str]]:
    waiting = [str(folder)]
    while waiting:
        try:
            with os.scandir(waiting.pop()) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
                    else:
                        with contextlib.suppress(OSError):
                            yield entry.stat(follow_symlinks=False), entry.path
        except OSError:
            continue  # gone meanwhile, or nobody's to read


def _remove(path: str) -> bool:
    try:
        os.unlink(path)
        return True
    except OSError:
        return False
