"""A branch is a log of its own, made at once: another run, or the same one without what came after a step."""

from __future__ import annotations

from pathlib import Path
from typing import List

import pytest
from written_runs import Writer, content, run_folder, wandb_command, write_run, writer

import wandb
from wandb.replay import Replay, find_run, run_folders
from wandb_storage import Console, Exit, LogDamaged, verify

ROWS = [{"loss": 1.0 / (step + 1)} for step in range(10)]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("WANDB_DIR", raising=False)
    records = (Console(text="hello\n"), Exit(code=0))
    folder = run_folder(tmp_path / "wandb", offline=True)
    write_run(folder, ROWS, *records, config={"lr": 0.1}, project="digits", tags=["t"], name="first", settings="{}")
    return tmp_path / "wandb"


def test_a_fork_begins_as_its_run(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = content(find_run("abc12345"))
    outcome = wandb_command(capsys, "replay", "abc12345", "--fork-at", 4, "--id", "fork1")
    assert outcome.code == 0, outcome.err
    assert "fork of abc12345 at step 4, 5 rows" in outcome.out
    assert 'wandb.init(id="fork1", resume="must")' in outcome.out
    assert "wandb sync" in outcome.out
    fork = Replay(find_run("fork1"))
    assert [row["loss"] for row in fork.history()] == [row["loss"] for row in ROWS[:5]]
    assert (fork.config, fork.start.project, fork.start.tags, fork.state) == ({"lr": 0.1}, "digits", ["t"], "finished")
    assert (fork.start.branch_run, fork.start.branch_step) == ("abc12345", 4)
    assert fork.name not in (None, "first")
    assert fork.folder.name.startswith("offline-run-")
    assert find_run("latest").resolve() == fork.folder.resolve()
    assert verify(fork.folder).severity == 0
    assert content(find_run("abc12345")) == before


def test_a_run_that_went_back_is_the_one_that_its_id_means(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = find_run("abc12345")
    outcome = wandb_command(capsys, "replay", "abc12345", "--rewind-to", 2)
    assert outcome.code == 0, outcome.err
    assert str(first) in outcome.out, "where its rows so far stay"
    back = Replay(find_run("abc12345"))
    assert back.folder != first
    assert (back.rows, back.summary["loss"], back.name) == (3, 1 / 3, "first")
    assert Replay(first).rows == 10
    assert len(run_folders(home)) == 2


def test_training_goes_on_with_a_branch(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wandb_command(capsys, "replay", "abc12345", "--rewind-to", 2)
    with wandb.init(id="abc12345", resume="must", mode="offline", settings=wandb.Settings(console="off")) as run:
        run.log({"loss": 7.0})
        assert run.config["lr"] == 0.1
    history = Replay(find_run("abc12345")).history(["loss"])
    assert [(row["_step"], row["loss"]) for row in history] == [(0, 1.0), (1, 0.5), (2, 1 / 3), (3, 7.0)]


def test_a_branch_of_a_branch(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wandb_command(capsys, "replay", "abc12345", "--fork-at", 6, "--id", "fork1")
    assert wandb_command(capsys, "replay", "fork1", "--fork-at", 3, "--id", "fork2").code == 0
    assert Replay(find_run("fork2")).rows == 4
    assert wandb_command(capsys, "replay", "fork1", "--rewind-to", 1).code == 0
    assert wandb_command(capsys, "replay", "fork1", "--rewind-to", 0).code == 0
    assert Replay(find_run("fork1")).rows == 1


def test_a_running_run_is_forked_and_not_taken_back(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = run_folder(tmp_path / "wandb", offline=True)
    with writer(folder) as child:
        child.read_count(50)
        refused = wandb_command(capsys, "replay", folder, "--rewind-to", 5)
        assert refused.code == 1
        assert f"process {child.pid}" in refused.err
        forked = wandb_command(capsys, "replay", folder, "--fork-at", 20, "--id", "fork1")
        assert forked.code == 0, forked.err
        assert_goes_on(child)
    assert Replay(find_run("fork1", tmp_path / "wandb")).rows == 21


def assert_goes_on(child: Writer) -> None:
    assert child.read_count(child.counted + 50) > child.counted - 50


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--fork-at", "99"], 1, "has no step 99: it ends with step 9"),
        (["--fork-at", "-1"], 2, "-1 is not in the range x>=0"),
        (["--fork-at", "3", "--id", "abc12345"], 1, "there is a run abc12345 already"),
        (["--fork-at", "3", "--rewind-to", "3"], 2, "exclude each other"),
        (["--fork-at", "3", "--at-step", "3"], 2, "exclude each other"),
    ],
)
def test_what_can_not_be_branched_is_said(
    home: Path, capsys: pytest.CaptureFixture[str], arguments: List[str], code: int, said: str
) -> None:
    outcome = wandb_command(capsys, "replay", "abc12345", *arguments)
    assert outcome.code == code
    assert said in " ".join(outcome.err.split())
    assert len(run_folders(home)) == 1, "and nothing is left behind"


def test_a_damaged_log_is_not_branched_behind_the_damage(home: Path) -> None:
    from wandb.replay._branching import fork

    folder = find_run("abc12345")
    path = folder / "run-abc12345.wandb"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(LogDamaged):
        fork(Replay(folder), 4)
