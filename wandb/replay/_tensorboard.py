"""Runs as event files, which TensorBoard and its readers open.

Each number becomes a scalar under its key, at its step and time; a histogram stays one; the config is a text.
TensorBoard keeps scalars in 32 bits: what else a log holds has no place there.

An event file is a sequence of frames: length, checksum of the length, an `Event` of TensorFlow's event.proto, checksum
of it. The checksums are CRC-32C, masked.
"""

from __future__ import annotations

import os
import struct
from array import array
from pathlib import Path
from typing import IO, Any, Callable, Dict, Iterator, List, Optional, Sequence, Tuple

from wandb_storage import Column, Columns

from ._json import strict_json
from ._replay import Replay
from ._selection import Selection

_LENGTH, _CHECKSUM, _DOUBLE = struct.Struct("<Q"), struct.Struct("<I"), struct.Struct("<d")
_MASK_DELTA = 0xA282EAD8
_POLYNOMIAL = 0x82F63B78  # CRC-32C, its bits reversed
_NUMBERS = ("float64", "int64", "bool")
# Numbers of fields, shifted and with their kind on the wire: of Event, Summary.Value, HistogramProto and those inside.
_WALL_TIME, _STEP, _VERSION, _SUMMARY = b"\x09", b"\x10", b"\x1a", b"\x2a"
_VALUE, _TAG, _SIMPLE, _HISTOGRAM, _TENSOR, _METADATA = b"\x0a", b"\x0a", b"\x15", b"\x2a", b"\x42", b"\x4a"


def write_tensorboard(replays: Sequence[Replay], selection: Selection, folder: Path) -> None:
    """Write an event file into the folder; of several runs, each into a folder of its id."""
    for replay in replays:
        place = folder if len(replays) == 1 else folder / replay.run_id
        place.mkdir(parents=True, exist_ok=True)
        name = f"events.out.tfevents.{int(replay.start.time)}.{replay.start.host or 'wandb'}.{replay.run_id}"
        temporary = place / f".{name}"
        with open(temporary, "wb") as file:
            _write_events(replay, selection, file)
        # An event file that TensorBoard sees is complete.
        os.replace(temporary, place / name)


def _write_events(replay: Replay, selection: Selection, file: IO[bytes]) -> None:
    checksum = _find_checksum()
    file.write(_frame(_event(replay.start.time, 0, _VERSION, b"brain.Event:2"), checksum))
    if replay.config:
        text = _text_value("config", strict_json(replay.config, indent=2))
        file.write(_frame(_event(replay.start.time, 0, _SUMMARY, text), checksum))
    tags: Dict[str, bytes] = {}
    if selection.keys is not None:  # times are needed, whatever is wanted
        selection = selection._replace(keys=[*selection.keys, "_timestamp"])
    for batch in selection.batches(replay):
        file.writelines(_frame(event, checksum) for event in _events(batch, tags))


# --- values -----------------------------------------------------------------------------------------------------------


def _events(batch: Columns, tags: Dict[str, bytes]) -> Iterator[bytes]:
    """An event for each row that holds anything to show."""
    columns = [_shown(key, column, tags) for key, column in batch.columns.items() if not key.startswith("_")]
    columns = [column for column in columns if column is not None]
    steps: Any = batch.columns["_step"].values
    times = batch.columns["_timestamp"].values
    for place in range(batch.rows):
        values = b"".join([cells[place] for cells in columns if cells is not None])
        if values:
            yield _event(times[place], steps[place], _SUMMARY, values)


def _shown(key: str, column: Column, tags: Dict[str, bytes]) -> Optional[List[bytes]]:
    """The `Summary.Value` of each row, or nothing; None where no row has any."""
    tag = tags.get(key)
    if tag is None:
        tag = tags[key] = _field(_TAG, key.encode("utf-8", "replace"))
    if column.dtype not in _NUMBERS:
        cells = [_cell(tag, value) for value in column.objects()]
        return cells if any(cells) else None
    start = _VALUE + _varint(len(tag) + 5) + tag + _SIMPLE
    # As a list: the bytes of truths would be taken for those of floats.
    raw = array("f", list(column.values)).tobytes()
    if column.present is None:
        return [start + raw[at : at + 4] for at in range(0, len(raw), 4)]
    return [start + raw[4 * at : 4 * at + 4] if there else b"" for at, there in enumerate(column.present)]


