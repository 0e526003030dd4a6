"""Request bodies: read as they come, decompressed, and refused as soon as they exceed a bound."""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator

from starlette.requests import Request


class BodyTooLargeError(Exception):
    """The body is larger than the bound for this kind of request."""


class BodyEncodingError(Exception):
    """The body is not what its Content-Encoding says, or the encoding is not known."""


async def read_body(request: Request, bytes_max: int) -> bytes:
    """The decompressed body. The bound counts decompressed bytes, so a bomb stops early."""
    encoding = request.headers.get("content-encoding", "identity").lower()
    if encoding not in ("identity", "gzip"):
        raise BodyEncodingError(f"Content-Encoding {encoding!r} is not supported; use gzip or none")
    pieces = _gunzip(request, bytes_max) if encoding == "gzip" else request.stream()
    parts: list[bytes] = []
    size = 0
    async for piece in pieces:
        size += len(piece)
        if size > bytes_max:
            raise BodyTooLargeError(f"the body is larger than {bytes_max} bytes")
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
