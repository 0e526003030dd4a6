"""Misfortune on the way to a server, deaths of everybody on it, and the server's rows held against the log's.

A proxy on loopback stands between the uploader and a W&B server in miniature: it delays, cuts, truncates and repeats
requests, sends an old one once more behind a newer one, answers with any status, and loses replies of requests that
were applied. While runs are written, uploaders are killed, the server goes away and comes back, the key is changed. At
the end each run at the server must be the fold of its log, row for row, and no history or events line may ever have
been rewritten by another text.

    python tests/crash/chaos.py --kills 1000 --seed 1

`--runs` are written at once, by one process; `--days` are those of an outage on a clock of its own.
"""

from __future__ import annotations

import argparse
import collections
import http.client
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Callable, Counter, Dict, List, Optional, Tuple

sys.path.insert(0, str(Path(__file__).parent.parent / "uploader"))  # as a program of its own

from logged_runs import Clock, check_same, finished_run
from w_b_server import KEY, Fault, Request, WBServer

from wandb_uploader import upload
from wandb_uploader._spawn import python_command

OTHER_KEY = "local-" + "fedcba9876543210" * 3
# Refusals for good are no part of it: what they park is told apart by tests of their own.
STATUSES = (302, 408, 425, 429, 500, 502, 503, 504)
MISFORTUNES = ("delay", "cut", "truncate", "repeat", "reorder", "status", "lose", "garble")
END_SECONDS = 120.0

WRITE = """
import json, random, sys, time
from pathlib import Path
from wandb_storage import *
home, url, ended, count, seed = Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]), int(sys.argv[4]), int(sys.argv[5])
chance, logs = random.Random(seed), []
for number in range(count):
    folder = home / f"run-20260102_030405-r{number}"
    (folder / "files").mkdir(parents=True)
    (folder / "files" / "note.txt").write_text(f"of run {number}")
    log = Log.create(folder, f"r{number}")
    settings = json.dumps({"base_url": url})
    log.append(RunStart(run_id=f"r{number}", project="p", time=1000.0, settings=settings, version="1.0"))
    log.append(FileSaved(path="note.txt", policy=chance.choice(["now", "live", "end"]), time=1000.0))
    logs.append(log)
step = 0
while not ended.exists():
    for log in logs:
        row = {"loss": 1 / (step + 1), "again": chance.random()}
        log.append_row(row, step, 1000.0 + step, chance.choice([0, 2, 2]))
        if step % 10 == 0:
            log.append(Console(time=1000.0 + step, stream=step % 20 // 10, text=f"\\rstep {step}" + "\\n" * (step % 3)))
            log.append(SystemMetrics(time=1000.0 + step, json='{"cpu": %d}' % step))
        if step % 50 == 0:
            log.append(ConfigChange(json='{"step": %d}' % step))
    step += 1
    time.sleep(0.002)
for log in logs:
    log.append(Exit(code=0, time=2000.0 + step))
    log.close()
"""


class ChaosProxy:
    """Between an uploader and `server`. `chance` is asked once a request; `luck` 1.0 lets everything through."""

    def __init__(self, server: WBServer, chance: random.Random, luck: float = 0.6) -> None:
        self.server, self.chance, self.luck = server, chance, luck
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
        body = self.rfile.read(int(self.headers["Content-Length"]))
        headers = {name: value for name, value in self.headers.items() if name not in ("Host", "Connection")}
        what = self.owner.draw()
        if what == "delay":
            time.sleep(self.owner.chance.random() * 0.05)
        elif what == "cut":
            return self._cut()
        elif what == "status":
            status = self.owner.chance.choice(STATUSES)
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
        connection = http.client.HTTPConnection("127.0.0.1", self.owner.server.port, timeout=20)
        try:
            connection.request(self.command, path, body, headers)
            reply = connection.getresponse()
            raw = reply.read()
        except http.client.HTTPException as error:
            raise OSError(str(error)) from error
        finally:
            connection.close()
        # Files go through the proxy too.
        raw = raw.replace(self.owner.server.url.encode(), self.owner.url.encode())
        return reply.status, raw, {}

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


