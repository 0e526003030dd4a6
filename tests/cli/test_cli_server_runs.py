"""`wandb replay` of a run that a server holds, and of what a log and its server don't have in common."""

from __future__ import annotations

import json
import math
import subprocess
from pathlib import Path
from typing import Any, Dict, Iterator

import pytest
from live_server import LiveServer
from shells import Shell

from wandb_storage import Alert, ConfigChange, Console, Exit, FileSaved, Log, RowFlag, RunStart, SystemMetrics

START = 1.7e9


def write_rich_run(home: Path, run_id: str) -> Path:
    """A run of two sessions, with something of everything."""
    folder = home / "wandb" / f"offline-run-20260105_120000-{run_id}"
    (folder / "files").mkdir(parents=True)
    (folder / "files" / "notes.txt").write_text("hello")
    start = RunStart(run_id=run_id, project="digits", name="noisy-hill-3", tags=["t"], time=START, settings="{}")
    with Log.create(folder, run_id) as log:
        log.append(start)
        log.append(ConfigChange(json=json.dumps({"lr": 0.1, "opt": {"name": "adam"}}), time=START))
        for step in range(30):
            row: Dict[str, Any] = {"loss": 1.0 / (step + 3), "nan": math.nan, "n": step, "nested": {"x": [1, step]}}
            log.append_row(row, step, START + step, int(RowFlag.COMMIT))
        log.append(SystemMetrics(time=START + 10, json=json.dumps({"cpu": 12.5})))
        log.append(Console(time=START + 11, stream=0, text="epoch 1\n"))
        log.append(Console(time=START + 12, stream=1, text="oh\n"))
        log.append(FileSaved(path="notes.txt", policy="now", time=START))
        log.append(Alert(title="flat", text="no progress", level="WARN", time=START))
        log.append(Exit(code=0, time=START + 30))
    with Log.open(folder) as log:
        log.append(
            RunStart(run_id=run_id, project="digits", time=START + 1000, settings="{}", resumed=True, first_step=30)
        )
        for step in range(30, 40):
            log.append_row({"loss": 0.01}, step, START + 970 + step, int(RowFlag.COMMIT))
        log.append(Exit(code=0, time=START + 1010))
    return folder


@pytest.fixture
def at_server(shell: Shell, server: LiveServer) -> Shell:
    """A shell whose runs go to the server, and one that is there."""
    shell.environment.update(WANDB_BASE_URL=server.url, WANDB_API_KEY=server.key)
    write_rich_run(shell.folder, "rich")
    outcome = shell("sync", "rich")
    assert outcome.returncode == 0, outcome.stderr
    return shell


def test_a_run_is_told_from_its_server(at_server: Shell, server: LiveServer) -> None:
    path = f"{server.user}/digits/rich"
    there = json.loads(at_server("replay", path, "--json").stdout)
    here = json.loads(at_server("replay", "rich", "--json").stdout)
    for name in ("config", "rows", "steps", "keys"):
        assert there[name] == here[name], name
    assert [{**row, "_runtime": 0} for row in there["history"]] == [{**row, "_runtime": 0} for row in here["history"]]
    # The clock of the second session goes on behind that of the first.
    pairs = zip(there["history"], here["history"])
    assert max(abs(row["_runtime"] - other["_runtime"]) for row, other in pairs) < 1.5
    assert [line["text"] for line in there["console"]["last"]] == ["epoch 1", "oh"]
    assert (there["run"]["name"], there["run"]["tags"], there["ended"]["state"]) == ("noisy-hill-3", ["t"], "finished")
    assert {"path": "notes.txt", "policy": "end"} in there["files"]
    assert there["summary"]["loss"] == 0.01
    story = at_server("replay", f"{server.url}/{server.user}/digits/runs/rich").stdout
    assert story.startswith("✔ finished  noisy-hill-3")
    assert f"{server.url}/{server.user}/digits/runs/rich, as it was there a moment ago" in " ".join(story.split())
    csv = at_server("replay", path, "--csv", "--keys", "loss", "--from-step", "39").stdout
    assert csv == "_step,loss\n39,0.01\n"


def test_a_log_and_its_server_are_compared(at_server: Shell) -> None:
    same = at_server("replay", "rich", "--diff", "log", "server")
    assert (same.returncode, same.stdout.splitlines()[-1]) == (0, "40 rows compared: no difference"), same.stdout
    with Log.open(at_server.folder / "wandb" / "offline-run-20260105_120000-rich") as log:
        log.append_row({"loss": 5.0}, 40, START + 2000, int(RowFlag.COMMIT))
    more = at_server("replay", "rich", "--diff", "log", "server")
    assert more.returncode == 6
    assert "server lacks 1 row: step 40" in more.stdout
    then = at_server("replay", "rich", "--diff", "step=39", "server")
    assert then.stdout.splitlines()[-1].startswith("40 rows compared: no")


