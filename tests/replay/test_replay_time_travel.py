"""A run as it was at a step or a record, and what is told of rows that came late."""

from __future__ import annotations

import json
import time
from datetime import datetime, timezone
from pathlib import Path

import pytest
from written_runs import COMMIT, START_TIME, run_folder, start, wandb_command, write_run

from wandb.replay import Replay
from wandb_storage import Artifact, ConfigChange, Exit, Log, RowFlag, SystemMetrics


def test_a_step_shows_what_was_then(tmp_path: Path) -> None:
    folder = write_run(run_folder(tmp_path), [{"loss": 1.0 / (n + 1)} for n in range(10)], Exit(code=0))
    then = Replay(folder).at(step=4)
    assert then.summary["loss"] == 0.2
    assert then.rows == 5
    assert [row["_step"] for row in then.history()] == [0, 1, 2, 3, 4]
    assert then.state == "running"
    assert "later records" in then.ended.evidence


def test_a_record_shows_what_was_then(tmp_path: Path) -> None:
    change = ConfigChange(json=json.dumps({"lr": 2}), time=START_TIME)
    folder = write_run(run_folder(tmp_path), [{"a": n} for n in range(3)], change, Exit(code=0), config={"lr": 1})
    assert Replay(folder).config == {"lr": 2}
    last = Replay(folder).scan().last_sequence
    assert Replay(folder).at(sequence=last - 2).config == {"lr": 1}
    assert Replay(folder).at(sequence=last - 1).state == "running"
    assert Replay(folder).at(sequence=last).state == "finished"
    assert Replay(folder).at(sequence=last + 100).state == "finished"


def test_one_moment_is_named_at_a_time(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = write_run(run_folder(tmp_path), [{"a": 1}, {"a": 2}], Exit(code=0))
    with pytest.raises(ValueError, match="name one moment"):
        Replay(folder).at(step=1, sequence=2)
    assert wandb_command(capsys, "replay", folder, "--at-step", 1, "--at", 2).code == 2
    document = wandb_command(capsys, "replay", folder, "--json", "--at-step", 0).json()
    assert [row["a"] for row in document["history"]] == [1]


@pytest.mark.parametrize(
    ("at", "rows"),
    [
        ("+4s", 5),
        ("-4s", 6),
        (str(START_TIME + 4), 5),
        (time.strftime("%Y-%m-%dT%H:%M:%S", time.localtime(START_TIME + 4)), 5),
        (datetime.fromtimestamp(START_TIME + 4, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"), 5),
        (time.strftime("%H:%M:%S", time.localtime(START_TIME + 4)), 5),
        (time.strftime("%H:%M", time.localtime(START_TIME - 120)), 10),  # on the next day
    ],
)
def test_a_time_is_written_as_a_person_would(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], at: str, rows: int
) -> None:
    folder = write_run(run_folder(tmp_path), [{"a": n} for n in range(10)])
    document = wandb_command(capsys, "replay", folder, "--json", "--at-time", at).json()
    assert len(document["history"]) == rows


def test_late_rows_are_told_and_counted(tmp_path: Path) -> None:
    folder = run_folder(tmp_path)
    with Log.create(folder, "abc12345") as log:
        log.append(start())
        for step in (0, 1, 2, 1, 0, 3):
            log.append_row({"a": step}, step, START_TIME, COMMIT | RowFlag.EXPLICIT)
        log.append(Exit(code=0))
    run = Replay(folder)
    assert [row["a"] for row in run.history()] == [0, 1, 2, 1, 0, 3]
    assert "6 rows, steps 0 to 3, 2 late" in run.story()


def test_how_the_config_changed_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = run_folder(tmp_path)
    with Log.create(folder, "abc12345") as log:
        log.append(start())
        log.append(ConfigChange(json=json.dumps({"lr": 0.1, "opt": "adam", "_wandb": {}}), time=START_TIME))
        log.append(ConfigChange(json=json.dumps({"seed": 1}), time=START_TIME))
        log.append_row({"a": 1}, 0, START_TIME, COMMIT)
        log.append(ConfigChange(json=json.dumps({"lr": 0.01, "opt": "adam", "_wandb": {"t": 1}}), time=START_TIME + 1))
        log.append(ConfigChange(json="{}", removed=["seed"], time=START_TIME + 2))
        log.append_row({"a": 1}, 1, START_TIME, COMMIT)
        log.append(Exit(code=0))
    steps = Replay(folder).config_steps
    assert [(one.step, one.old, one.new) for one in steps] == [(1, {"lr": 0.1}, {"lr": 0.01}), (1, {"seed": 1}, {})]
    assert Replay(folder).at(sequence=4).config_steps == []
    story = Replay(folder).story()
    assert "config changes  2\n  step 1  lr  0.1 → 0.01\n  step 1  seed  1 → (removed)\n" in story
    document = wandb_command(capsys, "replay", folder, "--json").json()
    assert document["config_steps"][0]["new"] == {"lr": 0.01}


def test_a_change_of_the_config_has_its_step_among_many_rows(tmp_path: Path) -> None:
    folder = run_folder(tmp_path)
    with Log.create(folder, "abc12345") as log:
        log.append(start())
        for step in range(300):
            log.append_row({"a": step}, step, START_TIME + step, COMMIT)
            if step in (100, 250):
                log.append(ConfigChange(json=json.dumps({"lr": step}), time=START_TIME + step))
        log.append(Exit(code=0))
    steps = Replay(folder).config_steps
    assert [(one.step, one.old, one.new) for one in steps] == [(101, {}, {"lr": 100}), (251, {"lr": 100}, {"lr": 250})]


def test_machine_and_artifacts_are_told(tmp_path: Path) -> None:
    samples = [SystemMetrics(time=START_TIME + at, json=json.dumps({"cpu": 10.0 * at, "x": at})) for at in range(5)]
    artifact = Artifact(name="data:v1", type="dataset", used=True, aliases=["latest"])
    run = Replay(write_run(run_folder(tmp_path), [{"a": 1}], *samples, artifact, Exit(code=0)))
    assert [row["system.cpu"] for row in run.system] == [0.0, 10.0, 20.0, 30.0, 40.0]
    assert [one.name for one in run.artifacts] == ["data:v1"]
    story = run.story()
    assert "machine\n  cpu  ▁" in story
    assert "artifacts\n  used  data:v1  dataset  latest\n" in story
