"""Logs of rows that are alike in stretches, as programs write them, and their rows folded one by one."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Sequence, Tuple, Union

import strategies
from hypothesis import strategies as st

from wandb_storage import Log, MetricDefinition, Reader, Record, RowFlag, RunState

COMMIT = int(RowFlag.COMMIT)
EXPLICIT = COMMIT | int(RowFlag.EXPLICIT)


class Burst(NamedTuple):
    """Calls in a row that log the same keys."""

    values: Dict[str, Any]
    calls: int
    first_step: int
    stride: int
    flags: int


Event = Union[Burst, Record]


def write(folder: Path, events: Sequence[Event]) -> Path:
    place = folder / "run-c"
    place.mkdir()
    with Log.create(place, "c") as log:
        for event in events:
            append(log, event)
    return place


def append(log: Log, event: Event) -> None:
    if not isinstance(event, Burst):
        log.append(event)
        return
    for number in range(event.calls):
        # Values that tell the rows apart, of the types that they have.
        row = {
            key: value + number if type(value) in (int, float) and abs(value) < 2**62 else value
            for key, value in event.values.items()
        }
        step = min(event.first_step + number * event.stride, 2**63 - 1)
        log.append_row(row, step, 100.0 + number / 7, event.flags)


def folded(place: Path) -> Tuple[List[Dict[str, Any]], RunState]:
    """The rows and the state, one by one."""
    state = RunState()
    rows: List[Dict[str, Any]] = []
    with Reader(place) as reader:
        for entry in reader.entries():
            rows += state.apply(entry.record).rows
    return [*rows, *state.complete_row()], state


def exact(value: Any) -> Any:
    """What tells 1 from 1.0 and True, and lets NaN equal itself."""
    if isinstance(value, dict):
        return {key: exact(item) for key, item in value.items()}
    if isinstance(value, list):
        return [exact(item) for item in value]
    return repr(value)


keys = st.sampled_from(["a", "b", "c", "loss", "_step", "_timestamp", "é"])
bursts = st.builds(
    Burst,
    st.dictionaries(keys, strategies.scalar_values, min_size=1, max_size=5)
    | st.dictionaries(keys, strategies.json_values, max_size=2),
    st.integers(1, 30),
    st.integers(0, 60) | st.just(2**63 - 20),
    st.sampled_from([0, 1, 1, 3]),
    st.sampled_from([COMMIT, COMMIT, COMMIT, EXPLICIT, EXPLICIT, 0]),
)
definitions = st.builds(
    MetricDefinition,
    name=keys | st.sampled_from(["*", "l*"]),
    step_metric=st.none() | keys,
    step_sync=st.booleans(),
    summary=st.lists(st.sampled_from(["min", "mean", "none", "last"]), max_size=2),
)
events = st.lists(st.one_of(bursts, bursts, bursts, definitions, strategies.program_records), max_size=12)
