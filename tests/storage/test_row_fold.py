"""Rows that are taken many at a time are the fold's rows, key for key, and leave its state."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any, Dict, List, Optional, Tuple

import pytest
from bursts import COMMIT, Burst, Event, append, events, exact, folded, write
from hypothesis import given, settings
from hypothesis import strategies as st

from wandb_storage import Log, LogDamaged, Reader, Record, Row, RowFold, RunState, SystemMetrics


def in_stretches(place: Path, rows_max: int = 5000, last: int = 0) -> Tuple[List[Dict[str, Any]], RunState]:
    state = RunState()
    rows: List[Dict[str, Any]] = []
    with Reader(place) as reader:
        fold = RowFold(reader)
        reached = 0
        while reached < last or not last:
            taken = fold.take(state, rows_max, last)
            if taken is None:
                break
            assert len(taken.completed.rows) <= max(rows_max, 2)  # one call may complete the row before it too
            assert taken.last_sequence > reached
            reached = taken.last_sequence
            rows += taken.completed.rows
    return [*rows, *state.complete_row()], state


def in_order(rows: List[Dict[str, Any]]) -> Any:
    return [list(exact(row).items()) for row in rows]


@given(events, st.sampled_from([1, 7, 20, 5000]))
@settings(max_examples=60, deadline=None)
def test_stretches_hold_the_rows_of_the_fold_and_leave_its_state(events: List[Event], rows_max: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        place = write(Path(folder), events)
        expected, expected_state = folded(place)
        found, state = in_stretches(place, rows_max)
    assert in_order(found) == in_order(expected)
    assert exact(state.snapshot()) == exact(expected_state.snapshot())


@given(events, st.integers(1, 60))
@settings(max_examples=30, deadline=None)
def test_nothing_is_taken_behind_the_record_that_was_named(events: List[Event], last: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        place = write(Path(folder), events)
        state = RunState()
        expected: List[Dict[str, Any]] = []
        with Reader(place) as reader:
            for entry in reader.entries(stop=last + 1):
                expected += state.apply(entry.record).rows
        expected += state.complete_row()
        assert in_order(in_stretches(place, last=last)[0]) == in_order(expected)


def test_samples_of_the_machine_between_rows_do_not_slow_them_down(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    events: List[Event] = []
    for number in range(20):
        events += [Burst({"a": 1.0, "b": True, "c": None, "d": 3}, 30, 30 * number, 1, COMMIT)]
        events += [SystemMetrics(time=100.0, json='{"cpu": 1}')]
    place = write(tmp_path, events)
    expected, expected_state = folded(place)
    calls = 0
    apply = RunState.apply

    def counted(state: RunState, record: Optional[Record]) -> Any:
        nonlocal calls
        calls += isinstance(record, Row)
        return apply(state, record)

    monkeypatch.setattr(RunState, "apply", counted)
    found, state = in_stretches(place)
    assert in_order(found) == in_order(expected)
    assert state.snapshot() == expected_state.snapshot()
    assert calls == 1  # the one that taught the layout


def test_a_fold_goes_on_where_it_is_told_to_and_with_what_came_since(tmp_path: Path) -> None:
    place = tmp_path / "run-c"
    place.mkdir()
    with Log.create(place, "c") as log, Reader(place) as reader:
        fold, state = RowFold(reader), RunState()
        assert fold.take(state, 10) is None
        append(log, Burst({"a": 1.0}, 30, 0, 1, COMMIT))
        log.flush()
        taken = [fold.take(state, 100) for _ in range(3)]
        assert [one.last_sequence for one in taken if one is not None] == [1, 2, 31]  # the shape, the first, the others
        assert not fold.waits
        fold.seek(12)
        again = fold.take(RunState(), 100)
        assert again is not None
        assert again.completed.rows[0]["a"] == 11.0
        append(log, Burst({"a": 1.0}, 5, 30, 1, COMMIT))
        log.flush()
        more = fold.take(state, 100)
        assert more is not None
        assert state.step > 30


def test_rows_before_the_damage_come_before_it(tmp_path: Path) -> None:
    place = tmp_path / "run-c"
    place.mkdir()
    with Log.create(place, "c") as log:
        for number in range(6):
            append(log, Burst({"a": 0.1, "b": 2}, 300, 300 * number, 1, COMMIT))
            log.flush()
    path = next(place.glob("*.wandb"))
    raw = bytearray(path.read_bytes())
    blocks = [at for at in range(len(raw)) if raw[at : at + 4] == b"\x28\xb5\x2f\xfd"]
    raw[blocks[-1] + 50] ^= 1
    path.write_bytes(raw)
    state, rows = RunState(), 0

    def take_all(fold: RowFold) -> None:
        nonlocal rows
        while True:
            taken = fold.take(state, 5000)
            assert taken is not None
            rows += len(taken.completed.rows)

    with Reader(place) as reader, pytest.raises(LogDamaged):
        take_all(RowFold(reader))
    assert 0 < rows < 1800
    assert rows % 300 == 0
