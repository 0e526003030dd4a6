"""A run whose rows went to make room is told from what they added up to; one on another machine is told to be there."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from written_runs import run_folder, wandb_command, write_run

from wandb.replay import Replay
from wandb_storage import Acknowledged, Console, Exit, create_away, retain

ROWS = [{"loss": 1.0 / (step + 1), "noise": os.urandom(300).hex()} for step in range(300)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = run_folder(tmp_path)
    write_run(folder, ROWS, Console(text="hello\n"), Exit(code=0), config={"lr": 0.5}, name="a name")
    assert retain([folder], 0, lambda folder: Acknowledged(1 << 62, True)).removed
    return folder


def test_what_the_records_added_up_to_is_told(folder: Path) -> None:
    replay = Replay(folder)
    assert (replay.state, replay.name, replay.config) == ("finished", "a name", {"lr": 0.5})
    assert replay.summary["loss"] == ROWS[-1]["loss"]
    assert (replay.rows, list(replay.history()), list(replay.console)) == (0, [], [])


def test_the_story_says_what_was_removed(folder: Path) -> None:
    text = " ".join(Replay(folder).story(1000).split())
    assert "were uploaded and have been removed to make room, and with them 300 rows of the history" in text
    assert "finished" in text


def test_json_counts_what_was_removed(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    document = wandb_command(capsys, "replay", folder, "--json").json()
    assert (document["rows"], document["log"]["removed_rows"], document["history"]) == (0, 300, [])


def test_the_list_of_runs_still_knows_it(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (run,) = wandb_command(capsys, "status", folder.parent, "--json").json()["runs"]
    assert (run["state"], run["name"], run["error"]) == ("finished", "a name", None)


def test_a_run_on_another_machine_is_listed_as_elsewhere(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = run_folder(tmp_path / "wandb")
    (tmp_path / "local").mkdir()
    create_away(folder, "abc12345", tmp_path / "local", print, "process").close()
    pointer = folder / "run-abc12345.pointer"
    pointer.write_text(json.dumps({**json.loads(pointer.read_text()), "host": "node17", "folder": "/there"}))
    shown = wandb_command(capsys, "status", tmp_path / "wandb")
    assert shown.code == 0
    assert "elsewhere" in shown.out
    assert "the run's log is on node17 until the run ends" in shown.out
    told = wandb_command(capsys, "replay", folder)
    assert told.code == 1
    assert "run `wandb sync` there" in told.err


def test_the_use_of_the_disk_is_told_with_its_budget(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_run(run_folder(tmp_path), ROWS, Exit(code=0))
    monkeypatch.setenv("WANDB_DISK_BUDGET", "10KiB")
    shown = wandb_command(capsys, "status", tmp_path).out
    assert "of a budget of 10 KiB on disk" in shown
    assert "over the budget by" in shown
    assert "stays: run-20260105_120000-abc12345: no server has anything of it yet" in shown
    disk = wandb_command(capsys, "status", tmp_path, "--json").json()["disk"]
    assert (disk["budget"], disk["would_remove"]) == (10240, [])
    monkeypatch.setenv("WANDB_DISK_BUDGET", "10 kilos")
    refused = wandb_command(capsys, "status", tmp_path)
    assert refused.code == 1
    assert "did you mean 10KB?" in refused.err
