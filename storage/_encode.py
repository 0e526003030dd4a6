"""Records to flatbuffers, without a general builder.

A record's kind and the set of its fields that are present decide everything about the bytes in front of its strings
and vectors: that part is built once for each combination (`_Layout`) and then only patched. A row of scalars goes
further: its vectors have a fixed length, so all of it is one template (`RowTemplate`) in which a call patches the
step, the time and the values.

The bytes are ordinary flatbuffers; the tests decode them with the generated code and with `flatc`.

    0   u32     length of everything after it (a size-prefixed flatbuffer)
    4   u32     offset of the root table
    8           vtable of Record: body_type, body
    16          Record
    28          vtable of the body
    ..          the body's table: its fields by falling size
    ..          its strings and vectors, in the order of the fields
"""

from __future__ import annotations

import dataclasses
import functools
import operator
import struct
from typing import Any, Callable, Dict, List, Sequence, Tuple, Type

from ._errors import UnstorableValue
from ._format import FRAME_HEADER, RECORD_BYTES_MAX, WRAPPING_BYTES
from ._records import RECORD_TYPES, WIRE, FromLane, Record, Row, Scalar

_OFFSET_BYTES = 4
SCALAR_BYTES = {"B": 1, "?": 1, "i": 4, "I": 4, "q": 8, "Q": 8, "d": 8}
_U32 = struct.Struct("<I")
# What brings a length, by its rest, to a multiple of four.
_PADDING = (b"", bytes(3), bytes(2), bytes(1))
_STEP_AND_TIME = struct.Struct("<qd")
_BODY_VTABLE = 28
_FRAME_HEADER_BYTES = FRAME_HEADER.size


def _only(name: str) -> Callable[[Record], Tuple[Any, ...]]:
    return lambda record: (getattr(record, name),)


_WIRE_FIELDS = {
    kind: tuple((field.name, field.metadata[WIRE]) for field in dataclasses.fields(record_type) if field.metadata)
    for kind, record_type in RECORD_TYPES.items()
}


# All fields of a record at once.
_READERS: Dict[int, Callable[[Record], Tuple[Any, ...]]] = {
    kind: operator.attrgetter(*(name for name, _ in fields)) if len(fields) > 1 else _only(fields[0][0])
    for kind, fields in _WIRE_FIELDS.items()
}


def wire_fields(record_type: Type[Record]) -> Tuple[Tuple[str, str], ...]:
    """(name, type on the wire) of each slot of a record's table."""
    return _WIRE_FIELDS[record_type.kind]


class _Layout:
    """Where everything stands in records of one kind with the same fields present."""

    def __init__(self, kind: int, present: Tuple[bool, ...]) -> None:
        fields = wire_fields(RECORD_TYPES[kind])
        order = sorted(
            (slot for slot in range(len(fields)) if present[slot]),
            key=lambda slot: -SCALAR_BYTES.get(fields[slot][1], _OFFSET_BYTES),
        )
        vtable_bytes = 4 + 2 * len(fields)
        # A table starts with the four-byte way back to its vtable; eight-byte fields follow it, so that they are
        # aligned where the table starts four bytes short of a multiple of eight.
        table = _BODY_VTABLE + vtable_bytes
        table += (4 - table) % 8
        position = table + 4
        self.inline_format = "<"
        self.inline_order: List[int] = []
        self.positions: Dict[int, int] = {}
        for slot in order:
            wire = fields[slot][1]
            self.positions[slot] = position
            self.inline_order.append(slot)
            self.inline_format += wire if wire in SCALAR_BYTES else "I"
            position += SCALAR_BYTES.get(wire, _OFFSET_BYTES)
        self.inline = struct.Struct(self.inline_format)
        self.end = position + (-position) % 4
        offsets = [self.positions.get(slot, table) - table for slot in range(len(fields))]
        self.head = bytearray(self.end)
        struct.pack_into("<IHHHH", self.head, 4, 12, 8, 12, 8, 4)
        struct.pack_into("<iIB", self.head, 16, 8, table - 20, kind)
        struct.pack_into(f"<HH{len(fields)}H", self.head, _BODY_VTABLE, vtable_bytes, position - table, *offsets)
        struct.pack_into("<i", self.head, table, table - _BODY_VTABLE)
        self.table = table
        # Slots whose values stand behind the table, with their types.
        self.outside = [
            (slot, wire) for slot, (_, wire) in enumerate(fields) if present[slot] and wire not in SCALAR_BYTES
        ]


@functools.lru_cache(maxsize=1024)
def _layout(kind: int, present: Tuple[bool, ...]) -> _Layout:
    return _Layout(kind, present)


def _append_text(out: bytearray, text: str) -> int:
    """Append a string and return where it starts. Lone surrogates are kept, as JSON escapes could not keep them."""
    raw = text.encode("utf-8", "surrogatepass")
    out += _PADDING[len(out) % 4]
    position = len(out)
    out += _U32.pack(len(raw))
    out += raw
    out += b"\0"
    return position


def _append_vector(out: bytearray, wire: str, values: Any) -> int:
    if wire == "bytes":
        out += _PADDING[len(out) % 4]
        position = len(out)
        out += _U32.pack(len(values)) + values
        return position
    if wire == "texts":
        out += _PADDING[len(out) % 4]
        position = len(out)
        out += bytes(4 + 4 * len(values))
        if not values:
            return position
        _U32.pack_into(out, position, len(values))
        for index, text in enumerate(values):
            slot = position + 4 + 4 * index
            _U32.pack_into(out, slot, _append_text(out, text) - slot)
        return position
    element = wire[1]
    aligned = 4 if SCALAR_BYTES[element] < 8 else 8
    out += bytes((4 - len(out)) % aligned if aligned == 8 else -len(out) % 4)
    position = len(out)
    out += struct.pack(f"<I{len(values)}{element}", len(values), *values)
    return position


