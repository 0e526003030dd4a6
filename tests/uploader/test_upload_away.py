"""Runs on network filesystems: whose logs an uploader takes on, and what it shares with those of other machines.

The table of mounts is made up, and so are the other machines: nothing is mounted here.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import List

import pytest
from logged_runs import CHILD_ENVIRONMENT, check_same, end, finished_run, log_rows, new_folder, start_log
from w_b_server import WBServer

from wandb_storage import Log, LogElsewhere, RunStart, bring_home, create_away, log_folder, send_away
from wandb_uploader import TransientError, status, upload
from wandb_uploader._destination import Destination
from wandb_uploader._home import Home, lock_holder
from wandb_uploader._service import Service


@pytest.fixture
def local(tmp_path: Path) -> Path:
    folder = tmp_path / "local"
    folder.mkdir()
    return folder


@pytest.fixture
def network(tmp_path: Path, wandb_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The wandb directory, which the table of mounts calls NFS; temporary files are elsewhere."""
    device = os.stat(wandb_dir).st_dev
    line = "{} 1 {}:{} / {} rw - {} somewhere rw\n"
    table = tmp_path / "mountinfo"
    table.write_text(
        line.format(1, os.major(device), os.minor(device), "/", "ext4")
        + line.format(2, os.major(device), os.minor(device), wandb_dir, "nfs4")
    )
    monkeypatch.setattr("wandb_storage._filesystem.MOUNTS", table)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return wandb_dir


def serve(wandb_dir: Path, server: WBServer) -> None:
    Service(Home(wandb_dir, server.url), Destination(server.url), idle_seconds=0.1).run()


def names(folder: Path) -> List[str]:
    return sorted(path.name for path in folder.iterdir())


KILLED = """
import json, os, signal, sys
from pathlib import Path
from wandb_storage import RunStart, create_away
log = create_away(Path(sys.argv[1]), "r1", Path(sys.argv[2]), print, "process")
log.append(RunStart(run_id="r1", project="p", time=1000.0, settings=json.dumps({"base_url": sys.argv[3]})))
for step in range(50):
    log.append_row({"loss": 1 / (step + 1), "step": step}, step, 1000.0 + step, 2)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_the_log_of_a_killed_run_is_uploaded_and_brought_home(server: WBServer, wandb_dir: Path, local: Path) -> None:
    folder = new_folder(wandb_dir)
    environment = {**os.environ, **CHILD_ENVIRONMENT}
    subprocess.run([sys.executable, "-c", KILLED, folder, local, server.url], env=environment)
    assert names(folder) == ["files", "run-r1.pointer"]
    serve(wandb_dir, server)
    assert len(server.runs["r1"].rows()) == 50
    assert (folder / "run-r1.wandb").exists()
    assert not (folder / "run-r1.pointer").exists()
    assert not names(local)
    check_same(server.runs["r1"], folder)
    assert server.runs["r1"].completions == 1


def test_what_can_t_come_home_is_uploaded_all_the_same(server: WBServer, wandb_dir: Path, local: Path) -> None:
    folder = new_folder(wandb_dir)
    environment = {**os.environ, **CHILD_ENVIRONMENT}
    subprocess.run([sys.executable, "-c", KILLED, folder, local, server.url], env=environment)
    (folder / ".run-r1.wandb.new").mkdir()  # in the way of the copy
    with pytest.raises(TransientError, match="directory"):
        upload(folder, server.url, give_up_seconds=0)
    assert len(server.runs["r1"].rows()) == 50
    (one,) = status(wandb_dir)
    assert (one.done, one.rows_acked) == (False, 50)
    assert "directory" in one.last_error
    (folder / ".run-r1.wandb.new").rmdir()
    assert upload(folder, server.url).done
    assert names(folder) == ["files", "run-r1.wandb"]


def test_a_log_on_another_machine_is_left_to_it(server: WBServer, wandb_dir: Path, local: Path) -> None:
    folder = new_folder(wandb_dir, "away")
    create_away(folder, "away", local, print, "process").close()
    pointer = folder / "run-away.pointer"
    there = {**json.loads(pointer.read_text()), "host": "node17", "folder": "/scratch/there"}
    pointer.write_text(json.dumps(there))
    other = finished_run(wandb_dir, server.url, run_id="here")
    serve(wandb_dir, server)
    check_same(server.runs["here"], other)
    assert list(server.runs) == ["here"]
    with pytest.raises(LogElsewhere, match="node17"):
        upload(folder, server.url)
    (unmet,) = [one for one in status(wandb_dir) if one.folder == folder]
    assert "node17" in unmet.last_error


def test_an_open_log_that_another_machine_wrote_is_left_to_it(server: WBServer, network: Path) -> None:
    """That its lock looks free proves nothing on a network filesystem. A person who asks for it knows better."""
    folder = new_folder(network)
    log = start_log(folder, server.url)
    log_rows(log, 10)
    log.flush()
    owner = folder / "run-r1.owner"
    signed = owner.read_text()
    os.close(log._owner._file._fd)  # the lock of a process on another machine is not seen from here
    owner.write_text(json.dumps({**json.loads(signed), "host": "node17"}))
    before = names(folder)
    serve(network, server)
    assert names(folder) == before
    assert not server.runs
    log._owner._file._fd = os.open(owner, os.O_RDONLY)
    end(log)
    upload(folder, server.url)
    check_same(server.runs["r1"], folder)


def test_locks_are_local_and_cursors_are_shared(
    server: WBServer, network: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = finished_run(network, server.url)
    home = Home(network, server.url)
    assert home.host_folder.parent == tmp_path / f"wandb-{os.getuid()}"
    serve(network, server)
    check_same(server.runs["r1"], folder)
    assert names(home.folder) == [f"{folder.name}.json"]
    assert "lock" in names(home.host_folder)
    assert home.host_folder.stat().st_mode & 0o777 == 0o700
    assert lock_holder(home.lock_path) is None
    (tmp_path / "of another machine").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "of another machine"))
    upload(folder, server.url)
    assert server.runs["r1"].completions == 1, "the other machine's uploader knows that it is done"


def test_two_machines_that_upload_the_same_run_change_nothing(
    server: WBServer, network: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = finished_run(network, server.url, rows=200)
    upload(folder, server.url)
    cursor = Home(network, server.url).cursor_path(folder.name)
    cursor.unlink()  # the other machine began at the same moment, before there was one
    (tmp_path / "of another machine").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "of another machine"))
    upload(folder, server.url)
    check_same(server.runs["r1"], folder)


def test_a_session_that_begins_when_the_log_was_home_is_found(server: WBServer, wandb_dir: Path, local: Path) -> None:
    folder = finished_run(wandb_dir, server.url, rows=20)
    upload(folder, server.url)
    send_away(folder, local)
    log = Log.open(folder)
    assert log.folder == log_folder(folder) != folder
    log.append(RunStart(run_id="r1", project="p", time=5000.0, first_step=20))
    log_rows(log, 5, first=20)
    end(log)
    upload(folder, server.url)
    assert not bring_home(folder), "the uploader has done it"
    check_same(server.runs["r1"], folder)
