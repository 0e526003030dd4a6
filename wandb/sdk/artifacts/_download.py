"""Bringing files of a version to where the user wants them.

A file that is there already is left as it is: by what is remembered of the folder (`_RootMemory`) where its size and
times are unchanged, otherwise by its digest. What is missing comes from the files that are staged on this machine, from
the cache, or from the server, and is checked against its digest on the way. Of a large file what has arrived stays in
the cache when the process dies: the next one goes on there.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import tempfile
import threading
import time
from collections import deque
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Callable, Deque, Dict, List, Optional, TypeVar

from wandb_storage import ObjectCache, encoded, give_away, hash_descriptor, new_hash, write_from

from ..._new_file import new_file
from ..._terminal import termlog, termwarn
from ...errors import CommError
from .._progress_bar import Progress
from ._ranges import RANGED_BYTES_MIN, STREAMS_MAX, fetch_ranges
from ._references import fetch_reference
from .artifact_file_cache import get_artifact_file_cache
from .artifact_manifest_entry import ArtifactManifestEntry

if TYPE_CHECKING:
    from ._contents import ArtifactContents

# Most of the time they wait for the network.
_WORKERS = 16
# So many files are with the workers at once: of a hundred thousand, the rest needs no memory.
_UNDER_WAY_MAX = 256
# Up to this size a file's bytes are held, and written to the cache and to their place without being read again.
_HELD_BYTES_MAX = 1 << 20
_PIECE_BYTES = 1 << 20
# Who waits so long for another process is told.
_TOLD_SECONDS = 5.0

T = TypeVar("T")


class DamagedError(CommError):
    """The bytes that came are not those that were logged."""


def download_entry(artifact: ArtifactContents, entry: ArtifactManifestEntry, root: str, skip_cache: bool) -> str:
    """One file; its path is returned. Raises as `ArtifactManifestEntry.download`."""
    target = Path(root, entry.path)
    if not _is_there(entry, target):
        fetch(artifact, entry, target, None if skip_cache else get_artifact_file_cache())
    return str(target)


def fetch(artifact: ArtifactContents, entry: ArtifactManifestEntry, target: Path, cache: Optional[ObjectCache]) -> None:
    """Bring a file's bytes to `target`, from wherever they are. Raises CommError, OSError."""
    _Download(artifact, cache, STREAMS_MAX).bring(entry, target)


