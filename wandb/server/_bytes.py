"""Where bytes lie: durable uploads and downloads of everything that is not in the database.

A *place* is a relative path made of numbers and digests, never of names that a client chose:

=================================  ============================================================
``<run number>/<sha256 of name>``  a run file
``blobs/<project number>/<key>``   a file of artifacts, by its digest
``manifests/<number>``             an artifact's list of files
``parts/<upload>/<number>``        a part of an upload that is not complete yet
=================================  ============================================================

An upload goes to a new file in ``incoming``, is forced to disk and then renamed to its place: a reader
sees the old bytes or the new ones. Bytes are hashed and written by a thread while the next ones come in.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any, BinaryIO, Protocol
from urllib.parse import quote

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.responses import FileResponse, Response
from starlette.types import Receive, Scope, Send

from ._body import BodyTooLargeError
from ._limits import FILE_CHUNK_BYTES, UPLOAD_URL_SECONDS


class Hasher(Protocol):
    """What hashlib and xxhash have in common."""

    def update(self, data: bytes | bytearray, /) -> Any: ...
    def digest(self) -> bytes: ...


# Looks at the digest of the bytes before they take their place; raises what the upload fails with.
Check = Callable[[bytes], None]


# Up to this size a file is held while it is sent.
_AT_ONCE_BYTES_MAX = 64 << 10
# Of so many folders it is remembered that their names are on the disk.
_LASTING_MAX = 10_000


class DigestMismatchError(Exception):
    """The bytes are not the ones that were announced."""


class ByteStore(Protocol):
    """Keeps bytes by place. What ``put`` and ``join`` returned is durable."""

    async def put(
        self, place: str, pieces: AsyncIterator[bytes], bytes_max: int, hasher: Hasher, check: Check | None = None
    ) -> int: ...
    def join(self, place: str, parts: Sequence[str], hasher: Hasher, check: Check) -> int: ...
    def write(self, place: str, data: bytes) -> None: ...
    def take(self, place: str, path: Path) -> None: ...
    def response(self, place: str, media_type: str, filename: str, disposition: str) -> Response | None: ...
    def read(self, place: str) -> bytes | None: ...
    def delete(self, place: str) -> None: ...
    def delete_under(self, folder: str) -> None: ...
    def discard_abandoned(self) -> None: ...


def disposition_header(disposition: str, filename: str) -> str:
    """The value of a Content-Disposition header."""
    quoted = quote(filename)
    if quoted == filename:
        return f'{disposition}; filename="{filename}"'
    return f"{disposition}; filename*=utf-8''{quoted}"


class FolderStore:
    """Bytes in a folder of this machine."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._incoming = root / "incoming"
        self._incoming.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._lasting: set[Path] = set()  # folders whose own names are on the disk

    def discard_abandoned(self) -> None:
        """Delete what uploads left behind when a server was killed in the middle of them."""
        for path in self._incoming.iterdir():
            # Judged by age, because another process may serve the same directory.
            if path.stat().st_mtime < time.time() - UPLOAD_URL_SECONDS:
                path.unlink(missing_ok=True)

    async def put(
        self, place: str, pieces: AsyncIterator[bytes], bytes_max: int, hasher: Hasher, check: Check | None = None
    ) -> int:
        """Store a body and return its size."""
        size = 0
        waiting = bytearray()
        file: BinaryIO | None = None
        writing: asyncio.Task[None] | None = None
        try:
            async for piece in pieces:
                size += len(piece)
                if size > bytes_max:
                    raise BodyTooLargeError(f"the file is larger than {bytes_max} bytes")
                waiting += piece
                if len(waiting) >= FILE_CHUNK_BYTES:
                    if file is None:
                        file = await run_in_threadpool(_open_new, self._incoming)
                    if writing is not None:
                        await writing
                    writing = asyncio.create_task(run_in_threadpool(_write, file, waiting, hasher))
                    waiting = bytearray()
            if writing is not None:
                await writing
            await run_in_threadpool(self._store, file, waiting, place, hasher, check)
        except BaseException:
            # Includes a client that went away in the middle.
            if writing is not None:
                await asyncio.gather(writing, return_exceptions=True)
            if file is not None:
                _discard(file)
            raise
        return size

    def _store(
        self, begun: BinaryIO | None, rest: bytes | bytearray, place: str, hasher: Hasher, check: Check | None
    ) -> None:  # fmt: skip
        """The last bytes of an upload, of a small one all of them."""
        hasher.update(rest)
        if check is not None:
            check(hasher.digest())
        file = begun or _open_new(self._incoming)
        try:
            self._finish(file, rest, self._root / place)
        except BaseException:
            _discard(file)
            raise

    def join(self, place: str, parts: Sequence[str], hasher: Hasher, check: Check) -> int:
        """Make one file of parts that were stored before."""
        size = 0
        file = _open_new(self._incoming)
        try:
            for part in parts:
                with open(self._root / part, "rb") as source:
                    while piece := source.read(FILE_CHUNK_BYTES):
                        hasher.update(piece)
                        size += file.write(piece)
            check(hasher.digest())
            self._finish(file, b"", self._root / place)
        except BaseException:
            _discard(file)
            raise
        return size

    def write(self, place: str, data: bytes) -> None:
        file = _open_new(self._incoming)
        try:
            self._finish(file, data, self._root / place)
        except BaseException:
            _discard(file)
            raise

    def take(self, place: str, path: Path) -> None:
        """Take over a file of this machine."""
        with path.open("r+b") as file:
            os.fsync(file.fileno())
        self._name(path, self._root / place)

    def response(self, place: str, media_type: str, filename: str, disposition: str) -> Response | None:
        try:
            return _File(self._root / place, media_type, filename, disposition)
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
            return None

    def read(self, place: str) -> bytes | None:
        path = self._root / place
        return path.read_bytes() if path.is_file() else None

    def delete(self, place: str) -> None:
        (self._root / place).unlink(missing_ok=True)

    def delete_under(self, folder: str) -> None:
        shutil.rmtree(self._root / folder, ignore_errors=True)

    def _finish(self, file: BinaryIO, rest: bytes | bytearray, place: Path) -> None:
        file.write(rest)
        file.flush()
        os.fsync(file.fileno())
        file.close()
        self._name(Path(file.name), place)

    def _name(self, path: Path, place: Path) -> None:
        """Give a file its place. The names must survive a power cut as well before the upload is answered."""
        folder = place.parent
        if folder in self._lasting:
            with contextlib.suppress(FileNotFoundError):  # the folder was deleted since
                os.replace(path, place)
                _force_names(folder)
                return
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.replace(path, place)
        for each in (folder, *folder.parents):
            _force_names(each)
            if each == self._root:
                break
        if len(self._lasting) >= _LASTING_MAX:
            self._lasting.clear()
        self._lasting.add(folder)


