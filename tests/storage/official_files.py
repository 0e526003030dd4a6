"""Files as the official client writes them, from its format alone: frames in blocks, and protocol buffers."""

from __future__ import annotations

import json
import struct
import zlib
from pathlib import Path
from typing import Any, Iterable, Mapping, Tuple, Union

HEADER = b":W&B\xe1\xbe\x00"
BLOCK = 32768
TIME = 1_700_000_000

HISTORY, SUMMARY, CONFIG, FILES, STATS, ARTIFACT, ALERT, TELEMETRY, METRIC, OUTPUT_RAW = (
    2,
    3,
    5,
    6,
    7,
    8,
    10,
    11,
    12,
    13,
)
RUN, EXIT, PREEMPTING, ENVIRONMENT = 17, 18, 23, 26

Value = Union[int, float, str, bytes]


def varint(value: int) -> bytes:
    value &= (1 << 64) - 1
    out = b""
    while value > 127:
        out, value = out + bytes([value & 127 | 128]), value >> 7
    return out + bytes([value])


def message(*fields: Tuple[int, Value]) -> bytes:
    out = b""
    for number, value in fields:
        if isinstance(value, int):
            out += varint(number << 3) + varint(value)
        elif isinstance(value, float):
            out += varint(number << 3 | 1) + struct.pack("<d", value)
        else:
            raw = value.encode() if isinstance(value, str) else value
            out += varint(number << 3 | 2) + varint(len(raw)) + raw
    return out


def record(kind: int, *body: Tuple[int, Value], number: int = 1) -> bytes:
    return message((1, number), (kind, message(*body)), (200, message((1, "stream"))))


def item(key: Union[str, Tuple[str, ...]], value: Any, as_path: bool = True) -> bytes:
    path = (key,) if isinstance(key, str) else key
    names = [(2, name) for name in path] if as_path else [(1, path[0])]
    return message(*names, (16, json.dumps(value)))


def timestamp(seconds: float) -> bytes:
    return message((1, int(seconds)), (2, int(seconds % 1 * 1e9)))


def run(run_id: str = "abc12345", tags: Iterable[str] = ("t",), **labels: Any) -> bytes:
    config = message(*((1, item(key, value, as_path=False)) for key, value in labels.pop("config", {}).items()))
    known = {"project": 3, "group": 6, "job_type": 7, "name": 8, "notes": 9}
    return record(
        RUN, (1, run_id), (4, config), *((10, tag) for tag in tags), (13, "gpu-3"), (17, timestamp(TIME)),
        (19, message((3, message((4, 1), (13, 1))), (5, "0.31.0"))),
        *((known[key], text) for key, text in labels.items()),
    )  # fmt: skip


def row(step: int, values: Mapping[Any, Any], time: float = 0) -> bytes:
    stamps = {"_step": step, "_timestamp": time or TIME + step, "_runtime": float(step)}
    items = [(1, item(key, value)) for key, value in {**values, **stamps}.items()]
    return record(HISTORY, *items, (2, message((1, step))))


def summary(values: Mapping[Any, Any], removed: Iterable[Any] = ()) -> bytes:
    updates = [(1, item(key, value)) for key, value in values.items()]
    removals = [(2, message(*((2, name) for name in ((key,) if isinstance(key, str) else key)))) for key in removed]
    return record(SUMMARY, *updates, *removals)


def exit_record(code: int) -> bytes:
    return record(EXIT, (1, code), (2, 60))


def frames(records: Iterable[bytes]) -> bytes:
    """A whole file."""
    out = bytearray(HEADER)
    for raw in records:
        first = True
        while first or raw:
            room = BLOCK - len(out) % BLOCK
            if room < 7:
                out += bytes(room)
                room = BLOCK
            piece, raw = raw[: room - 7], raw[room - 7 :]
            kind = (1 if first else 4) if not raw else (2 if first else 3)
            out += struct.pack("<IHB", zlib.crc32(bytes([kind]) + piece), len(piece), kind) + piece
            first = False
    return bytes(out)


def write_official(
    home: Path, records: Iterable[bytes], run_id: str = "abc12345", name: str = "offline-run-20260105_120000-abc12345"
) -> Path:
    """A run's folder in the wandb directory of a project."""
    folder = home / "wandb" / name
    (folder / "files").mkdir(parents=True)
    (folder / f"run-{run_id}.wandb").write_bytes(frames(records))
    return folder
