"""One LMDB file of a log: creating it, putting blocks into it, reading them.

Keys: the identity, the blocks by their first sequence, and in a segment that nobody will write any more the seal. There
is one LMDB environment a file and process, whoever asks (LMDB forbids two); it is shared, counted, and forgotten in a
forked child.
"""

from __future__ import annotations

import contextlib
import json
import os
import threading
import time
from pathlib import Path
from typing import Dict, Iterator, List, NamedTuple, Optional, Sequence, Tuple

import lmdb

from ._errors import ForeignFile, LogDamaged, LogError, LogUnavailable, NewerFormat
from ._format import FORMAT_VERSION, IDENTITY_KEY, SEAL_KEY, SEGMENT_BYTES, block_key, parse_block, parse_block_key
from ._pages import PageFile


class Identity(NamedTuple):
    """Which log a segment belongs to, and where in it."""

    run_id: str
    log_uuid: str
    segment: int  # 1 for the first
    first_sequence: int
    created: float
    # No row from here on names a shape of an earlier segment: those can go.
    stands_alone: bool = False

    def to_json(self) -> bytes:
        return json.dumps({"format": FORMAT_VERSION, **self._asdict()}).encode()

    @classmethod
    def parse(cls, raw: Optional[bytes], path: Path) -> Identity:
        try:
            fields = json.loads(raw or b"")
            version = int(fields.pop("format"))
        except (ValueError, KeyError, AttributeError, TypeError, OverflowError, RecursionError):
            raise ForeignFile("an LMDB file, but not a run's log: it has no identity", path) from None
        if version > FORMAT_VERSION:
            raise NewerFormat(
                f"written in format {version}, and this version reads up to {FORMAT_VERSION}; upgrade wandb", path
            )
        try:
            identity = cls(
                str(fields["run_id"]), bytes.fromhex(fields["log_uuid"]).hex(), int(fields["segment"]),
                int(fields["first_sequence"]), float(fields["created"]), fields.get("stands_alone") is True,
            )  # fmt: skip
        except (ValueError, KeyError, AttributeError, TypeError, OverflowError) as error:
            raise LogDamaged(f"the identity is not one that a log has: {error!r}", path) from None
        numbers_fit = 0 < identity.first_sequence < 1 << 63 and 0 < identity.segment < 1 << 63
        if len(identity.log_uuid) != 32 or not numbers_fit:
            raise LogDamaged("the identity is not one that a log has", path)
        return identity


class StoredBlock(NamedTuple):
    """A block as it was read, with where it came from for error messages."""

    first_sequence: int
    records: int
    raw_length: int
    compressed: bytes
    path: Path
    position: Optional[int]

    @property
    def last_sequence(self) -> int:
        return self.first_sequence + self.records - 1


def segment_path(folder: Path, run_id: str, index: int) -> Path:
    # Other tools look for run-*.wandb, and find the first segment under the name that they know.
    return folder / (f"run-{run_id}.wandb" if index == 1 else f"run-{run_id}.seg-{index:04d}.wandb")


def lock_path(path: Path) -> Path:
    """LMDB's own lock file of a segment."""
    return path.with_name(path.name + "-lock")


def fsync_path(path: Path) -> None:
    """Bring a file, or the names in a folder, to the disk."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


# So many files are open at a time while they are synced.
_SYNCED_AT_ONCE = 32


def fsync_paths(paths: Sequence[Path]) -> List[OSError]:
    """Bring files and folders to the disk; return what went wrong, but for those that are gone."""
    failed: List[OSError] = []
    for start in range(0, len(paths), _SYNCED_AT_ONCE):
        opened: List[Tuple[int, Path]] = []
        try:
            for path in paths[start : start + _SYNCED_AT_ONCE]:
                try:
                    opened.append((os.open(path, os.O_RDONLY | os.O_CLOEXEC), path))
                    if hasattr(os, "posix_fadvise"):
                        # Begins to write, and waits for nothing: together they take half as long as one by one.
                        os.posix_fadvise(opened[-1][0], 0, 0, os.POSIX_FADV_DONTNEED)
                except FileNotFoundError:
                    pass
                except OSError as error:
                    failed.append(OSError(error.errno, error.strerror, str(path)))
            for fd, path in opened:
                try:
                    os.fsync(fd)
                except OSError as error:
                    failed.append(OSError(error.errno, error.strerror, str(path)))
        finally:
            for fd, _ in opened:
                os.close(fd)
    return failed


# What LMDB 0.9 makes of its lock file for `_READERS_MAX` readers.
_LOCK_BYTES = 8192
_READERS_MAX = 126


def _reserve_lock_file(path: Path) -> None:
    """Give LMDB's lock file its room: LMDB writes to it through a map, and where the disk has no room for what is
    written through a map, the process is killed (SIGBUS). Raises OSError.

    Only for an environment that this process doesn't have open; what stands in the file stays as it is.
    """
    if not hasattr(os, "posix_fallocate"):
        return
    fd = os.open(lock_path(path), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        if os.fstat(fd).st_blocks * 512 < _LOCK_BYTES:
            os.posix_fallocate(fd, 0, _LOCK_BYTES)
    finally:
        os.close(fd)


def _open_environment(path: Path, readonly: bool = False) -> lmdb.Environment:
    if not readonly:
        _reserve_lock_file(path)
    # Every option by name: the library's defaults have changed between its major versions, and the environment
    # variable LMDB_DEFAULT_LIB_VERSION could choose another file format.
    return lmdb.open(
        os.fspath(path), map_size=SEGMENT_BYTES, subdir=False, readonly=readonly, metasync=True, sync=True, mode=0o600,
        create=not readonly, writemap=False, meminit=True, map_async=False, max_readers=_READERS_MAX, max_dbs=0,
        max_spare_txns=0, lock=True, lib_version=0,
    )  # fmt: skip


def create_segment(path: Path, identity: Identity, sealed: bool = False) -> None:
    """Make the file of a new segment, complete or not at all; `sealed`: one that stays empty.

    A crash while LMDB writes its first two pages leaves a file that nobody can open, so the file gets its name only
    when it is whole, and is closed before that: LMDB finds its lock file by name.
    """
    begin_segment(path, identity, sealed)
    name_segment(path)


def unnamed(path: Path) -> Path:
    """Where a segment stands until it gets its name."""
    return path.with_name(f".{path.name}.new")


def drop_unnamed(path: Path) -> None:
    """Remove what somebody began and didn't name. Raises OSError."""
    for leftover in (unnamed(path), lock_path(unnamed(path))):
        with contextlib.suppress(FileNotFoundError):
            leftover.unlink()


