"""What records add up to: rows, steps, summary, config, console, sessions."""

from __future__ import annotations

import json
from typing import Any, Dict, List

import pytest
import strategies
from hypothesis import given
from hypothesis import strategies as st

from wandb_storage import (
    Alert,
    Artifact,
    ConfigChange,
    Console,
    Environment,
    Exit,
    FileSaved,
    Labels,
    LogDamaged,
    MetricDefinition,
    Preempting,
    Record,
    Row,
    RowFlag,
    RunStart,
    RunState,
    Stream,
    SummaryChange,
    SystemMetrics,
    Telemetry,
    WriterLost,
)

COMMIT, EXPLICIT = RowFlag.COMMIT, RowFlag.EXPLICIT


def fold(*records: Record) -> RunState:
    state = RunState()
    for record in records:
        state.apply(record)
    return state


def rows(*records: Record) -> List[Dict[str, Any]]:
    state = RunState()
    found: List[Dict[str, Any]] = []
    for record in records:
        found += state.apply(record).rows
    return found


def log(step: int, flags: int = COMMIT, time: float = 0.0, **values: Any) -> Row:
    return Row(step=step, flags=flags, time=time, values=values)


def row(step: int, values: Dict[str, Any]) -> Row:
    return Row(step=step, flags=COMMIT, values=values)


def without_times(row: Dict[str, Any]) -> Dict[str, Any]:
    return {key: value for key, value in row.items() if key not in ("_timestamp", "_runtime")}


def test_each_committed_call_is_a_row_with_its_step_and_times() -> None:
    """One call, one row; the run's time counts from the session's start."""
    found = rows(RunStart(time=100.0), log(0, time=101.0, a=1), log(1, time=103.5, a=2))
    assert found == [
        {"a": 1, "_step": 0, "_timestamp": 101.0, "_runtime": 1.0},
        {"a": 2, "_step": 1, "_timestamp": 103.5, "_runtime": 3.5},
    ]


def test_calls_without_commit_add_up_to_one_row() -> None:
    """The later value of a key wins; the row ends with the call that commits."""
    found = rows(log(0, 0, a=1, b=1), log(0, 0, b=2), log(0, COMMIT, c=3), log(1, a=4))
    assert [without_times(row) for row in found] == [{"a": 1, "b": 2, "c": 3, "_step": 0}, {"a": 4, "_step": 1}]


def test_a_later_step_completes_the_row_before_it() -> None:
    """Calls that name the same step belong together."""
    found = rows(log(5, EXPLICIT, a=1), log(5, EXPLICIT, b=2), log(9, EXPLICIT, c=3), Exit())
    assert [without_times(row) for row in found] == [{"a": 1, "b": 2, "_step": 5}, {"c": 3, "_step": 9}]


def test_a_row_that_names_an_earlier_step_is_late_counted_and_kept() -> None:
    """Nothing that was logged is dropped."""
    state = fold(log(7, a=1), log(3, EXPLICIT | COMMIT, b=2))
    assert (state.rows, state.late_rows, state.step) == (2, 1, 8)
    assert without_times(rows(log(7, a=1), log(3, EXPLICIT | COMMIT, b=2))[1]) == {"b": 2, "_step": 3}


@pytest.mark.parametrize("end", [Exit(), WriterLost(), RunStart()])
def test_the_end_of_a_session_completes_its_last_row(end: Record) -> None:
    """However it ends."""
    assert [without_times(row) for row in rows(log(0, 0, a=1), end)] == [{"a": 1, "_step": 0}]


def test_folding_leaves_the_records_as_they_are() -> None:
    """The same entries may be folded twice."""
    calls = [log(0, 0, a=1), log(0, b=2), log(0, EXPLICIT | COMMIT, c=1)]
    first = rows(*calls)
    assert calls[1].values == {"b": 2}
    assert rows(*calls) == first


def test_the_summary_is_the_last_value_of_each_key() -> None:
    """Unless a definition says otherwise; the user's own values count too."""
    state = fold(log(0, a=1, b="x"), log(1, a=2), SummaryChange(json='{"best": 3, "a": 9}', removed=["b"]))
    assert without_times(state.summary) == {"a": 9, "_step": 1, "best": 3}


