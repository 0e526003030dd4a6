"""What has arrived of large run files whose uploads broke off, until the rest of them comes.

An upload is known by its place, its size and an identity that its client chose, so that only the same
file is gone on with. It is asked for and continued in the way of Google's storage:

    PUT, Content-Range: bytes */1000                        308, Range: bytes=0-399: so much is here
    PUT, Content-Range: bytes 400-999/1000 and the bytes    the reply to the whole file

What is here need not have survived a loss of power: the client compares the MD5 of the whole.
"""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from starlette.concurrency import run_in_threadpool

from ._limits import FILE_CHUNK_BYTES, UPLOAD_URL_SECONDS

UPLOAD_ID_HEADER = "x-wandb-upload-id"
_RANGE = re.compile(r"bytes (?:\*|(\d+)-(\d+))/(\d+)")


class UploadSupersededError(Exception):
    """The same upload was begun once more, by a client that this connection knows nothing of."""


@dataclass(frozen=True)
class ContentRange:
    """Which bytes a request holds. Without a start it only asks what is here."""

    start: int | None
    size: int  # of the whole file


def parse_content_range(text: str) -> ContentRange | None:
    """None for what is no range up to the end of a file."""
    match = _RANGE.fullmatch(text)
    if match is None or any(len(number) > 18 for number in match.groups("")):
        return None
    start, last, size = match.groups()
    if start is not None and not int(start) <= int(last) == int(size) - 1:
        return None
    return ContentRange(None if start is None else int(start), int(size))


class PartialUploads:
    """Files that have arrived in part, in a folder of this machine."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._writers: dict[str, object] = {}  # who writes an upload now; whoever came last
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def discard_abandoned(self) -> None:
        for path in self._folder.iterdir():
            if path.stat().st_mtime < time.time() - UPLOAD_URL_SECONDS:
                path.unlink(missing_ok=True)

    def path(self, place: str, upload_id: str, size: int) -> Path:
        """Where the bytes of an upload gather."""
        return self._folder / hashlib.sha256(f"{place}\n{size}\n{upload_id}".encode()).hexdigest()

    def arrived(self, path: Path, size: int) -> int:
        """How many bytes are here. Never all of them: what is whole is in its place."""
        try:
            return min(path.stat().st_size, size - 1)
        except FileNotFoundError:
            return 0

    async def receive(self, path: Path, start: int, size: int, pieces: AsyncIterator[bytes]) -> bytes | None:
        """Take the bytes from `start` on. The MD5 of the file if it is whole then; None if it isn't.

        What came before a connection broke off stays.
        """
        token = self._writers[path.name] = object()
        file = await run_in_threadpool(_open_at, path, start)
        # The bytes before were hashed by a process that may be gone.
        digest = await run_in_threadpool(_digest_of, path, start)
        try:
            waiting, left = bytearray(), size - start
            try:
                async for piece in pieces:
                    if self._writers.get(path.name) is not token:
                        raise UploadSupersededError("this upload goes on over another connection")
                    piece = piece[:left]
                    left -= len(piece)
                    waiting += piece
                    digest.update(piece)
                    if len(waiting) >= FILE_CHUNK_BYTES:
                        await run_in_threadpool(file.write, bytes(waiting))
                        waiting.clear()
            finally:
                if self._writers.get(path.name) is token:
                    file.write(waiting)
        finally:
            file.close()
            if self._writers.get(path.name) is token:
                del self._writers[path.name]
        return None if left else bytes(digest.digest())


def _open_at(path: Path, start: int) -> BinaryIO:
    file = open(path, "r+b" if start else "wb", buffering=0)  # noqa: SIM115 - the caller closes it
    path.chmod(0o600)
    file.truncate(start)
    file.seek(start)
    return file


def _digest_of(path: Path, count: int) -> Any:
    digest = hashlib.md5(usedforsecurity=False)
    with path.open("rb") as file:
        while count and (piece := file.read(min(count, FILE_CHUNK_BYTES))):
            digest.update(piece)
            count -= len(piece)
    return digest
