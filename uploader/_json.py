"""JSON on its way to a server, a tenth of the time of the standard library's.

What orjson can't say, the standard library says: NaN and infinities as the bare tokens that the protocol has within
lines, integers beyond 64 bits, halves of surrogate pairs. Equal values give equal texts, which repetitions rely on.
"""

from __future__ import annotations

import json
from typing import Any

import orjson

_encode = json.JSONEncoder(separators=(",", ":"), allow_nan=True).encode


def encode_json(value: Any) -> str:
    """The text of a line, or of a value within a request."""
    return encode_body(value).decode()


def encode_body(value: Any) -> bytes:
    """The same in UTF-8."""
    try:
        raw = orjson.dumps(value)
    except TypeError:
        return _encode(value).encode()
    # An honest null goes the long way too: it looks as what is no number in JSON.
    return _encode(value).encode() if b"null" in raw else raw


def text_bytes(text: str) -> int:
    """How many bytes a text takes in UTF-8."""
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))