def test_defined_metrics_are_aggregated() -> None:
    """min, max, mean, first, last, best with a goal; a NaN hides nothing."""
    state = fold(
        MetricDefinition(name="loss", summary=["min", "max", "mean", "first", "last"]),
        MetricDefinition(name="score", summary=["best"], goal="maximize"),
        MetricDefinition(name="secret", summary=["none"]),
        *(log(step, loss=loss, score=loss, secret=1) for step, loss in enumerate((4.0, 1.0, float("nan"), 7.0))),
    )
    assert state.summary["loss"] == {"min": 1.0, "max": 7.0, "mean": 4.0, "first": 4.0, "last": 7.0}
    assert state.summary["score"] == {"best": 7.0}
    assert "secret" not in state.summary


def test_the_longest_glob_wins_and_a_step_metric_is_filled_in() -> None:
    """A metric that is bound to another one gets its current value into the row."""
    definitions = [
        MetricDefinition(name="val/*", step_metric="epoch", step_sync=True),
        MetricDefinition(name="val/acc*", summary=["max"]),
    ]
    found = rows(*definitions, log(0, epoch=3), row(1, {"val/loss": 1.0}), row(2, {"val/acc": 1.0}))
    assert found[1]["epoch"] == 3
    assert "epoch" not in found[2]
    merged = fold(
        MetricDefinition(name="a", summary=["min"]),
        MetricDefinition(name="a", goal="minimize"),
        log(0, a=2),
        log(1, a=3),
    )
    assert merged.summary["a"] == {"min": 2}


def test_values_in_dictionaries_are_metrics_of_their_own() -> None:
    """Each by the path of its keys: it keeps its last value, and definitions name it; media are whole."""
    media = {"_type": "image-file", "path": "a.png", "caption": "a"}
    state = fold(
        row(0, {"val": {"acc": 1, "deep": {"a": 1}}, "image": media}),
        row(1, {"val": {"deep": {"b": 2}}, "image": {"_type": "image-file", "path": "b.png"}}),
    )
    image = {"_type": "image-file", "path": "b.png"}
    assert without_times(state.summary) == {"val": {"acc": 1, "deep": {"a": 1, "b": 2}}, "image": image, "_step": 1}
    calls = [log(0, 0, val={"acc": 1}), log(0, COMMIT, val={"loss": 2})]
    assert without_times(rows(*calls)[0]) == {"val": {"acc": 1, "loss": 2}, "_step": 0}


def test_definitions_name_values_in_dictionaries() -> None:
    definitions = [
        MetricDefinition(name="val.acc", summary=["max"]),
        MetricDefinition(name="deep.*", summary=["mean"]),
        MetricDefinition(name="hidden.*", summary=["none"]),
        MetricDefinition(name=r"with\.dot", summary=["min"]),
        MetricDefinition(name="late.*", step_metric="at.epoch", step_sync=True),
    ]
    found = [
        {"val": {"acc": acc, "loss": acc}, "deep": {"a": {"b": acc}}, "hidden": {"a": acc}, "with.dot": acc}
        for acc in (1, 3, 2)
    ]
    calls = [row(step, values) for step, values in enumerate(found)]
    state = fold(*definitions, *calls)
    assert without_times(state.summary) == {
        "val": {"acc": {"max": 3}, "loss": 2}, "deep": {"a": {"b": {"mean": 2}}}, "with.dot": {"min": 1}, "_step": 2,
    }  # fmt: skip
    late = rows(*definitions, row(0, {"at": {"epoch": 4, "batch": 1}}), row(1, {"late": {"loss": 1}}))[1]
    assert without_times(late) == {"late": {"loss": 1}, "at": {"epoch": 4}, "_step": 1}


def test_config_keys_are_set_and_removed_whole() -> None:
    """No merging below the top level."""
    state = fold(ConfigChange(json='{"a": {"x": 1}, "b": 2}'), ConfigChange(json='{"a": {"y": 2}}', removed=["b"]))
    assert state.config == {"a": {"y": 2}}


def test_console_lines_are_what_a_terminal_would_show() -> None:
    """A carriage return starts the line over; a progress bar is one line, and keeps its number."""
    state = RunState()
    shown: Dict[int, str] = {}
    for text in ("one\ntw", "o\n\n", "10%\r20%", "\r100% done", "\r5", "\r\nlast"):
        for line in state.apply(Console(text=text)).console:
            shown[line.number] = line.text
    for line in state.apply(Console(stream=Stream.STDERR, text="other")).console:
        shown[line.number] = line.text
    assert shown == {0: "one", 1: "two", 2: "", 3: "500% done", 4: "last", 5: "other"}


