"""Request bodies: read as they come, decompressed, and refused as soon as they exceed a bound.

There is one for each kind of body, and one for all that are in memory at a time.
"""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

_HELD = "wandb.server.held"


class BodyTooLargeError(Exception):
    """The body is larger than the bound for this kind of request."""


class BodyEncodingError(Exception):
    """The body is not what its Content-Encoding says, or the encoding is not known."""


class TooManyBodiesError(Exception):
    """What others have sent fills the memory that there is for bodies; it is free again in a moment."""


class BodiesInFlight:
    """Counts what the bodies of all requests hold, each of them until it is answered."""

    def __init__(self, app: ASGIApp, bytes_max: int) -> None:
        self._app, self._bytes_max = app, bytes_max
        self._bytes = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        held = scope[_HELD] = _Held(self)
        try:
            await self._app(scope, receive, send)
        finally:
            self._bytes -= held.bytes

    def hold(self, count: int) -> None:
        if self._bytes + count > self._bytes_max:
            raise TooManyBodiesError("the server has its hands full; come again in a moment")
        self._bytes += count


class _Held:
    """What one request's body holds."""

    def __init__(self, all_bodies: BodiesInFlight) -> None:
        self._all = all_bodies
        self.bytes = 0

    def add(self, count: int) -> None:
        self._all.hold(count)
        self.bytes += count


async def read_body(request: Request, bytes_max: int) -> bytes:
    """The decompressed body. The bound counts decompressed bytes, so a bomb stops early."""
    encoding = request.headers.get("content-encoding", "identity").lower()
    if encoding not in ("identity", "gzip"):
        raise BodyEncodingError(f"Content-Encoding {encoding!r} is not supported; use gzip or none")
    pieces = _gunzip(request, bytes_max) if encoding == "gzip" else request.stream()
    held: _Held = request.scope[_HELD]
    parts: list[bytes] = []
    size = 0
    async for piece in pieces:
        size += len(piece)
        if size > bytes_max:
            raise BodyTooLargeError(f"the body is larger than {bytes_max} bytes")
        held.add(len(piece))
        parts.append(piece)
    return b"".join(parts)


async def _gunzip(request: Request, bytes_max: int) -> AsyncIterator[bytes]:
    # 16 + MAX_WBITS selects the gzip container.
    decoder = zlib.decompressobj(16 + zlib.MAX_WBITS)
    try:
        async for piece in request.stream():
            # One byte beyond the bound is enough to notice that it is exceeded.
            yield decoder.decompress(piece, bytes_max + 1)
            if decoder.unconsumed_tail:
                raise BodyTooLargeError(f"the body is larger than {bytes_max} bytes")
    except zlib.error as error:
        raise BodyEncodingError(f"the body is not gzip: {error}") from None
    if not decoder.eof:
        raise BodyEncodingError("the gzip body ends early")
