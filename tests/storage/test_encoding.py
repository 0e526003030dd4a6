"""Records become true flatbuffers, and come back as they were."""

from __future__ import annotations

import dataclasses
import datetime
import json
import math
import shutil
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any, Dict, List

import pytest
import strategies
from hypothesis import given
from hypothesis import strategies as st

import wandb_storage
from wandb_storage import (
    RECORD_BYTES_MAX,
    Alert,
    Console,
    FromLane,
    Row,
    RowFlag,
    RunStart,
    Scalar,
    Shape,
    UnstorableValue,
)
from wandb_storage._decode import RowDecoder, Undecodable, decode
from wandb_storage._encode import RowTemplate, encode, json_row_frame
from wandb_storage._format import FRAME_HEADER, WRAPPING_BYTES
from wandb_storage._generated import record_generated
from wandb_storage._records import RECORD_TYPES, WIRE, Record
from wandb_storage._rows import RowEncoder, json_bytes

SCHEMA = Path(wandb_storage.__file__).with_name("record.fbs")
FLATC_VERSION = "flatc version 2.0.8"  # the one that made the checked-in code
FLATC = shutil.which("flatc")

_ON_THE_WIRE = {
    "[string]": "texts", "string": "text", "ulong": "Q", "long": "q", "uint": "I", "int": "i", "double": "d",
    "ubyte": "B", "bool": "?", "Stream": "B", "[Scalar]": "[B]", "[double]": "[d]", "[long]": "[q]", "[ubyte]": "bytes",
}  # fmt: skip


def same(one: Any, other: Any) -> bool:
    """Equal, with NaN equal to NaN."""
    if isinstance(one, float) and isinstance(other, float):
        return struct.pack("<d", one) == struct.pack("<d", other) or (math.isnan(one) and math.isnan(other))
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict):
        return list(one) == list(other) and all(same(value, other[key]) for key, value in one.items())
    return type(one) is type(other) and bool(one == other)


def same_record(one: Any, other: Any) -> bool:
    return type(one) is type(other) and same(
        [getattr(one, field.name) for field in dataclasses.fields(one)],
        [getattr(other, field.name) for field in dataclasses.fields(other)],
    )


def generated_body(payload: bytes) -> Any:
    root = record_generated.Record.GetRootAs(payload, 4)
    name = {kind: one.__name__ for kind, one in RECORD_TYPES.items()}[root.BodyType()]
    body = getattr(record_generated, name)()
    table = root.Body()
    body.Init(table.Bytes, table.Pos)
    return body