def _cell(tag: bytes, value: Any) -> bytes:
    """A value that stands in a column of several types."""
    if isinstance(value, (int, float)):
        try:
            number = array("f", [value]).tobytes()
        except OverflowError:
            return b""  # an integer that no double holds
        return _field(_VALUE, tag + _SIMPLE + number)
    if isinstance(value, dict) and value.get("_type") == "histogram":
        histogram = _histogram(value)
        return _field(_VALUE, tag + _field(_HISTOGRAM, histogram)) if histogram else b""
    return b""


def _histogram(value: Dict[str, Any]) -> bytes:
    """A HistogramProto of the edges and the counts; empty where they make no sense."""
    counts = value.get("values")
    bins = value.get("bins")
    packed = value.get("packedBins")
    if bins is None and isinstance(packed, dict):
        bins = [packed["min"] + index * packed["size"] for index in range(int(packed["count"]) + 1)]
    if not isinstance(counts, list) or not isinstance(bins, list) or len(bins) != len(counts) + 1 or not counts:
        return b""
    edges, weights = [float(edge) for edge in bins], [float(weight) for weight in counts]
    middles = [(low + high) / 2 for low, high in zip(edges, edges[1:])]
    total = sum(middle * weight for middle, weight in zip(middles, weights))
    squares = sum(middle * middle * weight for middle, weight in zip(middles, weights))
    facts = (edges[0], edges[-1], sum(weights), total, squares)
    scalars = b"".join(bytes([number * 8 + 1]) + _DOUBLE.pack(fact) for number, fact in enumerate(facts, 1))
    # A bucket is named by its upper end, and the first one reaches down to the smallest double.
    limits, buckets = array("d", edges), array("d", [0.0, *weights])
    return scalars + _field(b"\x32", limits.tobytes()) + _field(b"\x3a", buckets.tobytes())


def _text_value(tag: str, text: str) -> bytes:
    """A text as the plugin of that name shows it: a tensor of one string."""
    indented = "".join(f"    {line}\n" for line in text.split("\n"))  # code, in Markdown
    tensor = b"\x08\x07" + _field(b"\x12", _field(b"\x12", b"\x08\x01")) + _field(b"\x42", indented.encode("utf-8"))
    metadata = _field(_METADATA, _field(b"\x0a", _field(b"\x0a", b"text")))
    return _field(_VALUE, _field(_TAG, tag.encode()) + _field(_TENSOR, tensor) + metadata)


# --- the wire ---------------------------------------------------------------------------------------------------------


def _event(wall_time: float, step: int, kind: bytes, content: bytes) -> bytes:
    number = _STEP + _varint(step & (1 << 64) - 1) if step else b""
    return _WALL_TIME + _DOUBLE.pack(wall_time) + number + _field(kind, content)


def _field(tag: bytes, content: bytes) -> bytes:
    return tag + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    if value < 128:
        return bytes((value,))
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def _frame(event: bytes, checksum: Callable[[bytes], int]) -> bytes:
    length = _LENGTH.pack(len(event))
    return b"".join((length, _masked(checksum(length)), event, _masked(checksum(event))))


def _masked(crc: int) -> bytes:
    return _CHECKSUM.pack((((crc >> 15) | (crc << 17)) + _MASK_DELTA) & 0xFFFFFFFF)


def _find_checksum() -> Callable[[bytes], int]:
    """CRC-32C: a library's where there is one, which is a hundred times as fast."""
    try:
        import google_crc32c
    except ImportError:
        return _crc32c
    found: Callable[[bytes], int] = google_crc32c.value
    return found


def _make_table() -> Tuple[int, ...]:
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (_POLYNOMIAL if byte & 1 else 0)
        table.append(byte)
    return tuple(table)


_TABLE = _make_table()


def _crc32c(raw: bytes) -> int:
    crc = 0xFFFFFFFF
    table = _TABLE
    for byte in raw:
        crc = table[crc & 255 ^ byte] ^ crc >> 8
    return crc ^ 0xFFFFFFFF