# --- the campaign -----------------------------------------------------------------------------------------------------


class Scene:
    """A wandb directory, a server behind a proxy, and the uploaders that follow one another."""

    def __init__(self, scratch: Path, seed: int) -> None:
        self.home = scratch / "wandb"
        self.home.mkdir(parents=True)
        self.netrc = scratch / "netrc"
        self.chance = random.Random(seed)
        self.server = WBServer()
        self.server.start()
        self.proxy = ChaosProxy(self.server, self.chance)
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("WANDB_")},
            "PYTHONPATH": os.pathsep.join(part for part in sys.path if part), "NETRC": str(self.netrc),
        }  # fmt: skip
        self.use_key(KEY)

    def use_key(self, key: str) -> None:
        self.netrc.write_text(f"machine 127.0.0.1 login user password {key}\n")
        self.server.key = key

    def uploader(self) -> subprocess.Popen[bytes]:
        command = [*python_command(), "run", "--dir", str(self.home), "--url", self.proxy.url]
        return subprocess.Popen(
            command, env=self.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/"
        )

    def ended(self, runs: int) -> bool:
        with self.server.lock:
            found = list(self.server.runs.values())
        return sum(run.exit_code is not None for run in found) == runs

    def close(self) -> None:
        self.proxy.close()
        self.server.stop()


def kills(scratch: Path, count: int, seed: int, runs: int = 3, misfortunes: bool = True) -> Counter[str]:
    """Kill uploaders at random instants while `runs` are written. Raises AssertionError where something is lost."""
    scene = Scene(scratch, seed)
    scene.proxy.luck = 0.6 if misfortunes else 1.0
    tried: Counter[str] = collections.Counter()
    ended = scratch / "ended"
    arguments = [str(scene.home), scene.proxy.url, str(ended), str(runs), str(seed)]
    writer = subprocess.Popen([sys.executable, "-c", WRITE, *arguments], env=scene.environment)
    try:
        for number in range(count):
            _kill_one(scene, tried)
            if number == count // 2:
                ended.touch()
                assert writer.wait(60) == 0
    finally:
        ended.touch()
        writer.wait(60)
    scene.proxy.luck = 1.0
    _bring_home(scene, runs)
    for number in range(runs):
        check_same(scene.server.runs[f"r{number}"], scene.home / f"run-20260102_030405-r{number}")
        assert scene.server.runs[f"r{number}"].files["note.txt"] == f"of run {number}".encode()
        tried["rows"] += len(scene.server.runs[f"r{number}"].rows())
    tried.update(scene.proxy.tried)
    tried["requests"] = len(scene.server.requests)
    scene.close()
    return tried


def _kill_one(scene: Scene, tried: Counter[str]) -> None:
    """One uploader's life: to a random instant of its start, or of its work, with what may happen meanwhile."""
    seen = len(scene.server.requests)
    dice = scene.chance.random()
    with scene.uploader() as uploader:
        try:
            if dice < 0.8:
                _wait(lambda: len(scene.server.requests) > seen or uploader.poll() is not None, 5.0)
            if dice < 0.1:
                tried["server restarts"] += 1
                scene.server.stop()
                time.sleep(scene.chance.random() * 0.1)
                scene.server.start()
            elif dice < 0.2:
                tried["keys changed"] += 1
                scene.use_key(OTHER_KEY if scene.server.key == KEY else KEY)
            time.sleep(scene.chance.random() * 0.15)  # the random instant itself, nothing is waited for
        finally:
            uploader.kill()
    tried["kills"] += 1


def _bring_home(scene: Scene, runs: int) -> None:
    """A last uploader, which is left alone."""
    with scene.uploader() as uploader:
        try:
            assert _wait(lambda: scene.ended(runs), END_SECONDS), "the last uploader doesn't come to the end"
        finally:
            uploader.kill()


def _wait(condition: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.005)
    return True


