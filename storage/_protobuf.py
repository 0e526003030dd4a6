"""Protocol buffers on the wire, as far as reading needs it: a message is numbered fields, each an integer or bytes.

Only for what other programs wrote. What the bytes mean is for the caller, who knows the schema.
"""

from __future__ import annotations

import struct
from typing import List, Tuple, Union

from ._decode import Undecodable

# Each field costs about a hundred bytes of memory, however few it has in the message.
FIELDS_MAX = 1 << 20
_VARINT_BYTES_MAX = 10
_DOUBLE = struct.Struct("<d")

Field = Tuple[int, Union[int, bytes]]


def protobuf_fields(raw: bytes) -> List[Field]:
    """(number, value) of each field in order. Fixed-size values are their bytes. Raises Undecodable."""
    found: List[Field] = []
    at, end = 0, len(raw)
    try:
        while at < end:
            tag = raw[at]
            at += 1
            if tag > 127:
                tag, at = _varint(raw, at - 1)
            kind = tag & 7
            if kind == 2:
                size = raw[at]
                at += 1
                if size > 127:
                    size, at = _varint(raw, at - 1)
            elif kind == 0:
                value, at = _varint(raw, at)
                found.append((tag >> 3, value))
                continue
            elif kind == 1 or kind == 5:
                size = 8 if kind == 1 else 4
            else:
                raise Undecodable(f"wire type {kind}")
            stop = at + size
            if stop > end:
                raise Undecodable("a field reaches beyond its message")
            found.append((tag >> 3, raw[at:stop]))
            at = stop
            if len(found) > FIELDS_MAX:
                raise Undecodable(f"more than {FIELDS_MAX:,} fields")
    except IndexError:
        raise Undecodable("a message ends in the middle of a field") from None
    return found


def _varint(raw: bytes, at: int) -> Tuple[int, int]:
    value = 0
    for place in range(_VARINT_BYTES_MAX):
        byte = raw[at + place]
        value |= (byte & 127) << 7 * place
        if byte < 128:
            return value & (1 << 64) - 1, at + place + 1
    raise Undecodable("an integer without an end")


def signed(value: int) -> int:
    """An int32 or int64 as it was written: negative numbers travel as their 64-bit complement."""
    return value - (1 << 64) if value >> 63 else value


def zigzag(value: int) -> int:
    """A sint32 or sint64."""
    return (value >> 1) ^ -(value & 1)


def double(value: bytes) -> float:
    """Raises Undecodable where the bytes are not those of a double."""
    try:
        return float(_DOUBLE.unpack(value)[0])
    except struct.error:
        raise Undecodable("not a double") from None
