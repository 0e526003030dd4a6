"""Offline runs that the official client itself has written, imported and brought to a server.

What arrives is held against what the official client's own `wandb sync` brings of the same folder.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from live_server import LiveServer
from peer import VERSIONS, peer_python

SYNCED_BY = "0.31.0"
# It wrote the last row and the summary behind the record of the end, where the 0.31 client reads no further.
ENDS_EARLY = "0.16.6"

LOG = """
import os, signal, sys, wandb
with open("data.txt", "w") as file:
    file.write("saved bytes")
run = wandb.init(
    project="peer", name="a name", notes="some notes", tags=["t1", "t2"], group="g", job_type="train",
    config={"lr": 0.1, "nested": {"a": [1, 2], "b": {"c": None}}, "s": "text"},
)
print("hello stdout")
print("hello stderr", file=sys.stderr)
run.define_metric("epoch")
run.define_metric("val/*", step_metric="epoch", summary="min")
run.define_metric("acc", summary="max,mean")
for i in range(int(sys.argv[1])):
    run.log({
        "loss": 1 / (i + 2), "acc": i / 30, "epoch": i // 3, "val/x": 10.5 - i, "deep": {"x": i, "y": {"z": f"s{i}"}},
        "odd": float("nan") if i == 5 else float("inf") if i == 6 else i, "str": "\\u00e9", "flag": True,
    })
if len(sys.argv) > 2:
    os.kill(os.getpid(), signal.SIGKILL)
run.log({"late": 1}, step=40)
run.config["later"] = 5
run.summary["best"] = 0.99
run.save("data.txt")
run.name = "renamed"
run.tags = run.tags + ("t3",)
sys.stdout.write("progress 1\\rprogress 2\\n")
run.finish(exit_code=1)
"""


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[tuple[LiveServer, LiveServer]]:
    with LiveServer(tmp_path / "theirs") as theirs, LiveServer(tmp_path / "ours") as ours:
        yield theirs, ours


def environment(home: Path, server: LiveServer | None = None) -> dict[str, str]:
    known = {"PATH": os.environ["PATH"], "HOME": str(home), "WANDB_ERROR_REPORTING": "false", "NO_PROXY": "127.0.0.1"}
    if server is None:
        return {**known, "WANDB_MODE": "offline"}
    return {**known, "WANDB_BASE_URL": server.url, "WANDB_API_KEY": server.key}


def written(python: Path, home: Path, rows: int, kill: bool = False) -> Path:
    """The folder of a run that the official client has written."""
    home.mkdir()
    command = [str(python), "-c", LOG, str(rows), *(["kill"] if kill else [])]
    done = subprocess.run(command, cwd=home, env=environment(home), capture_output=True, text=True, timeout=180)
    assert done.returncode == (-signal.SIGKILL if kill else 0), done.stderr
    return next((home / "wandb").glob("offline-run-*"))


def sync(python: str, folder: Path, server: LiveServer) -> str:
    home = folder.parents[1]
    command = [python, "-m", "wandb", "sync", str(folder)]
    done = subprocess.run(command, cwd=home, env=environment(home, server), capture_output=True, text=True, timeout=180)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def at(server: LiveServer, name: str) -> dict[str, Any]:
    """What a server has of a run."""
    fields = "config summaryMetrics state tags notes displayName group jobType history(minStep: 0, maxStep: 1000000)"
    found: dict[str, Any] = server.run(fields, name=name, project="peer")
    found["config"] = {key: one["value"] for key, one in json.loads(found["config"]).items() if key != "_wandb"}
    # The time since the start is counted by another clock there; here it follows from the row's own time.
    found["summary"] = {key: one for key, one in json.loads(found.pop("summaryMetrics")).items() if key[0] != "_"}
    rows = [json.loads(row) for row in found["history"]]
    starts = [row["_timestamp"] - row.pop("_runtime") for row in rows]
    assert max(starts) - min(starts) < 1
    found["history"] = [json.dumps(whole(row), sort_keys=True) for row in rows]
    lines = server.run_api("/console", name=name, project="peer")["lines"]
    found["console"] = [(line["level"], line["text"]) for line in lines]
    found["files"] = {file["name"] for file in server.run_api("/files", name=name, project="peer")["files"]}
    return found


def whole(value: Any) -> Any:
    """1.0 as 1: the official client's later versions write both alike."""
    if isinstance(value, dict):
        return {key: whole(inner) for key, inner in value.items()}
    return int(value) if isinstance(value, float) and value.is_integer() else value


@pytest.mark.peer
@pytest.mark.parametrize("version", VERSIONS)
def test_a_run_arrives_as_by_the_official_sync(
    version: str, tmp_path: Path, servers: tuple[LiveServer, LiveServer]
) -> None:
    python = peer_python(version)
    official = str(peer_python(SYNCED_BY))
    folder = written(python, tmp_path / "home", rows=30)
    name = folder.name.rpartition("-")[2]
    copy = tmp_path / "copy" / "wandb" / folder.name
    shutil.copytree(folder, copy)
    theirs, ours = servers
    sync(official, copy, theirs)
    assert "written by the official client" in sync(sys.executable, folder, ours)

    there, here = at(theirs, name), at(ours, name)
    if version == ENDS_EARLY:
        assert here["history"][:30] == there["history"]
        here["history"] = here["history"][:30]
        here["summary"] = there["summary"] = {}
    for what in (
        "history",
        "summary",
        "config",
        "state",
        "tags",
        "notes",
        "displayName",
        "group",
        "jobType",
        "console",
    ):
        assert here[what] == there[what], what
    assert there["files"] <= here["files"]
    here = at(ours, name)
    assert (here["state"], here["tags"], here["displayName"]) == ("failed", ["t1", "t2", "t3"], "renamed")
    assert (len(here["history"]), here["summary"]["best"], here["summary"]["late"]) == (31, 0.99, 1)
    assert here["summary"]["acc"]["max"] == 29 / 30
    assert ours.get(f"/files/{ours.user}/peer/{name}/data.txt").text == "saved bytes"
    assert "imported" not in sync(sys.executable, folder, ours).replace(".imported", "")


@pytest.mark.peer
def test_a_killed_run_arrives_as_far_as_its_file_goes(tmp_path: Path, server: LiveServer) -> None:
    folder = written(peer_python(SYNCED_BY), tmp_path / "home", rows=600, kill=True)
    sync(sys.executable, folder, server)
    found = at(server, folder.name.rpartition("-")[2])
    assert len(found["history"]) > 30
    assert [json.loads(row)["_step"] for row in found["history"]] == list(range(len(found["history"])))
    assert found["config"]["nested"] == {"a": [1, 2], "b": {"c": None}}
    assert found["state"] == "failed"
