"""Flatbuffers to records, with every offset checked.

The reader trusts no byte: a checksum proves that a record is what some writer wrote, not that the writer was sane. What
doesn't decode is reported as such, never followed out of its buffer.

Rows of one shape have all their bytes in common but step, time and values. `RowDecoder` remembers the common part and
unpacks the rest in one call.
"""

from __future__ import annotations

import json
import operator
import struct
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Tuple

from ._encode import ROW_REST_AT, ROW_STEP_AT, SCALAR_BYTES, RowTemplate, storage_order, wire_fields
from ._format import FRAME_HEADER, SHAPE_KEYS_MAX, SHAPES_MAX
from ._records import RECORD_TYPES, FromLane, Record, Row, Scalar, Shape

_U16 = struct.Struct("<H")
_U32 = struct.Struct("<I")
_I32 = struct.Struct("<i")


class Undecodable(Exception):
    """The bytes are not a record of this format."""


class _Table:
    """One flatbuffers table in `raw`."""

    def __init__(self, raw: bytes, position: int) -> None:
        self.raw, self.position = raw, position
        self.vtable = position - _I32.unpack_from(raw, position)[0]
        if not 0 <= self.vtable <= len(raw) - 4:
            raise Undecodable(f"a vtable at {self.vtable}")
        self.slots = (_U16.unpack_from(raw, self.vtable)[0] - 4) // 2

    def find(self, slot: int) -> int:
        """Where the field of `slot` stands; 0 where it is absent."""
        if slot >= self.slots:
            return 0
        offset = int(_U16.unpack_from(self.raw, self.vtable + 4 + 2 * slot)[0])
        return self.position + offset if offset else 0

    def follow(self, position: int) -> int:
        return position + int(_U32.unpack_from(self.raw, position)[0])

    def text(self, position: int) -> str:
        (length,) = _U32.unpack_from(self.raw, position)
        if position + 4 + length > len(self.raw):
            raise Undecodable(f"a string of {length} bytes at {position}")
        return self.raw[position + 4 : position + 4 + length].decode("utf-8", "surrogatepass")

    def texts(self, slots: range) -> List[str]:
        # Many slots may point at one long string: what comes out must not outgrow what came in.
        found: List[str] = []
        budget = len(self.raw)
        for slot in slots:
            found.append(self.text(self.follow(slot)))
            budget -= len(found[-1])
            if budget < 0:
                raise Undecodable(f"{len(slots)} strings that share their bytes")
        return found

    def value(self, position: int, wire: str) -> Any:
        if wire in SCALAR_BYTES:
            return struct.unpack_from("<" + wire, self.raw, position)[0]
        start = self.follow(position)
        if wire == "text":
            return self.text(start)
        (count,) = _U32.unpack_from(self.raw, start)
        element = {"texts": "I", "bytes": "B"}.get(wire) or wire[1]
        if start + 4 + count * SCALAR_BYTES[element] > len(self.raw):
            raise Undecodable(f"a vector of {count} at {start}")
        if wire == "texts":
            return self.texts(range(start + 4, start + 4 + 4 * count, 4))
        if wire == "bytes":
            return self.raw[start + 4 : start + 4 + count]
        return list(struct.unpack_from(f"<{count}{element}", self.raw, start + 4))


def decode(kind: int, payload: bytes) -> Optional[Record]:
    """The record of a size-prefixed flatbuffer, or None where this version doesn't know its kind.

    Raises Undecodable for bytes that are no such flatbuffer.
    """
    record_type = RECORD_TYPES.get(kind)
    if record_type is None:
        return None
    try:
        root = _Table(payload, 4 + int(_U32.unpack_from(payload, 4)[0]))
        type_at, body_at = root.find(0), root.find(1)
        if not body_at or not type_at or payload[type_at] != kind:
            raise Undecodable(f"not a {record_type.__name__}")
        body = _Table(payload, root.follow(body_at))
        record = record_type()
        for slot, (name, wire) in enumerate(wire_fields(record_type)):
            position = body.find(slot)
            if position:
                setattr(record, name, body.value(position, wire))
        return record
    except (struct.error, IndexError, UnicodeDecodeError) as error:
        raise Undecodable(f"not a {record_type.__name__}: {error}") from error


def decode_inner(wrapped: FromLane, rows: RowDecoder) -> Optional[Record]:
    """The record that a `FromLane` holds, or None where this version doesn't know its kind. Raises Undecodable."""
    if wrapped.record_kind == Row.kind:
        return rows.decode(wrapped.payload)
    if wrapped.record_kind in (Shape.kind, FromLane.kind):
        raise Undecodable(f"a record of kind {wrapped.record_kind} within another")
    return decode(wrapped.record_kind, wrapped.payload)


class FastRow(NamedTuple):
    """How to unpack rows that differ from a known one in step, time and values only."""

    rest: bytes  # the bytes between the time and the values
    values_at: int
    unpack: Callable[[bytes], Tuple[Any, ...]]
    arrange: Optional[Callable[[Tuple[Any, ...]], Tuple[Any, ...]]]  # from the order stored to the order logged
    keys: Tuple[str, ...]
    booleans: Tuple[str, ...]
    shape: int
    flags: int
    scalars: Tuple[int, ...]


