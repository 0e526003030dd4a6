"""Clients that are slow, greedy or broken on purpose: refused in bounded time and memory, and nobody else waits."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import gzip
import json
import resource
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from live_server import LiveServer
from starlette.requests import Request
from starlette.types import Message, Receive, Scope, Send

from wandb.server._body import BodiesInFlight, TooManyBodiesError, read_body
from wandb.server._graphql import GraphQLExecutor
from wandb.server._limits import FAILURES_AT_ONCE_MAX, HEADER_BYTES_MAX, QUERY_TOKENS_MAX
from wandb.server._rates import Buckets
from wandb.server._services import RequestContext

MIB = 1 << 20


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    data = tmp_path_factory.mktemp("hostile") / "data"
    with LiveServer(data, header_seconds=0.5, body_silence_seconds=0.5) as running:
        running.upsert()
        running.rows([{"_step": step, "x": step} for step in range(200)])
        yield running


@contextlib.contextmanager
def connected(server: LiveServer) -> Iterator[socket.socket]:
    parts = urlsplit(server.url)
    with socket.create_connection((parts.hostname or "", parts.port or 0), timeout=20) as connection:
        yield connection


def until_closed(connection: socket.socket) -> bytes:
    """What comes until the server ends the connection."""
    received = b""
    with contextlib.suppress(ConnectionResetError):
        while piece := connection.recv(1 << 16):
            received += piece
    return received


def is_well(server: LiveServer) -> bool:
    with requests.Session() as other:
        other.trust_env = False
        return other.get(f"{server.url}/healthz", timeout=20).status_code == 200


# --- slow clients -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("said", [b"", b"GET / HT", b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-A: "])
def test_a_connection_that_doesnt_say_what_it_wants_is_closed(server: LiveServer, said: bytes) -> None:
    with connected(server) as connection:
        connection.sendall(said)
        assert is_well(server)
        assert until_closed(connection) == b""


def test_headers_that_trickle_in_are_not_waited_for(server: LiveServer) -> None:
    with connected(server) as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\n")
        start = time.monotonic()
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            while time.monotonic() - start < 15:
                connection.sendall(b"X-A: b\r\n")
                time.sleep(0.01)  # the slowness itself
        assert time.monotonic() - start < 15


def test_headers_without_end_are_not_kept(server: LiveServer) -> None:
    with connected(server) as connection:
        sent = 0
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            connection.sendall(b"GET /healthz HTTP/1.1\r\n")
            while sent < 100 * HEADER_BYTES_MAX:
                connection.sendall(b"X-A: " + b"b" * 1000 + b"\r\n")
                sent += 1000
        assert sent < 100 * HEADER_BYTES_MAX
    assert is_well(server)


def test_a_connection_that_is_kept_may_be_used_again(server: LiveServer) -> None:
    with connected(server) as connection:
        for _ in range(3):
            connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            received = b""
            while not received.endswith(b'{"status":"ok"}'):
                received += connection.recv(1 << 16)
            time.sleep(0.3)  # less than it may be silent for


@pytest.mark.parametrize("path", ["/files/USER/demo/r1/file_stream", "/graphql", "/login", "PUT"])
def test_a_body_that_stops_coming_is_answered_and_given_up(server: LiveServer, path: str) -> None:
    method, path = ("PUT", upload_path(server)) if path == "PUT" else ("POST", path.replace("USER", server.user))
    auth = requests.auth._basic_auth_str("api", server.key)
    head = f"{method} {path} HTTP/1.1\r\nHost: {urlsplit(server.url).netloc}\r\nOrigin: {server.url}\r\n"
    with connected(server) as connection:
        connection.sendall(f"{head}Authorization: {auth}\r\nContent-Length: 100000\r\n\r\n".encode() + b"{")
        assert is_well(server)
        assert until_closed(connection).startswith(b"HTTP/1.1 408")


def upload_path(server: LiveServer) -> str:
    query = """mutation { createRunFiles(input: {projectName: "demo", runName: "r1", files: ["slow"]}) {
        files { uploadUrl } } }"""
    return str(server.execute(query)["createRunFiles"]["files"][0]["uploadUrl"]).removeprefix(server.url)


# --- bombs ------------------------------------------------------------------------------------------------------------


def graphql(server: LiveServer, body: bytes, **headers: str) -> requests.Response:
    return server.session.post(f"{server.url}/graphql", data=body, headers=headers, timeout=60)


def stream(server: LiveServer, body: bytes, **headers: str) -> requests.Response:
    path = f"/files/{server.user}/demo/r1/file_stream"
    return server.session.post(server.url + path, data=body, headers=headers, timeout=60)


def test_bodies_of_all_clients_together_have_a_bound() -> None:
    async def main() -> None:
        answered = asyncio.Event()

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            await read_body(Request(scope, receive), 100)
            held.set()
            await answered.wait()

        async def receive() -> Message:
            return {"type": "http.request", "body": b"12", "more_body": False}

        async def send(_: Message) -> None:
            raise AssertionError("nothing is answered")

        async def ask() -> None:
            await bodies({"type": "http", "headers": []}, receive, send)

        bodies, held = BodiesInFlight(app, bytes_max=3), asyncio.Event()
        first = asyncio.create_task(ask())
        await held.wait()
        with pytest.raises(TooManyBodiesError):
            await ask()
        answered.set()
        await first
        await ask()

    # In a thread of its own: this one has a loop already where a test before used a browser.
    with concurrent.futures.ThreadPoolExecutor() as threads:
        threads.submit(asyncio.run, main()).result()


def test_who_finds_no_room_for_a_body_is_told_to_come_again(tmp_path: Path) -> None:
    with LiveServer(tmp_path / "data", bodies_bytes_max=MIB) as server:
        server.upsert()
        content = {"files": {"wandb-history.jsonl": {"offset": 0, "content": [json.dumps({"x": "x" * MIB})]}}}
        refused = server.post(f"/files/{server.user}/demo/r1/file_stream", content)
        assert (refused.status_code, refused.headers["Retry-After"]) == (503, "1")
        server.rows([{"_step": 0, "x": 1}])


@pytest.mark.parametrize("send", [graphql, stream])
def test_a_body_that_unpacks_without_end_is_refused_early(server: LiveServer, send: Any) -> None:
    bomb = gzip.compress(bytes(300 * MIB), 1)
    assert len(bomb) < 2 * MIB
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert send(server, bomb, **{"Content-Encoding": "gzip"}).status_code == 413
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 150 * 1024
    for encoding in ("zstd", "br", "deflate", "gzip, gzip"):
        assert send(server, b"\x28\xb5\x2f\xfd" + bytes(100), **{"Content-Encoding": encoding}).status_code == 400


@pytest.mark.parametrize(
    "value",
    [
        b"[" * 200_000 + b"]" * 200_000, b'{"a":' * 100_000 + b"1" + b"}" * 100_000, b"9" * 1_000_000, b"1e99999999",
        b'"' + b"\\ud800" * 1000 + b'"', b'"' + b"\\u0000" * 1000 + b'"', b"NaN", b"-" * 1000, b'{"a":1}' * 1000,
    ],
    ids=["arrays", "objects", "digits", "exponent", "surrogates", "nuls", "nan", "minus", "many"],
)  # fmt: skip
def test_json_that_is_made_to_hurt_is_an_answer_and_no_failure(server: LiveServer, value: bytes) -> None:
    as_text = json.dumps(value.decode()).encode()
    bodies = [
        (graphql, b'{"query":"{viewer{id}}","variables":{"a":' + value + b"}}"),
        (graphql, value),
        (stream, value),
        (stream, b'{"files":{"wandb-summary.json":{"offset":0,"content":[' + as_text + b"]}}}"),
        (stream, b'{"files":{"wandb-history.jsonl":{"offset":500,"content":[' + value + b"]}}}"),
        (stream, b'{"files":{"wandb-history.jsonl":{"offset":' + value + b',"content":[]}}}'),
        (stream, b'{"exitcode":' + value + b"}"),
    ]  # fmt: skip
    for send, body in bodies:
        answer = send(server, body)
        assert answer.status_code in (200, 400, 413), (body[:60], answer.status_code, answer.text[:200])
    assert is_well(server)


@pytest.mark.parametrize(
    "query",
    [
        "{" + "viewer { id } " * 6000 + "}",
        "{" + 'project(name: "demo") { run(name: "r1") { id name } } ' * 1500 + "}",
        "{" + " ".join(f'a{n}: project(name: "demo") {{ runs {{ totalCount }} }}' for n in range(1200)) + "}",
        "{ viewer " + "@include(if: true) " * 4000 + "{ id } }",
        "query Q(" + ",".join(f"$v{n}: String" for n in range(5000)) + ") { viewer { id } }",
        "{" * 5000 + "}" * 5000,
        "query " + "[" * 10_000,
    ],
    ids=["equal fields", "nested", "aliases", "directives", "variables", "braces", "brackets"],
)
def test_a_query_that_costs_more_than_it_asks_is_refused_at_once(server: LiveServer, query: str) -> None:
    start = time.process_time()
    answer = server.post("/graphql", {"query": query}).json()
    assert answer["data"] is None
    assert answer["errors"]
    assert time.process_time() - start < 2.0


def test_a_query_as_long_as_may_be_is_still_cheap(server: LiveServer) -> None:
    fields = QUERY_TOKENS_MAX // 4 - 10
    start = time.process_time()
    assert server.post("/graphql", {"query": "{" + "viewer { id } " * fields + "}"}).json()["data"]
    assert time.process_time() - start < 5.0


def test_work_that_nobody_waits_for_any_more_is_given_up(server: LiveServer) -> None:
    executor = server.app.state.executor
    assert isinstance(executor, GraphQLExecutor)
    query = "{" + " ".join(f'a{n}: project(name: "demo") {{ id }}' for n in range(50)) + "}"
    with server.services.database.read() as connection:
        from wandb.server._auth import first_user

        context = RequestContext(server.services, connection, first_user(connection), server.url, server.clock())
        assert "errors" not in executor.execute(query, {}, None, context)
        context.deadline = time.monotonic() - 1.0
        response = executor.execute(query, {}, None, context)
    assert "ask for less at once" in response["errors"][0]["message"]


# --- too many ---------------------------------------------------------------------------------------------------------


def test_a_bucket_fills_up_again(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    buckets = Buckets(rate=2.0, most=3.0, clock=lambda: now[0])
    for _ in range(3):
        assert buckets.wait_seconds("a") == 0.0
        buckets.take("a")
    assert buckets.wait_seconds("a") == 0.5
    assert buckets.wait_seconds("b") == 0.0
    now[0] = 0.5
    assert buckets.wait_seconds("a") == 0.0
    now[0] = 1000.0
    for _ in range(3):
        buckets.take("a")
    assert buckets.wait_seconds("a") == 0.5, "no more than the bucket holds"


def test_callers_are_forgotten_from_the_longest_silent_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wandb.server._rates.CALLERS_MAX", 10)
    buckets = Buckets(rate=1.0, most=1.0, clock=lambda: 0.0)
    for number in range(20):
        buckets.take(f"caller {number}")
    assert len(buckets._levels) == 10
    assert buckets.wait_seconds("caller 19") == 1.0


def test_who_asks_too_often_is_told_when_to_come_again_and_others_are_served(tmp_path: Path) -> None:
    with LiveServer(tmp_path / "data", requests_per_second=0.5) as server, server.as_new_user("other") as other:
        statuses = [server.get("/api/account").status_code for _ in range(4)]
        assert statuses[:2] == [200, 200]
        refused = server.get("/api/account")
        assert refused.status_code == 429
        assert int(refused.headers["Retry-After"]) >= 1
        assert refused.headers["X-Content-Type-Options"] == "nosniff"
        assert other.get(f"{server.url}/api/account", timeout=20).status_code == 200


def test_wrong_keys_are_not_tried_without_end(tmp_path: Path) -> None:
    with LiveServer(tmp_path / "data") as server, requests.Session() as session:
        session.trust_env = False
        for number in range(FAILURES_AT_ONCE_MAX + 100):
            session.auth = ("api", f"{number:040}")
            status = session.get(f"{server.url}/api/account", timeout=20).status_code
            if status == 429:
                break
            assert status == 401
        assert status == 429
        assert number >= FAILURES_AT_ONCE_MAX
