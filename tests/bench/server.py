"""`wandb server`: taking rows into SQLite and PostgreSQL, and answering what pages and the public Api ask."""

from __future__ import annotations

import contextlib
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Dict, Iterator, List, NamedTuple, Optional

from ._bench import Bench
from ._peers import OFFICIAL, OURS
from ._report import NONE, Aim, Section, Table, megabytes
from ._uploads import Server, environment, serving
from .drivers import _processes
from .drivers.stream_load import Connection, bodies

sys.path.insert(0, str(Path(__file__).parent.parent / "server"))

from postgres import NotInstalledError, running_cluster

METRICS = 10
_PACED_POINTS, _P99_AIM_MS, _CHART_AIM_MS = 100_000, 200.0, 300.0
_LOOKS = 9

_CLIENT = """
import sys, wandb
settings = wandb.Settings(x_disable_stats=True, console="off", silent=True)
run = wandb.init(project="bench", id=sys.argv[1], dir=sys.argv[2], settings=settings)
for step in range(int(sys.argv[3])):
    run.log({f"m{number}": step * 0.37 + number for number in range(10)})
run.finish()
"""
_RUNS = """query Runs($cursor: String) { project(name: "bench") { runCount runs(first: 50, after: $cursor) {
    edges { node { id name displayName state group jobType createdAt heartbeatAt tags config summaryMetrics } cursor }
    pageInfo { endCursor hasNextPage } } } }"""
_PAGE = """query HistoryPage($run: String!, $first: Int!, $last: Int!) {
    project(name: "bench") { run(name: $run) { history(minStep: $first, maxStep: $last, samples: 1000) } } }"""
_SAMPLED = """query Sampled($run: String!, $spec: JSONString!) {
    project(name: "bench") { run(name: $run) { sampledHistory(specs: [$spec]) } } }"""


def measure(bench: Bench) -> Section:
    data: Dict[str, Any] = {"ingest": {}, "clients": {}, "read": {}}
    for name, options in _databases(bench):
        with serving(bench.scratch / f"server-{name}", *options) as server:
            data["ingest"][name] = _ingest(bench, server, name)
    with serving(bench.scratch / "server-clients") as server:
        for count in bench.sizes.server_clients:
            for peer in bench.peers([OURS, OFFICIAL]):
                data["clients"].setdefault(str(count), {})[peer.name] = _clients(bench, server, peer.name, count)
    with serving(bench.scratch / "server-read") as server:
        data["read"] = _read(bench, server)
    return Section(
        "server",
        "The server",
        "`wandb server` on the machine that the clients run on as well. Rows of ten random doubles, in requests as "
        "clients send them: as fast as they are answered, and at a pace of 100,000 numbers a second of 100 runs, "
        "each sending every half second. PostgreSQL forces every commit to disk, as SQLite does. CPU is the server's "
        "own, the making of columns in the background included.",
        [_ingest_table(data["ingest"]), _clients_table(bench, data["clients"]), _read_table(bench, data["read"])],
        data,
        _aims(bench, data),
    )


def _databases(bench: Bench) -> Iterator[Any]:
    yield "SQLite", []
    try:
        with running_cluster(durable=True) as cluster:
            yield "PostgreSQL", ["--database", cluster.new_database()]
    except NotInstalledError as error:
        bench.say(f"server: {error}")


class Load(NamedTuple):
    """What the clients saw, and what it cost the server."""

    seen: Dict[str, Any]
    cpu_us_per_row: float
    peak_bytes: int


