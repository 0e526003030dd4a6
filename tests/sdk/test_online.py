"""Online runs against the project's own server, with the real uploader process."""

from __future__ import annotations

import contextlib
import math
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Iterator, Optional, TextIO

import pytest
from own_server import Server, eventually, stop_uploader

import wandb
from wandb_storage import Reader, RunStart


def test_rows_reach_the_server_while_the_run_lasts_and_finish_names_the_page(server: Server) -> None:
    program = """
import sys, wandb
run = wandb.init(id="live", settings={"git_commit": "abc123"})
for step in range(50):
    run.log({"loss": 1.0 / (step + 1)})
sys.stdin.readline()
"""
    script = subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    eventually(lambda: server.run("live").get("historyLineCount") == 50)
    assert server.run("live")["state"] == "running"
    _, said = script.communicate("\n")
    assert script.returncode == 0
    assert f"{server.url}/" in said
    assert "/runs/live" in said
    assert "Synced 4 W&B file(s), 0 media file(s), 0 artifact file(s) and 0 other file(s)" in said
    assert server.run("live")["state"] == "finished"
    assert server.run("live")["commit"] == "abc123"  # found out while the run went on


def test_a_run_can_stay_until_its_upload_is_done(server: Server) -> None:
    run = wandb.init(id="stays", settings={"finish_timeout": 0.0})
    run.log({"loss": 1.0})
    run.finish(wait=True)
    assert server.run("stays")["state"] == "finished"


def test_a_session_that_resumes_is_waited_for_though_the_one_before_is_there(server: Server) -> None:
    for rows in (1, 2, 3):
        with wandb.init(id="again", resume="allow") as run:
            run.log({"loss": 1.0})
        assert server.run("again")["historyLineCount"] == rows


def test_a_stop_from_the_page_interrupts_the_program(server: Server) -> None:
    program = """
import time, wandb
with wandb.init(id="stopped") as run:
    while True:
        run.log({"a": 1})
        time.sleep(0.01)
"""
    script = subprocess.Popen([sys.executable, "-c", program], stderr=subprocess.PIPE, text=True)
    storage_id = eventually(lambda: server.run("stopped").get("historyLineCount") and server.run("stopped")["id"])
    server.stop(storage_id)
    _, said = script.communicate(timeout=60)
    assert "KeyboardInterrupt" in said
    assert "stopped from its page" in said
    assert server.run("stopped")["state"] == "killed"


def test_the_stop_button_calls_what_the_program_wants(server: Server) -> None:
    program = """
import threading, wandb
stop = threading.Event()
with wandb.init(id="asked", settings={"stop_fn": stop.set}) as run:
    while not stop.wait(0.01):
        run.log({"a": 1})
"""
    script = subprocess.Popen([sys.executable, "-c", program], stderr=subprocess.PIPE, text=True)
    storage_id = eventually(lambda: server.run("asked").get("historyLineCount") and server.run("asked")["id"])
    server.stop(storage_id)
    _, said = script.communicate(timeout=60)
    assert script.returncode == 0, said


def test_files_that_are_to_be_ignored_stay_here(server: Server, own_place: Path) -> None:
    for name in ("model.pt", "model.txt"):
        Path(name).write_text("weights")
    with wandb.init(id="ignoring", settings={"ignore_globs": ["*.pt", "requirements.txt"]}) as run:
        run.save("model.*", policy="now")
    assert Path(run.dir, "model.pt").exists()
    edges = server.run("ignoring", "files { edges { node { name } } }")["files"]["edges"]
    found = {edge["node"]["name"] for edge in edges}
    assert "model.txt" in found
    assert not {"model.pt", "requirements.txt"} & found


