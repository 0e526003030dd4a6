"""The record at which a run passed a step or a moment is found as looking at each record would find it."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any, List, Optional

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wandb_storage import (
    Console,
    Exit,
    FromLane,
    Log,
    LogDamaged,
    Reader,
    Record,
    Row,
    RowFlag,
    RunStart,
    create_lane,
    find_beyond,
    recover,
)

COMMIT = int(RowFlag.COMMIT)
VALUES: List[Any] = [{"a": 0.5}, {"a": 0.5, "b": 2}, {"text": "x"}, {"b": True}, {}]


def one_by_one(folder: Path, step: Optional[int], time: Optional[float]) -> Optional[int]:
    with Reader(folder) as reader:
        for entry in reader.entries():
            record: Optional[Record] = entry.record
            if step is not None and isinstance(record, Row) and record.step > step:
                return entry.sequence
            inner = record.record if isinstance(record, FromLane) else record
            if time is not None and getattr(inner, "time", 0.0) > time:
                return entry.sequence
    return None


calls = st.tuples(st.sampled_from(VALUES), st.integers(-3, 40), st.floats(1.0, 100.0), st.integers(0, 3))


@settings(deadline=None, max_examples=40)
@given(st.lists(calls, max_size=60), st.integers(-5, 45), st.floats(0.0, 110.0))
def test_it_is_the_first_of_all_records(events: Any, step: int, time: float) -> None:
    with tempfile.TemporaryDirectory() as parent:
        folder = Path(parent) / "run-s"
        folder.mkdir()
        with Log.create(folder, "s") as log:
            log.append(RunStart(run_id="s", time=1.0))
            for number, (values, at_step, at_time, flags) in enumerate(events):
                log.append_row(dict(values), at_step, at_time, flags)
                if number % 7 == 0:
                    log.append(Console(time=at_time, text="hello\n"))
        with Reader(folder) as reader:
            assert find_beyond(reader, step=step) == one_by_one(folder, step, None)
            assert find_beyond(reader, time=time) == one_by_one(folder, None, time)


def test_many_rows_are_passed_together(tmp_path: Path) -> None:
    folder = tmp_path / "run-s"
    folder.mkdir()
    with Log.create(folder, "s") as log:
        for step in range(20_000):
            log.append_row({"a": 1.0, "b": step}, step, 100.0 + step, COMMIT)
        log.append(Exit(time=1e6))
    with Reader(folder) as reader:
        assert find_beyond(reader, step=15_000) == 15_003, "behind the shape and the rows from 0 on"
        assert find_beyond(reader, time=15_100.0) == 15_003
        assert find_beyond(reader, step=19_999) is None
        assert find_beyond(reader, time=1e6 - 1) == 20_002
        assert find_beyond(reader, step=0, start=500) == 500


def test_what_children_log_has_a_time_and_moves_no_step(tmp_path: Path) -> None:
    folder = tmp_path / "run-s"
    folder.mkdir()
    with Log.create(folder, "s") as log:
        log.append_row({"a": 1.0}, 0, 10.0, COMMIT)
    with create_lane(folder, "s") as lane:
        lane.append_row({"a": 1.0}, 7, 20.0, COMMIT | int(RowFlag.EXPLICIT))
    recover(folder)
    with Reader(folder) as reader:
        assert find_beyond(reader, step=0) is None
        found = find_beyond(reader, time=15.0)
        assert found is not None
        assert isinstance(next(reader.entries(found)).record, FromLane)


def test_damage_before_the_record_is_an_error(tmp_path: Path) -> None:
    folder = tmp_path / "run-s"
    folder.mkdir()
    with Log.create(folder, "s") as log:
        for step in range(200):
            log.append_row({"a": float(step)}, step, 1.0, COMMIT)
            log.flush()
    path = folder / "run-s.wandb"
    raw = bytearray(path.read_bytes())
    start = 2 * len(raw) // 3
    raw[start:] = bytes(len(raw) - start)
    path.write_bytes(raw)
    with Reader(folder) as reader, pytest.raises(LogDamaged):
        find_beyond(reader, step=10_000)


def test_one_thing_is_looked_for(tmp_path: Path) -> None:
    folder = tmp_path / "run-s"
    folder.mkdir()
    Log.create(folder, "s").close()
    with Reader(folder) as reader, pytest.raises(ValueError, match="either a step or a time"):
        find_beyond(reader)