def camel(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_"))


def generated_value(body: Any, name: str, wire: str) -> Any:
    """One field as the generated code reads it."""
    if wire == "text":
        raw = getattr(body, camel(name))()
        return None if raw is None else raw.decode("utf-8", "surrogatepass")
    if wire == "texts":
        length = getattr(body, camel(name) + "Length")()
        return [getattr(body, camel(name))(index).decode("utf-8", "surrogatepass") for index in range(length)]
    if wire == "bytes":
        return bytes(getattr(body, camel(name))(index) for index in range(getattr(body, camel(name) + "Length")()))
    if wire.startswith("["):
        return [getattr(body, camel(name))(index) for index in range(getattr(body, camel(name) + "Length")())]
    return getattr(body, camel(name))()


@given(strategies.records)
def test_the_generated_code_reads_every_record(record: Record) -> None:
    """The bytes are a flatbuffer to somebody who knows nothing of our encoder."""
    payload = encode(record)
    assert struct.unpack_from("<I", payload)[0] == len(payload) - 4
    body = generated_body(payload)
    for field in dataclasses.fields(record):
        if field.metadata:
            wire = field.metadata[WIRE]
            assert same(generated_value(body, field.name, wire), getattr(record, field.name)), field.name


@given(strategies.records)
def test_a_record_comes_back_as_it_was(record: Record) -> None:
    """encode, decode: the same record, absent fields absent."""
    assert same_record(decode(record.kind, encode(record)), record)


@given(strategies.records)
def test_every_field_is_aligned(record: Record) -> None:
    """Readers in other languages read fields in place: each stands at a multiple of its size, counted behind the
    length prefix or with it, as flatbuffers lays out size-prefixed buffers."""
    payload = encode(record)
    body = generated_body(payload)
    table = body._tab
    for slot, field in enumerate(one for one in dataclasses.fields(record) if one.metadata):
        offset = table.Offset(4 + 2 * slot)
        wire = field.metadata[WIRE]
        if offset and wire in "qQd":
            assert (table.Pos + offset) % 8 == 0, field.name
        elif offset:
            assert wire in "B?" or (table.Pos + offset) % 4 == 0, field.name
        if offset and wire in ("[d]", "[q]"):
            assert table.Vector(offset) % 8 == 0, field.name


@pytest.mark.skipif(FLATC is None, reason="flatc is not installed")
@pytest.mark.parametrize("kind", sorted(RECORD_TYPES))
def test_flatc_reads_every_kind(kind: int, tmp_path: Path) -> None:
    """The schema compiler itself agrees about one record of each kind."""
    assert FLATC is not None
    record = RECORD_TYPES[kind]()
    for field in dataclasses.fields(record):
        wire = str(field.metadata.get(WIRE))
        value: Any = {
            "text": "täxt", "texts": ["one", ""], "d": 1.5, "?": True, "[d]": [0.25], "[q]": [-7], "bytes": b"\0\7",
        }.get(wire, 1)  # fmt: skip
        if wire == "[B]":
            value = [0, 3]
        if field.metadata:
            setattr(record, field.name, value)
    (tmp_path / "record.bin").write_bytes(encode(record))
    subprocess.run(
        [FLATC, "--json", "--strict-json", "--raw-binary", "--size-prefixed", "--defaults-json", "-o", tmp_path, SCHEMA,
         "--", tmp_path / "record.bin"],
        check=True, capture_output=True,
    )  # fmt: skip
    found = json.loads((tmp_path / "record.json").read_text())
    assert found["body_type"] == type(record).__name__
    for field in dataclasses.fields(record):
        if not field.metadata:
            continue
        value = getattr(record, field.name)
        if field.metadata[WIRE] == "[B]":
            value = ["Double", "Null"]
        elif field.name == "stream":
            value = "Stderr"
        elif field.metadata[WIRE] == "bytes":
            value = list(value)
        assert found["body"][field.name] == value, field.name


def test_the_classes_are_the_schema_slot_for_slot() -> None:
    """Each table has one class with the same fields in the same order, each kind its number in the union."""
    tables: Dict[str, Any] = {}
    union: List[Any] = []
    table: Any = None
    for line in SCHEMA.read_text().splitlines():
        code = line.split("//")[0].strip()
        if code.startswith(("table ", "union ")):
            word, name = code.split()[:2]
            table = tables.setdefault(name, []) if word == "table" else union
        elif code == "}":
            table = None
        elif code and table is union:
            union.append(code.rstrip(","))
        elif code and table is not None:
            name, wire = code.rstrip(";").split(":")
            table.append((name, _ON_THE_WIRE.get(wire)))
    assert [RECORD_TYPES[kind].__name__ for kind in sorted(RECORD_TYPES)] == union
    assert sorted(RECORD_TYPES) == list(range(1, len(union) + 1))
    for record_type in RECORD_TYPES.values():
        fields = [(one.name, one.metadata[WIRE]) for one in dataclasses.fields(record_type) if one.metadata]
        assert fields == tables[record_type.__name__]


def test_the_generated_code_is_current(tmp_path: Path) -> None:
    """flatc makes the checked-in code from the schema, byte for byte."""
    version = subprocess.run([FLATC, "--version"], capture_output=True, text=True).stdout.strip() if FLATC else "none"
    if version != FLATC_VERSION:
        pytest.skip(f"the code is compared with what {FLATC_VERSION} makes; here is: {version}")
    assert FLATC is not None
    subprocess.run([FLATC, "--python", "--gen-onefile", "-o", tmp_path, SCHEMA], check=True, capture_output=True)
    made = (tmp_path / "record_generated.py").read_bytes()
    assert Path(record_generated.__file__).read_bytes() == made


def test_a_record_above_the_limit_is_refused() -> None:
    """The caller learns it at the call; one byte less is stored."""
    limit = RECORD_BYTES_MAX - WRAPPING_BYTES
    room = limit - len(encode(Console(text="")))
    largest = encode(Console(text="x" * room))
    assert len(largest) == limit
    with pytest.raises(UnstorableValue, match="above the limit of 16,777,088"):
        encode(Console(text="x" * (room + 1)))
    # From a lane, too, it goes into the main log.
    wrapped = FromLane(lane=2**64 - 1, sequence=1, record_kind=Console.kind, payload=largest)
    assert limit < len(encode(wrapped)) <= RECORD_BYTES_MAX


def test_a_number_out_of_range_is_refused() -> None:
    """An integer that its field can't hold is the caller's mistake, and named as such."""
    with pytest.raises(UnstorableValue, match="RunStart record holds a number out of range"):
        encode(RunStart(pid=-1))


class Rows:
    """A row encoder whose frames end in a list, and a decoder that finds its shapes there."""

    def __init__(self) -> None:
        self.payloads = [(0, b"")]
        self.encoder = RowEncoder(self._append)
        self.decoder = RowDecoder(self._shape)

    def _append(self, frame: bytearray, kind: int) -> int:
        self.payloads.append((kind, bytes(frame[FRAME_HEADER.size :])))
        return len(self.payloads) - 1

    def _shape(self, sequence: int) -> Any:
        kind, payload = self.payloads[sequence]
        return decode(kind, payload)


@given(st.lists(st.tuples(strategies.rows, strategies.longs, strategies.doubles, st.integers(0, 3)), max_size=6))
def test_rows_come_back_as_they_were(calls: Any) -> None:
    """Values, their types, their order, step, time and flags: first by the general decoder, then by the fast one."""
    rows = Rows()
    places = [rows.encoder.append(row, step, time, flags) for row, step, time, flags in calls for _ in range(2)]
    for place, (row, step, time, flags) in zip(places, [call for call in calls for _ in range(2)]):
        found = rows.decoder.decode(rows.payloads[place][1])
        assert same(found.values, row)
        assert same((found.step, found.time, found.flags), (step, time, flags))


def test_integers_beyond_64_bits_are_stored() -> None:
    """No integer is rounded: what no flatbuffer holds goes into JSON."""
    rows = Rows()
    for value in (2**63 - 1, 2**63, -(2**63) - 1, 10**300):
        place = rows.encoder.append({"value": value}, 0, 0.0, RowFlag.COMMIT)
        assert rows.decoder.decode(rows.payloads[place][1]).values == {"value": value}


def test_not_a_bit_of_a_nan_is_lost() -> None:
    """A NaN may carry a message in its payload: it is stored as it is."""
    rows = Rows()
    bits = struct.pack("<Q", 0x7FF8_0000_DEAD_BEEF)
    place = rows.encoder.append({"value": struct.unpack("<d", bits)[0]}, 0, 0.0, 0)
    for _ in range(2):
        assert struct.pack("<d", rows.decoder.decode(rows.payloads[place][1]).values["value"]) == bits


def test_one_shape_record_serves_all_rows_of_its_layout() -> None:
    """Keys are stored once, not once a row; other types or another order are another shape."""
    rows = Rows()
    for row in ({"a": 1.0, "b": 2}, {"a": 3.0, "b": 4}, {"a": 1, "b": 2}, {"b": 2, "a": 1.0}, {"a": 1.0, "b": 2}):
        rows.encoder.append(row, 0, 0.0, 0)
    assert [kind for kind, _ in rows.payloads[1:]] == [1, 2, 2, 1, 2, 1, 2, 2]


def test_more_shapes_than_are_remembered_stay_readable() -> None:
    """A program that never repeats its keys costs shape records, not memory and not correctness."""
    rows = Rows()
    expected = [{f"key {index % 1500}": float(index), "x": index} for index in range(4000)]
    places = [rows.encoder.append(row, 0, 0.0, 0) for row in expected]
    assert len(rows.encoder._plans) <= 1024
    for place, row in zip(places, expected):
        assert rows.decoder.decode(rows.payloads[place][1]).values == row
    assert len(rows.decoder._shapes) <= 1024


def test_a_row_of_a_hundred_thousand_keys_is_stored_and_one_more_is_not() -> None:
    """The limit is stated, and is an error at the call."""
    rows = Rows()
    row = {f"key {index}": float(index) for index in range(100_000)}
    place = rows.encoder.append(row, 0, 0.0, 0)
    assert rows.decoder.decode(rows.payloads[place][1]).values == row
    with pytest.raises(UnstorableValue, match="above the limit of 100,000"):
        rows.encoder.append({**row, "one more": 0.0}, 0, 0.0, 0)


@given(strategies.shapes, st.integers(0, 255))
def test_a_template_is_what_the_general_encoder_makes(shape: Shape, flags: int) -> None:
    """One layout of rows, whichever way they are built."""
    doubles = [0.0 for scalar in shape.scalars if scalar == Scalar.DOUBLE]
    integers = [0 for scalar in shape.scalars if scalar in (Scalar.INTEGER, Scalar.BOOLEAN)]
    row = Row(shape=7, flags=flags, doubles=doubles, integers=integers)
    assert RowTemplate(7, shape.scalars, flags).frame[FRAME_HEADER.size :] == encode(row)


def valid_payloads() -> st.SearchStrategy[Any]:
    return strategies.records.map(lambda record: (record.kind, encode(record)))


@given(valid_payloads(), st.data())
def test_hostile_bytes_are_refused_or_read_never_worse(valid: Any, data: st.DataObject) -> None:
    """Any bytes may be overwritten under a checksum that fits: out comes a record or Undecodable."""
    kind, payload = valid
    hostile = bytearray(payload)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(hostile) - 1))
        hostile[at] = data.draw(st.integers(0, 255))
    shapes = {1: Shape(keys=["a"], scalars=[0]), 2: Shape(keys=["a"], scalars=[9])}
    for raw in (bytes(hostile), bytes(hostile[: data.draw(st.integers(0, len(hostile)))])):
        try:
            if kind == Row.kind:
                RowDecoder(shapes.get).decode(raw)
            else:
                decode(kind, raw)
        except Undecodable:
            pass


