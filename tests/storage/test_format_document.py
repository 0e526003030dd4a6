"""FORMAT.md tells the truth: its example is what the code writes, and a reader made from it reads every log."""

from __future__ import annotations

import random
import re
import shutil
from pathlib import Path
from typing import Any, List, Tuple

import children
import independent_reader
import pytest

import wandb_storage
from wandb_storage import Console, FromLane, Log, Reader, Row, create_lane, recover
from wandb_storage._decode import decode
from wandb_storage._encode import encode
from wandb_storage._format import FRAME_HEADER, parse_frames, seal_frame

DOCUMENT = Path(wandb_storage.__file__).with_name("FORMAT.md").read_text(encoding="utf-8")


def agree(folder: Path) -> int:
    """Both readers find the same records and the same rows; how many."""
    with Reader(folder) as reader:
        entries = list(reader.entries())
    records = independent_reader.records(folder, "r")
    assert [(entry.sequence, entry.kind) for entry in entries] == [(number, kind) for number, kind, _ in records]
    ours: List[Tuple[Any, ...]] = []
    for entry, (_, kind, payload) in zip(entries, records):
        row = entry.record.record if isinstance(entry.record, FromLane) else entry.record
        if isinstance(row, Row):
            ours.append((row.step, row.time, row.flags, row.values))
        elif not isinstance(entry.record, FromLane):
            assert decode(kind, payload) == entry.record
    assert repr(independent_reader.rows(folder, "r")) == repr(ours)
    return len(entries)


def test_the_example_is_what_the_code_writes() -> None:
    """Byte for byte; and it reads back."""
    match = re.search(r"```hex\n(.*?)```", DOCUMENT, re.DOTALL)
    assert match is not None
    documented = bytes.fromhex(match[1])
    frame = bytearray(FRAME_HEADER.size) + encode(Console(time=1.5, stream=1, text="hi\n"))
    seal_frame(frame, Console.kind, 7)
    assert bytes(frame) == documented
    ((sequence, kind, payload),), end = parse_frames(documented, 7)
    assert (sequence, end, decode(kind, payload)) == (7, 88, Console(time=1.5, stream=1, text="hi\n"))
    assert list(independent_reader.frames(documented, 7)) == [(7, 8, payload)]


@pytest.mark.parametrize("recovered", [False, True])
def test_an_independent_reader_agrees(tmp_path: Path, recovered: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a log with everything: sessions, a killed writer, segments, large values, all kinds of values."""
    children.killed_after(tmp_path, "create", 0, 5000)
    assert agree(tmp_path) > 5000
    if recovered:
        recover(tmp_path)
        agree(tmp_path)
    monkeypatch.setattr("wandb_storage._segment_writer.SEGMENT_FILL_BYTES", 50_000)
    rng = random.Random(2)
    with Log.open(tmp_path) as log, create_lane(tmp_path, "r") as lane:
        values = (1.5, -3, True, None, float("nan"), float("-inf"), "text", [1, {"a": 2}], 2**70, "\ud800")
        for step in range(1500):
            row = {f"key {key}": rng.choice(values) for key in range(rng.randrange(1, 5))}
            (lane if step % 3 == 0 else log).append_row(row, step, step * 0.25, rng.randrange(4))
            if step % 100 == 0:
                log.append(Console(time=step, text=rng.randbytes(40_000).hex()))
                log.flush()
    assert len(list(tmp_path.glob("*.wandb"))) > 3
    agree(tmp_path)
    children.killed_after(tmp_path, "open", 7, 300)
    agree(tmp_path)
    copied = shutil.copytree(tmp_path, tmp_path / "copy")
    recover(Path(copied))
    agree(Path(copied))


def test_the_limits_in_the_document_are_those_of_the_code() -> None:
    """Numbers are stated once in code and once for readers."""
    from wandb_storage import _format

    assert f"{_format.RECORD_BYTES_MAX >> 20} MiB; " in DOCUMENT
    assert f"{_format.WRAPPING_BYTES} bytes less |" in DOCUMENT
    assert f"{_format.LANES_MAX:,} |" in DOCUMENT
    assert f"{_format.ROW_KEYS_MAX:,} |" in DOCUMENT
    assert f"uncompressed | {_format.BLOCK_BYTES_MAX >> 20} MiB |" in DOCUMENT
    assert f"a segment | {_format.SEGMENT_BYTES >> 20} MiB |" in DOCUMENT
    assert f"{_format.SHAPES_MAX:,}, with {_format.SHAPE_KEYS_MAX:,} keys" in DOCUMENT
    assert f"version {_format.FORMAT_VERSION}" in DOCUMENT.splitlines()[0]
