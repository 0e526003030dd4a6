"""Run files: signed URLs, durable uploads, downloads.

Bytes lie at ``files/<run number>/<sha256 of the name>`` in the data folder, so no name from a
client ever becomes a path. An upload goes to a new file in ``files/incoming``, is forced to disk
and then renamed to its place: a reader sees the old bytes or the new ones.
"""

from __future__ import annotations

import base64
import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import quote

from sqlalchemy import Connection, select
from sqlalchemy.dialects.sqlite import insert as upsert
from starlette.concurrency import run_in_threadpool

from ._auth import ServerSecret
from ._body import BodyTooLargeError
from ._limits import FILE_CHUNK_BYTES, UPLOAD_URL_SECONDS
from ._tables import files


@dataclass(frozen=True)
class StoredFile:
    """A row of ``files``."""

    run_id: int
    name: str
    size: int
    md5: str
    updated_at: float


class UrlSigner:
    """Makes and checks the URLs by which a file can be put or got without an API key."""

    def __init__(self, secret: ServerSecret) -> None:
        self._secret = secret

    def path(self, method: str, run_id: int, name: str, expires_at: float) -> str:
        expires = str(int(expires_at))
        signature = self._secret.digest("file-url", _signed(method, run_id, name, expires))
        return f"/storage/{run_id}/{quote(name)}?expires={expires}&signature={signature}"

    def problem(self, method: str, run_id: int, name: str, expires: str, signature: str, now: float) -> str | None:
        """Why a URL is not valid; None when it is."""
        if not self._secret.matches("file-url", _signed(method, run_id, name, expires), signature):
            return "the signature of this URL is not valid; ask the server for a new URL"
        if now > int(expires):
            return "this URL has expired; ask the server for a new one"
        return None


def _signed(method: str, run_id: int, name: str, expires: str) -> str:
    return f"{method}\n{run_id}\n{expires}\n{name}"


class FileStore:
    """The folder with the bytes of all run files."""

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

    def path(self, run_id: int, name: str) -> Path:
        return self._root / str(run_id) / hashlib.sha256(name.encode()).hexdigest()

    async def put(self, run_id: int, name: str, pieces: AsyncIterator[bytes], bytes_max: int) -> tuple[int, str]:
        """Store a body; its size and base64 MD5 are returned when it is safely on disk."""
        place = self.path(run_id, name)
        digest = hashlib.md5(usedforsecurity=False)
        size = 0
        file = await run_in_threadpool(_open_new, self._incoming)
        try:
            waiting = bytearray()
            async for piece in pieces:
                size += len(piece)
                if size > bytes_max:
                    raise BodyTooLargeError(f"the file is larger than {bytes_max} bytes")
                digest.update(piece)
                waiting += piece
                if len(waiting) >= FILE_CHUNK_BYTES:
                    await run_in_threadpool(file.write, bytes(waiting))
                    waiting.clear()
            await run_in_threadpool(_finish, file, bytes(waiting), place)
        except BaseException:
            # Includes a client that went away in the middle.
            file.close()
            Path(file.name).unlink(missing_ok=True)
            raise
        return size, base64.b64encode(digest.digest()).decode()

    def delete_run(self, run_id: int) -> None:
        shutil.rmtree(self._root / str(run_id), ignore_errors=True)


def _open_new(folder: Path) -> BinaryIO:
    handle, name = tempfile.mkstemp(dir=folder)
    os.close(handle)
    # Opened by name again because the file object of `mkstemp` would carry a number as its name.
    return open(name, "wb")


def _finish(file: BinaryIO, rest: bytes, place: Path) -> None:
    file.write(rest)
    file.flush()
    os.fsync(file.fileno())
    file.close()
    place.parent.mkdir(mode=0o700, exist_ok=True)
    os.replace(file.name, place)
    # The names must survive a power cut as well before the upload is answered.
    _force_names(place.parent)
    _force_names(place.parent.parent)


def _force_names(folder: Path) -> None:
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def record_file(connection: Connection, stored: StoredFile) -> None:
    values = dict(vars(stored))
    connection.execute(
        upsert(files).values(**values).on_conflict_do_update(index_elements=[files.c.run_id, files.c.name], set_=values)
    )


def find_file(connection: Connection, run_id: int, name: str) -> StoredFile | None:
    row = connection.execute(select(files).where(files.c.run_id == run_id, files.c.name == name)).first()
    return StoredFile(**row._mapping) if row is not None else None


def list_files(
    connection: Connection, run_id: int, names: list[str] | None = None, pattern: str | None = None
) -> list[StoredFile]:
    """The files of a run by name, narrowed to names or to an SQL LIKE pattern."""
    query: Any = select(files).where(files.c.run_id == run_id).order_by(files.c.name)
    if names:
        query = query.where(files.c.name.in_(names))
    if pattern:
        query = query.where(files.c.name.like(pattern))
    return [StoredFile(**row._mapping) for row in connection.execute(query)]
