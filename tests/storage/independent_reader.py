"""A reader of logs written from storage/FORMAT.md alone. It shares no code with the package but flatc's."""

from __future__ import annotations

import json
import struct
import zlib
from pathlib import Path
from typing import Any, Dict, Iterator, List, Tuple

import zstandard

from wandb_storage._generated import record_generated as fbs


def pages(raw: bytes) -> Iterator[Tuple[bytes, bytes]]:
    """The keys and values of an LMDB file."""
    size = struct.unpack_from("<I", raw, 16 + 24)[0]
    meta = max((struct.unpack_from("<Q", raw, at + 16 + 24 + 96 + 8)[0], at) for at in (0, size))[1]
    root = struct.unpack_from("<Q", raw, meta + 16 + 24 + 48 + 40)[0]

    def walk(number: int) -> Iterator[Tuple[bytes, bytes]]:
        start = number * size
        _, _, flags, lower, _ = struct.unpack_from("<QHHHH", raw, start)
        for offset in struct.unpack_from(f"<{(lower - 16) // 2}H", raw, start + 16):
            at = start + offset
            low, high, node_flags, key_length = struct.unpack_from("<HHHH", raw, at)
            key, data = raw[at + 8 : at + 8 + key_length], at + 8 + key_length
            if flags & 1:
                yield from walk(low | high << 16 | node_flags << 32)
                continue
            length = low | high << 16
            if node_flags & 1:
                data = struct.unpack_from("<Q", raw, data)[0] * size + 16
            yield key, raw[data : data + length]

    if root != 2**64 - 1:
        yield from walk(root)


def frames(raw: bytes, number: int) -> Iterator[Tuple[int, int, bytes]]:
    at = 0
    while at + 20 <= len(raw):
        checksum, kind, zero, found, length = struct.unpack_from("<IHHQI", raw, at)
        frame = raw[at : at + 20 + length]
        if zero or found != number or len(frame) < 20 + length or zlib.crc32(bytes(4) + frame[4:]) != checksum:
            return
        yield number, kind, frame[16:]
        number, at = number + 1, at + 20 + length


def segment(path: Path) -> Tuple[Dict[str, Any], List[Tuple[int, int, bytes]]]:
    identity: Dict[str, Any] = {}
    records = []
    for key, value in pages(path.read_bytes()):
        if key == b"\0identity":
            identity = json.loads(value)
        elif key[:1] == b"\1":
            checksum, zero, codec, count, length, first = struct.unpack_from("<IHHIIQ", value)
            assert zlib.crc32(value[4:]) == checksum
            assert (zero, codec, struct.pack(">Q", first)) == (0, 1, key[1:])
            raw = zstandard.ZstdDecompressor().decompress(value[24:])
            found = list(frames(raw, first))
            assert (len(raw), len(found)) == (length, count)
            records += found
    return identity, records


def tail(path: Path, log_uuid: str) -> Tuple[int, List[Tuple[int, int, bytes]]]:
    raw = path.read_bytes() if path.exists() else b""
    if len(raw) < 40 or zlib.crc32(raw[:36]) != struct.unpack_from("<I", raw, 36)[0]:
        return 0, []
    magic, version, _, found, first = struct.unpack_from("<8sHH16sQ", raw)
    assert (magic, version, found.hex()) == (b"\x89WBTAIL\n", 1, log_uuid)
    return first, list(frames(raw[40:], first))


def records(folder: Path, run_id: str) -> List[Tuple[int, int, bytes]]:
    """(number, kind, flatbuffer) of every record of a log whose writer is gone."""
    paths = [folder / f"run-{run_id}.wandb", *sorted(folder.glob(f"run-{run_id}.seg-*.wandb"))]
    segments = [segment(path) for path in paths if path.exists()]
    tails = sorted(tail(folder / f"run-{run_id}.tail-{name}", segments[0][0]["log_uuid"]) for name in (0, 1))
    ends = [identity["first_sequence"] for identity, _ in segments[1:]] + [2**63]
    everything = [one for (_, found), end in zip(segments, ends) for one in found if one[0] < end]
    for _, found in tails:
        for one in found:
            expected = everything[-1][0] + 1 if everything else segments[0][0]["first_sequence"]
            if one[0] == expected:
                everything.append(one)
    return everything


def body(kind: int, payload: bytes) -> Any:
    """A record's table, in flatc's own class for it."""
    root = fbs.Record.GetRootAs(payload, 4)
    assert root.BodyType() == kind
    name = {value: name for name, value in vars(fbs.Body).items() if not name.startswith("_")}[kind]
    table = getattr(fbs, name)()
    table.Init(root.Body().Bytes, root.Body().Pos)
    return table


def rows(folder: Path, run_id: str) -> List[Tuple[int, float, int, Dict[str, Any]]]:
    """(step, time, flags, values) of every row."""
    shapes: Dict[int, Any] = {0: None}
    found = []
    for number, kind, payload in records(folder, run_id):
        if kind == 17:
            wrapped = body(kind, payload)
            kind = wrapped.RecordKind()
            payload = bytes(wrapped.Payload(index) for index in range(wrapped.PayloadLength()))
        if kind == 1:
            shapes[number] = body(kind, payload)
        elif kind == 2:
            row = body(kind, payload)
            values: Dict[str, Any] = {}
            doubles, integers = iter(range(row.DoublesLength())), iter(range(row.IntegersLength()))
            shape = shapes[row.Shape()]
            for index in range(0 if shape is None else shape.KeysLength()):
                key, scalar = shape.Keys(index).decode("utf-8", "surrogatepass"), shape.Scalars(index)
                if scalar == fbs.Scalar.Double:
                    values[key] = row.Doubles(next(doubles))
                elif scalar == fbs.Scalar.Null:
                    values[key] = None
                else:
                    integer = row.Integers(next(integers))
                    values[key] = bool(integer) if scalar == fbs.Scalar.Boolean else integer
            if row.Json():
                values.update(json.loads(row.Json()))
            found.append((row.Step(), row.Time(), row.Flags(), values))
    return found
