"""Columns are the fold's rows: whatever the log holds, and wherever it is damaged."""

from __future__ import annotations

import math
import sys
import tempfile
from array import array
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional, Set, Tuple

import numpy as np
import pytest
from bursts import COMMIT, Burst, Event, append, events, exact, folded, keys, write
from hypothesis import given, settings
from hypothesis import strategies as st

import wandb_storage._column_fold
from wandb_storage import (
    Acknowledged,
    ColumnFold,
    Columns,
    Console,
    Exit,
    Log,
    LogDamaged,
    MetricDefinition,
    Reader,
    Record,
    Row,
    RunStart,
    RunState,
    read_columns,
    retain,
)


def in_columns(place: Path) -> Tuple[List[Dict[str, Any]], RunState]:
    state = RunState()
    with Reader(place) as reader:
        fold = ColumnFold(reader, state)
        batches = [*fold.batches(), fold.finish()]
    return [row for batch in batches if batch is not None for row in checked(batch).dicts()], state


def checked(batch: Columns) -> Columns:
    """A batch whose columns are what their types say."""
    kinds = {"float64": "d", "int64": "q"}
    for column in batch.columns.values():
        assert len(column.values) == batch.rows
        assert column.present is None or len(column.present) == batch.rows
        if column.dtype in kinds:
            assert isinstance(column.values, array)
            assert column.values.typecode == kinds[column.dtype]
        else:
            assert isinstance(column.values, bytearray if column.dtype == "bool" else list)
    return batch


