"""Servers that are killed while clients write to them, and what the clients know of what was acknowledged."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import http.client
import json
import os
import random
import signal
import threading
import time
import traceback
from pathlib import Path
from typing import Any, Callable, Counter, Dict, List, NamedTuple, Optional

from wandb.server._serve import ServeOptions, serve

_START_SECONDS = 60.0
_PAGE_STEPS = 2000
_UPSERT = """mutation U($name: String, $config: JSONString) {
    upsertBucket(input: {name: $name, modelName: "p", config: $config}) { bucket { project { entity { name } } } } }"""
_FILES = """mutation F($run: String!, $files: [String!]!) {
    createRunFiles(input: {projectName: "p", runName: $run, files: $files}) { files { uploadUrl } } }"""
_RUN = """query R($run: String!) { project(name: "p") { run(name: $run) {
    historyLineCount eventsLineCount logLineCount summaryMetrics config } } }"""
_PAGE = """query H($run: String!, $first: Int!, $last: Int!) {
    project(name: "p") { run(name: $run) { history(minStep: $first, maxStep: $last) } } }"""


class Refused(Exception):
    """The server answered that it can't do this now."""


class ForkedServer:
    """`wandb server` in a child of this process, which has loaded everything already."""

    def __init__(self, scratch: Path, data: Path, database_url: Optional[str] = None) -> None:
        self._scratch, self._data, self._database_url = scratch, data, database_url
        self.port, self.key = 0, ""
        self._pid = 0

    @property
    def runs(self) -> bool:
        return bool(self._pid)

    def start(self) -> None:
        """Only while this process has no other threads."""
        ready = self._scratch / f"ready-{id(self)}.json"
        ready.unlink(missing_ok=True)
        self._pid = os.fork()
        if not self._pid:
            self._serve(ready)
        deadline = time.monotonic() + _START_SECONDS
        while not ready.exists():
            if os.waitpid(self._pid, os.WNOHANG) != (0, 0):
                self._pid = 0
                raise AssertionError(f"the server doesn't start: {(self._scratch / 'server.log').read_text()[-2000:]}")
            assert time.monotonic() < deadline, "the server doesn't start in time"
            time.sleep(0.01)
        facts = json.loads(ready.read_text())
        self.port, self.key = int(facts["url"].rpartition(":")[2]), facts.get("api_key") or self.key

    def _serve(self, ready: Path) -> None:
        with (self._scratch / "server.log").open("ab") as log:
            os.dup2(log.fileno(), 1)
            os.dup2(log.fileno(), 2)
        try:
            # A port of its own each time: others on this machine take free ones, too.
            options = ServeOptions(self._data, port=0, ready_file=ready, database_url=self._database_url)
            serve(options, lambda text: None)
        except BaseException:
            os.write(2, traceback.format_exc().encode())
        os._exit(1)

    def kill(self) -> None:
        if self._pid:
            os.kill(self._pid, signal.SIGKILL)
            os.waitpid(self._pid, 0)
            self._pid = 0


class Client:
    """Asks one server after the other, over connections that are kept."""

    def __init__(self, servers: List[ForkedServer]) -> None:
        self._servers = servers
        self._at = 0

    def post(self, path: str, body: bytes, method: str = "POST", authorized: bool = True) -> bytes:
        """The answer; OSError or HTTPException where there was none, Refused for one that says to come again."""
        self._at += 1
        server = self._servers[self._at % len(self._servers)]
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
        key = next(server.key for server in self._servers if server.key)
        credential = base64.b64encode(f"api:{key}".encode()).decode()
        headers = {"Authorization": f"Basic {credential}"} if authorized else {}
        with contextlib.closing(connection):
            connection.request(method, path, body or None, {"Content-Type": "application/json", **headers})
            reply = connection.getresponse()
            answer = reply.read()
        if reply.status >= 500 or reply.status == 429:
            raise Refused(f"{reply.status}: {answer[:200]!r}")
        assert reply.status == 200, f"{method} {path}: {reply.status} {answer[:300]!r}"
        return answer

    def ask(self, query: str, **variables: Any) -> Any:
        answer = json.loads(self.post("/graphql", json.dumps({"query": query, "variables": variables}).encode()))
        assert "errors" not in answer, answer
        return answer["data"]


def row(run: str, number: int) -> str:
    """The history row of this number."""
    values = {"_step": number, "run": run, "value": number * 0.37}
    if number % 50 == 7:
        values["text"] = "x" * (number % 3000)
    return json.dumps(values)


class Change(NamedTuple):
    """One request, and what it makes of the state that the client knows."""

    send: Callable[[], object]
    after: Dict[str, Any]


