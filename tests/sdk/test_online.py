"""Online runs against the project's own server, with the real uploader process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, NamedTuple

import pytest
import requests


class Server(NamedTuple):
    url: str
    key: str

    def run(self, run_id: str) -> Dict[str, Any]:
        """What the server knows of a run of the project `p`; empty while it knows nothing."""
        query = 'query Q($r: String!) { project(name: "p") { run(name: $r) { id state historyLineCount } } }'
        reply = requests.post(
            f"{self.url}/graphql", json={"query": query, "variables": {"r": run_id}}, auth=("api", self.key), timeout=30
        )
        return ((reply.json()["data"] or {}).get("project") or {}).get("run") or {}

    def stop(self, storage_id: str) -> None:
        query = "mutation M($id: ID!) { stopRun(input: {id: $id}) { success } }"
        body = {"query": query, "variables": {"id": storage_id}}
        reply = requests.post(f"{self.url}/graphql", json=body, auth=("api", self.key), timeout=30)
        assert "errors" not in reply.json(), reply.text


def eventually(condition: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        time.sleep(0.01)
    raise AssertionError("it did not happen in 30 s")


@pytest.fixture
def server(own_place: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """`wandb server` on a free port, which ends with the test, and the uploader with it."""
    ready = own_place / "ready.json"
    command = [sys.executable, "-m", "wandb", "server", "--port", "0", "--data", str(own_place / "data")]
    process = subprocess.Popen([*command, "--ready-file", str(ready)], stdout=subprocess.DEVNULL)
    try:
        eventually(ready.exists)
        known = json.loads(ready.read_text())
        monkeypatch.setenv("WANDB_BASE_URL", known["url"])
        monkeypatch.setenv("WANDB_API_KEY", known["api_key"])
        yield Server(known["url"], known["api_key"])
        stop = [sys.executable, "-m", "wandb_uploader", "stop", "--dir", "wandb", "--url", known["url"]]
        subprocess.run(stop, capture_output=True, check=False)
    finally:
        process.terminate()
        process.wait()


def test_rows_reach_the_server_while_the_run_lasts_and_finish_names_the_page(server: Server) -> None:
    program = """
import sys, wandb
run = wandb.init(project="p", id="live")
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
    assert "/p/runs/live" in said
    assert server.run("live")["state"] == "finished"


def test_a_stop_from_the_page_interrupts_the_program(server: Server) -> None:
    program = """
import time, wandb
with wandb.init(project="p", id="stopped") as run:
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
