"""What a `log` call stores, and what it refuses."""

from __future__ import annotations

import dataclasses
import datetime
import math
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any, Dict, List

import numpy as np
import pytest

import wandb
from wandb_storage import Reader, RunState


def rows_of(run: wandb.Run) -> List[Dict[str, Any]]:
    """The history rows that a run's log holds."""
    state = RunState()
    rows: List[Dict[str, Any]] = []
    with Reader(Path(run.sync_dir)) as reader:
        for entry in reader.entries():
            rows += state.apply(entry.record).rows
    return rows + state.complete_row()


def values_of(run: wandb.Run) -> List[Dict[str, Any]]:
    return [{key: value for key, value in row.items() if key[:1] != "_" or key == "_step"} for row in rows_of(run)]


@pytest.fixture
def run() -> wandb.Run:
    return wandb.init(mode="offline", project="p")


def test_a_call_without_step_is_a_row_of_its_own(run: wandb.Run) -> None:
    run.log({"a": 1})
    run.log({"a": 2.5, "b": True})
    assert values_of(run) == [{"_step": 0, "a": 1}, {"_step": 1, "a": 2.5, "b": True}]
    assert run.step == 2


def test_rows_of_every_kind_may_follow_each_other(run: wandb.Run) -> None:
    kinds: List[Dict[str, Any]] = [
        {"plain": 0.5},
        {"text": "a", "plain": 1},
        {"scalar": np.float32(0.5), "whole": np.int64(3)},
        {"nested": {"a": {"b": 1}}},
        {"array": np.arange(3)},
        {"scalar": 0.25, "whole": None},
    ]
    stored = [{**row} for row in kinds]
    stored[2], stored[4] = {"scalar": 0.5, "whole": 3}, {"array": [0, 1, 2]}
    order = [0, 0, 2, 1, 3, 3, 4, 0, 5, 2, 1, 1, 4]
    for number in order:
        run.log(kinds[number])
    assert [{k: v for k, v in row.items() if k != "_step"} for row in values_of(run)] == [stored[n] for n in order]


def test_calls_of_one_step_add_up_to_one_row(run: wandb.Run) -> None:
    run.log({"a": 1}, step=3)
    run.log({"b": 2}, step=3)
    run.log({"a": 4}, step=5)
    assert values_of(run) == [{"_step": 3, "a": 1, "b": 2}, {"_step": 5, "a": 4}]


def test_commit_false_waits_for_the_call_that_commits(run: wandb.Run) -> None:
    run.log({"a": 1}, commit=False)
    assert run.step == 0
    run.log({"b": 2})
    assert values_of(run) == [{"_step": 0, "a": 1, "b": 2}]


def test_a_late_row_is_kept_counted_and_said_once(run: wandb.Run, capsys: pytest.CaptureFixture[str]) -> None:
    run.log({"a": 1}, step=10, commit=True)
    run.log({"late": 1}, step=3)
    run.log({"late": 2}, step=4)
    assert values_of(run) == [{"_step": 10, "a": 1}, {"_step": 3, "late": 1}, {"_step": 4, "late": 2}]
    assert capsys.readouterr().err.count("less than the current step") == 1
    run.finish()
    assert "2 rows came late" in capsys.readouterr().err


@pytest.mark.parametrize("step", [3, 3.0, np.int64(3), np.float32(3), "3"])
def test_a_step_may_be_anything_that_is_whole(run: wandb.Run, step: Any) -> None:
    run.log({"a": 1}, step=step)
    assert values_of(run) == [{"_step": 3, "a": 1}]


@pytest.mark.parametrize("step", [2.5, np.float32(2.5), math.nan, math.inf, "2.5", -1, 1 << 63, int])
def test_a_step_that_is_not_whole_is_refused_and_nothing_lost(run: wandb.Run, step: Any) -> None:
    """Cut, 2.2 and 2.7 would be one row, whose first values are gone."""
    run.log({"a": 1})
    with pytest.raises(TypeError, match="step must be"):
        run.log({"a": 2}, step=step)
    run.log({"a": 3})
    assert values_of(run) == [{"_step": 0, "a": 1}, {"_step": 1, "a": 3}]


def test_a_row_that_is_too_large_names_its_largest_value(run: wandb.Run) -> None:
    with pytest.raises(wandb.Error, match=r"above the limit of .* \(the largest value is that of text\)"):
        run.log({"loss": 0.5, "text": "x" * (17 << 20)})
    run.log({"loss": 0.5})
    assert values_of(run) == [{"_step": 0, "loss": 0.5}]


def test_strict_mode_raises_for_a_late_row() -> None:
    with wandb.init(mode="offline", settings=wandb.Settings(strict=True)) as run:
        run.log({"a": 1}, step=10, commit=True)
        with pytest.raises(wandb.UsageError, match="step 3"):
            run.log({"late": 1}, step=3)