def test_strings_that_share_their_bytes_do_not_multiply() -> None:
    """A vector whose thousand entries all point at one long string would unfold to a thousand times its size."""
    payload = bytearray(encode(Shape(keys=["x" * 100_000] + [""] * 1000, scalars=[])))
    body = generated_body(bytes(payload))
    vector = body._tab.Vector(body._tab.Offset(4))
    target = vector + struct.unpack_from("<I", payload, vector)[0]
    for index in range(1001):
        slot = vector + 4 * index
        struct.pack_into("<I", payload, slot, target - slot)
    with pytest.raises(Undecodable, match="share their bytes"):
        decode(Shape.kind, bytes(payload))


def test_json_without_end_is_undecodable() -> None:
    """Nesting beyond the interpreter's stack is an error of the record, not of the reader."""
    payload = encode(Row(json="[" * 200_000))
    with pytest.raises(Undecodable):
        RowDecoder(lambda sequence: None).decode(payload)


def test_fields_of_a_later_version_are_ignored() -> None:
    """A table may grow at its end: what an older reader doesn't know, it doesn't see."""
    newer = subprocess.run(
        [sys.executable, "-c", _NEWER_ALERT], check=True, capture_output=True, env={"PYTHONPATH": ":".join(sys.path)}
    ).stdout
    assert decode(Alert.kind, newer) == Alert(title="t")


