"""A campaign's pieces, spread over processes. Each piece derives from the seed alone: any of them can be had again."""

from __future__ import annotations

import collections
import concurrent.futures
import contextlib
import multiprocessing
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Callable, Counter, Iterable, Iterator, Tuple

# What a piece tried, how often; and what was wrong, empty for nothing.
Outcome = Tuple[Counter[str], str]
_PROGRESS_SECONDS = 10.0


def spread(pieces: Iterable[Tuple[Any, ...]], work: Callable[..., Outcome], jobs: int, unit: str = "") -> Outcome:
    """`work` of every piece, `jobs` at a time: everything that was tried, and the first thing that was wrong.

    Ends at that. With `unit` stderr hears now and then how many of these have been done.
    """
    tried: Counter[str] = collections.Counter()
    told = time.monotonic()
    for outcome, wrong in _outcomes(pieces, work, jobs):
        tried.update(outcome)
        if wrong:
            return tried, wrong
        if unit and time.monotonic() - told > _PROGRESS_SECONDS:
            told = time.monotonic()
            print(f"... {tried[unit]:,} {unit}", file=sys.stderr, flush=True)
    return tried, ""


def _outcomes(pieces: Iterable[Tuple[Any, ...]], work: Callable[..., Outcome], jobs: int) -> Iterator[Outcome]:
    if jobs == 1:
        yield from (work(*piece) for piece in pieces)
        return
    # Forked, because what is tried lives on forks itself, and a worker without threads may do so.
    pool = concurrent.futures.ProcessPoolExecutor(jobs, multiprocessing.get_context("fork"))
    try:
        futures = [pool.submit(work, *piece) for piece in pieces]
        for future in concurrent.futures.as_completed(futures):
            yield future.result()
    finally:
        for future in futures:
            future.cancel()
        pool.shutdown()


def cores() -> int:
    return len(os.sched_getaffinity(0))


@contextlib.contextmanager
def scratch_folder() -> Iterator[Path]:
    """In memory where there is such a place.

    What a process leaves behind when it is killed stands in the page cache, of a disk as of this; and no power loss is
    real here, so nothing needs to last. Only the waiting for a disk is left out.
    """
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else None) as folder:
        yield Path(folder)
