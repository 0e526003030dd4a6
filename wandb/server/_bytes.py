"""Where bytes lie: durable uploads and downloads of everything that is not in the database.

A *place* is a relative path made of numbers and digests, never of names that a client chose:

=================================  ============================================================
``<run number>/<sha256 of name>``  a run file
``blobs/<project number>/<key>``   a file of artifacts, by its digest
``manifests/<number>``             an artifact's list of files
``parts/<upload>/<number>``        a part of an upload that is not complete yet
=================================  ============================================================

An upload goes to a new file in ``incoming``, is forced to disk and then renamed to its place: a reader
sees the old bytes or the new ones.
"""

from __future__ import annotations

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
from starlette.responses import FileResponse, Response

from ._body import BodyTooLargeError
from ._limits import FILE_CHUNK_BYTES, UPLOAD_URL_SECONDS


class Hasher(Protocol):
    """What hashlib and xxhash have in common."""

    def update(self, data: bytes, /) -> Any: ...
    def digest(self) -> bytes: ...


# Looks at the digest of the bytes before they take their place; raises what the upload fails with.
Check = Callable[[bytes], None]


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
        file = await run_in_threadpool(_open_new, self._incoming)
        try:
            waiting = bytearray()
            async for piece in pieces:
                size += len(piece)
                if size > bytes_max:
                    raise BodyTooLargeError(f"the file is larger than {bytes_max} bytes")
                hasher.update(piece)
                waiting += piece
                if len(waiting) >= FILE_CHUNK_BYTES:
                    await run_in_threadpool(file.write, bytes(waiting))
                    waiting.clear()
            if check is not None:
                check(hasher.digest())
            await run_in_threadpool(self._finish, file, bytes(waiting), self._root / place)
        except BaseException:
            # Includes a client that went away in the middle.
            _discard(file)
            raise
        return size

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
        path = self._root / place
        if not path.is_file():
            return None
        return FileResponse(path, media_type=media_type, filename=filename, content_disposition_type=disposition)

    def read(self, place: str) -> bytes | None:
        path = self._root / place
        return path.read_bytes() if path.is_file() else None

    def delete(self, place: str) -> None:
        (self._root / place).unlink(missing_ok=True)

    def delete_under(self, folder: str) -> None:
        shutil.rmtree(self._root / folder, ignore_errors=True)

    def _finish(self, file: BinaryIO, rest: bytes, place: Path) -> None:
        file.write(rest)
        file.flush()
        os.fsync(file.fileno())
        file.close()
        self._name(Path(file.name), place)

    def _name(self, path: Path, place: Path) -> None:
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.replace(path, place)
        # The names must survive a power cut as well before the upload is answered.
        folder = place.parent
        while folder != self._root.parent:
            _force_names(folder)
            folder = folder.parent


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