def test_a_branch_of_a_run_of_a_server_is_made_here(at_server: Shell, server: LiveServer) -> None:
    path = f"{server.user}/digits/rich"
    elsewhere = at_server.folder / "elsewhere"
    elsewhere.mkdir()
    forked = at_server("replay", path, "--fork-at", "20", "--id", "twig", "--dir", "elsewhere")
    assert forked.returncode == 0, forked.stderr
    (folder,) = (elsewhere / "wandb").glob("run-*-twig")
    assert str(folder.relative_to(at_server.folder)) in forked.stdout
    story = json.loads(at_server("replay", "twig", "--dir", "elsewhere", "--json").stdout)
    assert (story["rows"], story["config"]) == (21, {"lr": 0.1, "opt": {"name": "adam"}})
    taken = at_server("replay", path, "--fork-at", "20", "--id", "rich")
    assert (taken.returncode, "there is a run rich already" in taken.stderr) == (1, True)
    back = at_server("replay", path, "--rewind-to", "20", "--dir", "elsewhere")
    assert back.returncode == 0, back.stderr
    assert at_server("sync", "elsewhere/wandb/run-*").returncode == 0
    for run_id in ("rich", "twig"):
        csv = at_server("replay", f"{server.user}/digits/{run_id}", "--csv", "--keys", "n").stdout
        assert csv.splitlines()[-1] == "20,20"


def test_what_the_server_has_not_is_said(at_server: Shell, server: LiveServer) -> None:
    unknown = at_server("replay", f"{server.user}/digits/nobody")
    assert unknown.returncode == 3
    assert "nobody" in unknown.stderr
    assert "Traceback" not in unknown.stderr
    at_server.environment["WANDB_API_KEY"] = "0" * 40
    refused = at_server("replay", f"{server.user}/digits/rich")
    assert refused.returncode == 5


def _log_at_server(server: LiveServer, offset: int, **more: Any) -> None:
    """Ten rows and a line of the console, as an uploader brings them."""
    rows = [
        json.dumps({"_step": step, "_timestamp": START + step, "_runtime": step, "loss": 1 / (step + 1)})
        for step in range(offset, offset + 10)
    ]
    line = {"offset": offset // 10, "content": [f"{offset + 10} rows"]}
    files = {"wandb-history.jsonl": {"offset": offset, "content": rows}, "output.log": line}
    server.stream({"files": files, **more}, name="live", project="digits")


@pytest.fixture
def follower(shell: Shell, server: LiveServer) -> Iterator[subprocess.Popen[str]]:
    """A run that goes on at the server, and what follows it."""
    server.upsert("live", "digits", config=json.dumps({"lr": {"value": 0.1}}))
    _log_at_server(server, 0)
    shell.environment["WANDB_BASE_URL"] = server.url
    with shell.start("replay", f"{server.user}/digits/live", "--follow", "--json", key=server.key) as process:
        yield process


def test_a_run_is_followed_at_its_server_until_it_ends(
    follower: subprocess.Popen[str], server: LiveServer
) -> None:  # fmt: skip
    assert follower.stdout is not None
    first = [json.loads(follower.stdout.readline()) for _ in range(10)]
    _log_at_server(server, 10)
    then = [json.loads(follower.stdout.readline()) for _ in range(10)]
    _log_at_server(server, 20, complete=True, exitcode=0)
    out, said = follower.communicate()
    rows = [*first, *then, *map(json.loads, out.splitlines())]
    assert [(row["_step"], row["loss"]) for row in rows] == [(step, 1 / (step + 1)) for step in range(30)]
    assert follower.returncode == 0
    assert said.endswith("-live: finished: the program recorded exit code 0\n")


def test_a_followed_run_that_goes_from_its_server_ends_with_what_the_server_said(
    follower: subprocess.Popen[str], server: LiveServer
) -> None:  # fmt: skip
    assert follower.stdout is not None
    for _ in range(10):
        follower.stdout.readline()
    found = server.run("id", name="live", project="digits")
    server.execute("mutation DeleteRun($id: ID!) { deleteRun(input: {id: $id}) { clientMutationId } }", id=found["id"])
    _, said = follower.communicate()
    assert (follower.returncode, "there is no run" in said, "Traceback" in said) == (3, True, False), said
