"""A run as it goes on: each new row once, until the run ends, and how it ended."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import List

import pytest
from written_runs import (
    COMMIT,
    START_TIME,
    in_terminal,
    run_folder,
    start,
    wandb_command,
    write_damaged,
    write_run,
    writer,
)

from wandb.replay import Replay
from wandb.replay._follow import Follower
from wandb.replay._scan import Listeners
from wandb_storage import Columns, Exit, Log


def command(folder: Path, *arguments: str) -> List[str]:
    return [sys.executable, "-m", "wandb", "replay", str(folder), "--follow", *arguments]


def test_a_finished_run_is_told_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = write_run(run_folder(tmp_path), [{"loss": 0.5, "n": 1}, {"loss": 0.25}], Exit(code=0))
    outcome = wandb_command(capsys, "replay", folder, "--follow")
    assert (outcome.code, outcome.out) == (0, "step 0 loss=0.5 n=1\nstep 1 loss=0.25\n")
    assert outcome.err == f"{folder.name}: finished: the program recorded exit code 0\n"
    rows = wandb_command(capsys, "replay", folder, "--follow", "--json", "--keys", "n").out
    assert [json.loads(line) for line in rows.splitlines()] == [{"_step": 0, "n": 1}]


def test_rows_come_in_while_the_run_goes_on(tmp_path: Path) -> None:
    folder = run_folder(tmp_path)
    with writer(folder) as child:
        child.read_count(10)
        with subprocess.Popen(
            command(folder, "--json"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as process:  # fmt: skip
            assert process.stdout is not None
            assert process.stderr is not None
            steps = [json.loads(process.stdout.readline())["_step"] for _ in range(200)]
            child.read_count(400)
            child.kill()
            steps += [json.loads(line)["_step"] for line in process.stdout]
            said = process.stderr.read()
        assert process.returncode == 0
    assert steps == list(range(len(steps)))
    assert len(steps) in (child.counted, child.counted + 1)
    assert "crashed: the log was not closed" in said


def test_a_follower_sees_each_row_once_over_segments_and_commits(tmp_path: Path) -> None:
    folder = run_folder(tmp_path)
    seen: List[int] = []

    def take(batch: Columns) -> None:
        seen.extend(int(step) for step in batch.columns["_step"].values)

    with Log.create(folder, "abc12345") as log:
        log.append(start())
        with Follower(folder, Listeners(columns=take)) as follower:
            for step in range(300):
                log.append_row({"a": step}, step, START_TIME, COMMIT)
                if step % 7 == 0:
                    log.flush()
                if step % 5 == 0:
                    assert follower.look()
                    assert seen == list(range(step + 1))
            log.append_row({"b": 1}, 300, START_TIME, 0)
            assert follower.look()
            assert seen[-1] == 299, "a row that is being put together is none yet"
            log.append(Exit(code=3))
            log.close()
            assert not follower.look()
            assert (seen[-1], follower.ended.state) == (300, "failed")


def test_damage_ends_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_damaged(run_folder(tmp_path))
    outcome = wandb_command(capsys, "replay", path, "--follow")
    assert outcome.code == 1
    assert len(outcome.out.splitlines()) == 100
    assert "Everything before the damage was told" in outcome.err


def test_a_terminal_gets_a_picture(tmp_path: Path) -> None:
    rows = [{"loss": 1 / (step + 1)} for step in range(50)]
    folder = write_run(run_folder(tmp_path), rows, Exit(code=0), name="hill")
    shown = in_terminal(folder, 80, "--follow")
    for expected in ("● finished", "hill", "▁", "50 rows"):
        assert expected in shown


def test_in_the_middle_of_a_long_log_the_rows_so_far_are_there(tmp_path: Path) -> None:
    folder = write_run(run_folder(tmp_path), [{"a": step} for step in range(40_000)], Exit(code=0))
    seen: List[int] = []

    def take(batch: Columns) -> None:
        if batch.columns["_step"].values[0]:
            run = Replay.of(folder, follower.found, follower.ended)
            seen.append(sum(part.rows for part in run.history(["a"], to_step=9_999).columns()))

    with Follower(folder, Listeners(columns=take)) as follower:
        while follower.look():
            pass
    assert set(seen) == {10_000}
