"""A run of many rows: writing it, reading it, and recovering it."""

from __future__ import annotations

import os
import random
import time
from pathlib import Path
from typing import Any, Dict, Iterator, List

import wandb_storage._committer
import wandb_storage._log
from wandb_storage import Reader, Row, RowFlag, read_columns, recover

from . import _processes
from ._appends import new_log
from ._client import Client, metric_names

_COMMIT = int(RowFlag.COMMIT)
_NAME = "long"


def write_long(client: Client, folder: str, marks: List[int]) -> Dict[str, Any]:
    """Append rows of ten scalars up to the last mark; the process's memory at each."""
    source, names, memory = random.Random(7), metric_names(10), []
    value, wanted = source.random, set(marks)
    with new_log(Path(folder), _NAME) as log:
        start = time.perf_counter()
        for step in range(marks[-1]):
            log.append_row({name: value() for name in names}, step, 1.0 + step, _COMMIT)
            if step + 1 in wanted:
                memory.append(_processes.own_memory())
        seconds = time.perf_counter() - start
    return {"memory": memory, "seconds": seconds}


def read_long(client: Client, folder: str, marks: List[int], into: str) -> Dict[str, Any]:
    """Read them on one core, into `columns` or into `dictionaries`; the process's memory at each mark."""
    place = Path(folder) / f"run-{_NAME}"
    counts = {"columns": _columns, "dictionaries": _dictionaries}[into](place)
    memory, found, waiting = [], 0, list(marks)
    start, cpu = time.perf_counter(), time.process_time()
    for count in counts:
        found += count
        while waiting and found >= waiting[0]:
            memory.append(_processes.own_memory())
            del waiting[0]
    seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
    if found != marks[-1]:
        raise RuntimeError(f"{found} rows are read of {marks[-1]}")
    return {"memory": memory, "rows_a_second": found / seconds, "rows_a_cpu_second": found / cpu}


def _columns(place: Path) -> Iterator[int]:
    return (batch.rows for batch in read_columns(place))


def _dictionaries(place: Path) -> Iterator[int]:
    with Reader(place) as reader:
        for entry in reader.entries():
            if type(entry.record) is Row:
                yield 1


def recovery(client: Client, folder: str, megabytes: int) -> Dict[str, Any]:
    """The time to bring a log in order whose writer died with that much in its tail.

    A writer commits twice a second, so a tail of this size takes a disk that refuses commits; here the bounds that make
    the writer commit are put out of reach.
    """
    pid = os.fork()
    if pid == 0:
        vars(wandb_storage._log)["COMMIT_BYTES"] = 1 << 40
        vars(wandb_storage._committer)["COMMIT_SECONDS"] = 1e6
        log = new_log(Path(folder), _NAME)
        value, names = random.random, metric_names(10)
        while log._active.length < megabytes << 20:
            log.append_row({name: value() for name in names}, 0, 1.0, _COMMIT)
        os._exit(0)
    os.waitpid(pid, 0)
    place = Path(folder) / f"run-{_NAME}"
    tail = sum(path.stat().st_size for path in place.glob("*.tail-*"))
    start = time.perf_counter()
    recovered = recover(place)
    return {"seconds": time.perf_counter() - start, "tail_bytes": tail, "records": recovered.last_sequence}
