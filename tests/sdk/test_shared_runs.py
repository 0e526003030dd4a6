"""Several processes write one run (`mode="shared"`), each with a log and an uploader of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, Dict, List

import pytest
from logged import records_of
from own_server import Server, eventually, stop_uploader

import wandb
from wandb_storage import RunStart

_WRITER = """
import os, sys, wandb
rank = int(os.environ["RANK"])
settings = wandb.Settings(x_primary=rank == 0, x_update_finish_state=rank == 0)
with wandb.init(mode="shared", id="together", config={f"seed{rank}": rank}, settings=settings) as run:
    for step in range(200):
        run.log({f"loss/rank{rank}": 1.0 / (step + 1)})
    print("ready", file=sys.stderr, flush=True)
    sys.stdin.readline()
    run.log({"end": rank})
"""


def start_writer(place: Path, rank: int, program: str = _WRITER) -> subprocess.Popen[str]:
    """On a machine of its own, as far as files go."""
    folder = place / f"host{rank}"
    folder.mkdir(exist_ok=True)
    return subprocess.Popen(
        [sys.executable, "-c", program], cwd=folder, env={**os.environ, "RANK": str(rank)}, text=True,
        stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
    )  # fmt: skip


def losses(server: Server, rank: int) -> List[Any]:
    rows = server.history("together")
    return [row["_step"] for row in rows if f"loss/rank{rank}" in row]


def output(server: Server) -> List[str]:
    fields = "logLines(first: 100) { edges { node { line } } }"
    return [edge["node"]["line"] for edge in server.run("together", fields)["logLines"]["edges"]]


def files(server: Server) -> List[str]:
    fields = "files { edges { node { name sizeBytes } } }"
    edges = server.run("together", fields)["files"]["edges"]
    return sorted(edge["node"]["name"] for edge in edges)


def test_writers_on_two_machines_make_one_run(server: Server, own_place: Path) -> None:
    writers = [start_writer(own_place, rank) for rank in range(2)]
    try:
        eventually(lambda: server.run("together").get("historyLineCount") == 400)
        assert server.run("together")["state"] == "running"
        # The one that doesn't end the run ends first, and then the one that does.
        writers[1].communicate("\n")
        eventually(lambda: len(server.history("together")) == 401)
        assert server.run("together")["state"] == "running"
        _, said = writers[0].communicate("\n")
    finally:
        for rank in range(2):
            stop_uploader(own_place / f"host{rank}", server.url)
    assert [writer.returncode for writer in writers] == [0, 0]
    assert server.run("together")["state"] == "finished", said
    for rank in range(2):
        assert losses(server, rank) == list(range(200))
    found = server.run("together", "config summaryMetrics displayName")
    config = json.loads(found["config"])
    assert [config[f"seed{rank}"]["value"] for rank in range(2)] == [0, 1]
    assert len(config["_wandb"]["value"]["e"]) == 2
    summary = json.loads(found["summaryMetrics"])
    assert (summary["loss/rank0"], summary["loss/rank1"]) == (1 / 200, 1 / 200)
    assert sorted(output(server)) == ["[rank0] ready", "[rank1] ready"]
    assert {"config.yaml", "output_rank0.log", "output_rank1.log", "wandb-metadata.json"} <= set(files(server))
    events = server.run("together", "events")["events"]
    named = {name.rpartition("/l:")[2] for row in events for name in json.loads(row) if name.startswith("system.")}
    assert named == {"rank0", "rank1"}


_CRASH = _WRITER.replace("sys.stdin.readline()", "sys.stdin.readline(); os.kill(os.getpid(), 9)")


def test_a_writer_that_is_killed_loses_nothing_and_the_others_go_on(server: Server, own_place: Path) -> None:
    first, second = start_writer(own_place, 0), start_writer(own_place, 1, _CRASH)
    try:
        for writer in (first, second):
            assert writer.stderr is not None
            while "ready" not in writer.stderr.readline():
                pass
        second.communicate("\n")
        assert second.returncode == -signal.SIGKILL
        eventually(lambda: len(losses(server, 1)) == 200)
        assert server.run("together")["state"] == "running"
        first.communicate("\n")
        assert server.run("together")["state"] == "finished"
        assert (losses(server, 0), losses(server, 1)) == (list(range(200)), list(range(200)))
    finally:
        for rank in range(2):
            stop_uploader(own_place / f"host{rank}", server.url)


def test_an_uploader_that_forgot_its_place_repeats_no_row(server: Server, own_place: Path) -> None:
    program = 'import wandb\nwith wandb.init(mode="shared", id="together") as run:\n    run.log({"loss/rank0": 1})\n'
    for rank in range(2):
        writer = start_writer(own_place, rank, program.replace("rank0", f"rank{rank}"))
        writer.communicate()
        assert writer.returncode == 0
        stop_uploader(own_place / f"host{rank}", server.url)
    assert server.run("together")["historyLineCount"] == 2
    for cursor in own_place.glob("host*/wandb/.uploader/*/run-*.json"):
        cursor.unlink()
    for rank in range(2):
        sync = [sys.executable, "-m", "wandb", "sync", *map(str, (own_place / f"host{rank}/wandb").glob("run-*"))]
        done = subprocess.run(sync, cwd=own_place / f"host{rank}", capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    assert server.run("together")["historyLineCount"] == 2
    assert (losses(server, 0), losses(server, 1)) == ([0], [0])


def test_what_a_writer_is_stands_in_its_log_also_without_a_key(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SLURM_PROCID", "3")
    settings: Dict[str, Any] = {"x_primary": False, "x_update_finish_state": False}
    with wandb.init(mode="shared", id="together", settings=settings) as run:
        run.log({"a": 1})
        (start,) = records_of(run, RunStart)
    said = json.loads(start.settings)
    assert (said["mode"], said["shared"], said["x_label"]) == ("offline", True, "rank3")
    assert (said["x_primary"], said["x_update_finish_state"]) == (False, False)
    assert "logged offline" in capsys.readouterr().err
    again = wandb.init(mode="shared", id="together", settings=settings)
    assert (again.name, again.sync_dir == run.sync_dir) == (run.name, False)


def test_arguments_that_make_no_sense_together_are_errors() -> None:
    with pytest.raises(wandb.UsageError, match="needs the id"):
        wandb.init(mode="shared", settings={"x_primary": False})
    with pytest.raises(wandb.UsageError, match="stays whole"):
        wandb.init(mode="shared", id="a", fork_from="b?_step=1")
    with pytest.raises(wandb.UsageError, match="x_label"):
        wandb.init(mode="shared", id="a", settings={"x_label": "../a"})


def test_a_new_shared_run_says_how_others_join_it(capsys: pytest.CaptureFixture[str]) -> None:
    run = wandb.init(mode="shared")
    assert f'wandb.init(id="{run.id}")' in capsys.readouterr().err
