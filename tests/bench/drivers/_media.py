"""Media and tables: what logging them takes, from the caller's side and to the end of the run."""

from __future__ import annotations

import importlib
import time
from pathlib import Path
from typing import Any, Callable, Dict, List

from . import _processes
from ._client import Client, LogCall
from ._jobs import summarize

Log = Callable[[Any], object]


def images(client: Client, folder: str, kind: str, count: int, side: int) -> Dict[str, Any]:
    """Log `count` images of `side` x `side` pixels and three channels, each of other pixels."""
    made = _pictures(kind, min(count, 16), side)
    wandb = importlib.import_module("wandb")

    def call(log: Log, number: int) -> None:
        log({"image": wandb.Image(made[number % len(made)])})

    return _measure(client, folder, call, count)


def table(client: Client, folder: str, rows: int) -> Dict[str, Any]:
    """Log one table of `rows` rows: two numbers, a text and a truth each."""
    data = [[number, number * 0.1, f"text {number}", number % 2 == 0] for number in range(rows)]
    wandb = importlib.import_module("wandb")

    def call(log: Log, number: int) -> None:
        log({"table": wandb.Table(columns=["number", "score", "text", "truth"], data=data)})

    return _measure(client, folder, call, 1)


def _measure(client: Client, folder: str, call: Callable[[Log, int], None], calls: int) -> Dict[str, Any]:
    from array import array

    Path(folder).mkdir(parents=True, exist_ok=True)
    log: LogCall = client.open(Path(folder))
    log({"loss": 0.0})
    own, helpers = _processes.own_cpu_seconds(), _processes.helpers_cpu_seconds()
    before = _processes.own_resident_bytes()
    durations, began = array("q"), time.perf_counter()
    for number in range(calls):
        start = time.perf_counter_ns()
        call(log, number)
        durations.append(time.perf_counter_ns() - start)
    peak_helpers = _processes.helpers_peak_bytes()
    client.close()
    seconds = time.perf_counter() - began
    return {
        **summarize(durations),
        "caller_seconds": sum(durations) / 1e9,
        "total_seconds": seconds,
        "cpu_seconds": _processes.own_cpu_seconds() - own + _processes.helpers_cpu_seconds() - helpers,
        "peak_bytes": max(0, _processes.own_peak_bytes() - before) + peak_helpers,
        "file_bytes": sum(path.stat().st_size for path in Path(folder).rglob("media/*/*") if path.is_file()),
    }


def _pictures(kind: str, count: int, side: int) -> List[Any]:
    """`noise` can't be compressed; `picture` is smooth with a little noise, as photographs are."""
    numpy = importlib.import_module("numpy")
    random = numpy.random.default_rng(0)
    if kind == "noise":
        return list(random.integers(0, 256, (count, side, side, 3), dtype=numpy.uint8))
    axis = numpy.linspace(0, 6, side)
    smooth = 110 + 60 * numpy.sin(axis)[:, None, None] * numpy.cos(axis * 1.3)[None, :, None] * numpy.ones(3)
    return [(smooth + random.normal(0, 6, smooth.shape)).clip(0, 255).astype(numpy.uint8) for _ in range(count)]
