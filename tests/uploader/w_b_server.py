"""A W&B server in miniature: real HTTP on a free loopback port, and told to fail on purpose.

It keeps lines by number, as the protocol asks, and counts every rewrite that changes a history or events line. Faults
are a queue: each request takes the next one.
"""

from __future__ import annotations

import base64
import dataclasses
import gzip
import hashlib
import json
import ssl
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Callable, Dict, List, Mapping, Optional
from urllib.parse import unquote

KEY = "local-" + "0123456789abcdef" * 3


@dataclasses.dataclass
class Fault:
    """What goes wrong with one request."""

    status: int = 0  # answered instead of being applied
    body: bytes = b'{"error": "on purpose"}'
    headers: Mapping[str, str] = dataclasses.field(default_factory=dict)
    drop_before: bool = False  # the connection, before the request is applied
    drop_after: bool = False  # the reply is lost
    cut: int = -1  # bytes of a file after which the reply breaks off, or a resumable upload
    delay: float = 0.0
    only: str = ""  # for requests whose path or operation holds this


@dataclasses.dataclass
class Request:
    method: str
    path: str
    operation: str
    body: bytes
    headers: Dict[str, str]
    time: float


class Part:
    """What has arrived of a file."""

    def __init__(self) -> None:
        self.count = 0
        self.md5 = hashlib.md5(usedforsecurity=False)
        self.content = bytearray()

    def add(self, piece: bytes, keep: bool) -> None:
        self.count += len(piece)
        self.md5.update(piece)
        if keep:
            self.content += piece


class ServedRun:
    """What the server holds of a run."""

    def __init__(self, name: str, entity: str, project: str) -> None:
        self.name, self.entity, self.project = name, entity, project
        self.labels: Dict[str, Any] = {}
        self.config: Dict[str, Any] = {}
        self.lines: Dict[str, Dict[int, str]] = {}
        self.summary: Dict[str, Any] = {}
        self.files: Dict[str, bytes] = {}
        self.uploaded: List[str] = []
        self.exit_code: Optional[int] = None
        self.completions = 0
        self.upserts = 0
        self.conflicts = 0  # rewrites of a row by another text

    def count(self, name: str) -> int:
        return max(self.lines.get(name, {}), default=-1) + 1

    def rows(self, name: str = "wandb-history.jsonl") -> List[Any]:
        """The lines in order; fails where one is missing."""
        held = self.lines.get(name, {})
        assert sorted(held) == list(range(len(held))), "lines are missing"
        texts = [held[number] for number in sorted(held)]
        return texts if name == "output.log" else [json.loads(text) for text in texts]

    def tail(self, name: str) -> str:
        held = self.lines.get(name, {})
        return json.dumps([held[number] for number in sorted(held)[-1:]])


