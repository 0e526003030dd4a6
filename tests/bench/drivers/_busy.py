"""What logging costs a training loop that is nothing but Python."""

from __future__ import annotations

import random
import statistics
import time
from pathlib import Path
from typing import Any, Callable, Dict, List

from wandb_storage import RowFlag

from ._appends import new_log
from ._client import Client, Row, metric_names

_COMMIT = int(RowFlag.COMMIT)
_INTERVAL = 0.01
_RESAMPLES = 1_000


def busy(client: Client, folder: str, pairs: int, slice_seconds: float, steady_seconds: float) -> Dict[str, Any]:
    """How much more CPU a loop takes for its work when it logs ten scalars a hundred times a second, in percent.

    Of the loop's own thread: many short slices with and without logging in random order, neighbours in time compared
    with each other. Of the log's thread: what the clock of that thread says over a time of steady logging. And once
    more of the loop's thread, from the clock around the calls alone.
    """
    names = metric_names(10)
    with new_log(Path(folder)) as log:

        def append(row: Row) -> None:
            log.append_row(row, 0, 1.0, _COMMIT)

        thread = log._committer.thread.ident
        assert thread is not None
        clock = time.pthread_getcpuclockid(thread)
        differences = []
        for _ in range(pairs):
            costs = {}
            for logs in random.sample([False, True], 2):
                costs[logs] = _slice(append if logs else _ignore, names, slice_seconds)
            differences.append(100 * (costs[True] / costs[False] - 1))
        inside: List[float] = []

        def timed(row: Row) -> None:
            start = time.thread_time()
            append(row)
            inside.append(time.thread_time() - start)

        before = time.clock_gettime(clock)
        _slice(timed, names, steady_seconds)
        committer = 100 * (time.clock_gettime(clock) - before) / steady_seconds
    low, high = _confidence(differences)
    return {
        "pairs": pairs,
        "loop_percent": statistics.median(differences),
        "loop_low": low,
        "loop_high": high,
        "calls_percent": 100 * sum(inside) / steady_seconds,
        "committer_percent": committer,
    }


def _ignore(row: Row) -> None:
    pass


def _slice(log: Callable[[Row], object], names: List[str], seconds: float) -> float:
    """CPU seconds of this thread for a unit of work; the row is made whether it is logged or not."""
    done, due, start = 0, 0.0, time.perf_counter()
    end = start + seconds
    cpu = time.thread_time()
    while True:
        sum(value * value for value in range(200))
        done += 1
        now = time.perf_counter()
        if now >= due:
            log({name: random.random() for name in names})
            due = now + _INTERVAL
        if now >= end:
            return (time.thread_time() - cpu) / done


def _confidence(values: List[float]) -> List[float]:
    """Between which two values the median lies with a probability of 95 percent, by resampling."""
    medians = sorted(statistics.median(random.choices(values, k=len(values))) for _ in range(_RESAMPLES))
    return [medians[_RESAMPLES * 25 // 1000], medians[_RESAMPLES * 975 // 1000]]
