"""The jobs: the same for each client."""

from __future__ import annotations

import importlib
import os
import time
from array import array
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List

from . import _processes
from ._client import Client, LogCall, Row
from ._rows import rows


def probe(client: Client, folder: str) -> Dict[str, Any]:
    """Whether the client runs here at all."""
    log = client.open(_made(folder))
    for row in rows("random", 2, 3):
        log(row)
    client.close()
    return {"rows": client.count(Path(folder))}


def log(client: Client, folder: str, calls: Dict[str, int], interval: float = 0.0) -> Dict[str, Any]:
    """Time `calls[n]` calls of n scalars each, a run for each n, with `interval` seconds of sleep between calls."""
    results = {}
    for scalars, count in calls.items():
        call = client.open(_made(f"{folder}/{scalars}"))
        own, helpers = _processes.own_cpu_seconds(), _processes.helpers_cpu_seconds()
        durations = time_calls(call, rows("random", int(scalars), count), interval)
        # Work that a client has put off counts as well, so the clock stops when the run has finished.
        client.close()
        own, helpers = _processes.own_cpu_seconds() - own, _processes.helpers_cpu_seconds() - helpers
        results[scalars] = {
            **summarize(durations),
            "cpu_own_ns": own / count * 1e9 - _cpu_of_rows(int(scalars), count),
            "cpu_helpers_ns": helpers / count * 1e9,
        }
    return results


def time_calls(call: LogCall, source: Iterator[Row], interval: float = 0.0) -> array[int]:
    clock = time.perf_counter_ns
    durations = array("q")
    for row in source:
        start = clock()
        call(row)
        durations.append(clock() - start)
        if interval:
            time.sleep(interval)
    return durations


def _cpu_of_rows(scalars: int, count: int) -> float:
    """What making the rows and timing the calls takes by itself."""
    start = time.process_time()
    time_calls(lambda row: None, rows("random", scalars, count))
    return (time.process_time() - start) / count * 1e9


def summarize(durations: array[int]) -> Dict[str, float]:
    ordered = sorted(durations)
    return {
        "calls": len(ordered),
        "p50_ns": ordered[len(ordered) // 2],
        "p99_ns": ordered[len(ordered) * 99 // 100],
        "max_ns": ordered[-1],
    }


def disk(client: Client, folder: str, kind: str, count: int) -> Dict[str, Any]:
    """What `count` rows of ten doubles leave on disk after the run has finished."""
    call = client.open(_made(folder))
    start = time.perf_counter()
    for row in rows(kind, 10, count):
        call(row)
    client.close()
    seconds = time.perf_counter() - start
    everything = [path for path in Path(folder).rglob("*") if path.is_file() and not path.is_symlink()]
    return {
        "rows": count,
        "seconds": seconds,
        "folder_bytes": _allocated(everything),
        "log_bytes": _allocated(list(client.log_files(Path(folder)))),
        "folder_apparent_bytes": sum(path.stat().st_size for path in everything),
    }


def _allocated(paths: List[Path]) -> int:
    """Bytes that the files take up: a sparse file is not charged for its holes, a block is charged whole."""
    return sum(path.stat().st_blocks * 512 for path in paths)


def kept(client: Client, folder: str, count: int, interval: float) -> None:
    """Log `count` rows of five scalars, and kill this process and its helpers when the last call has returned."""
    waiting = list(rows("random", 5, count))
    call = client.open(_made(folder))
    victims = [process.pid for process in _processes.helpers()] + [os.getpid()]
    due = time.perf_counter()
    for row in waiting:
        call(row)
        due += interval
        if interval and row is not waiting[-1]:
            time.sleep(max(0.0, due - time.perf_counter()))
    _processes.kill(victims)


def count(client: Client, folder: str) -> Dict[str, Any]:
    return {"rows": client.count(Path(folder))}


def memory(client: Client, folder: str, count: int) -> Dict[str, Any]:
    """Resident memory right after `init`, and after `count` rows of ten scalars."""
    call = client.open(_made(folder))
    for row in rows("random", 10, 1):
        call(row)
    before = _resident()
    for row in rows("random", 10, count):
        call(row)
    after = _resident()
    client.close()
    return {"rows": count, "before": before, "after": after}


def _resident() -> Dict[str, int]:
    return {
        "own": _processes.own_resident_bytes(),
        "helpers": sum(process.resident_bytes for process in _processes.helpers()),
    }


def floor(client: Client, folder: str, calls: Dict[str, int]) -> Dict[str, Any]:
    from . import _floor  # needs this client's storage package

    return {
        scalars: _floor.compare(client, _made(f"{folder}/{scalars}"), int(scalars), number)
        for scalars, number in calls.items()
    }


def _made(folder: str) -> Path:
    path = Path(folder)
    path.mkdir(parents=True, exist_ok=True)
    return path


def write(client: Client, folder: str, count: int) -> Dict[str, Any]:
    """A finished run of ten scalars, left where it is."""
    log = client.open(_made(folder))
    for row in rows("random", 10, count):
        log(row)
    client.close()
    return {"rows": count}


def _of_the_log(module: str, name: str) -> Callable[..., Any]:
    """A job that measures this client's log without any peer; its module needs this client's storage package."""

    def job(client: Client, **parameters: Any) -> Any:
        return getattr(importlib.import_module(f"drivers.{module}"), name)(client, **parameters)

    return job


def kinds(client: Client, folder: str, calls: int, libraries: str) -> Dict[str, Any]:
    """Calls with other values than floats."""
    from . import _kinds  # which is made of this module

    log = client.open(_made(folder))
    results = _kinds.measure(log, client.run.config, calls, libraries)  # type: ignore[attr-defined]
    client.close()
    return results


def media(client: Client, what: str, **parameters: Any) -> Dict[str, Any]:
    """Images, or a table."""
    from . import _media  # which is made of this module

    measure: Callable[..., Dict[str, Any]] = getattr(_media, what)
    return measure(client, **parameters)


def _of_the_searches(name: str) -> Callable[..., Any]:
    """A job that asks something else of a client than to log."""

    def job(client: Any, **parameters: Any) -> Any:
        module = importlib.import_module("drivers._searches")
        return getattr(module, name)(client, **parameters)

    return job


JOBS: Dict[str, Callable[..., Any]] = {
    "probe": probe,
    "log": log,
    "floor": floor,
    "kinds": kinds,
    "disk": disk,
    "kept": kept,
    "count": count,
    "media": media,
    "memory": memory,
    "appends": _of_the_log("_appends", "appends"),
    "commits": _of_the_log("_appends", "commits"),
    "busy": _of_the_log("_busy", "busy"),
    "write_long": _of_the_log("_many_rows", "write_long"),
    "read_long": _of_the_log("_many_rows", "read_long"),
    "recovery": _of_the_log("_many_rows", "recovery"),
    "replay_write": _of_the_log("_replay", "replay_write"),
    "replay_export": _of_the_log("_replay", "replay_export"),
    "command_start": _of_the_log("_commands", "command_start"),
    "runs_of_a_row": _of_the_log("_commands", "runs_of_a_row"),
    "write": write,
    "search": _of_the_searches("search"),
    "propose": _of_the_searches("propose"),
}