def test_a_console_line_without_end_is_cut() -> None:
    """A program that never writes a newline fills no memory."""
    state = RunState()
    for _ in range(10):
        (line,) = state.apply(Console(text="x" * 1000)).console
    assert line.text == "x" * 4096


def test_sessions_add_up() -> None:
    """A resumed run keeps its config, its steps and its time; how the last session ended is how the run ended."""
    first = [RunStart(run_id="r", name="n", time=100.0), log(0, time=110.0, a=1)]
    state = fold(*first, WriterLost(lost_records=3))
    assert (state.status, state.crashes, state.lost_records, state.runtime) == ("crashed", 1, 3, 10.0)
    state = fold(*first, WriterLost(), RunStart(run_id="r", time=500.0, first_step=4, resumed=True))
    assert (state.status, state.sessions, state.step, state.start.name) == ("running", 2, 4, "n")
    state.apply(log(4, time=505.0, a=2))
    assert state.runtime == 15.0
    state.apply(Exit(code=3, time=506.0))
    assert state.status == "failed"
    assert fold(RunStart(), Exit()).status == "finished"


def test_a_run_knows_its_sessions_and_after_which_crash_it_was_recovered() -> None:
    lost = WriterLost(time=20.0, cause="died", evidence="its lock is free", lost_records=0)
    state = fold(
        RunStart(run_id="r", time=10.0, host="a", pid=1), lost,
        RunStart(run_id="r", time=30.0, host="b", pid=2, first_step=4), Exit(code=0, time=40.0),
    )  # fmt: skip
    told = {"time": 20.0, "cause": "died", "evidence": "its lock is free", "lost_records": 0}
    assert state.story == [
        {"number": 1, "time": 10.0, "host": "a", "pid": 1, "step": 0, "lost": told},
        {"number": 2, "time": 30.0, "host": "b", "pid": 2, "step": 4, "exit": {"code": 0, "time": 40.0}},
    ]


def test_what_is_found_out_later_joins_the_environment() -> None:
    """And belongs to the session that found it out."""
    state = fold(
        RunStart(environment='{"os": "x", "args": []}'), Environment(json='{"git": {"commit": "c"}, "os": "y"}')
    )
    assert json.loads(state.start.environment) == {"os": "y", "args": [], "git": {"commit": "c"}}
    state.apply(RunStart(environment='{"os": "z"}', resumed=True))
    assert json.loads(state.start.environment) == {"os": "z"}


def test_the_rest_of_a_run_is_kept() -> None:
    """Labels, files, artifacts, alerts, telemetry, preemption, system metrics."""
    state = fold(
        RunStart(name="before", tags=["t"]), Labels(name="after"), Labels(tags=[], tags_changed=True),
        FileSaved(path="a", policy="now"), FileSaved(path="a", policy="end"), Artifact(name="m"), Alert(title="x"),
        Telemetry(json='{"torch": "2"}'), Preempting(),
    )  # fmt: skip
    assert (state.start.name, state.start.tags, state.files) == ("after", [], {"a": "end"})
    assert [one.name for one in state.artifacts] == ["m"]
    assert [one.title for one in state.alerts] == ["x"]
    assert state.telemetry == {"torch": "2"}
    assert state.preempting
    (row,) = state.apply(SystemMetrics(time=5.0, json='{"cpu": 0.5}')).system
    assert row == {"system.cpu": 0.5, "_wandb": True, "_timestamp": 5.0, "_runtime": 5.0}


def test_a_record_that_is_no_json_is_damage() -> None:
    """Not some other exception out of the fold."""
    for record in (ConfigChange(json="[1]"), SummaryChange(json="{"), Telemetry(json="[" * 100_000)):
        with pytest.raises(LogDamaged, match="JSON"):
            fold(record)


@given(st.lists(strategies.program_records, max_size=12))
def test_a_restored_snapshot_goes_on_as_if_never_interrupted(records: List[Record]) -> None:
    """At every record: a state that went through JSON completes the same things and ends the same."""
    plain, restored = RunState(), RunState()
    for record in records:
        restored = RunState.restore(json.loads(json.dumps(restored.snapshot())))
        assert repr(restored.apply(record)) == repr(plain.apply(record))
        assert json.dumps(restored.snapshot()) == json.dumps(plain.snapshot())