def begin_segment(path: Path, identity: Identity, sealed: bool = False) -> Path:
    """Make a segment that has no name yet; nobody but the caller knows it."""
    temporary = unnamed(path)
    drop_unnamed(path)
    with mapped_errors(path):
        environment = _open_environment(temporary)
        try:
            with environment.begin(write=True) as transaction:
                transaction.put(IDENTITY_KEY, identity.to_json())
                if sealed:
                    transaction.put(SEAL_KEY, _seal(identity.first_sequence - 1))
            environment.sync(True)
        finally:
            environment.close()
    return temporary


def name_segment(path: Path) -> None:
    """Give a segment that was begun its name, durably. Raises OSError."""
    os.rename(unnamed(path), path)
    lock_path(unnamed(path)).unlink()
    fsync_path(path.parent)


def _seal(last_sequence: int) -> bytes:
    return json.dumps({"last_sequence": last_sequence, "time": time.time()}).encode()


@contextlib.contextmanager
def mapped_errors(path: Path) -> Iterator[None]:
    """LMDB's and the system's errors as this package's."""
    try:
        yield
    except lmdb.Error as error:
        raise LogUnavailable(f"LMDB says {type(error).__name__}: {error}", path) from error
    except OSError as error:
        raise LogUnavailable(f"the system says {error.strerror or error}", path) from error


class _Shared:
    def __init__(self, environment: lmdb.Environment) -> None:
        self.environment, self.users = environment, 0


_registry: Dict[Tuple[int, int], _Shared] = {}
# Reentrant, so that a signal handler which opens a log doesn't wait for the code that it interrupted.
_registry_lock = threading.RLock()


def _forget_environments() -> None:
    """In a forked child: LMDB's handles are the parent's, not to be used and not to be closed."""
    global _registry, _registry_lock
    _abandoned.append(_registry)
    _registry, _registry_lock = {}, threading.RLock()


_abandoned: List[Dict[Tuple[int, int], _Shared]] = []


def inherited(path: Path) -> bool:
    """Whether LMDB refuses to open this file because a parent process had it open when it forked this one."""
    with mapped_errors(path):
        status = os.stat(path)
    return any((status.st_dev, status.st_ino) in registry for registry in _abandoned)


os.register_at_fork(after_in_child=_forget_environments)


