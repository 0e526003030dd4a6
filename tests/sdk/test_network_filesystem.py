"""Runs in a folder on a network filesystem: the live log is on a local disk, and at home when the run has ended.

A FUSE mount stands for all of them where one can be made; elsewhere, and for the kinds that can't be mounted in a test,
the system's table of mounts is a made-up one.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, Iterator, List

import pytest

import wandb
from wandb.replay import replay
from wandb_storage import LogElsewhere, log_folder, verify


@pytest.fixture
def state(own_place: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(own_place / "state"))
    return own_place / "state" / "wandb" / "live"


@pytest.fixture
def fuse(own_place: Path) -> Iterator[Path]:
    """A folder on a FUSE filesystem."""
    if not shutil.which("bindfs") or not shutil.which("fusermount3") or not os.path.exists("/dev/fuse"):
        pytest.skip("there is no bindfs, fusermount3 or /dev/fuse here to mount a FUSE filesystem with")
    source, mounted = own_place / "server", own_place / "mounted"
    source.mkdir()
    mounted.mkdir()
    made = subprocess.run(["bindfs", source, mounted], capture_output=True, text=True)
    if made.returncode:
        pytest.skip(f"bindfs can't mount here: {made.stderr.strip()}")
    try:
        yield mounted
    finally:
        wandb.finish()
        subprocess.run(["fusermount3", "-u", "-z", mounted], check=True)


@pytest.fixture
def nfs(own_place: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that the table of mounts calls NFS."""
    device = os.stat(own_place).st_dev
    folder = own_place / "shared"
    folder.mkdir()
    table = own_place / "mountinfo"
    line = "{} 1 {}:{} / {} rw - {} somewhere rw\n"
    table.write_text(
        line.format(1, os.major(device), os.minor(device), "/", "ext4")
        + line.format(2, os.major(device), os.minor(device), folder, "nfs4")
    )
    monkeypatch.setattr("wandb_storage._filesystem.MOUNTS", table)
    return folder


def start(folder: Path, **options: Any) -> wandb.Run:
    settings = {"console": "off", "x_disable_stats": True, **options}
    return wandb.init(dir=folder, mode="offline", id="abc", resume="allow", settings=settings)


def folder_of(run: wandb.Run) -> Path:
    return Path(run.sync_dir)


def names(folder: Path) -> List[str]:
    return sorted(path.name for path in folder.iterdir())


def test_on_fuse_the_log_is_local_while_the_run_goes_on(
    fuse: Path, state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = start(fuse)
    run.log({"loss": 0.5})
    folder = folder_of(run)
    assert names(folder) == ["files", "run-abc.pointer"]
    assert log_folder(folder).parent == state
    assert replay("abc", fuse).rows == 1
    run.finish()
    assert names(folder) == ["files", "run-abc.wandb"]
    assert not names(state)
    assert replay("abc", fuse).state == "finished"
    (said,) = [line for line in capsys.readouterr().err.splitlines() if "is on fuse" in line]
    assert str(state) in said


KILLED = """
import os, signal, sys, wandb
run = wandb.init(dir=sys.argv[1], mode="offline", id="abc", settings={"console": "off", "x_disable_stats": True})
for step in range(100):
    run.log({"loss": 0.5})
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_on_fuse_a_killed_run_goes_on_where_it_was(fuse: Path, state: Path) -> None:
    killed = subprocess.run([sys.executable, "-c", KILLED, fuse], capture_output=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    assert replay("abc", fuse).rows == 100, "as this machine sees it"
    run = start(fuse)
    assert run.step == 100
    run.log({"loss": 0.25})
    folder = folder_of(run)
    run.finish()
    assert verify(folder).severity == 0
    assert replay("abc", fuse).rows == 101
    assert not names(state)


def test_on_nfs_as_the_table_says(nfs: Path, state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = start(nfs)
    assert names(folder_of(run)) == ["files", "run-abc.pointer"]
    run.finish()
    assert names(folder_of(run)) == ["files", "run-abc.wandb"]
    assert "is on nfs4, so the run's log is written to" in capsys.readouterr().err


def test_who_knows_better_keeps_the_log_in_the_run_s_folder(nfs: Path, state: Path) -> None:
    run = start(nfs, live_log="run")
    assert "run-abc.wandb" in names(folder_of(run))
    assert not state.exists()


def test_who_knows_better_has_the_log_local_anywhere(own_place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_LIVE_LOG", "local")
    monkeypatch.setenv("WANDB_LOCAL_LOG_DIR", str(own_place / "scratch"))
    run = start(own_place)
    assert log_folder(folder_of(run)).parent == own_place / "scratch"
    run.finish()
    assert names(folder_of(run)) == ["files", "run-abc.wandb"]


def test_without_a_local_disk_the_run_starts_all_the_same(
    nfs: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = start(nfs, local_log_dir=str(nfs / "not-local"))
    assert "run-abc.wandb" in names(folder_of(run))
    said = capsys.readouterr().err
    assert "there is no local disk for the log" in said
    assert "is on nfs4" in said


def test_a_run_on_another_machine_can_t_be_gone_on_with(nfs: Path, state: Path) -> None:
    run = start(nfs)
    folder = folder_of(run)
    pointer = (folder / "run-abc.pointer").read_text()
    run.finish()
    (folder / "run-abc.pointer").write_text(pointer.replace(os.uname().nodename, "node17"))
    with pytest.raises(wandb.Error, match="the run's log is on node17 until the run ends"):
        start(nfs)
    with pytest.raises(LogElsewhere):
        replay("abc", nfs)


def test_a_log_that_can_t_come_home_stays_and_comes_later(
    nfs: Path, state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = start(nfs)
    run.log({"loss": 0.5})
    folder = folder_of(run)
    (folder / ".run-abc.wandb.new").mkdir()  # in the way of the copy
    run.finish()
    assert f"run: wandb sync {folder}" in capsys.readouterr().err
    assert replay("abc", nfs).rows == 1
    (folder / ".run-abc.wandb.new").rmdir()
    start(nfs).finish()
    assert names(folder) == ["files", "run-abc.seg-0002.wandb", "run-abc.wandb"]