class RowDecoder:
    """Decodes rows, whose keys stand in another record: `find_shape` gets that record's sequence number."""

    def __init__(self, find_shape: Callable[[int], Optional[Shape]]) -> None:
        self._find_shape = find_shape
        self._shapes: Dict[int, Shape] = {}
        self._keys = 0  # in all of them
        self._fast: Dict[bytes, FastRow] = {}
        self._starts: Dict[int, bytes] = {}  # shape -> its key in _fast

    def add_shape(self, sequence: int, shape: Shape) -> None:
        """Remember a shape. Raises Undecodable where it is none."""
        if len(shape.keys) != len(shape.scalars) or any(scalar > Scalar.NULL for scalar in shape.scalars):
            raise Undecodable("a shape whose keys and types don't match")
        self._forget(sequence)
        # The writer starts over when it has this many, so rows only ever refer to the latest.
        while self._shapes and (len(self._shapes) >= SHAPES_MAX or self._keys + len(shape.keys) > SHAPE_KEYS_MAX):
            self._forget(next(iter(self._shapes)))
        self._shapes[sequence] = shape
        self._keys += len(shape.keys)

    def _forget(self, sequence: int) -> None:
        shape = self._shapes.pop(sequence, None)
        if shape is not None:
            self._keys -= len(shape.keys)
            self._fast.pop(self._starts.pop(sequence, b""), None)

    def decode(self, payload: bytes) -> Row:
        """A row with its `values`. Raises Undecodable."""
        fast = self._fast.get(payload[:ROW_STEP_AT])
        # The writer's layout is a matter of the bytes around step, time and values: all of them must be the known ones.
        if fast is not None and fast[0] == payload[ROW_REST_AT : fast[1]]:
            _, _, unpack, arrange, keys, booleans, shape, flags, _ = fast
            step, time, *numbers = unpack(payload)
            values = dict(zip(keys, numbers if arrange is None else arrange((*numbers, None))))
            for key in booleans:
                values[key] = bool(values[key])
            return Row(shape, step, time, flags, [], [], None, values)
        row = decode(Row.kind, payload)
        assert isinstance(row, Row)
        if row.shape:
            self._fill_scalars(row)
            self._remember(payload, row)
        if row.json:
            row.values.update(parse_object(row.json))
        return row

    def known(self, payload: bytes) -> Optional[FastRow]:
        """How rows that start like this one are unpacked, where one of them was decoded before."""
        return self._fast.get(payload[:ROW_STEP_AT])

    def _shape(self, sequence: int) -> Shape:
        shape = self._shapes.get(sequence)
        if shape is None:
            shape = self._find_shape(sequence)
            if shape is None:
                raise Undecodable(f"a row's shape, record {sequence}, is missing")
            self.add_shape(sequence, shape)
        return shape

    def _fill_scalars(self, row: Row) -> None:
        shape = self._shape(row.shape)
        doubles, integers = iter(row.doubles), iter(row.integers)
        try:
            for key, scalar in zip(shape.keys, shape.scalars):
                if scalar == Scalar.DOUBLE:
                    row.values[key] = next(doubles)
                elif scalar == Scalar.NULL:
                    row.values[key] = None
                else:
                    integer = next(integers)
                    row.values[key] = bool(integer) if scalar == Scalar.BOOLEAN else integer
        except StopIteration:
            raise Undecodable(f"a row with fewer values than its shape, record {row.shape}") from None

    def _remember(self, payload: bytes, row: Row) -> None:
        """Take the layout of `payload` for the next row of its shape, if this package's writer laid it out."""
        shape = self._shapes[row.shape]
        template = RowTemplate(row.shape, shape.scalars, row.flags)
        known = template.frame[FRAME_HEADER.size :]
        values_at = template.values_offset - FRAME_HEADER.size
        rest = bytes(known[ROW_REST_AT:values_at])
        if row.json is not None or len(known) != len(payload) or known[:ROW_STEP_AT] != payload[:ROW_STEP_AT]:
            return
        if rest != payload[ROW_REST_AT:values_at]:
            return
        doubles, integers, nulls = storage_order(shape.scalars)
        form = f"<{ROW_STEP_AT}xqd{values_at - ROW_REST_AT}x{len(doubles)}d"
        packer = struct.Struct(form + (f"8x{len(integers)}q" if integers else ""))
        stored = doubles + integers
        # Where the value of each key stands among the stored ones; a null is the None put behind them.
        places = {index: place for place, index in enumerate(stored)}
        order = [places.get(index, len(stored)) for index in range(len(shape.keys))]
        arrange = None
        if nulls or stored != sorted(stored):
            arrange = operator.itemgetter(*order) if len(order) > 1 else lambda numbers: (numbers[order[0]],)
        start = payload[:ROW_STEP_AT]
        self._fast.pop(self._starts.get(row.shape, b""), None)
        self._starts[row.shape] = start
        self._fast[start] = FastRow(
            rest,
            values_at,
            packer.unpack_from,
            arrange,
            tuple(shape.keys),
            tuple(key for key, scalar in zip(shape.keys, shape.scalars) if scalar == Scalar.BOOLEAN),
            row.shape,
            row.flags,
            tuple(shape.scalars),
        )


def parse_object(text: str) -> Dict[str, Any]:
    """The JSON object that stands in a record. Raises Undecodable."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Undecodable(f"JSON that is none: {error}") from error
    if not isinstance(value, dict):
        raise Undecodable("JSON that is no object")
    return value
