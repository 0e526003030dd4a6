"""Bytes in a bucket: the store of ``_bytes`` on Amazon S3 and whatever speaks its protocol.

Bytes go through the server in both directions: it holds uploads against their digests before they take their place, and
the bucket needs no address that clients reach. Who the server is to the bucket, and where the bucket is, is said by the
environment: ``AWS_ACCESS_KEY_ID``, ``AWS_SECRET_ACCESS_KEY``, ``AWS_REGION``, ``AWS_ENDPOINT_URL``, or the role of the
machine.

An upload in parts that breaks off leaves nothing behind that can be read; a rule of the bucket that ends incomplete
uploads after a day removes what a server that was killed has begun.
"""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from ._body import BodyTooLargeError
from ._bytes import Check, Hasher, disposition_header
from ._limits import FILE_CHUNK_BYTES, OBJECT_PART_BYTES

if TYPE_CHECKING:
    from obstore.store import S3Store

_RETRIES: Any = {"max_retries": 5, "retry_timeout": timedelta(seconds=30)}
_PARTS: Any = {"chunk_size": OBJECT_PART_BYTES, "max_concurrency": 4}
_RANGE = re.compile(r"bytes=(\d*)-(\d*)")


class BucketError(RuntimeError):
    """The bucket cannot be used; the message says why."""


class BucketStore:
    """Bytes in a bucket, below a prefix."""

    def __init__(self, url: str) -> None:
        """Raises BucketError for a bucket that the server cannot look into."""
        try:
            import obstore
            from obstore.store import S3Store
        except ModuleNotFoundError as error:
            raise BucketError(f'files in a bucket need {error.name!r}: run `pip install "wandb[s3]"`') from None
        if not url.startswith("s3://"):
            raise BucketError(f"--files must be a URL such as s3://bucket/folder, not {url!r}")
        self._obs = obstore
        plain = os.environ.get("AWS_ENDPOINT_URL", "").startswith("http://")
        self._store: S3Store = S3Store.from_url(url, client_options={"allow_http": plain}, retry_config=_RETRIES)
        try:
            next(iter(obstore.list(self._store, chunk_size=1)), None)
        except Exception as error:
            # The first line says what; the others are the library's own values.
            raise BucketError(f"cannot use {url}: {str(error).splitlines()[0]}") from None

    async def put(
        self, place: str, pieces: AsyncIterator[bytes], bytes_max: int, hasher: Hasher, check: Check | None = None
    ) -> int:
        """Store a body and return its size."""
        size = 0

        async def checked() -> AsyncIterator[bytes]:
            nonlocal size
            async for piece in pieces:
                size += len(piece)
                if size > bytes_max:
                    raise BodyTooLargeError(f"the file is larger than {bytes_max} bytes")
                hasher.update(piece)
                if piece:
                    yield piece
            # What is raised here is raised before the object takes its place.
            if check is not None:
                check(hasher.digest())

        await self._obs.put_async(self._store, place, checked(), **_PARTS)
        return size

    def join(self, place: str, parts: Sequence[str], hasher: Hasher, check: Check) -> int:
        """Make one object of parts that were stored before."""
        size = 0

        async def checked() -> AsyncIterator[bytes]:
            nonlocal size
            for part in parts:
                found = await self._obs.get_async(self._store, part)
                async for piece in found.stream(min_chunk_size=FILE_CHUNK_BYTES):
                    content = bytes(piece)
                    hasher.update(content)
                    size += len(content)
                    yield content
            check(hasher.digest())

        async def put() -> None:
            await self._obs.put_async(self._store, place, checked(), **_PARTS)

        # Reading while writing needs a loop; this is called by a thread that has none.
        asyncio.run(put())
        return size

    def write(self, place: str, data: bytes) -> None:
        self._obs.put(self._store, place, data)

    def take(self, place: str, path: Path) -> None:
        """Take over a file of this machine."""
        self._obs.put(self._store, place, path, **_PARTS)
        path.unlink(missing_ok=True)

    def response(self, place: str, media_type: str, filename: str, disposition: str) -> Response | None:
        try:
            known = self._obs.head(self._store, place)
        except FileNotFoundError:
            return None
        headers = {
            "content-disposition": disposition_header(disposition, filename),
            "etag": known["e_tag"] or f'"{known["size"]}"',
            "accept-ranges": "bytes",
        }
        return _ObjectResponse(self._obs, self._store, place, known["size"], media_type, headers)

    def read(self, place: str) -> bytes | None:
        try:
            return bytes(self._obs.get(self._store, place).bytes())
        except FileNotFoundError:
            return None

    def delete(self, place: str) -> None:
        # Of an object that isn't there, too: S3 says the same in both cases.
        self._obs.delete(self._store, place)

    def delete_under(self, folder: str) -> None:
        for page in self._obs.list(self._store, prefix=folder):
            self._obs.delete(self._store, [known["path"] for known in page])

    def discard_abandoned(self) -> None:
        """Nothing that broke off can be read, and the bucket's own rules remove it."""


class _ObjectResponse(Response):
    """Streams an object, or the part of it that a request asks for."""

    def __init__(self, obs: Any, store: Any, place: str, size: int, media_type: str, headers: dict[str, str]) -> None:
        super().__init__(headers=headers, media_type=media_type)
        self._obs, self._store, self._place, self._size = obs, store, place, size
        del self.headers["content-length"]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        start, end = 0, self._size
        asked = _RANGE.fullmatch(Headers(scope=scope).get("range", ""))
        if asked and any(asked.groups()):
            start, end = _part(asked[1], asked[2], self._size)
            self.status_code = 206 if start < end else 416
            shown = f"{start}-{end - 1}" if start < end else "*"
            self.headers["content-range"] = f"bytes {shown}/{self._size}"
        self.headers["content-length"] = str(max(0, end - start))
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        if scope["method"] != "HEAD" and start < end:
            found = await self._obs.get_async(self._store, self._place, options={"range": (start, end)})
            async for piece in found.stream(min_chunk_size=FILE_CHUNK_BYTES):
                await send({"type": "http.response.body", "body": bytes(piece), "more_body": True})
        await send({"type": "http.response.body", "body": b""})


def _part(first: str, last: str, size: int) -> tuple[int, int]:
    """The bytes of a range such as ``5-``, ``5-9`` or ``-10``; none where it begins behind the end."""
    if not first:
        return max(0, size - int(last)), size
    return int(first), min(size, int(last) + 1) if last else size
