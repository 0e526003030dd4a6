"""The log by itself: threads, a busy interpreter, reading, recovery, memory."""

from __future__ import annotations

import os
import random
import statistics
import threading
import time
from array import array
from pathlib import Path
from typing import Any, Callable, Dict, List

import psutil

import wandb_storage._committer
import wandb_storage._log
from wandb_storage import Log, Reader, Row, RowFlag, recover

from ._client import Client

_COMMIT = int(RowFlag.COMMIT)
_KEYS = [f"train/m{index:02d}" for index in range(10)]


def _row() -> Dict[str, float]:
    return {key: random.random() for key in _KEYS}


def _new_log(folder: Path, name: str) -> Log:
    place = folder / f"run-{name}"
    place.mkdir(parents=True)
    return Log.create(place, name)


def _percentiles(durations: array[int]) -> Dict[str, int]:
    ordered = sorted(durations)
    places = {"p50_ns": 0.5, "p99_ns": 0.99, "p9999_ns": 0.9999}
    return {**{name: ordered[int(len(ordered) * place)] for name, place in places.items()}, "max_ns": ordered[-1]}


def threads(folder: Path, count: int, calls: int) -> Dict[str, int]:
    """`calls` appends in all, by `count` threads at once; durations as each of them saw them."""
    log = _new_log(folder, f"threads-{count}")
    results: List[array[int]] = []

    def append() -> None:
        durations, clock = array("q"), time.perf_counter_ns
        for step in range(calls // count):
            row = _row()
            start = clock()
            log.append_row(row, step, 1.0, _COMMIT)
            durations.append(clock() - start)
        results.append(durations)

    workers = [threading.Thread(target=append) for _ in range(count)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    log.close()
    return _percentiles(array("q", [duration for one in results for duration in one]))


def busy(folder: Path, seconds: float, rounds: int) -> Dict[str, float]:
    """How much more CPU a pure-Python loop takes for its work when it logs ten scalars a hundred times a second, in
    percent, the log's own thread included. CPU time, since on a shared machine the clock tells more of the neighbours.
    """
    log = _new_log(folder, "busy")

    def work(log_row: Callable[[], object]) -> float:
        done, end, due = 0, time.perf_counter() + seconds, 0.0
        cpu = time.process_time()
        while True:
            sum(value * value for value in range(200))
            done += 1
            now = time.perf_counter()
            if now >= due:
                log_row()
                due = now + 0.01
            if now >= end:
                return (time.process_time() - cpu) / done

    costs = []
    for _ in range(rounds):
        plain = work(_row)
        logging = work(lambda: log.append_row(_row(), 0, 1.0, _COMMIT))
        plain = (plain + work(_row)) / 2
        costs.append(100 * (logging / plain - 1))
    log.close()
    return {"percent": statistics.median(costs), "least": min(costs), "most": max(costs)}


def reading(folder: Path, rows: int) -> Dict[str, float]:
    """Rows of ten scalars a second, from the files to dictionaries; and the memory of writer and reader."""
    process = psutil.Process()
    log = _new_log(folder, "reading")
    for step in range(rows // 10):
        log.append_row(_row(), step, 1.0, _COMMIT)
    early = process.memory_info().rss
    for step in range(rows // 10, rows):
        log.append_row(_row(), step, 1.0, _COMMIT)
    late = process.memory_info().rss
    log.close()
    start = time.perf_counter()
    found = 0
    with Reader(folder / "run-reading") as reader:
        for entry in reader.entries():
            found += isinstance(entry.record, Row)
    took = time.perf_counter() - start
    assert found == rows
    return {
        "rows_a_second": rows / took,
        "writer_early": early,
        "writer_late": late,
        "reader": process.memory_info().rss,
    }


def recovery(folder: Path, megabytes: int) -> Dict[str, float]:
    """The time to bring a log in order whose writer died with that much in its tail.

    A writer commits twice a second, so a tail of this size takes a disk that refuses commits; here the bounds that make
    the writer commit are put out of reach.
    """
    place = folder / "run-recovery"
    pid = os.fork()
    if pid == 0:
        vars(wandb_storage._log)["COMMIT_BYTES"] = 1 << 40
        vars(wandb_storage._committer)["COMMIT_SECONDS"] = 1e6
        log = _new_log(folder, "recovery")
        while log._active.length < megabytes << 20:
            log.append_row(_row(), 0, 1.0, _COMMIT)
        os._exit(0)
    os.waitpid(pid, 0)
    tail = sum(path.stat().st_size for path in place.glob("*.tail-*"))
    start = time.perf_counter()
    recovered = recover(place)
    return {"seconds": time.perf_counter() - start, "tail_bytes": tail, "records": recovered.last_sequence}


def alone(client: Client, folder: str, calls: int, rows: int, megabytes: int, rounds: int) -> Dict[str, Any]:
    """All of it; the client is this one."""
    place = Path(folder)
    return {
        "threads": {str(count): threads(place, count, calls) for count in (1, 8, 32)},
        "busy": busy(place, 2.0, rounds + 2),
        "reading": reading(place, rows),
        "recovery": recovery(place, megabytes),
    }
