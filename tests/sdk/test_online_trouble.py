"""Online runs against servers that hang, refuse, are overloaded or break: the script ends, and the log is whole."""

from __future__ import annotations

import http.server
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Dict, Iterator, NamedTuple, Optional

import pytest

from wandb_storage import Exit, Reader, Row, read_held

_PROGRAM = """
import wandb
with wandb.init(project="p", id="r") as run:
    for step in range(20):
        run.log({"loss": 1 / (step + 1)})
print("trained")
"""


class _Handler(http.server.BaseHTTPRequestHandler):
    """Answers everything alike: with the server's status, or not before the server ends."""

    server: BadServer

    def do_POST(self) -> None:
        self.server.asked.set()
        if self.server.status is None:
            self.server.released.wait(60)
            return
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = json.dumps({"errors": [{"message": "no"}]}).encode()
        self.send_response(self.server.status)
        for name, value in self.server.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_PUT = do_POST

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


class BadServer(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.status: Optional[int] = None  # None: hangs
        self.headers: Dict[str, str] = {}
        self.asked, self.released = threading.Event(), threading.Event()

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that has gone away is what these tests are about."""


@pytest.fixture
def bad_server(own_place: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[BadServer]:
    server = BadServer()
    url = f"http://127.0.0.1:{server.server_address[1]}"
    monkeypatch.setenv("WANDB_BASE_URL", url)
    monkeypatch.setenv("WANDB_API_KEY", "k" * 40)
    monkeypatch.setenv("WANDB_FINISH_TIMEOUT", "0.5")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        stop = [sys.executable, "-m", "wandb_uploader", "stop", "--dir", "wandb", "--url", url]
        server.released.set()
        subprocess.run(stop, capture_output=True, check=False)
        server.shutdown()
        thread.join()
        server.server_close()


class Case(NamedTuple):
    name: str
    status: Optional[int]
    headers: Dict[str, str]
    told: str  # by `wandb status`


CASES = [
    Case("hangs", None, {}, "1 run with records to upload"),
    Case("refuses the key", 401, {}, "401"),
    Case("is overloaded", 429, {"Retry-After": "3600"}, "429"),
    Case("is broken", 500, {}, "500"),
]


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_the_script_ends_well_and_the_log_is_whole(case: Case, bad_server: BadServer, own_place: Path) -> None:
    bad_server.status, bad_server.headers = case.status, case.headers
    done = subprocess.run([sys.executable, "-c", _PROGRAM], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0
    assert done.stdout == "trained\n"
    assert "goes on in the background" in done.stderr
    assert "Traceback" not in done.stderr
    assert bad_server.asked.wait(30)
    (folder,) = (own_place / "wandb").glob("run-*-r")
    with Reader(folder) as reader:
        records = [entry.record for entry in reader.entries()]
    assert sum(isinstance(record, Row) for record in records) == 20
    assert any(isinstance(record, Exit) for record in records)
    said_by_status(case.told)


def said_by_status(text: str) -> None:
    """Returns when `wandb status` says it."""
    deadline = time.monotonic() + 30
    said = ""
    while text not in said:
        assert time.monotonic() < deadline, said
        status = [sys.executable, "-m", "wandb", "status"]
        said = subprocess.run(status, capture_output=True, text=True, check=True).stdout


def test_an_uploader_that_is_killed_while_its_end_is_waited_for_is_started_again(
    bad_server: BadServer, own_place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad_server.status = 500
    monkeypatch.setenv("WANDB_FINISH_TIMEOUT", "inf")
    program = subprocess.Popen([sys.executable, "-c", _PROGRAM], stderr=subprocess.PIPE, text=True)
    assert program.stderr is not None
    for line in program.stderr:
        if "uploading: " in line:
            break
    (lock,) = own_place.glob("wandb/.uploader/*/lock")
    os.kill(json.loads(read_held(lock) or b"")["pid"], signal.SIGKILL)
    bad_server.asked.clear()
    assert bad_server.asked.wait(60)
    program.send_signal(signal.SIGINT)
    _, said = program.communicate()
    assert program.returncode == 0
    assert "goes on in the background" in said
