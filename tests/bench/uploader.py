"""Bringing runs to a server: `wandb sync` beside that of the official client, and the uploader while a run logs."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any, Dict, List, Optional

from wandb_storage import Exit, FileSaved, Log, RunStart

from ._bench import Bench, ratio
from ._peers import OFFICIAL, OURS
from ._report import NONE, Aim, Section, Table, megabytes
from ._uploads import Cost, Server, environment, serving, watch
from .drivers import _processes

_RATE_AIM = 5.0
_LAG_AIM_SECONDS, _IDLE_AIM, _REST_AIM_BYTES, _BACKLOG_AIM_BYTES = 1.5, 0.002, 60e6, 120e6

_LIVE = """
import sys, time, wandb
run = wandb.init(project="lag", id=sys.argv[1], dir=sys.argv[2], settings=wandb.Settings(x_disable_stats=True))
rate, seconds = float(sys.argv[3]), float(sys.argv[4])
start = time.time()
print(repr(start), flush=True)
step = 0
while time.time() - start < seconds:
    run.log({f"m{number}": step * 0.37 + number for number in range(10)})
    step += 1
    if rate:
        time.sleep(max(0.0, start + step / rate - time.time()))
    else:
        time.sleep(seconds)
run.finish()
"""


def measure(bench: Bench) -> Section:
    data: Dict[str, Any] = {"sync": {}, "files": {}, "lag": {}}
    with serving(bench.scratch / "upload-server") as server:
        many_rows, slow_rows = bench.sizes.upload_many_rows, bench.sizes.upload_slow_rows
        for rows, clients in (
            (bench.sizes.upload_rows, [OURS, OFFICIAL]),
            (many_rows, [OURS]),
            (slow_rows, [OFFICIAL]),
        ):
            for peer in bench.peers(clients) if rows else []:
                cost = _sync_rows(bench, server, peer.name, rows)
                if cost is not None:
                    data["sync"].setdefault(str(rows), {})[peer.name] = cost
        many, size = bench.sizes.upload_files
        for count, each in ((many, size), (1, bench.sizes.upload_large_bytes)):
            data["files"][f"{count} x {each}"] = _sync_files(bench, server, count, each)
        for rate in bench.sizes.lag_rates:
            data["lag"][str(rate)] = _lag(bench, server, rate)
        data["rest"] = _at_rest(bench, server)
    return Section(
        "uploader",
        "Uploading",
        "`wandb sync` of a finished offline run of ten random doubles a row, each client its own log, into one "
        "`wandb server` on the same machine, whose cores both share; CPU and memory are those of the client with all "
        "of its helper processes, its start included. The lag is from a row's time in the log to its being counted by "
        "the server.",
        [_sync_table(bench, data["sync"]), _files_table(data["files"]), _lag_table(data["lag"])],
        data,
        _aims(data),
    )


def _sync_rows(bench: Bench, server: Server, name: str, rows: int) -> Optional[Dict[str, float]]:
    peer = next(peer for peer in bench.peers() if peer.name == name)
    place = bench.new_folder(name)
    bench.say(f"uploader: {peer.title} writes {rows:,} rows")
    if bench.run(peer, "write", folder=place, seconds_max=1200.0, count=rows) is None:
        return None
    [run] = place.glob("wandb/offline-run-*")
    bench.say(f"uploader: {peer.title} uploads them")
    python = bench.environments[name].python
    cost = watch([str(python), "-m", "wandb", "sync", str(run)], environment(server, place), place)
    found = server.rows().get(run.name.rpartition("-")[2], 0)
    if found != rows:
        bench.fail(name, f"sync: {found} of {rows} rows at the server: {cost.output[-200:]}")
        return None
    return _figures(cost, rows)


def _figures(cost: Cost, rows: int) -> Dict[str, float]:
    return {
        "seconds": cost.seconds, "rows_per_second": rows / cost.seconds,
        "cpu_us_per_row": cost.cpu_seconds / rows * 1e6, "peak_bytes": cost.peak_bytes,
    }  # fmt: skip


def _sync_files(bench: Bench, server: Server, count: int, size: int) -> Dict[str, float]:
    bench.say(f"uploader: {count:,} files of {size:,} bytes")
    place = bench.new_folder(OURS)
    run = _write_files(place, count, size)
    cost = watch([sys.executable, "-m", "wandb", "sync", str(run)], environment(server, place), place)
    if cost.code:
        bench.fail(OURS, f"files: {cost.output[-200:]}")
    return {
        "seconds": cost.seconds, "files_per_second": count / cost.seconds,
        "bytes_per_second": count * size / cost.seconds, "peak_bytes": cost.peak_bytes,
    }  # fmt: skip


def _write_files(place: Path, count: int, size: int) -> Path:
    """A finished run with files, which take no room on the disk."""
    folder = place / "wandb" / f"offline-run-20260101_000000-files{count}"
    (folder / "files").mkdir(parents=True)
    with Log.create(folder, f"files{count}") as log:
        log.append(RunStart(run_id=f"files{count}", project="bench", time=time.time(), settings="{}"))
        for number in range(count):
            with (folder / "files" / f"{number}.bin").open("wb") as file:
                file.truncate(size)
            log.append(FileSaved(path=f"{number}.bin", policy="end", time=time.time()))
        log.append(Exit(code=0, time=time.time()))
    return folder


def _lag(bench: Bench, server: Server, rate: int) -> Dict[str, float]:
    """From the row's due time, as the writer keeps to it, to the first look that finds it counted."""
    bench.say(f"uploader: lag at {rate} rows a second")
    place = bench.new_folder(OURS)
    seconds = bench.sizes.lag_seconds
    run_id = f"lag{rate}"
    command = [sys.executable, "-c", _LIVE, run_id, str(place), str(rate), str(seconds)]
    lags: List[float] = []
    with subprocess.Popen(
        command, env=environment(server, place), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as child:
        assert child.stdout is not None
        start = float(child.stdout.readline())
        seen, until = 0, time.time() + seconds + 20
        while time.time() < until and seen < rate * seconds * 0.95:
            now_there = server.rows("lag").get(run_id, 0)
            now = time.time()
            lags += [now - (start + number / rate) for number in range(seen, now_there)]
            seen = max(seen, now_there)
            time.sleep(0.02)
        threading.Thread(target=child.stdout.read, daemon=True).start()
        child.wait(60)
    if not lags:
        bench.fail(OURS, f"lag: no row of {run_id} came to the server")
        return {}
    ordered = sorted(lags)
    return {
        "rows": len(lags), "p50": statistics.median(ordered), "p99": ordered[int(len(ordered) * 0.99)],
        "max": ordered[-1],
    }  # fmt: skip


def _at_rest(bench: Bench, server: Server) -> Dict[str, float]:
    """An uploader whose only run lives and logs nothing."""
    bench.say("uploader: at rest")
    place = bench.new_folder(OURS)
    seconds = bench.sizes.idle_seconds
    command = [sys.executable, "-c", _LIVE, "rest", str(place), "0", str(seconds + 8)]
    before = set(_processes.processes())
    with subprocess.Popen(
        command, env=environment(server, place), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as child:
        pid = _wait_for_uploader(place / "wandb", before)
        while server.rows("lag").get("rest", 0) < 1:
            time.sleep(0.1)
        time.sleep(3.0)
        first = _processes.process(pid)
        time.sleep(seconds)
        last = _processes.process(pid)
        descriptors = len(os.listdir(f"/proc/{pid}/fd"))
        child.wait(120)
    return {
        "cpu_share": (last.cpu_seconds - first.cpu_seconds) / seconds, "resident_bytes": last.resident_bytes,
        "descriptors": descriptors,
    }  # fmt: skip


def _wait_for_uploader(wandb_dir: Path, before: set[int]) -> int:
    from wandb_uploader._home import lock_holder

    until = time.monotonic() + 30
    while time.monotonic() < until:
        for lock in wandb_dir.glob(".uploader/*/lock"):
            pid = (lock_holder(lock) or {}).get("pid")
            if pid and pid not in before:
                return int(pid)
        time.sleep(0.05)
    raise RuntimeError("no uploader was started")


# --- the report -------------------------------------------------------------------------------------------------------


def _sync_table(bench: Bench, data: Dict[str, Dict[str, Dict[str, float]]]) -> Table:
    table = Table(("client", "rows", "seconds", "rows/s", "CPU µs a row", "peak MB"))
    for rows, clients in data.items():
        for peer in bench.peers(clients):
            one = clients[peer.name]
            table.rows.append(
                (
                    f"{peer.title}", f"{int(rows):,}", f"{one['seconds']:.1f}", f"{one['rows_per_second']:,.0f}",
                    f"{one['cpu_us_per_row']:.0f}", megabytes(one["peak_bytes"]),
                )
            )  # fmt: skip
    return table


def _files_table(data: Dict[str, Dict[str, float]]) -> Table:
    table = Table(("files x bytes, this client", "seconds", "files/s", "MB/s", "peak MB"))
    for what, one in data.items():
        table.rows.append(
            (
                what, f"{one['seconds']:.1f}", f"{one['files_per_second']:,.0f}", megabytes(one["bytes_per_second"]),
                megabytes(one["peak_bytes"]),
            )
        )  # fmt: skip
    return table


def _lag_table(data: Dict[str, Dict[str, float]]) -> Table:
    table = Table(("rows logged a second", "lag p50, s", "p99, s", "max, s"))
    for rate, one in data.items():
        table.rows.append((rate, *(f"{one[name]:.2f}" if one else NONE for name in ("p50", "p99", "max"))))
    return table


def _aims(data: Dict[str, Any]) -> List[Aim]:
    aims = []
    for rows, clients in data["sync"].items():
        ours, official = clients.get(OURS, {}), clients.get(OFFICIAL, {})
        speed = ratio(ours.get("rows_per_second"), official.get("rows_per_second"))
        cpu = ratio(official.get("cpu_us_per_row"), ours.get("cpu_us_per_row"))
        if official:
            aims.append(_at_least(f"sync of {int(rows):,} rows, rows/s, of the official client's", speed))
            aims.append(_at_least(f"sync of {int(rows):,} rows, CPU of the official client by ours", cpu))
        if ours:
            peak = ours["peak_bytes"]
            aims.append(
                _at_most(f"peak memory with {int(rows):,} rows to send, MB", peak / 1e6, _BACKLOG_AIM_BYTES / 1e6)
            )
    for rate, one in data["lag"].items():
        if one:
            aims.append(_at_most(f"lag p50 at {rate} rows a second, s", one["p50"], _LAG_AIM_SECONDS))
    rest = data["rest"]
    aims.append(_at_most("CPU at rest, % of a core", rest["cpu_share"] * 100, _IDLE_AIM * 100))
    aims.append(_at_most("memory at rest, MB", rest["resident_bytes"] / 1e6, _REST_AIM_BYTES / 1e6))
    return aims


def _at_least(what: str, value: Optional[float]) -> Aim:
    reached = NONE if value is None else f"{value:.1f} x"
    return Aim(what, f"at least {_RATE_AIM:g} x", reached, None if value is None else value >= _RATE_AIM)


def _at_most(what: str, value: float, bound: float) -> Aim:
    return Aim(what, f"at most {bound:g}", f"{value:.2f}", value <= bound)