def download_all(
    artifact: ArtifactContents, root: str, entries: List[ArtifactManifestEntry], skip_cache: bool,
    allow_missing_references: bool,
) -> None:  # fmt: skip
    """The files of these entries. Raises as `Artifact.download`."""
    cache = None if skip_cache else get_artifact_file_cache()
    memory = _RootMemory(root)
    missing = [entry for entry in entries if not memory.has(entry)]
    artifact._find_addresses([entry for entry in missing if not _is_at_hand(entry, cache)])
    streams = min(STREAMS_MAX, max(1, _WORKERS // max(1, len(missing))))
    given_up = threading.Event()

    def advance(count: int) -> None:
        if given_up.is_set():  # nobody waits for the rest of a large file
            raise CancelledError
        progress.advance(count)

    def bring(entry: ArtifactManifestEntry) -> None:
        target = Path(root, entry.path)
        try:
            if _is_there(entry, target):
                progress.advance(entry.size or 0)
            else:
                _Download(artifact, cache, streams, advance).bring(entry, target)
            memory.note(entry)
        except FileNotFoundError as error:
            if not allow_missing_references or entry.ref is None:
                raise
            termwarn(str(error))
        except (FileExistsError, IsADirectoryError, NotADirectoryError):
            termwarn(f"{entry.path} is not downloaded: in {root}, a file stands where a folder belongs, or a folder "
                     "where a file does")  # fmt: skip

    total = sum(entry.size or 0 for entry in missing)
    try:
        with Progress(f"downloading {artifact.name}", total, "bytes") as progress:
            _each(missing, bring, given_up)
    finally:
        memory.save()


def _each(
    entries: List[ArtifactManifestEntry], bring: Callable[[ArtifactManifestEntry], None], given_up: threading.Event
) -> None:
    """Bring all of them, several at a time. Raises the first failure, when what was under way has ended: `given_up`
    tells it to."""
    under_way: Deque[Future[None]] = deque()
    with ThreadPoolExecutor(_WORKERS, thread_name_prefix="download") as workers:
        try:
            for entry in entries:
                under_way.append(workers.submit(bring, entry))
                if len(under_way) >= _UNDER_WAY_MAX:
                    under_way.popleft().result()
            while under_way:
                under_way.popleft().result()
        except BaseException:
            given_up.set()
            for future in under_way:
                future.cancel()
            raise


# --- one file ---------------------------------------------------------------------------------------------------------


class _Download:
    """Brings files of one artifact. `advance` is told of their bytes."""

    def __init__(
        self, artifact: ArtifactContents, cache: Optional[ObjectCache], streams: int,
        advance: Callable[[int], object] = lambda count: None,
    ) -> None:  # fmt: skip
        self._artifact, self._cache, self._streams, self._advance = artifact, cache, streams, advance

    def bring(self, entry: ArtifactManifestEntry, target: Path) -> None:
        """Raises CommError, OSError."""
        if not os.path.isdir(target.parent):
            target.parent.mkdir(parents=True, exist_ok=True)
        path = _cache_path(entry, self._cache)
        try:
            if entry.ref is not None:
                fetch_reference(self._artifact, entry, target, self._cache)
                self._advance(entry.size or 0)
            elif self._bring_local(entry, target, path):
                self._advance(entry.size or 0)
            elif entry.size is not None and entry.size <= _HELD_BYTES_MAX:
                self._fetch_small(entry, target, path)
            else:
                self._fetch_large(entry, target, path)
        except OSError as error:
            if error.errno and error.filename is None:  # writes don't say of which file
                error.filename = str(target)
            raise

    def _bring_local(self, entry: ArtifactManifestEntry, target: Path, path: Optional[Path]) -> bool:
        """From this machine's staged files or from the cache; False where it is in neither."""
        staged = self._artifact._open_staged(entry)
        if staged is not None:
            with staged, new_file(target) as file:
                _copy_checked(entry, staged, file)
            return True
        held = self._cache.open(path, entry.size) if self._cache is not None and path is not None else None
        if held is None:
            return False
        with held:
            write_from(held, target)
        return True

    def _fetch_small(self, entry: ArtifactManifestEntry, target: Path, path: Optional[Path]) -> None:
        pieces = _once_more(entry, lambda: self._pieces(entry))
        with new_file(target) as file:
            file.writelines(pieces)
        size = sum(map(len, pieces))
        if self._cache is not None and path is not None and not entry.skip_cache:
            with contextlib.suppress(OSError), self._cache.new_file(path, size) as kept:
                kept.writelines(pieces)
        self._advance(size)

    def _pieces(self, entry: ArtifactManifestEntry) -> List[bytes]:
        pieces: List[bytes] = []
        found = new_hash(entry.digest_algorithm().short)

        def take(piece: bytes) -> None:
            found.update(piece)
            pieces.append(piece)

        self._artifact._fetch_from_server(entry, take)
        _check(entry, found)
        return pieces

    def _fetch_large(self, entry: ArtifactManifestEntry, target: Path, path: Optional[Path]) -> None:
        if self._cache is not None and path is not None and not entry.skip_cache and self._fill_cache(entry, path):
            held = self._cache.open(path, entry.size)
            if held is not None:
                with held:
                    _copy_or_move(held, path, target)
                return

        def bring() -> None:
            with new_file(target) as file:
                self._fetch_into(entry, file)

        _once_more(entry, bring)

    def _fill_cache(self, entry: ArtifactManifestEntry, path: Path) -> bool:
        """Whether the file is in the cache then."""
        try:
            _once_more(entry, lambda: self._fetch_to_cache(entry, path))
            return True
        except OSError as error:
            termwarn(f"the cache of artifacts is not used: {error}", repeat=False)
            return False

    def _fetch_to_cache(self, entry: ArtifactManifestEntry, path: Path) -> None:
        assert self._cache is not None
        if not _is_ranged(entry):
            with self._cache.new_file(path, entry.size or 0) as file:
                self._fetch_into(entry, file)
            return
        began = time.monotonic()

        def waiting() -> None:
            self._advance(0)
            if time.monotonic() - began > _TOLD_SECONDS:
                termlog(f"{entry.path}: another process is downloading it; waiting for that", repeat=False)

        with self._cache.growing_file(path, entry.size or 0, waiting) as growing:
            if growing is None:
                self._advance(entry.size or 0)
                return
            start = growing.arrived
            self._advance(start)
            try:
                self._fetch_ranges(entry, growing.descriptor, start, growing.note)
            except (DamagedError, OSError):
                growing.remove()  # it is of no use, or the disk needs the room
                raise

    def _fetch_into(self, entry: ArtifactManifestEntry, file: IO[bytes]) -> None:
        """Raises DamagedError, CommError, OSError."""
        if _is_ranged(entry):
            self._fetch_ranges(entry, file.fileno(), 0, lambda stop: None)
            return
        found = new_hash(entry.digest_algorithm().short)

        def take(piece: bytes) -> None:
            found.update(piece)
            file.write(piece)
            self._advance(len(piece))

        self._artifact._fetch_from_server(entry, take)
        _check(entry, found)

    def _fetch_ranges(
        self, entry: ArtifactManifestEntry, descriptor: int, start: int, arrived: Callable[[int], object]
    ) -> None:
        def fetch(begun: int, stop: int, write: Callable[[bytes], object]) -> bool:
            def take(piece: bytes) -> None:
                write(piece)
                self._advance(len(piece))

            return self._artifact._fetch_range(entry, take, begun, stop)

        found = new_hash(entry.digest_algorithm().short)
        fetch_ranges(fetch, entry.size or 0, descriptor, found, self._streams, start, arrived)
        _check(entry, found)


def _copy_or_move(held: IO[bytes], path: Path, target: Path) -> None:
    try:
        write_from(held, target)
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        try:
            give_away(path, target)
        except OSError:
            raise error from None


def _once_more(entry: ArtifactManifestEntry, fetch: Callable[[], T]) -> T:
    """What was damaged on its way is fetched again, from a new address that no cache on the way knows."""
    try:
        return fetch()
    except DamagedError:
        entry._url = None
        return fetch()


def _is_ranged(entry: ArtifactManifestEntry) -> bool:
    return entry.size is not None and entry.size >= RANGED_BYTES_MIN


def _check(entry: ArtifactManifestEntry, found: Any) -> None:
    if encoded(found) != entry.digest:
        raise DamagedError(f"{entry.path}: what the server sent is not what was logged; its digest is {encoded(found)}")


def _copy_checked(entry: ArtifactManifestEntry, source: IO[bytes], file: IO[bytes]) -> None:
    found = new_hash(entry.digest_algorithm().short)
    while True:
        piece = source.read(_PIECE_BYTES)
        if not piece:
            break
        found.update(piece)
        file.write(piece)
    if encoded(found) != entry.digest:
        raise OSError(f"{entry.path} is not staged as it was logged: its digest is {encoded(found)}")


def _is_there(entry: ArtifactManifestEntry, target: Path) -> bool:
    """Whether the file is there with its content. A directory there is somebody else's."""
    try:
        if entry.ref is not None or (entry.size is not None and target.stat().st_size != entry.size):
            return False
        with target.open("rb") as file:
            return hash_descriptor(file.fileno(), entry.digest_algorithm().short) == entry.digest
    except OSError:
        return False


def _cache_path(entry: ArtifactManifestEntry, cache: Optional[ObjectCache]) -> Optional[Path]:
    if cache is None:
        return None
    try:
        return cache.path_of(entry.digest, entry.digest_algorithm().short)
    except ValueError:
        return None  # no digest of a file's


def _is_at_hand(entry: ArtifactManifestEntry, cache: Optional[ObjectCache]) -> bool:
    """Whether no server has to be asked for it."""
    path = _cache_path(entry, cache)
    return entry.ref is not None or entry._place is not None or (path is not None and path.exists())


# --- what is remembered of a folder -----------------------------------------------------------------------------------


class _RootMemory:
    """Which content the files of a folder had when they were downloaded: a second download reads none of them."""

    def __init__(self, root: str) -> None:
        self._root = os.path.abspath(root)
        name = hashlib.sha256(os.fsencode(self._root)).hexdigest()[:32]
        self._path = get_artifact_file_cache().folder / "roots" / f"{name}.json"
        self._known: Dict[str, Any] = {}
        self._new: Dict[str, Any] = {}
        self._lock = threading.Lock()
        with contextlib.suppress(OSError, ValueError):
            known = json.loads(self._path.read_bytes())
            if isinstance(known, dict) and known.get("root") == self._root:
                self._known = known["files"]

    def has(self, entry: ArtifactManifestEntry) -> bool:
        known = self._known.get(entry.path)
        return known is not None and known[1] == entry.digest and known[0] == self._stamp(entry)

    def note(self, entry: ArtifactManifestEntry) -> None:
        stamp = self._stamp(entry)
        if stamp is not None:
            with self._lock:
                self._new[entry.path] = [stamp, entry.digest]

    def _stamp(self, entry: ArtifactManifestEntry) -> Optional[List[int]]:
        try:
            status = os.stat(os.path.join(self._root, entry.path))
        except OSError:
            return None
        return [status.st_ino, status.st_size, status.st_mtime_ns]

    def save(self) -> None:
        """A disk that refuses costs the next download the reading."""
        if not self._new:
            return
        content = json.dumps({"root": self._root, "files": {**self._known, **self._new}})
        with contextlib.suppress(OSError):
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with tempfile.NamedTemporaryFile("w", dir=self._path.parent, delete=False) as file:
                file.write(content)
            os.replace(file.name, self._path)