class _File(FileResponse):
    """A file; a small one is read by the thread that found it, which spares four turns of others."""

    chunk_size = FILE_CHUNK_BYTES

    def __init__(self, path: Path, media_type: str, filename: str, disposition: str) -> None:
        """Raises FileNotFoundError, IsADirectoryError, NotADirectoryError."""
        with path.open("rb", buffering=0) as file:
            status = os.fstat(file.fileno())
            self._content = file.read(_AT_ONCE_BYTES_MAX) if status.st_size <= _AT_ONCE_BYTES_MAX else b""
        super().__init__(
            path, media_type=media_type, filename=filename, content_disposition_type=disposition, stat_result=status
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not self._content or scope["method"] != "GET" or "range" in Headers(scope=scope):
            await super().__call__(scope, receive, send)
            return
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        await send({"type": "http.response.body", "body": self._content})


def _write(file: BinaryIO, piece: bytes | bytearray, hasher: Hasher) -> None:
    hasher.update(piece)
    file.write(piece)


def _open_new(folder: Path) -> BinaryIO:
    handle, name = tempfile.mkstemp(dir=folder)
    os.close(handle)
    # Opened by name again because the file object of `mkstemp` would carry a number as its name.
    return open(name, "wb")


def _discard(file: BinaryIO) -> None:
    # Closing writes what waits, for which there may be no room.
    with contextlib.suppress(OSError):
        file.close()
    Path(file.name).unlink(missing_ok=True)


def _force_names(folder: Path) -> None:
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
