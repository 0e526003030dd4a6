"""This client's log beside the one system call that it can't do without."""

from __future__ import annotations

import contextlib
import os
import time
from array import array
from pathlib import Path
from typing import Any, Dict, Iterator

from wandb_storage import Log, RowFlag

from ._client import Client, LogCall
from ._jobs import summarize, time_calls
from ._rows import rows

_ATTEMPTS = 10


def compare(client: Client, folder: Path, scalars: int, calls: int) -> Dict[str, Any]:
    """The same rows through a bare `write`, through `Log.append_row`, and through `run.log`."""
    run_folder = folder / "log"
    run_folder.mkdir()
    with Log.create(run_folder, "floor") as log:
        append = _append(log)
        frame = _frame(append, run_folder, scalars)
        with _append_file(folder / "floor") as file:
            floor = _time_writes(file, frame, scalars, calls)
        append_row = time_calls(append, rows("random", scalars, calls))
    run_log = time_calls(client.open(folder), rows("random", scalars, calls))
    client.close()
    return {
        "frame_bytes": len(frame),
        "write": summarize(floor),
        "append_row": summarize(append_row),
        "run_log": summarize(run_log),
    }


def _append(log: Log) -> LogCall:
    append_row, now, flags = log.append_row, time.time(), int(RowFlag.COMMIT)
    return lambda row: append_row(row, 0, now, flags)


def _frame(append: LogCall, folder: Path, scalars: int) -> bytes:
    """The bytes that the log adds to a tail for one row. The first row brings its shape along; a commit that comes
    between two looks only costs another row."""
    source = rows("random", scalars, _ATTEMPTS)
    append(next(source))
    for row in source:
        before = _tail_sizes(folder)
        append(row)
        for path, size in _tail_sizes(folder).items():
            if 0 < before.get(path, 0) < size:
                return path.read_bytes()[before[path] : size]
    raise RuntimeError(f"no tail in {folder} grows when a row is appended")


def _tail_sizes(folder: Path) -> Dict[Path, int]:
    return {path: path.stat().st_size for path in folder.glob("*.tail-*")}


@contextlib.contextmanager
def _append_file(path: Path) -> Iterator[int]:
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        yield file
    finally:
        os.close(file)


def _time_writes(file: int, frame: bytes, scalars: int, calls: int) -> array[int]:
    """The loop of `time_calls`, written out: a function around `write` would be part of the floor."""
    clock, write = time.perf_counter_ns, os.write
    durations = array("q")
    for _ in rows("random", scalars, calls):
        start = clock()
        write(file, frame)
        durations.append(clock() - start)
    return durations
