"""`wandb verify`: what it says of a log, how it ends, and what it saves."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Dict

import pytest

from wandb_storage import Console, Exit, Log, Reader, Row, RunStart, create_lane, recover


def run_verify(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if "WANDB" not in name}
    return subprocess.run(
        [sys.executable, "-m", "wandb", "verify", *arguments],
        cwd=folder, env=environment, capture_output=True, text=True, timeout=60, check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A finished run of 300 rows."""
    folder = tmp_path / "wandb" / "run-20260105_120000-abc"
    folder.mkdir(parents=True)
    with Log.create(folder, "abc") as log:
        log.append(RunStart(run_id="abc", project="digits", time=1.7e9, settings="{}"))
        for step in range(300):
            log.append_row({"loss": 1.0 / (step + 1), "text": os.urandom(400).hex()}, step, 1.7e9 + step, 2)
        log.append(Exit(code=0, time=1.7e9 + 300))
    return folder


def flip(run: Path) -> None:
    path = run / "run-abc.wandb"
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 1
    path.write_bytes(raw)


def test_an_intact_log_ends_with_0(tmp_path: Path, run: Path) -> None:
    outcome = run_verify(tmp_path, "abc")
    assert (outcome.returncode, outcome.stderr) == (0, "")
    lines = outcome.stdout.splitlines()
    assert lines[0] == "wandb/run-20260105_120000-abc: intact"
    assert lines[1].split() == ["records", "302,", "number", "1", "to", "302,", "300", "rows"]
    assert run_verify(tmp_path).stdout == outcome.stdout, "the newest run by default"


def test_what_waits_in_lanes_is_told_and_ends_with_1(tmp_path: Path, run: Path) -> None:
    with create_lane(run, "abc") as lane:
        lane.append(Console(text="hi"))
    outcome = run_verify(tmp_path, "abc")
    assert outcome.returncode == 1
    assert "what child processes logged waits to be merged" in outcome.stdout
    assert "1 record waits in 1 lane" in outcome.stdout
    recover(run)
    assert run_verify(tmp_path, "abc").returncode == 0


def test_a_log_that_nobody_closed_ends_with_1(tmp_path: Path) -> None:
    folder = tmp_path / "wandb" / "run-20260105_120000-abc"
    folder.mkdir(parents=True)
    script = (
        "import os, sys; from pathlib import Path; from wandb_storage import Console, Log;"
        "Log.create(Path(sys.argv[1]), 'abc').append(Console(text='hi')); os._exit(0)"
    )
    subprocess.run([sys.executable, "-c", script, str(folder)], check=True)
    outcome = run_verify(tmp_path, "abc")
    assert outcome.returncode == 1
    assert "waits for a recovery" in outcome.stdout
    assert "1 record not yet in a segment" in outcome.stdout


def test_damage_ends_with_2_and_names_file_and_position(tmp_path: Path, run: Path) -> None:
    flip(run)
    outcome = run_verify(tmp_path, "abc")
    assert outcome.returncode == 2
    assert outcome.stdout.startswith("wandb/run-20260105_120000-abc: damaged\n")
    assert outcome.stderr.startswith("wandb: ERROR wandb/run-20260105_120000-abc/run-abc.wandb at ")


def test_no_log_ends_with_3(tmp_path: Path, run: Path) -> None:
    assert run_verify(tmp_path, "nobody").returncode == 3
    (run / "run-abc.wandb").write_bytes(b"notes of mine" * 1000)
    outcome = run_verify(tmp_path, "abc")
    assert (outcome.returncode, outcome.stdout) == (3, "")
    assert "not a log" in outcome.stderr
    assert outcome.stderr.count("\n") == 1


def test_json_has_every_figure(tmp_path: Path, run: Path) -> None:
    flip(run)
    outcome = run_verify(tmp_path, "abc", "--json", "--salvage", "saved")
    report: Dict[str, Any] = json.loads(outcome.stdout)
    assert report["severity"] == outcome.returncode == 2
    assert report["damages"][0]["path"].endswith("run-abc.wandb")
    assert report["records"] + report["missing"] == 302
    assert report["salvaged"]["records"] == report["records"]
    assert report["gaps"] == report["salvaged"]["gaps"]


def test_what_is_intact_is_saved_and_can_be_replayed(tmp_path: Path, run: Path) -> None:
    flip(run)
    outcome = run_verify(tmp_path, "abc", "--salvage", "saved")
    assert outcome.returncode == 2
    assert outcome.stdout.splitlines()[-1].startswith("saved: ")
    with Reader(tmp_path / "saved") as reader:
        steps = [entry.record.step for entry in reader.entries() if isinstance(entry.record, Row)]
    assert 0 < len(steps) < 300
    told = subprocess.run(
        [sys.executable, "-m", "wandb", "replay", "saved", "--json"],
        cwd=tmp_path, capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert len(json.loads(told.stdout)["history"]) == len(steps)


def test_a_folder_that_is_there_is_not_written_over(tmp_path: Path, run: Path) -> None:
    outcome = run_verify(tmp_path, "abc", "--salvage", str(run))
    assert outcome.returncode == 1
    assert "is there already; name a new folder" in outcome.stderr