class WBServer:
    """`with WBServer() as server:`; `stop` and `start` keep the state and the port."""

    def __init__(self) -> None:
        self.runs: Dict[str, ServedRun] = {}
        self.requests: List[Request] = []
        self.faults: List[Fault] = []
        self.fault: Callable[[Request], Optional[Fault]] = lambda request: None
        self.key = KEY
        self.reply: Dict[str, Any] = {"exitcode": None, "limits": {"transmit_seconds": 0.2}}
        self.reply_headers: Dict[str, str] = {}
        self.body_bytes_max = 1 << 30
        self.poison = ""  # a stream request that holds this is refused
        self.prefix = ""  # of all paths
        self.swallow = False  # files are read and not kept
        self.features: List[str] = []
        self.alerts: List[Dict[str, Any]] = []
        self.parts: Dict[str, Part] = {}  # by the identity of the upload
        self.part_bytes = 0  # that have come of all of them
        self.part_digests: List[str] = []  # of those that are whole
        self.tokens: List[str] = []  # access tokens that were given out; the last one is valid
        self.lock = threading.RLock()
        self.port = 0
        self.tls: Optional[ssl.SSLContext] = None
        self._server: Optional[ThreadingHTTPServer] = None

    @property
    def url(self) -> str:
        return f"http{'s' if self.tls else ''}://127.0.0.1:{self.port}{self.prefix}"

    def __enter__(self) -> WBServer:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        outer = self

        class Handler(_Handler):
            owner = outer

        self._server = _Server(("127.0.0.1", self.port), Handler)
        self.port = self._server.server_address[1]
        if self.tls:
            self._server.socket = self.tls.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def stop(self) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def of(self, what: str) -> List[Request]:
        """The requests of one operation, or with this in their path."""
        with self.lock:
            return [each for each in self.requests if what == each.operation or what in each.path]

    # --- what it does -------------------------------------------------------------------------------------------------

    def next_fault(self, request: Request) -> Fault:
        with self.lock:
            for index, fault in enumerate(self.faults):
                if fault.only in request.path or fault.only == request.operation:
                    return self.faults.pop(index)
            return self.fault(request) or Fault()

    def graphql(self, operation: str, variables: Dict[str, Any]) -> Dict[str, Any]:
        if operation == "UpsertBucket":
            return {"data": {"upsertBucket": self._upsert(variables)}}
        if operation == "RunResumeStatus":
            return {"data": {"model": {"bucket": self._resume_status(variables)}}}
        if operation == "CreateRunFiles":
            files = [
                {
                    "name": name,
                    "uploadUrl": f"{self.url}/storage/{variables['run']}/{base64_name(name)}?signature=s3cret",
                }
                for name in variables["files"]
            ]
            return {"data": {"createRunFiles": {"runID": "x", "uploadHeaders": ["X-Upload:yes"], "files": files}}}
        if operation == "RunFiles":
            stored = self.runs[variables["name"]].files
            nodes = [
                {"name": name, "sizeBytes": len(stored[name]), "md5": base64_md5(stored[name])}
                for name in variables["fileNames"]
                if name in stored
            ]
            return {"data": {"project": {"run": {"files": {"edges": [{"node": node} for node in nodes]}}}}}
        if operation == "Viewer":
            return {"data": {"viewer": {"id": "u", "username": "me", "entity": "me"}}}
        if operation == "NotifyScriptableRunAlert":
            return {"data": {"notifyScriptableRunAlert": {"success": self._alert(variables)}}}
        if operation == "ServerFeaturesQuery":
            features = [{"name": name, "isEnabled": True} for name in self.features]
            return {"data": {"serverInfo": {"features": features}}}
        if operation == "RunSampledHistory":
            rows = self.runs[variables["run"]].rows()
            keys = json.loads(variables["specs"][0])["keys"]
            found = [row for row in rows if all(key in row for key in keys)]
            return {"data": {"project": {"run": {"sampledHistory": [found]}}}}
        if operation == "RunConsoleLogTail":
            lines = self.runs[variables["run"]].lines.get("output.log", {})
            edges = []
            for number in sorted(lines)[-variables["last"] :]:
                stamp, _, text = lines[number].replace("ERROR ", "", 1).partition(" ")
                edges.append({"node": {"number": number, "timestamp": stamp, "level": None, "line": text}})
            return {"data": {"project": {"run": {"logLines": {"edges": edges}}}}}
        return {"data": None, "errors": [{"message": f"unknown operation {operation}"}]}

    def _alert(self, variables: Dict[str, Any]) -> bool:
        """Dropped, as by the real one, where the same title came within the wait."""
        now = time.time()
        again = any(
            one["title"] == variables["title"] and now - one["time"] < variables["waitDuration"] / 1000
            for one in self.alerts
        )
        if not again:
            self.alerts.append({**variables, "time": now})
        return not again

    def _upsert(self, variables: Dict[str, Any]) -> Dict[str, Any]:
        name = variables["name"]
        inserted = name not in self.runs
        run = self.runs.setdefault(
            name, ServedRun(name, variables["entity"] or "me", variables["project"] or "uncategorized")
        )
        run.upserts += 1
        run.labels.update({key: value for key, value in variables.items() if value is not None})
        run.config = json.loads(variables["config"])
        bucket = {
            "id": f"id-{name}", "name": name, "displayName": run.labels.get("displayName", name), "sweepName": None,
            "project": {"id": "p", "name": run.project, "entity": {"id": "e", "name": run.entity}},
            "historyLineCount": run.count("wandb-history.jsonl"),
        }  # fmt: skip
        return {"bucket": bucket, "inserted": inserted}

    def _resume_status(self, variables: Dict[str, Any]) -> Optional[Dict[str, Any]]:
        run = self.runs.get(variables["name"])
        if run is None:
            return None
        return {
            "id": f"id-{run.name}", "name": run.name, "displayName": run.name,
            "summaryMetrics": json.dumps(run.summary), "config": json.dumps(run.config),
            "logLineCount": run.count("output.log"), "historyLineCount": run.count("wandb-history.jsonl"),
            "eventsLineCount": run.count("wandb-events.jsonl"), "historyTail": run.tail("wandb-history.jsonl"),
            "eventsTail": run.tail("wandb-events.jsonl"), "tags": [], "notes": None, "wandbConfig": '{"t": {}}',
        }  # fmt: skip

    def stream(self, name: str, body: Dict[str, Any]) -> Dict[str, Any]:
        run = self.runs[name]
        for file, chunk in body.get("files", {}).items():
            if file == "wandb-summary.json":
                run.summary = json.loads(chunk["content"][-1])
                continue
            held = run.lines.setdefault(file, {})
            for number, line in enumerate(chunk["content"], chunk["offset"]):
                run.conflicts += file != "output.log" and held.get(number, line) != line
                held[number] = line
        run.uploaded += body.get("uploaded", [])
        if body.get("complete"):
            run.exit_code = body["exitcode"]
            run.completions += 1
        return dict(self.reply)


def base64_name(name: str) -> str:
    return base64.urlsafe_b64encode(name.encode()).decode()