@given(events)
@settings(max_examples=150, deadline=None)
def test_columns_hold_the_rows_of_the_fold_and_leave_its_state(events: List[Event]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        place = write(Path(folder), events)
        expected, expected_state = folded(place)
        found, state = in_columns(place)
    assert exact(found) == exact(expected)
    assert exact(state.snapshot()) == exact(expected_state.snapshot())


@given(events, st.sets(keys, max_size=3))
@settings(max_examples=30, deadline=None)
def test_columns_that_were_asked_for_are_those_of_the_whole(events: List[Event], wanted: Set[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        place = write(Path(folder), events)
        whole = [row for batch in read_columns(place) for row in batch.dicts()]
        asked = [row for batch in read_columns(place, sorted(wanted)) for row in batch.dicts()]
    assert exact(asked) == exact([{key: row[key] for key in row if key in wanted or key == "_step"} for row in whole])


def only(batches: Iterator[Columns]) -> Columns:
    (batch,) = batches
    return batch


def test_each_type_gets_its_kind_of_column(tmp_path: Path) -> None:
    row = {"double": 0.5, "integer": 7, "flag": True, "none": None, "text": "x"}
    scalars = {key: row[key] for key in ("double", "integer", "flag", "none")}
    batch = only(read_columns(write(tmp_path, [Burst(scalars, 20, 0, 1, COMMIT), Burst(row, 1, 20, 1, COMMIT)])))
    columns = batch.columns
    assert {key: column.dtype for key, column in columns.items()} == {
        "double": "float64", "integer": "int64", "flag": "bool", "none": "object", "text": "object",
        "_step": "int64", "_timestamp": "float64", "_runtime": "float64",
    }  # fmt: skip
    assert columns["flag"].objects() == [True] * 21
    assert columns["text"].objects() == [None] * 20 + ["x"]
    assert columns["text"].present == bytes(20) + b"\1"
    assert columns["none"].present is None
    numbers = np.frombuffer(columns["integer"].values, columns["integer"].dtype)  # type: ignore[arg-type]
    assert numbers.tolist() == [*range(7, 27), 7]


def test_missing_numbers_have_a_place_that_is_marked(tmp_path: Path) -> None:
    events = [Burst({"a": 1.0}, 10, 0, 1, COMMIT), Burst({"b": 5}, 10, 10, 1, COMMIT)]
    columns = only(read_columns(write(tmp_path, events))).columns
    assert columns["a"].present == b"\1" * 10 + bytes(10)
    assert all(map(math.isnan, columns["a"].values[10:]))
    assert list(columns["b"].values) == [0] * 10 + list(range(5, 15))


def test_values_of_several_types_are_kept_as_they_are(tmp_path: Path) -> None:
    events = [Burst({"a": 1.0}, 10, 0, 1, COMMIT), Burst({"a": 1}, 10, 10, 1, COMMIT)]
    column = only(read_columns(write(tmp_path, events))).columns["a"]
    assert column.dtype == "object"
    assert exact(column.values) == exact([1.0 + number for number in range(10)] + list(range(1, 11)))


def test_layouts_that_take_turns_keep_their_places(tmp_path: Path) -> None:
    events = [
        event
        for number in range(40)
        for event in (
            Burst({"train": float(number)}, 1, 2 * number, 1, COMMIT),
            Burst({"valid": float(number)}, 1, 2 * number + 1, 1, COMMIT),
        )
    ]
    place = write(tmp_path, events)
    assert in_columns(place)[0] == folded(place)[0]


def test_console_output_between_rows_does_not_slow_them_down(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    events: List[Event] = []
    for number in range(50):
        events += [Burst({"a": 1.0}, 1, number, 1, COMMIT), Console(1.0, 1, f"{number}\r")]
    place = write(tmp_path, events)
    expected, expected_state = folded(place)
    calls = 0
    apply = RunState.apply

    def counted(state: RunState, record: Optional[Record]) -> Any:
        nonlocal calls
        calls += isinstance(record, Row)
        return apply(state, record)

    monkeypatch.setattr(RunState, "apply", counted)
    found, state = in_columns(place)
    assert (found, state.snapshot()) == (expected, expected_state.snapshot())
    assert calls == 1  # the one that taught the layout


@pytest.mark.parametrize(
    "definition",
    [MetricDefinition(name="a", summary=["min"]), MetricDefinition(name="a", step_metric="epoch", step_sync=True)],
)
def test_metrics_defined_between_rows_count_from_there_on(tmp_path: Path, definition: MetricDefinition) -> None:
    before, after = Burst({"a": 1.0}, 20, 2, 1, COMMIT), Burst({"a": 1.0}, 20, 30, 1, COMMIT)
    place = write(tmp_path, [Burst({"epoch": 3}, 2, 0, 1, COMMIT), before, definition, after])
    expected, expected_state = folded(place)
    found, state = in_columns(place)
    assert exact(found) == exact(expected)
    assert state.summary == expected_state.summary


def test_batches_are_bounded_in_rows_and_in_cells(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wandb_storage._column_fold, "BATCH_ROWS_MAX", 100)
    monkeypatch.setattr(wandb_storage._column_fold, "BATCH_CELLS_MAX", 1000)
    wide: Dict[str, Any] = {f"k{number}": 1.0 for number in range(90)}
    events: List[Event] = [Burst({"a": 1.0}, 250, 0, 1, COMMIT), Burst(wide, 30, 250, 1, COMMIT)]
    events += [Burst({f"once{number}": "text"}, 1, 280 + number, 1, COMMIT) for number in range(150)]
    place = write(tmp_path, events)
    batches = list(read_columns(place))
    assert all(batch.rows <= 100 for batch in batches)
    assert all(batch.rows * (len(batch.columns) - 3) <= 1000 for batch in batches)
    assert [row for batch in batches for row in batch.dicts()] == folded(place)[0]


def test_a_fold_goes_on_from_the_end_of_any_batch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wandb_storage._column_fold, "BATCH_ROWS_MAX", 16)
    start = RunStart(run_id="c", time=90.0)
    place = write(tmp_path, [start, Burst({"a": 1.0}, 60, 0, 1, COMMIT), Burst({"a": 1.0}, 3, 70, 0, 0), Exit(0)])
    expected = folded(place)[0]
    with Reader(place) as reader:
        whole = ColumnFold(reader, RunState())
        found: List[Dict[str, Any]] = []
        for batch in whole.batches():
            found += batch.dicts()
            snapshot = whole.state.snapshot()
            rest = ColumnFold(reader, RunState.restore(snapshot)).batches(batch.last_sequence + 1)
            assert exact(found + [row for later in rest for row in later.dicts()]) == exact(expected)
        assert found == expected


def test_a_log_without_its_beginning_goes_on_from_what_that_added_up_to(tmp_path: Path) -> None:
    place = write(tmp_path, [RunStart(run_id="c", time=10.0), Burst({"a": 1.0}, 30, 0, 1, COMMIT), Exit(time=120.0)])
    with Log.open(place) as log:
        first = log.sequence
        append(log, RunStart(run_id="c", time=50.0, first_step=30))
        append(log, Burst({"a": 1.0}, 30, 30, 1, COMMIT))
    with Reader(place) as reader:
        state = RunState()
        completed = [state.apply(entry.record).rows for entry in reader.entries()]
    assert retain([place], 0, lambda folder: Acknowledged(first, True)).removed
    (batch,) = read_columns(place)
    assert list(batch.dicts()) == [row for rows in completed[first:] for row in rows]
    assert batch.rows == 30


def test_what_waits_in_the_tail_is_there_and_the_unfinished_row_comes_last(tmp_path: Path) -> None:
    place = tmp_path / "run-c"
    place.mkdir()
    with Log.create(place, "c") as log:
        append(log, Burst({"a": 1.0}, 30, 0, 1, COMMIT))
        log.flush()
        append(log, Burst({"a": 1.0}, 30, 30, 1, COMMIT))
        append(log, Burst({"a": 5.0}, 1, 60, 1, 0))
        assert in_columns(place)[0] == folded(place)[0]
        assert sum(batch.rows for batch in read_columns(place)) == 61


def test_rows_before_the_damage_are_given_before_it_is_told(tmp_path: Path) -> None:
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

    def one_by_one() -> Iterator[Dict[str, Any]]:
        state = RunState()
        with Reader(place) as reader:
            for entry in reader.entries():
                yield from state.apply(entry.record).rows

    expected = up_to_damage(one_by_one())
    found = up_to_damage(row for batch in read_columns(place) for row in batch.dicts())
    assert found == expected
    assert 0 < len(found) < 1800


def up_to_damage(rows: Iterator[Dict[str, Any]]) -> List[Dict[str, Any]]:
    found: List[Dict[str, Any]] = []
    with pytest.raises(LogDamaged):
        found.extend(rows)
    return found


def test_big_endian_machines_read_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """None is here: arrays whose bytes were swapped once too often show that the bytes would be swapped."""
    place = write(tmp_path, [Burst({"a": 1}, 20, 0, 1, COMMIT)])
    plain = only(read_columns(place)).columns["a"].values
    monkeypatch.setattr(sys, "byteorder", "big")
    swapped = only(read_columns(place)).columns["a"].values
    assert isinstance(swapped, array)
    assert isinstance(plain, array)
    assert swapped[0] == plain[0] == 1  # came as a dictionary
    swapped.byteswap()
    assert swapped[1:] == plain[1:]
