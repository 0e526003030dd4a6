"""What the measurements of uploads need: a server, and a command whose processes are watched."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
import urllib.request
import uuid
from pathlib import Path
from typing import Any, Dict, Iterator, List, NamedTuple, Optional

from .drivers import _processes

_MARK = "BENCH_UPLOAD"
_LOOK_SECONDS = 0.02


class Server(NamedTuple):
    """A server on a free port."""

    url: str
    key: str
    keeps: bool = True  # False for the sink
    pid: int = 0

    def graphql(self, query: str, **variables: Any) -> Any:
        import base64

        request = urllib.request.Request(
            f"{self.url}/graphql",
            json.dumps({"query": query, "variables": variables, "operationName": ""}).encode(),
            {"Content-Type": "application/json",
             "Authorization": "Basic " + base64.b64encode(f"api:{self.key}".encode()).decode()},
        )  # fmt: skip
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=30) as reply:
            return json.load(reply)["data"]

    def rows(self, project: str = "bench") -> Dict[str, int]:
        """run id -> history lines"""
        query = (
            "query R($p: String!) { project(name: $p) "
            "{ runs(first: 50) { edges { node { name historyLineCount } } } } }"
        )
        found = self.graphql(query, p=project)["project"]
        edges = found["runs"]["edges"] if found else []
        return {edge["node"]["name"]: edge["node"]["historyLineCount"] for edge in edges}


class Cost(NamedTuple):
    """Of a command and every process that it started."""

    code: int
    seconds: float
    cpu_seconds: float
    peak_bytes: int
    output: str


@contextlib.contextmanager
def serving(folder: Path, *options: str) -> Iterator[Server]:
    """`wandb server` with a data folder of its own."""
    folder.mkdir(parents=True)
    ready = folder / "ready.json"
    command = ["-m", "wandb", "server", "--port", "0", "--data", str(folder / "data"), "--ready-file", str(ready)]
    with _started([*command, *options], ready) as facts:
        yield Server(facts["url"], facts["api_key"], pid=int(facts["pid"]))


@contextlib.contextmanager
def sinking(folder: Path) -> Iterator[Server]:
    """A server that takes everything and keeps nothing: what a client needs without any server's work."""
    folder.mkdir(parents=True)
    ready = folder / "ready.json"
    with _started(["-m", "tests.bench._sink", str(ready)], ready) as facts:
        yield Server(facts["url"], facts["api_key"], keeps=False)


@contextlib.contextmanager
def _started(command: List[str], ready: Path) -> Iterator[Dict[str, str]]:
    process = subprocess.Popen([sys.executable, *command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until = time.monotonic() + 60
        while not ready.exists() or not ready.read_text().endswith("}"):
            if process.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"{command[1]} doesn't start")
            time.sleep(0.05)
        facts: Dict[str, str] = json.loads(ready.read_text())
        yield facts
    finally:
        process.terminate()
        process.wait(30)


def environment(server: Server, home: Path) -> Dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
    return {
        **kept, "HOME": str(home), "TMPDIR": str(home), "NO_PROXY": "127.0.0.1", "WANDB_BASE_URL": server.url,
        "WANDB_API_KEY": server.key, "WANDB_MODE": "online", "WANDB_ERROR_REPORTING": "false",
        "WANDB_CONFIG_DIR": str(home / "config"), "NETRC": str(home / "netrc"),
    }  # fmt: skip


def watch(command: List[str], variables: Dict[str, str], cwd: Path, seconds: float = 1200.0) -> Cost:
    """Run a command to its end. CPU and memory are looked at fifty times a second, in all processes that inherit a
    mark: helpers that detach are nobody's children."""
    mark = uuid.uuid4().hex
    output = cwd / f"output-{mark}"
    cpu: Dict[int, float] = {}
    peak = 0
    start = time.monotonic()
    with output.open("wb") as file:
        process = subprocess.Popen(
            command, env={**variables, _MARK: mark}, cwd=cwd, stdin=subprocess.DEVNULL, stdout=file, stderr=file,
        )  # fmt: skip
        known: List[int] = []
        looked = 0.0
        while process.poll() is None and time.monotonic() - start < seconds:
            if time.monotonic() - looked > 0.2:  # finding processes costs more than looking at them
                known, looked = _processes.marked(_MARK, mark), time.monotonic()
            resident = 0
            for pid in known:
                with contextlib.suppress(OSError):
                    seen = _processes.process(pid)
                    cpu[pid] = seen.cpu_seconds
                    resident += seen.resident_bytes
            peak = max(peak, resident)
            time.sleep(_LOOK_SECONDS)
    took = time.monotonic() - start
    _processes.kill(_processes.marked(_MARK, mark))
    process.wait()
    code: Optional[int] = process.returncode
    return Cost(code or 0, took, sum(cpu.values()), peak, output.read_text(errors="replace"))
