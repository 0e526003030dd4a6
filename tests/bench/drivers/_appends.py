"""The log by itself: appends and commits, with nothing beside them, with a busy interpreter, with a busy disk."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
import time
from array import array
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List

from wandb_storage import Log, RowFlag

from ._client import Client, metric_names
from ._rows import rows

_COMMIT = int(RowFlag.COMMIT)
_ROWS_A_COMMIT = 50
# Writes files and brings them to the disk, as a checkpoint does, one after the other and for ever.
_DISK_HOG = """
import os, sys
chunk = os.urandom(1 << 20)
for number in range(1 << 30):
    file = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for _ in range(256):
        os.write(file, chunk)
    os.fsync(file)
    os.close(file)
    print(number, flush=True)
"""


def appends(
    client: Client, folder: str, threads: int, beside: str, calls: int, at_most_seconds: float, bare: bool
) -> Dict[str, Any]:
    """`calls` appends of ten scalars in all, or as many as the time allows, by several threads at once; durations as
    each of them saw them. `bare`: the system call alone, with a row's bytes."""
    place = Path(folder)
    with _beside(beside, place):
        if bare:
            durations = _with_file(place, lambda append: _run(append, threads, calls, at_most_seconds))
        else:
            with new_log(place) as log:
                append_row = log.append_row
                durations = _run(lambda row: append_row(row, 0, 1.0, _COMMIT), threads, calls, at_most_seconds)
    return summary(durations)


def commits(client: Client, folder: str, beside: str, count: int) -> Dict[str, Any]:
    """From asking for a commit of fifty rows until they survive a power loss."""
    durations = array("q")
    source = rows("random", 10, count * _ROWS_A_COMMIT)
    place = Path(folder)
    with _beside(beside, place), new_log(place) as log:
        for _ in range(count):
            for row in (next(source) for _ in range(_ROWS_A_COMMIT)):
                log.append_row(row, 0, 1.0, _COMMIT)
            start = time.perf_counter_ns()
            log.flush()
            durations.append(time.perf_counter_ns() - start)
    return summary(durations)


def new_log(folder: Path, name: str = "alone") -> Log:
    place = folder / f"run-{name}"
    place.mkdir(parents=True)
    return Log.create(place, name)


def summary(durations: array[int]) -> Dict[str, Any]:
    ordered = sorted(durations)
    places = {"p50_ns": 0.5, "p99_ns": 0.99, "p9999_ns": 0.9999}
    found = {name: ordered[int(len(ordered) * place)] for name, place in places.items()}
    return {"calls": len(ordered), **found, "max_ns": ordered[-1]}


def _run(append: Callable[[Dict[str, float]], object], threads: int, calls: int, seconds: float) -> array[int]:
    results: List[array[int]] = []
    deadline = time.perf_counter() + seconds

    def work() -> None:
        durations, clock = array("q"), time.perf_counter_ns
        for row in rows("random", 10, calls // threads):
            start = clock()
            append(row)
            durations.append(clock() - start)
            if time.perf_counter() > deadline:
                break
        results.append(durations)

    workers = [threading.Thread(target=work) for _ in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return array("q", [duration for one in results for duration in one])


def _with_file(folder: Path, run: Callable[[Callable[[Dict[str, float]], object]], array[int]]) -> array[int]:
    file = os.open(folder / "bare", os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    frame = bytes(120 + 8 * len(metric_names(10)))
    try:
        return run(lambda row: os.write(file, frame))
    finally:
        os.close(file)


@contextlib.contextmanager
def _beside(what: str, folder: Path) -> Iterator[None]:
    """`nothing`, a busy `interpreter` or a busy `disk`."""
    if what == "interpreter":
        with _busy_interpreter():
            yield
    elif what == "disk":
        with _busy_disk(folder):
            yield
    else:
        yield


@contextlib.contextmanager
def _busy_interpreter() -> Iterator[None]:
    """A thread of pure Python that never waits."""
    stop = threading.Event()

    def spin() -> None:
        while not stop.is_set():
            sum(value * value for value in range(200))

    spinner = threading.Thread(target=spin)
    spinner.start()
    try:
        yield
    finally:
        stop.set()
        spinner.join()


@contextlib.contextmanager
def _busy_disk(folder: Path) -> Iterator[None]:
    """A process that writes and syncs as fast as the disk takes it."""
    command = [sys.executable, "-c", _DISK_HOG, str(folder / "hog")]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as hog:
        assert hog.stdout is not None
        hog.stdout.readline()  # the first file is on the disk: from here on it is at work
        try:
            yield
        finally:
            hog.kill()
    (folder / "hog").unlink()