class Writer:
    """Writes one run, and knows what was acknowledged and what may or may not have arrived."""

    def __init__(self, client: Client, run: str, rng: random.Random, tried: Counter[str]) -> None:
        self._client, self._run, self._rng, self._tried = client, run, rng, tried
        self._entity = ""
        self.known: Dict[str, Any] = {"rows": 0, "events": 0, "log": 0, "summary": None, "config": None, "files": {}}
        self.pending: Optional[Change] = None
        self.wrong: Optional[BaseException] = None

    def write(self, ends: threading.Event) -> None:
        """Send until the server is gone, or it is time to end. A request that was under way is sent once more first."""
        try:
            while not ends.is_set():
                change = self.pending or self._next()
                self.pending = change
                try:
                    change.send()
                except (OSError, http.client.HTTPException):
                    return
                except Refused:
                    self._tried["refused"] += 1
                    time.sleep(0.05)
                    continue
                self.known, self.pending = {**self.known, **change.after}, None
                self._tried["acknowledged"] += 1
        except BaseException as error:
            self.wrong = error

    def _next(self) -> Change:
        place = self._rng.random()
        if not self._entity or place < 0.1:
            return self._upsert()
        return self._file() if place < 0.2 else self._stream()

    def _upsert(self) -> Change:
        config = json.dumps({"lr": {"value": self._rng.random()}})

        def send() -> None:
            bucket = self._client.ask(_UPSERT, name=self._run, config=config)["upsertBucket"]["bucket"]
            self._entity = bucket["project"]["entity"]["name"]

        return Change(send, {"config": config})

    def _stream(self) -> Change:
        count = self._rng.choice((1, 5, 100, 1000))
        first, events, log = self.known["rows"], self.known["events"], self.known["log"]
        content = [row(self._run, number) for number in range(first, first + count)]
        # The last line of the console is written over, as a progress bar does.
        start = max(0, log - self._rng.choice((0, 1)))
        files = {
            "wandb-history.jsonl": {"offset": first, "content": content},
            "wandb-events.jsonl": {"offset": events, "content": [json.dumps({"system.cpu": count})]},
            "wandb-summary.json": {"offset": 0, "content": [content[-1]]},
            "output.log": {"offset": start, "content": [f"{self._rng.random()}", "done"]},
        }
        body = json.dumps({"files": files}).encode()
        path = f"/files/{self._entity}/p/{self._run}/file_stream"
        self._tried["rows"] += count
        after = {"rows": first + count, "events": events + 1, "log": start + 2, "summary": content[-1]}
        return Change(lambda: self._client.post(path, body), after)

    def _file(self) -> Change:
        name, content = f"f{self._rng.randrange(5)}.bin", self._rng.randbytes(self._rng.choice((0, 100, 300_000)))

        def send() -> None:
            url = self._client.ask(_FILES, run=self._run, files=[name])["createRunFiles"]["files"][0]["uploadUrl"]
            self._client.post("/" + url.split("/", 3)[3], content, "PUT", authorized=False)

        return Change(send, {"files": {**self.known["files"], name: hashlib.sha256(content).hexdigest()}})

    def check(self) -> None:
        """The server has what it acknowledged; of the request that was under way all or nothing."""
        if not self._entity:
            return
        expected = [self.known]
        if self.pending is not None:
            expected.append({**self.known, **self.pending.after})
        found = self._found()
        assert found in expected, f"run {self._run}: {_shown(found)} instead of {' or '.join(map(_shown, expected))}"

    def _found(self) -> Dict[str, Any]:
        run = self._client.ask(_RUN, run=self._run)["project"]["run"]
        rows: List[str] = []
        for first in range(0, run["historyLineCount"], _PAGE_STEPS):
            page = self._client.ask(_PAGE, run=self._run, first=first, last=first + _PAGE_STEPS)
            rows += page["project"]["run"]["history"]
        assert rows == [row(self._run, number) for number in range(len(rows))], f"run {self._run}: rows are wrong"
        assert len(rows) == run["historyLineCount"], f"run {self._run}: {len(rows)} of {run['historyLineCount']} rows"
        files = {}
        for name in self.known["files"].keys() | (
            self.pending.after.get("files", {}).keys() if self.pending else set()
        ):
            with contextlib.suppress(AssertionError):  # of one that was never acknowledged, 404
                content = self._client.post(f"/files/{self._entity}/p/{self._run}/{name}", b"", "GET")
                files[name] = hashlib.sha256(content).hexdigest()
        return {
            "rows": len(rows), "events": run["eventsLineCount"], "log": run["logLineCount"],
            "summary": None if run["summaryMetrics"] == "{}" else run["summaryMetrics"],
            "config": None if run["config"] == "{}" else run["config"], "files": files,
        }  # fmt: skip


def _shown(state: Dict[str, Any]) -> str:
    return json.dumps({**state, "summary": (state["summary"] or "")[:60], "files": len(state["files"])})


def write_for(writers: List[Writer], seconds: float, disturb: Callable[[], object]) -> None:
    """Let writers write; when the time is over, whatever they are about, something happens, and they end."""
    ends = threading.Event()
    threads = [threading.Thread(target=writer.write, args=(ends,)) for writer in writers]
    for thread in threads:
        thread.start()
    time.sleep(seconds)  # the random instant itself, nothing is waited for
    disturb()
    ends.set()
    for thread in threads:
        thread.join()
    for writer in writers:
        if writer.wrong is not None:
            raise writer.wrong
