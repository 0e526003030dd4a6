"""The measurements of uploads, one function each."""

from __future__ import annotations

import json
import os
import random
import statistics
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Dict, List

from wandb_storage import Exit, FileSaved, Log, RowFlag, RunStart
from wandb_uploader._home import lock_holder

from ._bench import Bench
from ._peers import OURS, Peer
from ._uploads import Cost, Server, environment, watch
from .drivers import _processes

# Tells when it began.
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
_MANY = """
import sys, time, wandb
options = {"project": sys.argv[3], "dir": sys.argv[1], "settings": wandb.Settings(x_disable_stats=True)}
runs = [wandb.init(reinit="create_new", **options) for _ in range(int(sys.argv[2]))]
for run in runs:
    run.log({"a": 1})
sys.stdin.read()
"""


def sync_rows(bench: Bench, servers: Dict[str, Server], peer: Peer, rows: int) -> Dict[str, Dict[str, float]]:
    """`wandb sync` of one log of the client's own, into each of the servers: name of the server -> figures."""
    place = bench.new_folder(peer.name)
    bench.say(f"uploader: {peer.title} writes {rows:,} rows")
    if bench.run(peer, "write", folder=place, seconds_max=3600.0, count=rows) is None:
        return {}
    [run] = place.glob("wandb/offline-run-*")
    python = bench.environments[peer.name].python
    found = {}
    for name, server in servers.items():
        bench.say(f"uploader: {peer.title} uploads them to {name}")
        for mark in run.glob("*.synced"):  # the official client's: without it the run is sent again
            mark.unlink()
        cost = watch([str(python), "-m", "wandb", "sync", str(run)], environment(server, place), place)
        there = server.rows().get(run.name.rpartition("-")[2], 0) if server.keeps else rows
        if cost.code or there != rows:
            bench.fail(peer.name, f"sync to {name}: {there} of {rows} rows: {cost.output[-200:]}")
            continue
        found[name] = _figures(cost, rows)
    return found


def _figures(cost: Cost, rows: int) -> Dict[str, float]:
    return {
        "seconds": cost.seconds, "rows_per_second": rows / cost.seconds,
        "cpu_us_per_row": cost.cpu_seconds / rows * 1e6, "peak_bytes": cost.peak_bytes,
    }  # fmt: skip


def sync_files(bench: Bench, server: Server, count: int, size: int) -> Dict[str, float]:
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


def backlog(bench: Bench, server: Server, rows: int) -> Dict[str, float]:
    """The uploader process with so many rows to send."""
    bench.say(f"uploader: a backlog of {rows:,} rows")
    place = bench.new_folder(OURS)
    folder = place / "wandb" / "run-20260101_000000-backlog"
    (folder / "files").mkdir(parents=True)
    value = random.Random(7).random
    with Log.create(folder, "backlog") as log:
        settings = json.dumps({"base_url": server.url})
        log.append(RunStart(run_id="backlog", project="bench", time=1.0, settings=settings))
        row = {f"m{number}": value() for number in range(10)}
        for step in range(rows):
            row["m0"] = value()
            log.append_row(row, step, 1.0 + step, RowFlag.COMMIT)
        log.append(Exit(code=0, time=time.time()))
    command = [sys.executable, "-m", "wandb_uploader", "run", "--dir", str(place / "wandb"), "--url", server.url]
    return _figures(watch(command, environment(server, place), place), rows)


def lag(bench: Bench, server: Server, rate: int) -> Dict[str, float]:
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


def at_rest(bench: Bench, server: Server, runs: int) -> Dict[str, float]:
    """An uploader whose runs live and log nothing."""
    bench.say(f"uploader: at rest, {runs} runs")
    place = bench.new_folder(OURS)
    seconds = bench.sizes.idle_seconds
    command = [sys.executable, "-c", _MANY, str(place), str(runs), f"rest-{runs}"]
    with subprocess.Popen(
        command, env=environment(server, place), stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as child:  # fmt: skip
        pid = _wait_for_uploader(place / "wandb")
        until = time.monotonic() + 60
        while sum(server.rows(f"rest-{runs}").values()) < runs and time.monotonic() < until:
            time.sleep(0.1)
        time.sleep(3.0)
        first = _processes.process(pid)
        time.sleep(seconds)
        last = _processes.process(pid)
        descriptors = len(os.listdir(f"/proc/{pid}/fd"))
        child.communicate(timeout=120)
    return {
        "runs": runs, "cpu_share": (last.cpu_seconds - first.cpu_seconds) / seconds,
        "resident_bytes": last.resident_bytes, "descriptors": descriptors,
    }  # fmt: skip


def _wait_for_uploader(wandb_dir: Path) -> int:
    until = time.monotonic() + 30
    while time.monotonic() < until:
        for lock in wandb_dir.glob(".uploader/*/lock"):
            pid = (lock_holder(lock) or {}).get("pid")
            if pid:
                return int(pid)
        time.sleep(0.05)
    raise RuntimeError("no uploader was started")