def _load(server: Server, runs: int, rows: int, batch: int, metrics: int = METRICS, interval: float = 0.0) -> Load:
    before = _processes.process(server.pid).cpu_seconds
    parameters = {"runs": runs, "rows": rows, "batch": batch, "metrics": metrics, "interval": interval}
    command = [sys.executable, "-m", "tests.bench.drivers.stream_load", server.url, server.key, json.dumps(parameters)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    cost = _processes.process(server.pid).cpu_seconds - before
    return Load(json.loads(done.stdout), cost / (runs * rows) * 1e6, _peak_bytes(server.pid))


def _peak_bytes(pid: int) -> int:
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM"):
                return int(line.split()[1]) * 1024
    return 0


def _ingest(bench: Bench, server: Server, name: str) -> Dict[str, Any]:
    found = {}
    for runs in bench.sizes.server_runs:
        bench.say(f"server: {name}, rows of {runs} runs at full speed")
        each = max(1, bench.sizes.server_rows // runs)
        found[str(runs)] = _load(server, runs, each, max(1, min(1000, each // 10)))._asdict()
    bench.say(f"server: {name}, at a pace")
    runs, seconds = max(bench.sizes.server_runs), bench.sizes.server_paced_seconds
    batch = _PACED_POINTS // METRICS // 2 // runs
    found["paced"] = _load(server, runs, int(batch * 2 * seconds), batch, interval=0.5)._asdict()
    return found


def _clients(bench: Bench, server: Server, name: str, count: int) -> Optional[Dict[str, float]]:
    """So many processes, each logging a run of its own to its end; what the server has of them."""
    bench.say(f"server: {count} x {name}")
    rows = max(1, bench.sizes.server_client_rows // count)
    python = str(bench.environments[name].python)
    tag = os.urandom(3).hex()
    start = time.monotonic()
    processes = []
    for number in range(count):
        place = bench.new_folder(name)
        command = [python, "-c", _CLIENT, f"{tag}{number}", str(place), str(rows)]
        processes.append(
            subprocess.Popen(
                command, env=environment(server, place), cwd=place, stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            )
        )  # fmt: skip
    codes = [process.wait(1200) for process in processes]
    seconds = time.monotonic() - start
    found = server.rows()
    arrived = sum(found.get(f"{tag}{number}", 0) for number in range(count))
    if any(codes) or arrived != rows * count:
        bench.fail(name, f"server: {arrived} of {rows * count} rows, exit codes {sorted(set(codes))}")
        return None
    return {"seconds": seconds, "rows_per_second": arrived / seconds}


# --- reading ----------------------------------------------------------------------------------------------------------


def _read(bench: Bench, server: Server) -> Dict[str, Any]:
    connection = Connection(server.url, server.key)
    data: Dict[str, Any] = {"runs": bench.sizes.server_table_runs, "points": bench.sizes.server_points}
    bench.say(f"server: a project of {data['runs']:,} runs")
    entity = _make_runs(connection, data["runs"])
    data["table"] = _look(connection, f"/api/projects/{entity}/bench/runs?first=1000")
    start = time.perf_counter()
    pages = _all_runs(connection)
    data["api_runs_ms"], data["api_runs"] = (time.perf_counter() - start) * 1e3, pages
    bench.say(f"server: a run of {data['points']:,} points")
    loaded = _load(server, 1, data["points"], 10_000, metrics=1)
    run, connection = loaded.seen["runs"][0], Connection(server.url, server.key)
    base = f"/api/runs/{entity}/bench/{run}/series?keys=m0"
    start = time.perf_counter()
    while not json.loads(connection.ask("GET", base))["complete"]:
        time.sleep(0.5)
    data["columns_seconds"] = time.perf_counter() - start
    data["rows_per_second"] = loaded.seen["rows_per_second"]
    third = data["points"] // 3
    data["chart"] = _look(connection, base)
    data["zoom"] = _look(connection, f"{base}&from={third}&to={third + data['points'] // 5}")
    data["near"] = _look(connection, f"{base}&from={third}&to={third + 500}")
    spec = json.dumps({"keys": ["_step", "m0"], "samples": 500})
    data["sampled"] = _look(connection, "/graphql", {"query": _SAMPLED, "variables": {"run": run, "spec": spec}})
    data["scan"] = _scan(connection, run, min(bench.sizes.server_scan_rows, data["points"]))
    data["peak_bytes"] = _peak_bytes(server.pid)
    return data


def _make_runs(connection: Connection, count: int) -> str:
    [body] = bodies(20, 20, 30)
    for number in range(count):
        config = {f"c{key}": {"value": key * number} for key in range(20)}
        entity = connection.make_run(f"run{number}", json.dumps(config))
        connection.ask("POST", f"/files/{entity}/bench/run{number}/file_stream", body)
    return entity


def _look(connection: Connection, path: str, question: Optional[Dict[str, Any]] = None) -> Dict[str, float]:
    """The first look, the middle one of the following, and the bytes."""
    took: List[float] = []
    body = json.dumps(question).encode() if question else b""
    for _ in range(_LOOKS):
        start = time.perf_counter()
        size = len(connection.ask("POST" if body else "GET", path, body))
        took.append((time.perf_counter() - start) * 1e3)
    return {"first_ms": took[0], "ms": statistics.median(took[1:]), "bytes": size}


def _all_runs(connection: Connection) -> int:
    """All runs of the project as the public Api pages through them."""
    count, cursor = 0, None
    while True:
        question = {"query": _RUNS, "variables": {"cursor": cursor}}
        runs = json.loads(connection.ask("POST", "/graphql", json.dumps(question).encode()))["data"]["project"]["runs"]
        count += len(runs["edges"])
        if not runs["pageInfo"]["hasNextPage"]:
            return count
        cursor = runs["pageInfo"]["endCursor"]


def _scan(connection: Connection, run: str, rows: int) -> Dict[str, float]:
    """`scan_history` in pages of a thousand steps, the rows parsed."""
    count, start = 0, time.perf_counter()
    for first in range(0, rows, 1000):
        question = {"query": _PAGE, "variables": {"run": run, "first": first, "last": min(rows, first + 1000)}}
        answer = json.loads(connection.ask("POST", "/graphql", json.dumps(question).encode()))
        count += len([json.loads(row) for row in answer["data"]["project"]["run"]["history"]])
    seconds = time.perf_counter() - start
    if count != rows:
        raise RuntimeError(f"{count} of {rows} rows")
    return {"rows": rows, "seconds": seconds, "rows_per_second": rows / seconds}


# --- the report -------------------------------------------------------------------------------------------------------


def _ingest_table(data: Dict[str, Any]) -> Table:
    table = Table(
        ("runs at once", "rows/s", "numbers/s", "requests/s", "p50", "p99", "server CPU, µs a row", "its peak, MB")
    )
    for name, found in data.items():
        for runs, load in found.items():
            seen = load["seen"]
            label = f"{name}, {runs}" if runs != "paced" else f"{name}, {len(seen['runs'])} at a pace"
            table.rows.append((
                label, f"{seen['rows_per_second']:,.0f}", f"{seen['rows_per_second'] * METRICS:,.0f}",
                f"{seen['requests_per_second']:,.0f}", f"{seen['p50_ms']:.0f} ms", f"{seen['p99_ms']:.0f} ms",
                f"{load['cpu_us_per_row']:.1f}", megabytes(load["peak_bytes"]),
            ))  # fmt: skip
    return table


def _clients_table(bench: Bench, data: Dict[str, Any]) -> Table:
    peers = bench.peers([OURS, OFFICIAL])
    table = Table(("processes at once, from start to finish", *(f"{peer.title}, rows/s" for peer in peers)))
    for count, found in data.items():
        rates = [found.get(peer.name) for peer in peers]
        table.rows.append((count, *(NONE if rate is None else f"{rate['rows_per_second']:,.0f}" for rate in rates)))
    return table


def _read_table(bench: Bench, data: Dict[str, Any]) -> Table:
    table = Table(("question", "first", "again", "answer, kB"))
    points = f"{data['points']:,} points"
    for title, name in (
        (f"run table of {data['runs']:,} runs", "table"),
        (f"chart of {points}", "chart"),
        ("a fifth of it, closer", "zoom"),
        ("500 points of it", "near"),
        ("`history(keys=...)`, 500 rows of them", "sampled"),
    ):
        look = data[name]
        table.rows.append((title, f"{look['first_ms']:.0f} ms", f"{look['ms']:.0f} ms", f"{look['bytes'] / 1e3:,.0f}"))
    table.rows.append((f"`Api.runs`: {data['api_runs']:,} runs by 50", f"{data['api_runs_ms']:,.0f} ms", NONE, NONE))
    scan = data["scan"]
    title = f"`scan_history` of {scan['rows']:,} rows by 1,000"
    table.rows.append((title, f"{scan['seconds']:.1f} s", NONE, f"{scan['rows_per_second']:,.0f} rows/s"))
    return table


def _aims(bench: Bench, data: Dict[str, Any]) -> List[Aim]:
    aims = []
    for name, found in data["ingest"].items():
        best = max(load["seen"]["rows_per_second"] for runs, load in found.items() if runs != "paced") * METRICS
        aims.append(Aim(f"numbers a second into {name}", f"{_PACED_POINTS:,}", f"{best:,.0f}", best >= _PACED_POINTS))
        p99 = found["paced"]["seen"]["p99_ms"]
        what = f"p99 of a stream request at {_PACED_POINTS:,} numbers a second, {name}"
        aims.append(Aim(what, f"below {_P99_AIM_MS:.0f} ms", f"{p99:.0f} ms", p99 < _P99_AIM_MS))
    chart = data["read"]["chart"]["ms"]
    what = f"chart of {data['read']['points']:,} points"
    aims.append(Aim(what, f"below {_CHART_AIM_MS:.0f} ms", f"{chart:.0f} ms", chart < _CHART_AIM_MS))
    return aims