_NEWER_ALERT = """
import sys
import flatbuffers
builder = flatbuffers.Builder(0)
title, new = builder.CreateString("t"), builder.CreateString("of another version")
builder.StartObject(7)
builder.PrependUOffsetTRelativeSlot(0, title, 0)
builder.PrependUOffsetTRelativeSlot(6, new, 0)
alert = builder.EndObject()
builder.StartObject(2)
builder.PrependUint8Slot(0, 12, 0)
builder.PrependUOffsetTRelativeSlot(1, alert, 0)
builder.FinishSizePrefixed(builder.EndObject())
sys.stdout.buffer.write(bytes(builder.Output()))
"""


@pytest.mark.parametrize("text", [b"{}", b'{"a":"\xc3\xa9"}', b'{"long":"' + b"x" * 1000 + b'"}'])
def test_a_row_of_json_alone_is_what_the_general_way_makes_of_it(text: bytes) -> None:
    for flags in (0, 1, 2, 3):
        frame = json_row_frame(-7, 1.5, flags, text)
        assert frame[FRAME_HEADER.size :] == encode(Row(step=-7, time=1.5, flags=flags, json=text.decode()))


def test_a_row_of_json_beyond_the_limits_is_refused() -> None:
    with pytest.raises(UnstorableValue, match="above the limit"):
        json_row_frame(0, 0.0, 0, b" " * RECORD_BYTES_MAX)
    with pytest.raises(UnstorableValue, match="out of range"):
        json_row_frame(1 << 63, 0.0, 0, b"{}")


@pytest.mark.parametrize(
    "value",
    [
        {"a": [1.5, None, True, "é"]},
        {"nan": math.nan, "inf": -math.inf},
        {"large": 1 << 70},
        {"half": "\ud800"},
        {"null": "null"},
        {"small": 5e-324, "zero": -0.0},
    ],
)
def test_json_says_the_same_however_it_is_made(value: Any) -> None:
    quick, slow = json.loads(json_bytes(value)), json.loads(json.dumps(value))
    assert repr(quick) == repr(slow) == repr(value)


@pytest.mark.parametrize("value", [{"a": {1, 2}}, {"a": object()}, {"a": datetime.date(2026, 1, 1)}])
def test_what_is_no_json_is_refused_however_it_is_made(value: Any) -> None:
    with pytest.raises(UnstorableValue, match="not a JSON value"):
        json_bytes(value)