def outage(scratch: Path, days: float, seed: int) -> Counter[str]:
    """A server that is away for days, on a clock of its own, in the middle of a run."""
    home = scratch / "wandb"
    home.mkdir(parents=True)
    server = WBServer()
    server.start()
    folder = finished_run(home, server.url, rows=12_000)
    clock, chance = Clock(), random.Random(seed)
    end = 1000.0 + days * 86_400
    environment = {"WANDB_API_KEY": KEY, "NETRC": str(scratch / "none")}
    asked = [0]

    def sleep_on() -> None:
        if clock.now >= end and server._server is None:
            server.start()
        asked[0] += 1

    clock.on_sleep = sleep_on
    served = chance.randint(2, 4)

    def stop_for_days(request: Request) -> Optional[Fault]:
        if len(server.requests) <= served:
            return None
        server.fault = lambda request: None
        threading.Thread(target=server.stop).start()
        return Fault(drop_before=True)

    server.fault = stop_for_days
    try:
        result = upload(folder, server.url, environment=environment, clock=clock, sleep=clock.sleep)
        assert result.done
        assert clock.now >= end, "the outage was shorter than it should be"
        check_same(server.runs["r1"], folder)
    finally:
        server.stop()
    assert asked[0] < days * 86_400 / 50, f"{asked[0]} attempts in {days} days"
    return collections.Counter({"attempts": asked[0], "rows": 12_000})


def disk_full(scratch: Path, seed: int) -> Counter[str]:
    """The disk takes no more of the uploader's own state for a while; nothing is sent twice with other content."""
    scene = Scene(scratch, seed)
    scene.proxy.luck = 1.0
    folder = finished_run(scene.home, scene.proxy.url, rows=20_000)
    limit = [
        *["/bin/sh", "-c", 'ulimit -f 0; exec "$@"', "sh"], *python_command(), "run", "--dir", str(scene.home), "--url",
        scene.proxy.url,
    ]  # fmt: skip
    with subprocess.Popen(
        limit, env=scene.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/"
    ) as uploader:
        time.sleep(1.0 + scene.chance.random())  # a random instant, nothing is waited for
        uploader.kill()
    _bring_home(scene, 1)
    check_same(scene.server.runs["r1"], folder)
    scene.close()
    return collections.Counter({"rows": 20_000})


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=1_000)
    parser.add_argument("--runs", type=int, default=200, help="that are written and uploaded at once")
    parser.add_argument("--days", type=float, default=30.0)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    arguments = parser.parse_args()
    start = time.monotonic()
    scratch = Path(tempfile.mkdtemp(prefix="chaos-"))
    wrong, parts = "", []
    tried: Counter[str] = collections.Counter()
    plans: List[Tuple[str, Callable[[], Counter[str]]]] = [
        ("kills", lambda: kills(scratch / "kills", arguments.kills, arguments.seed)),
        ("many", lambda: kills(scratch / "many", 20, arguments.seed, runs=arguments.runs, misfortunes=False)),
        ("outage", lambda: outage(scratch / "outage", arguments.days, arguments.seed)),
        ("full", lambda: disk_full(scratch / "full", arguments.seed)),
    ]
    for name, plan in plans:
        try:
            found = plan()
            tried.update(found)
            parts.append(name)
        except AssertionError as error:
            wrong = f"{name}, seed {arguments.seed}: {error}"
            break
    shutil.rmtree(scratch, ignore_errors=True)
    misfortunes = sum(tried[name] for name in MISFORTUNES)
    print(
        f"uploads: {tried['kills']} kills of uploaders of 3 and of {arguments.runs} runs that were being written, "
        f"{misfortunes:,} misfortunes in {tried['requests']:,} requests, {tried['server restarts']} restarts of the "
        f"server, {tried['keys changed']} changes of the key, {arguments.days:g} days without a server, a full disk, "
        f"{tried['rows']:,} rows, seed {arguments.seed}, {time.monotonic() - start:.0f} s: "
        f"{'LOST: ' + wrong if wrong else '0 lost'}"
    )
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