@pytest.mark.parametrize("strict", [True, False])
def test_strict_mode_raises_where_the_disk_refuses(tmp_path: Path, strict: bool) -> None:
    """Without it the rows wait in memory, a warning says so once, and the program goes on."""
    script = f"""
import resource, wandb
run = wandb.init(mode="offline", dir={str(tmp_path)!r}, settings=wandb.Settings(strict={strict}, console="off"))
run.log({{"a": 1}})
_, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (1, hard))
try:
    run.log({{"a": 2}})
    run.log({{"a": 3}})
    print("nothing was raised")
except wandb.Error as error:
    print(error)
resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
run.finish()
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    told = "the disk refuses the run's log; 1 records wait in memory" if strict else "nothing was raised"
    assert told in done.stdout
    assert done.stderr.count("the disk refuses") == 1


def test_special_floats_are_stored_to_the_bit(run: wandb.Run) -> None:
    values = [math.nan, math.inf, -math.inf, -0.0, 5e-324, 1.7976931348623157e308]
    for value in values:
        run.log({"x": value})
    stored = [row["x"] for row in rows_of(run)]
    assert [struct.pack("<d", value) for value in stored] == [struct.pack("<d", value) for value in values]


def test_integers_of_any_size_are_exact(run: wandb.Run) -> None:
    values = [2**53 + 1, -(2**63), 2**63 - 1, 2**63, 10**40]
    for value in values:
        run.log({"n": value})
    assert [row["n"] for row in rows_of(run)] == values


@dataclasses.dataclass
class Point:
    x: float
    label: str


def test_what_converts_is_stored_as_plain_data(run: wandb.Run) -> None:
    run.log(
        {
            "float32": np.float32(0.5),
            "int64": np.int64(7),
            "flag": np.bool_(True),
            "array": np.arange(3),
            "one": np.array([2.0]),
            "tuple": (1, "two", None),
            "nested": {"deep": {"er": 1.5}, 3: "three"},
            "point": Point(1.0, "here"),
            "day": datetime.date(2026, 11, 23),
            "text": "äöü \ud800 𝄞",
        }
    )
    (row,) = values_of(run)
    assert row == {
        "_step": 0,
        "float32": 0.5,
        "int64": 7,
        "flag": True,
        "array": [0, 1, 2],
        "one": 2.0,
        "tuple": [1, "two", None],
        "nested": {"deep": {"er": 1.5}, "3": "three"},
        "point": {"x": 1.0, "label": "here"},
        "day": "2026-11-23",
        "text": "äöü \ud800 𝄞",
    }


@pytest.mark.parametrize(
    ("data", "names"),
    [
        ([1, 2], "dictionary"),
        ("loss", "dictionary"),
        ({1: 2.0}, "1"),
        ({"good": 1, "bad": object()}, "bad.*object"),
        ({"bad": 1j}, "bad.*complex"),
        ({"outer": {"inner": [0, __import__("threading").Lock()]}}, r"outer\.inner\[1\].*lock"),
    ],
)
def test_what_cannot_be_stored_is_refused_at_once_by_name(run: wandb.Run, data: Any, names: str) -> None:
    with pytest.raises(TypeError, match=names):
        run.log(data)
    with pytest.raises(ValueError, match=names):
        run.log(data)
    run.log({"still": "works"})
    assert values_of(run) == [{"_step": 0, "still": "works"}]


def test_a_value_that_contains_itself_is_refused(run: wandb.Run) -> None:
    loop: Dict[str, Any] = {}
    loop["self"] = loop
    with pytest.raises(wandb.Error, match="contain itself"):
        run.log({"loop": loop})


def test_a_row_that_the_caller_changes_later_is_stored_as_it_was(run: wandb.Run) -> None:
    row: Dict[str, Any] = {"a": 1, "list": [1]}
    run.log(row)
    row["a"] = 2
    row["list"].append(2)
    assert values_of(run) == [{"_step": 0, "a": 1, "list": [1]}]
    assert run.summary["list"] == [1]


def test_the_summary_holds_last_values_and_what_define_metric_asks_for(run: wandb.Run) -> None:
    run.define_metric("loss", summary="min,last")
    run.define_metric("val/*", summary="max")
    run.define_metric("inner.best", summary="max")
    for loss, accuracy in ((3.0, 0.1), (1.0, 0.9), (2.0, 0.5)):
        run.log({"loss": loss, "val/accuracy": accuracy, "plain": loss, "inner": {"best": accuracy}})
    run.log({"inner": {"more": {"a": 1}}})
    run.summary["mine"] = "text"
    assert run.summary["loss"] == {"min": 1.0, "last": 2.0}
    assert run.summary["val/accuracy"] == {"max": 0.9}
    assert (run.summary["plain"], run.summary.mine) == (2.0, "text")
    assert run.summary.inner == {"best": {"max": 0.9}, "more": {"a": 1}}
    state = RunState()
    with Reader(Path(run.sync_dir)) as reader:
        for entry in reader.entries():
            state.apply(entry.record)
    assert {key: value for key, value in state.summary.items() if key[0] != "_"} == dict(run.summary.items())
