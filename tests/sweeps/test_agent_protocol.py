"""An agent at W&B's service. That can't be had here: a server that gives the answers which were recorded of it stands
in for it, and notes what it is asked."""

from __future__ import annotations

import json
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Dict, Iterator, List, Tuple

import pytest
from gates import Gate

from wandb.sweeps import ProcessAgent, RemoteSweep, find

CONFIG = """command:
- ${interpreter}
- ${program}
- ${args}
method: random
metric:
  goal: minimize
  name: loss
parameters:
  lr:
    distribution: uniform
    max: 0.1
    min: 0.001
program: trial.py
"""
# What a heartbeat was answered with, one after the other.
COMMANDS: List[List[Dict[str, Any]]] = [
    [{"type": "run", "run_id": "ec75d04c", "run_storage_id": "UnVuOnYxOmVjNzVkMDRjOnByb3RvOnRlc3RlbnQ=",
      "program": "trial.py", "args": {"lr": {"value": 0.1}}, "logs": []}],
    [],
    [{"type": "resume", "run_id": "b8c69faf", "run_storage_id": "UnVuOnYxOmI4YzY5ZmFmOnByb3RvOnRlc3RlbnQ=",
      "program": "trial.py", "args": {"lr": {"value": 0.2}}, "logs": []}],
    [{"type": "stop", "run_id": "b8c69faf"}],
    [{"type": "exit"}],
]  # fmt: skip
SWEEP: Dict[str, Any] = {
    "id": "U3dlZXA6c3cwMDAwMTk=", "name": "sw000019", "method": "random", "state": "PENDING", "description": None,
    "config": CONFIG, "createdAt": "2026-11-23T03:07:24Z", "heartbeatAt": "2026-11-23T03:07:24Z",
    "updatedAt": "2026-11-23T03:07:24Z", "earlyStopJobRunning": False, "bestLoss": None, "controller": None,
    "scheduler": None, "runs": {"edges": []},
}  # fmt: skip
TRIAL = """
import json, os, signal, sys
names = ("WANDB_SWEEP_ID", "WANDB_RUN_ID", "WANDB_ENTITY", "WANDB_PROJECT", "WANDB_RESUME")
told = {"arguments": sys.argv[1:], "parameters": open(os.environ["WANDB_SWEEP_PARAM_PATH"]).read()}
with open("told", "a") as file:
    file.write(json.dumps({**told, **{name: os.environ.get(name) for name in names}}) + "\\n")
with open("begun", "w") as gate:
    gate.write("it\\n")
if os.environ["WANDB_RUN_ID"] == "ec75d04c":
    open("go").readline()
else:
    signal.pause()
"""


class Recorded(ThreadingHTTPServer):
    """Answers as it was recorded, each beat of a trial when that has begun."""

    def __init__(self, place: Path) -> None:
        self._begun, self._go = Gate(place / "begun"), Gate(place / "go")
        self.asked: List[Tuple[str, Dict[str, Any]]] = []
        self._commands = iter(COMMANDS)
        super().__init__(("127.0.0.1", 0), _Handler)

    def answer(self, body: Dict[str, Any]) -> Dict[str, Any]:
        query, variables = body["query"], body.get("variables") or {}
        for operation in ("SweepWithRuns", "CreateAgent", "Heartbeat"):
            if f" {operation}(" in query:
                self.asked.append((operation, variables))
                if json.loads(variables.get("runState", "{}")):
                    self._begun.wait()
                    self._go.open()
                return {"data": self._data(operation)}
        return {"data": {"serverInfo": None, "viewer": None}}

    def _data(self, operation: str) -> Dict[str, Any]:
        if operation == "SweepWithRuns":
            return {"project": {"name": "proto", "entity": {"name": "testent"}, "sweep": SWEEP}}
        if operation == "CreateAgent":
            return {"createAgent": {"agent": {"id": "QWdlbnQ6MjA="}}}
        return {"agentHeartbeat": {"agent": {"id": "QWdlbnQ6MjA="}, "commands": json.dumps(next(self._commands))}}


class _Handler(BaseHTTPRequestHandler):
    server: Recorded

    def log_message(self, format: str, *args: Any) -> None:
        """Says nothing."""

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        answer = json.dumps(self.server.answer(body)).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)


@pytest.fixture
def service(own_place: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Recorded]:
    with Recorded(own_place) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        monkeypatch.setenv("WANDB_MODE", "online")
        monkeypatch.setenv("WANDB_BASE_URL", f"http://127.0.0.1:{server.server_address[1]}")
        monkeypatch.setenv("WANDB_API_KEY", "0" * 40)
        yield server
        server.shutdown()
        thread.join()


def test_an_agent_asks_and_obeys_as_it_was_recorded(service: Recorded, own_place: Path) -> None:
    (own_place / "trial.py").write_text(TRIAL)
    home = find("testent/proto/sw000019")
    assert isinstance(home, RemoteSweep)
    assert ProcessAgent(home, beat_seconds=60).run() == 0
    (created,) = [variables for operation, variables in service.asked if operation == "CreateAgent"]
    assert created.pop("host").startswith(socket.gethostname())
    assert created == {"entityName": "testent", "projectName": "proto", "sweep": "sw000019"}
    beats = [variables for operation, variables in service.asked if operation == "Heartbeat"]
    assert {beat["id"] for beat in beats} == {"QWdlbnQ6MjA="}
    assert {beat["metrics"] for beat in beats} == {"{}"}
    assert [json.loads(beat["runState"]) for beat in beats] == [
        {}, {"ec75d04c": True}, {}, {"b8c69faf": True}, {},
    ]  # fmt: skip
    first, second = map(json.loads, (own_place / "told").read_text().splitlines())
    assert first == {
        "arguments": ["--lr=0.1"], "parameters": "lr:\n  value: 0.1\nwandb_version: 1\n", "WANDB_SWEEP_ID": "sw000019",
        "WANDB_RUN_ID": "ec75d04c", "WANDB_ENTITY": "testent", "WANDB_PROJECT": "proto", "WANDB_RESUME": None,
    }  # fmt: skip
    assert (second["arguments"], second["WANDB_RUN_ID"], second["WANDB_RESUME"]) == (["--lr=0.2"], "b8c69faf", "allow")
