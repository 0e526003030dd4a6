"""What two runs, or two moments of one, don't have in common."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence

import pytest
from written_runs import COMMIT, START_TIME, run_folder, start, wandb_command, write_damaged, write_run

from wandb.replay import Replay
from wandb.replay._diff import compare
from wandb.replay._selection import Selection
from wandb_storage import ConfigChange, Exit, FileSaved, Log, RowFlag

ROWS: List[Dict[str, Any]] = [{"loss": 1.0 / (step + 1), "nan": math.nan, "n": step} for step in range(20)]


def run(folder: Path, run_id: str, rows: Sequence[Dict[str, Any]], steps: Optional[Sequence[int]] = None) -> Replay:
    place = run_folder(folder, run_id)
    with Log.create(place, run_id) as log:
        log.append(start(run_id))
        for number, row in enumerate(rows):
            step = number if steps is None else steps[number]
            log.append_row(dict(row), step, START_TIME + number, COMMIT | RowFlag.EXPLICIT)
        log.append(Exit(code=0))
    return Replay(place)


def test_equal_histories_are_the_same(tmp_path: Path) -> None:
    found = compare(run(tmp_path, "one", ROWS), run(tmp_path, "two", ROWS))
    assert found.same
    assert found.compared == 20
    assert [change.name for change in found.about] == ["run"]


def test_a_value_that_differs_is_found_with_its_step(tmp_path: Path) -> None:
    other = [{**row, "loss": row["loss"] + (0.5 if step >= 7 else 0)} for step, row in enumerate(ROWS)]
    found = compare(run(tmp_path, "one", ROWS), run(tmp_path, "two", other))
    assert not found.same
    difference = found.values["loss"]
    assert (difference.rows, difference.first_step) == (13, 7)
    assert difference.largest == pytest.approx(0.5)
    assert set(found.values) == {"loss"}, "NaN is NaN"


def test_missing_rows_are_told_as_ranges(tmp_path: Path) -> None:
    left, right = run(tmp_path, "one", ROWS), run(tmp_path, "two", [*ROWS[:5], *ROWS[8:]], [*range(5), *range(8, 20)])
    found = compare(left, right)
    assert (found.missing_right.rows, found.missing_right.ranges) == (3, [(5, 7)])
    assert (found.missing_left.rows, found.compared) == (0, 17)
    back = compare(right, left)
    assert back.missing_left.ranges == [(5, 7)]


def test_a_row_that_came_late_is_the_same_row(tmp_path: Path) -> None:
    order = [*range(10), *range(11, 20), 10]
    late = [ROWS[step] for step in order]
    found = compare(run(tmp_path, "one", ROWS), run(tmp_path, "two", late, order))
    assert (found.missing_left.rows, found.missing_right.rows, found.compared) == (0, 0, 20)


def test_keys_of_one_side_are_told(tmp_path: Path) -> None:
    other = [{key: value for key, value in row.items() if key != "n"} for row in ROWS]
    found = compare(run(tmp_path, "one", ROWS), run(tmp_path, "two", other))
    assert [(change.name, change.only) for change in found.keys] == [("n", "left")]
    chosen = compare(Replay(tmp_path / "run-20260105_120000-one"), Replay(tmp_path / "run-20260105_120000-two"),
                     Selection(keys=["loss"]))  # fmt: skip
    assert chosen.keys == []
    assert chosen.values == {}


def test_integers_equal_the_doubles_of_the_same_value(tmp_path: Path) -> None:
    assert compare(run(tmp_path, "one", [{"a": 1}]), run(tmp_path, "two", [{"a": 1.0}])).same


def test_two_moments_of_a_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    change = ConfigChange(json=json.dumps({"opt": {"lr": 0.01, "name": "adam"}}), time=START_TIME + 99)
    folder = run_folder(tmp_path / "wandb")
    saved = FileSaved(path="model.npz", policy="now")
    write_run(folder, ROWS, change, saved, Exit(code=0), config={"opt": {"lr": 0.1, "name": "adam"}})
    outcome = wandb_command(capsys, "replay", folder, "--diff", "step=4", "log")
    assert outcome.code == 6
    said = outcome.out.splitlines()
    assert said[0] == "--- step=4  +++ log"
    assert "  ~ opt.lr  0.1 → 0.01" in said
    assert "  + model.npz  now" in said
    assert "step=4 lacks 15 rows: step 5 to 19" in said
    assert said[-1] == "5 rows compared: they differ"
    assert "\x1b" not in outcome.out


def test_two_runs_by_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    home = tmp_path / "wandb"
    run(home, "one", ROWS)
    run(home, "two", [*ROWS, {"loss": 9.0}])
    document = wandb_command(capsys, "replay", "--dir", home, "--diff", "one", "two", "--json").json()
    assert document["missing_left"] == {"rows": 1, "ranges": [[20, 20]]}
    assert document["left"]["run"] == "one"
    same = wandb_command(capsys, "replay", "--dir", home, "--diff", "one", "two@step=19")
    assert (same.code, same.out.splitlines()[-1]) == (0, "20 rows compared: no difference")
    cut = wandb_command(capsys, "replay", "--dir", home, "--diff", "one", "two", "--to-step", 19)
    assert cut.out.splitlines()[-1] == "20 rows compared: they differ", "the summary does"


def test_a_damaged_side_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = run_folder(tmp_path)
    write_damaged(place)
    other = run(tmp_path, "two", [{"a": step} for step in range(300)])
    outcome = wandb_command(capsys, "replay", "--diff", place, other.folder)
    assert outcome.code == 6
    assert "lacks 200 rows: step 100 to 299" in outcome.out
    assert wandb_command(capsys, "replay", "--diff", place, place).code == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--diff", "step=x", "log"], "--diff: step=x: 'x' is no whole number"),
        (["--diff", "time=soon", "log"], "a time is 2026"),
        (["--diff", "a", "b", "--csv"], "--csv and --diff exclude each other"),
        (["--diff", "a", "b", "--at", "3"], "--diff and --at exclude each other"),
        (["--diff", "a", "b", "-o", "x"], "--diff has its own place"),
    ],
)
def test_what_makes_no_sense_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: List[str], said: str
) -> None:
    folder = write_run(run_folder(tmp_path), ROWS[:1])
    outcome = wandb_command(capsys, "replay", folder, *arguments)
    assert outcome.code == 2
    assert said in " ".join(outcome.err.split())
