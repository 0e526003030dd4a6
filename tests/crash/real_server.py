"""`wandb server` as a process of its own, which can be killed and comes back, and what it holds of a run."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any, Dict, List, Optional

_START_SECONDS = 60.0
_PAGE_STEPS = 1000
_HISTORY = """
query HistoryPage($run: String!, $first: Int!, $last: Int!) {
  project(name: "p") { run(name: $run) { history(minStep: $first, maxStep: $last, samples: 1000000) } }
}
"""
_RUN = """
query Run($run: String!) {
  project(name: "p") { run(name: $run) { state summaryMetrics historyLineCount eventsLineCount logLineCount } }
}
"""


# On a machine whose clock is ahead of this one's.
_AHEAD = """
import sys, time
now, ahead = time.time, float(sys.argv.pop(1))
time.time = lambda: now() + ahead
from wandb.cli import main
main()
"""


class RealServer:
    """Keeps its data and its port from start to start."""

    def __init__(self, scratch: Path) -> None:
        self.scratch = scratch
        self.url = self.key = ""
        # By how much the next start is later than it is: what takes hours can be had at once.
        self.ahead_seconds = 0.0
        self._process: Optional[subprocess.Popen[bytes]] = None

    def start(self) -> None:
        port = self.url.rpartition(":")[2] or "0"
        ready = self.scratch / "ready.json"
        ready.unlink(missing_ok=True)
        program = ["-c", _AHEAD, str(self.ahead_seconds)] if self.ahead_seconds else ["-m", "wandb"]
        command = [sys.executable, *program, "server", "--port", port, "--data", str(self.scratch / "data")]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("WANDB_")}
        environment["PYTHONPATH"] = os.pathsep.join(part for part in sys.path if part)
        self._process = subprocess.Popen(
            [*command, "--ready-file", str(ready)], env=environment, cwd=self.scratch, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )  # fmt: skip
        deadline = time.monotonic() + _START_SECONDS
        while not ready.exists() or not ready.read_text().endswith("}"):
            assert self._process.poll() is None, "the server doesn't start"
            assert time.monotonic() < deadline, "the server doesn't start in time"
            time.sleep(0.02)
        facts = json.loads(ready.read_text())
        self.url, self.key = facts["url"], facts.get("api_key") or self.key  # the first start tells the key

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def ask(self, query: str, **variables: Any) -> Any:
        request = urllib.request.Request(
            f"{self.url}/graphql", json.dumps({"query": query, "variables": variables}).encode(),
            {"Content-Type": "application/json",
             "Authorization": "Basic " + base64.b64encode(f"api:{self.key}".encode()).decode()},
        )  # fmt: skip
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=60) as reply:
            answer = json.load(reply)
        assert "errors" not in answer, answer
        return (answer["data"]["project"] or {}).get("run")

    def facts(self, run: str) -> Optional[Dict[str, Any]]:
        """State, counts and summary of a run; None where there is none yet."""
        found: Optional[Dict[str, Any]] = self.ask(_RUN, run=run)
        return found

    def rows(self, run: str, steps: int) -> List[Dict[str, Any]]:
        found: List[Dict[str, Any]] = []
        for first in range(0, steps, _PAGE_STEPS):
            page = self.ask(_HISTORY, run=run, first=first, last=min(first + _PAGE_STEPS, steps))["history"]
            found += map(json.loads, page)
        return found