class Segment:
    """One segment through LMDB: for its writer, and for readers while the writer lives."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with mapped_errors(path), _registry_lock:
            status = os.stat(path)
            self._key = (status.st_dev, status.st_ino)
            shared = _registry.get(self._key)
            if shared is None:
                shared = _registry[self._key] = _Shared(_open_environment(path, not os.access(path, os.W_OK)))
                shared.environment.reader_check()
            shared.users += 1
            self._shared: Optional[_Shared] = shared

    @property
    def _environment(self) -> lmdb.Environment:
        assert self._shared is not None, "the segment is closed"
        return self._shared.environment

    def close(self) -> None:
        shared, self._shared = self._shared, None
        if shared is None:
            return
        with _registry_lock:
            shared.users -= 1
            if not shared.users and _registry.get(self._key) is shared:
                del _registry[self._key]
                shared.environment.close()

    def __enter__(self) -> Segment:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def identity(self) -> Identity:
        with mapped_errors(self.path), self._environment.begin() as transaction:
            return Identity.parse(transaction.get(IDENTITY_KEY), self.path)

    def put(self, blocks: List[Tuple[int, bytes]], seal: Optional[int] = None) -> None:
        """Add blocks by their first sequence, durably, all or none; with `seal`, the log's last sequence, for good."""
        with mapped_errors(self.path), self._environment.begin(write=True) as transaction:
            for first_sequence, value in blocks:
                if not transaction.put(block_key(first_sequence), value, append=True):
                    raise LogDamaged(f"a block from record {first_sequence} on is out of order", self.path)
            if seal is not None:
                transaction.put(SEAL_KEY, _seal(seal))

    def read(self, start: int, bytes_max: int) -> List[StoredBlock]:
        """The blocks from the one that holds record `start` on, up to about `bytes_max`, in one short transaction."""
        blocks: List[StoredBlock] = []
        with mapped_errors(self.path), self._environment.begin(buffers=True) as transaction:
            cursor = transaction.cursor()
            # The block with the largest first sequence <= start: the one before the first that is larger.
            at = cursor.set_range(block_key(start + 1))
            if (cursor.prev() if at else cursor.last()) and parse_block_key(cursor.key()) is None:
                cursor.next()
            total = 0
            for key, value in cursor.iternext():
                if parse_block_key(key) is not None:
                    try:
                        stored = parse_stored(bytes(key), bytes(value), self.path, None)
                    except LogDamaged:
                        if blocks:
                            break  # what stands before the damage comes first
                        raise
                    if stored.last_sequence >= start:
                        blocks.append(stored)
                        total += stored.raw_length
                if total >= bytes_max:
                    break
        return blocks

    def last_sequence(self, first: int) -> int:
        """The last committed record; `first` - 1 where there is none."""
        with mapped_errors(self.path), self._environment.begin() as transaction:
            cursor = transaction.cursor()
            found = cursor.last()
            while found:
                if parse_block_key(cursor.key()) is not None:
                    return parse_stored(cursor.key(), cursor.value(), self.path, None).last_sequence
                found = cursor.prev()
        return first - 1

    def sealed(self) -> bool:
        with mapped_errors(self.path), self._environment.begin() as transaction:
            return transaction.get(SEAL_KEY) is not None


def parse_stored(key: bytes, value: bytes, path: Path, position: Optional[int]) -> StoredBlock:
    """A block from LMDB, checked. Raises LogDamaged."""
    first = parse_block_key(key)
    parsed = parse_block(value)
    if parsed is None or parsed[0].first_sequence != first:
        raise LogDamaged(f"the block from record {first} on is not what was written", path, position)
    header, compressed = parsed
    return StoredBlock(header.first_sequence, header.records, header.raw_length, compressed, path, position)


class SegmentFile:
    """One segment without LMDB: for logs whose writer is gone. The same reading interface as `Segment`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._pages = PageFile(path)
        except OSError as error:
            raise LogUnavailable(f"can't be read: {error.strerror}", path) from error

    def close(self) -> None:
        self._pages.close()

    def __enter__(self) -> SegmentFile:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def identity(self) -> Identity:
        for key, value, _ in self._pages.items():
            if key == IDENTITY_KEY:
                return Identity.parse(value, self.path)
            break
        return Identity.parse(None, self.path)

    def read(self, start: int, bytes_max: int) -> List[StoredBlock]:
        """As `Segment.read`. Raises LogDamaged only where the damage is the first thing to be read."""
        blocks: List[StoredBlock] = []
        total = 0
        try:
            for key, value, position in self._pages.items(block_key(start)):
                if parse_block_key(key) is None:
                    continue
                stored = parse_stored(key, value, self.path, position)
                if stored.last_sequence >= start:
                    blocks.append(stored)
                    total += stored.raw_length
                if total >= bytes_max:
                    break
        except LogDamaged:
            if not blocks:
                raise
        return blocks

    def last_sequence(self, first: int) -> int:
        last = first - 1
        for key, value, position in self._pages.items(b"\x01" + b"\xff" * 8):
            if parse_block_key(key) is not None:
                last = parse_stored(key, value, self.path, position).last_sequence
        return last

    def sealed(self) -> bool:
        # The seal is the last key there is.
        return any(key == SEAL_KEY for key, _, _ in self._pages.items(SEAL_KEY))


def check(path: Path) -> Optional[LogError]:
    """What is wrong with a segment's file, found without LMDB; None where LMDB can be trusted with it."""
    try:
        pages = PageFile(path)
    except (LogError, OSError) as error:
        return error if isinstance(error, LogError) else LogUnavailable(str(error), path)

    def visit(key: bytes, value: bytes, position: int) -> None:
        if parse_block_key(key) is not None:
            parse_stored(key, value, path, position)

    try:
        if not pages.writable(visit):
            return LogDamaged("what LMDB notes about its pages is not what it would have written", path, 0)
    except LogError as error:
        return error
    finally:
        pages.close()
    return None
