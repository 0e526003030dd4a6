"""A bad way to a server: a proxy on loopback that does to requests and replies what networks and servers do."""

from __future__ import annotations

import collections
import http.client
import json
import random
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Counter, Dict, Optional, Sequence, Tuple
from urllib.parse import urlsplit

# Those that pass: what is tried again until it succeeds.
PASSING = (302, 408, 425, 429, 500, 502, 503, 504, 599)
# Those that don't, some of them because of the key.
REFUSING = (400, 401, 403, 404, 409, 410, 413, 422, 451, 501)
MISFORTUNES = ("delay", "cut", "halve", "truncate", "repeat", "reorder", "status", "lose", "garble")
_LATE_SECONDS = 0.05


class ChaosProxy:
    """Between an uploader and the server at `server_url`. `chance` is asked once a request, and `luck` 1.0 lets
    everything through.

    It delays; cuts the connection before the request has arrived, or in the middle of it; repeats a request, or an
    older one behind a newer one; answers in the server's place, with one of `statuses` or with a page; and after the
    server has applied a request it loses the reply, or half of it.
    """

    def __init__(
        self, server_url: str, chance: random.Random, luck: float = 0.6, statuses: Sequence[int] = PASSING
    ) -> None:
        self.server_url, self.chance, self.luck, self.statuses = server_url, chance, luck, statuses
        self.port_behind = int(urlsplit(server_url).port or 80)
        self.tried: Counter[str] = collections.Counter()
        self.lock = threading.Lock()
        self._old: Optional[Tuple[str, bytes, Dict[str, str]]] = None
        outer = self

        class Handler(_Handler):
            owner = outer

        self._http = _Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}"
        threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()

    def draw(self) -> str:
        with self.lock:
            if self.chance.random() < self.luck:
                return "pass"
            what = self.chance.choice(MISFORTUNES)
            self.tried[what] += 1
            return what

    def old(self, request: Tuple[str, bytes, Dict[str, str]]) -> Optional[Tuple[str, bytes, Dict[str, str]]]:
        """Keep a stream request; the one that was kept before."""
        with self.lock:
            before, self._old = self._old, request
            return before


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Connections break here all the time."""


class _Handler(BaseHTTPRequestHandler):
    owner: ChaosProxy
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing on the terminal."""

    def do_POST(self) -> None:
        self._handle()

    def do_PUT(self) -> None:
        self._handle()

    def _handle(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        headers = {name: value for name, value in self.headers.items() if name not in ("Host", "Connection")}
        what = self.owner.draw()
        if what == "delay":
            time.sleep(self.owner.chance.random() * _LATE_SECONDS)
        elif what == "cut":
            return self._cut()
        elif what == "halve":
            self._send_half(body, headers)
            return self._cut()
        elif what == "status":
            status = self.owner.chance.choice(self.owner.statuses)
            return self._answer(status, b'{"error": "by chance"}', {"Retry-After": "0.01"} if status == 429 else {})
        elif what == "garble":
            return self._answer(200, b"<html>sign in here</html>")
        elif what == "repeat":
            self._forward(self.path, body, headers)
        elif what == "reorder" and self.path.endswith("/file_stream"):
            old = self.owner.old((self.path, body, headers))
            if old is not None and old[0] == self.path and b'"complete"' not in old[1]:
                self._repeat_lines(old)
        try:
            status, reply, received = self._forward(self.path, body, headers)
        except OSError:
            return self._cut()
        if what == "lose":
            return self._cut()
        if what == "truncate" and reply:
            self._answer(status, reply, received, cut=len(reply) // 2)
            return self._cut()
        return self._answer(status, reply, received)

    def _repeat_lines(self, old: Tuple[str, bytes, Dict[str, str]]) -> None:
        """A copy of an older request that was late on its way: of history and events only, since the last word counts
        for everything else, and a network that delivers an older word last is no TCP connection."""
        files = json.loads(old[1]).get("files", {})
        kept = {name: chunk for name, chunk in files.items() if name in ("wandb-history.jsonl", "wandb-events.jsonl")}
        if kept:
            raw = json.dumps({"files": kept}).encode()
            self._forward(old[0], raw, {**old[2], "Content-Length": str(len(raw))})

    def _forward(self, path: str, body: bytes, headers: Dict[str, str]) -> Tuple[int, bytes, Dict[str, str]]:
        connection = http.client.HTTPConnection("127.0.0.1", self.owner.port_behind, timeout=20)
        try:
            connection.request(self.command, path, body, headers)
            reply = connection.getresponse()
            raw = reply.read()
        except http.client.HTTPException as error:
            raise OSError(str(error)) from error
        finally:
            connection.close()
        # Files go through the proxy too.
        raw = raw.replace(self.owner.server_url.encode(), self.owner.url.encode())
        kept = {name: value for name, value in reply.getheaders() if name in ("Range", "ETag", "Content-Type")}
        return reply.status, raw, kept

    def _send_half(self, body: bytes, headers: Dict[str, str]) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.owner.port_behind, timeout=20)
        try:
            connection.putrequest(self.command, self.path, skip_accept_encoding=True)
            for name, value in headers.items():
                connection.putheader(name, value)
            connection.endheaders(body[: len(body) // 2])
        except OSError:
            pass  # the server is away
        finally:
            connection.close()

    def _cut(self) -> None:
        self.close_connection = True
        self.connection.close()

    def _answer(self, status: int, body: bytes, headers: Optional[Dict[str, str]] = None, cut: int = -1) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body if cut < 0 else body[:cut])
        self.wfile.flush()