def test_a_server_that_is_away_holds_nobody_up(own_place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("WANDB_API_KEY", "k" * 40)
    monkeypatch.setenv("WANDB_FINISH_TIMEOUT", "0.5")
    program = "import wandb\nwith wandb.init(project='p') as run:\n    run.log({'a': 1})"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert "goes on in the background" in done.stderr
    status = subprocess.run([sys.executable, "-m", "wandb", "status"], capture_output=True, text=True, check=False)
    assert "no connection" in status.stdout + status.stderr
    stop = [sys.executable, "-m", "wandb_uploader", "stop", "--dir", "wandb", "--url", os.environ["WANDB_BASE_URL"]]
    assert subprocess.run(stop, capture_output=True, check=False).returncode == 0


ELSEWHERE = """
import wandb
with wandb.init(id="moved", name="named", tags=["t"], config={"lr": 0.1}) as run:
    for step in range(5):
        run.log({"loss": 1.0 / (step + 1)})
    run.summary["best"] = 0.2
    open("best.txt", "w").write("epoch 3")
    run.save("best.txt", policy="now")
"""


@pytest.fixture
def moved(server: Server, own_place: Path) -> Iterator[Server]:
    """A run that was logged and uploaded from another folder."""
    elsewhere = own_place / "elsewhere"
    elsewhere.mkdir()
    subprocess.run([sys.executable, "-c", ELSEWHERE], cwd=elsewhere, check=True, capture_output=True)
    assert server.run("moved")["historyLineCount"] == 5
    yield server
    stop_uploader(elsewhere, server.url)


def test_a_run_that_is_only_at_the_server_goes_on_from_there(moved: Server, capsys: pytest.CaptureFixture[str]) -> None:
    with wandb.init(id="moved", resume="must", config={"epochs": 3}) as run:
        assert (run.resumed, run.starting_step, run.name, run.tags) == (True, 5, "named", ("t",))
        assert run.config.as_dict() == {"lr": 0.1, "epochs": 3}
        assert run.summary["best"] == 0.2
        run.log({"loss": 0.0})
    assert "goes on from the server's copy, with step 5" in capsys.readouterr().err
    eventually(lambda: moved.run("moved")["historyLineCount"] == 6)
    eventually(lambda: moved.run("moved")["state"] == "finished")


def test_a_file_is_restored_from_the_server(moved: Server, own_place: Path) -> None:
    def content(file: Optional[TextIO]) -> str:
        assert file is not None
        with file:
            return file.read()

    assert content(wandb.restore("best.txt", run_path=f"{moved.project}/moved")) == "epoch 3"
    assert (own_place / "best.txt").read_text() == "epoch 3"
    with wandb.init(id="other") as run:
        assert content(run.restore("best.txt", run_path="moved")) == "epoch 3"
        assert Path(run.dir, "best.txt").exists()
        assert run.restore("absent.txt", run_path="moved") is None
        assert run.restore("other.txt", run_path="absent") is None
    eventually(lambda: moved.run("other").get("state") == "finished")


def test_resume_never_and_must_ask_the_server_too(moved: Server) -> None:
    with pytest.raises(wandb.UsageError, match=r"moved exists at http.*never"):
        wandb.init(id="moved", resume="never")
    with pytest.raises(wandb.UsageError, match=r"no run absent here or at http"):
        wandb.init(id="absent", resume="must")
    with wandb.init(id="absent", resume="allow") as run:
        assert (run.resumed, run.starting_step) == (False, 0)
    eventually(lambda: moved.run("absent").get("state") == "finished")


def test_a_run_that_went_back_is_shortened_at_the_server_and_a_fork_is_there_whole(server: Server) -> None:
    with wandb.init(id="base") as run:
        for step in range(5):
            run.log({"loss": 1.0 / (step + 1)})
    assert server.run("base")["historyLineCount"] == 5
    with wandb.init(fork_from="base?_step=3", id="fork") as fork:
        fork.log({"loss": 7.0})
    with wandb.init(resume_from="base?_step=1") as again:
        again.log({"loss": 9.0})
    eventually(lambda: server.run("base")["historyLineCount"] == 3)
    eventually(lambda: server.run("fork").get("historyLineCount") == 5)


_BRANCHES = """
import wandb
with wandb.init(fork_from="moved?_step=2", id="fork", config={"epochs": 3}) as fork:
    assert (fork.starting_step, fork.resumed) == (3, False)
    assert fork.config.as_dict() == {"lr": 0.1, "epochs": 3}
    assert fork.summary["loss"] == 1 / 3
    fork.log({"loss": 7.0})
with wandb.init(resume_from="moved?_step=1") as again:
    assert (again.id, again.name, again.starting_step, again.resumed) == ("moved", "named", 2, True)
    again.log({"loss": 9.0})
"""


def test_a_run_that_is_only_at_the_server_is_forked_and_goes_back(moved: Server) -> None:
    subprocess.run([sys.executable, "-c", _BRANCHES], check=True)
    eventually(lambda: moved.run("fork").get("state") == "finished")
    eventually(lambda: moved.run("moved").get("historyLineCount") == 3)
    assert [(row["_step"], row["loss"]) for row in moved.history("fork")] == [(0, 1.0), (1, 0.5), (2, 1 / 3), (3, 7.0)]
    assert [(row["_step"], row["loss"]) for row in moved.history("moved")] == [(0, 1.0), (1, 0.5), (2, 9.0)]


def test_a_branch_of_what_the_server_does_not_have_is_refused(moved: Server) -> None:
    with pytest.raises(wandb.UsageError, match=r"no step 7: it ends with step 4"):
        wandb.init(fork_from="moved?_step=7")
    with pytest.raises(wandb.UsageError, match=r"no run absent here or at http"):
        wandb.init(resume_from="absent?_step=0")


class SilentServer:
    """Takes connections, and says nothing."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"

    def close(self) -> None:
        self._socket.close()


def test_a_server_that_says_nothing_is_waited_for_only_so_long(
    own_place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with contextlib.closing(SilentServer()) as server:
        monkeypatch.setenv("WANDB_BASE_URL", server.url)
        monkeypatch.setenv("WANDB_API_KEY", "k" * 40)
        settings = {"resume_timeout": 0.2, "finish_timeout": 0.1}
        with wandb.init(id="unknown", resume="must", settings=settings) as run:
            run.log({"a": 1})
        said = capsys.readouterr().err
        assert "no answer" in said
        assert "begins at step 0 here" in said
        with Reader(Path(run.sync_dir)) as reader:
            start = next(reader.entries()).record
        assert isinstance(start, RunStart)
        assert start.resumed
        wandb.init(settings={"finish_timeout": math.inf}).finish(wait=False)
        assert "goes on in the background" in capsys.readouterr().err
    # Now that the connections are gone, the uploader hears of it.
    stop_uploader(own_place, server.url)