def base64_md5(content: bytes) -> str:
    return base64.b64encode(hashlib.md5(content, usedforsecurity=False).digest()).decode()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients are killed in the middle of a request here; that is no news."""


class _Handler(BaseHTTPRequestHandler):
    owner: WBServer
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing on the terminal."""

    def do_POST(self) -> None:
        self._handle("POST")

    def do_PUT(self) -> None:
        self._handle("PUT")

    def do_GET(self) -> None:
        self._handle("GET")

    def _handle(self, method: str) -> None:
        length = int(self.headers.get("Content-Length", 0))
        if "Content-Range" in self.headers and "RESUMABLE_RUN_FILES" in self.owner.features:
            self._take_part(length)
            return
        if self.owner.swallow and method == "PUT":
            for _ in range(0, length, 1 << 20):
                self.rfile.read(min(length, 1 << 20))
                length -= 1 << 20
            length = 0
        body = self.rfile.read(length)
        if len(body) < length:
            return  # the client died in the middle of it
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        # A proxy is asked for whole URLs.
        self.path = "/" + self.path.split("/", 3)[3] if self.path.startswith("http") else self.path
        self.path = self.path[len(self.owner.prefix) :] if self.path.startswith(self.owner.prefix) else "/elsewhere"
        operation = json.loads(body)["operationName"] if self.path == "/graphql" else ""
        request = Request(method, self.path, operation, body, dict(self.headers), time.monotonic())
        server = self.owner
        with server.lock:
            server.requests.append(request)
            fault = server.next_fault(request)
        if fault.delay:
            time.sleep(fault.delay)
        if fault.drop_before:
            self.close_connection = True
            self.connection.close()
            return
        if fault.status:
            self._answer(fault.status, fault.body, fault.headers)
            return
        with server.lock:
            status, reply = self._give(request) if method == "GET" else self._apply(request)
        if fault.drop_after:
            self.close_connection = True
            self.connection.close()
            return
        self._answer(status, reply, server.reply_headers, fault.cut)

    def _take_part(self, length: int) -> None:
        """A file that comes with what has arrived of it kept, in pieces however the connection ends."""
        server, (_, _, name, encoded) = self.owner, self.path.partition("?")[0].split("/")
        request = Request("PUT", self.path, "", b"", dict(self.headers), time.monotonic())
        with server.lock:
            server.requests.append(request)
            fault = server.next_fault(request)
            part = server.parts.setdefault(self.headers["X-WANDB-Upload-ID"], Part())
        asked, _, size = self.headers["Content-Range"][len("bytes ") :].partition("/")
        if asked == "*" or int(asked.partition("-")[0]) != part.count:
            self._answer(308, b"", {"Range": f"bytes=0-{part.count - 1}"} if part.count else {})
            return
        left = min(length, fault.cut) if fault.cut >= 0 else length
        while left:
            piece = self.rfile.read1(min(left, 1 << 18))
            if not piece:
                return  # the client died in the middle of it
            left -= len(piece)
            part.add(piece, not server.swallow)
            server.part_bytes += len(piece)
        if part.count < int(size):
            self.close_connection = True
            self.connection.close()
            return
        with server.lock:
            server.part_digests.append(part.md5.hexdigest())
            del server.parts[self.headers["X-WANDB-Upload-ID"]]
            server.runs[name].files[base64.urlsafe_b64decode(encoded).decode()] = bytes(part.content)
        self._answer(200, b"", {"ETag": f'"{part.md5.hexdigest()}"'})

    def _give(self, request: Request) -> Any:
        """A file, or the part of it that is asked for."""
        _, _, name, encoded = request.path.partition("?")[0].split("/")
        content = self.owner.runs[name].files[base64.urlsafe_b64decode(encoded).decode()]
        start = int(request.headers.get("Range", "bytes=0-")[6:-1])
        return (206 if start else 200), content[start:]

    def _apply(self, request: Request) -> Any:
        server = self.owner
        if request.method == "PUT":
            _, _, name, encoded = request.path.partition("?")[0].split("/")
            server.runs[name].files[base64.urlsafe_b64decode(encoded).decode()] = request.body
            return 200, b""
        if request.path == "/oidc/token":
            server.tokens.append(f"access-{len(server.tokens)}")
            return 200, json.dumps({"access_token": server.tokens[-1], "expires_in": 3600}).encode()
        expected = "Basic " + base64.b64encode(f"api:{server.key}".encode()).decode()
        if server.tokens:
            expected = f"Bearer {server.tokens[-1]}"
        if request.headers.get("Authorization") != expected:
            return 401, b'{"error": "that key is not known here"}'
        if len(request.body) > server.body_bytes_max:
            return 413, b'{"error": "too much at once"}'
        if server.poison and server.poison.encode() in request.body and not request.operation:
            return 422, b'{"error": "I can not read that"}'
        value = json.loads(request.body)
        if request.operation:
            return 200, json.dumps(server.graphql(request.operation, value["variables"])).encode()
        if not request.path.endswith("/file_stream"):
            return 404, b'{"error": "nothing is there"}'
        name = unquote(request.path.split("/")[4])
        if name not in server.runs:
            return 404, b'{"error": "no such run"}'
        return 200, json.dumps(server.stream(name, value)).encode()

    def _answer(self, status: int, body: bytes, headers: Mapping[str, str], cut: int = -1) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body if cut < 0 else body[:cut])
        self.close_connection = cut >= 0
