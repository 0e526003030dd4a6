"""`wandb server` on a free port, one for all tests that ask for it, each in a project of its own."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, NamedTuple

import requests


class Server(NamedTuple):
    url: str
    key: str
    project: str = "p"

    def execute(self, query: str, **variables: Any) -> Dict[str, Any]:
        body = {"query": query, "variables": variables}
        reply = requests.post(f"{self.url}/graphql", json=body, auth=("api", self.key), timeout=30).json()
        assert "errors" not in reply, reply
        return dict(reply["data"])

    def run(self, run_id: str, fields: str = "id state historyLineCount commit") -> Dict[str, Any]:
        """What the server knows of a run; empty while it knows nothing."""
        query = f"query Q($p: String, $r: String!) {{ project(name: $p) {{ run(name: $r) {{ {fields} }} }} }}"
        return (self.execute(query, p=self.project, r=run_id).get("project") or {}).get("run") or {}

    def history(self, run_id: str) -> List[Dict[str, Any]]:
        """The rows of a run."""
        return [json.loads(row) for row in self.run(run_id, "history(samples: 100000)").get("history", ())]

    def stop(self, storage_id: str) -> None:
        self.execute("mutation M($id: ID!) { stopRun(input: {id: $id}) { success } }", id=storage_id)


def eventually(condition: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        time.sleep(0.01)
    raise AssertionError("it did not happen in a minute")


def stop_uploader(folder: Path, url: str) -> None:
    command = [sys.executable, "-m", "wandb_uploader", "stop", "--dir", str(folder / "wandb"), "--url", url]
    subprocess.run(command, capture_output=True, check=False)


@contextlib.contextmanager
def running_server(place: Path) -> Iterator[Server]:
    ready = place / "ready.json"
    command = [sys.executable, "-m", "wandb", "server", "--port", "0", "--data", str(place / "data")]
    process = subprocess.Popen([*command, "--ready-file", str(ready)], stdout=subprocess.DEVNULL)
    try:
        eventually(ready.exists)
        known = json.loads(ready.read_text())
        yield Server(known["url"], known["api_key"])
    finally:
        process.terminate()
        process.wait()