def encode(record: Record) -> bytes:
    """The size-prefixed flatbuffer of any record.

    Raises UnstorableValue for a record above the limit, and for integers that its fields can't hold.
    """
    values = list(_READERS[record.kind](record))
    layout = _layout(record.kind, tuple([value is not None for value in values]))
    out = bytearray(layout.head)
    try:
        for slot, wire in layout.outside:
            value = values[slot]
            start = _append_text(out, value) if wire == "text" else _append_vector(out, wire, value)
            values[slot] = start - layout.positions[slot]
        layout.inline.pack_into(out, layout.table + 4, *[values[slot] for slot in layout.inline_order])
    except struct.error as error:
        raise UnstorableValue(f"a {type(record).__name__} record holds a number out of range: {error}") from error
    limit = RECORD_BYTES_MAX if record.kind == FromLane.kind else RECORD_BYTES_MAX - WRAPPING_BYTES
    if len(out) > limit:
        raise UnstorableValue(
            f"a {type(record).__name__} record of {len(out):,} bytes is above the limit of {limit:,}; "
            "log less at once, or save it as a file"
        )
    _U32.pack_into(out, 0, len(out) - 4)
    return bytes(out)


class RowTemplate:
    """The frame of a row without JSON, built once for a shape and patched for each row.

    `frame` holds the frame's header too, which is the log's to fill in. `pack_head` takes (frame, `head_offset`, step,
    time) and `pack_values` (frame, `values_offset`, *values), doubles first, then integers, in the order of the shape.
    Only one thread may use a template at a time: the log's lock is what the caller holds.
    """

    __slots__ = ("frame", "head_offset", "pack_head", "pack_values", "values_offset")

    def __init__(self, shape: int, scalars: Sequence[int], flags: int) -> None:
        doubles, integers, _ = (len(indexes) for indexes in storage_order(scalars))
        payload = encode(Row(shape=shape, flags=flags, doubles=[0.0] * doubles, integers=[0] * integers))
        self.frame = bytearray(_FRAME_HEADER_BYTES) + payload
        self.head_offset = _FRAME_HEADER_BYTES + ROW_STEP_AT
        self.pack_head = _STEP_AND_TIME.pack_into
        slot = _FRAME_HEADER_BYTES + _layout(Row.kind, _PLAIN_ROW).positions[_ROW_SLOTS.index("doubles")]
        self.values_offset = slot + _U32.unpack_from(self.frame, slot)[0] + 4
        # Both vectors hold eight-byte elements behind a four-byte count, so four bytes of padding and the count stand
        # between the doubles and the integers.
        pack_into = struct.Struct(f"<{doubles}d" + (f"4xI{integers}q" if integers else "")).pack_into
        if integers:

            def pack_both(frame: bytearray, offset: int, *values: Any) -> None:
                pack_into(frame, offset, *values[:doubles], integers, *values[doubles:])

            self.pack_values: Callable[..., None] = pack_both
        else:
            self.pack_values = pack_into


@functools.lru_cache(maxsize=16)
def _json_row_head(flags: int) -> bytes:
    """The frame of a row that is JSON alone, up to the text's length."""
    payload = encode(Row(flags=flags, json=""))
    return bytes(_FRAME_HEADER_BYTES) + payload[:-5]  # the length of an empty text, and its end


def json_row_frame(step: int, time: float, flags: int, text: bytes) -> bytearray:
    """The frame of a row whose values are all in its JSON; its header is the log's to fill in.

    As `encode` would have it, in a tenth of the time. Raises UnstorableValue.
    """
    frame = bytearray(_json_row_head(flags))
    frame += _U32.pack(len(text))
    frame += text
    frame += b"\0"
    size = len(frame) - _FRAME_HEADER_BYTES
    if size > RECORD_BYTES_MAX - WRAPPING_BYTES:
        encode(Row(step=step, time=time, flags=flags, json=text.decode()))  # which says what is wrong
    try:
        _STEP_AND_TIME.pack_into(frame, _FRAME_HEADER_BYTES + ROW_STEP_AT, step, time)
    except struct.error as error:
        raise UnstorableValue(f"a Row record holds a number out of range: {error}") from error
    _U32.pack_into(frame, _FRAME_HEADER_BYTES, size - 4)
    return frame


def storage_order(scalars: Sequence[int]) -> Tuple[List[int], List[int], List[int]]:
    """The indexes of the keys whose values stand in a row's doubles, in its integers, and nowhere."""
    doubles = [index for index, scalar in enumerate(scalars) if scalar == Scalar.DOUBLE]
    nulls = [index for index, scalar in enumerate(scalars) if scalar == Scalar.NULL]
    integers = [index for index in range(len(scalars)) if scalars[index] in (Scalar.INTEGER, Scalar.BOOLEAN)]
    return doubles, integers, nulls


_ROW_SLOTS = [name for name, _ in wire_fields(Row)]
_PLAIN_ROW = tuple(name != "json" for name in _ROW_SLOTS)
# Where step and then time stand in the payload of any row, and where the bytes behind them start.
ROW_STEP_AT = _layout(Row.kind, _PLAIN_ROW).positions[_ROW_SLOTS.index("step")]
ROW_REST_AT = ROW_STEP_AT + 16
