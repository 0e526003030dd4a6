"""Process death: SIGKILL at a random instant of a writer at full speed, and the log read back from its files alone.

A writer is forked, logs with one thread or with eight, and counts each append that has returned in memory that it
shares with this process: the count is kept outside of what dies. Up to three writers follow one another in a folder, so
that creation, recovery, reopening, commits and segment changes are killed too. One in three has forked three children,
each with a lane of its own: all of them die together, and the parent in the midst of merging. After each death the log
is read as it lies there, recovered or left to the next writer, and read again. It lies in memory where there is a
filesystem there: what a killed process leaves is the page cache, which is the same on a disk.

    python tests/crash/kill.py --kills 10000 --seed 1 --jobs 2
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import mmap
import os
import random
import shutil
import signal
import sys
import threading
import time
import traceback
from pathlib import Path
from typing import Any, Counter, Dict, Iterator, List, NamedTuple, Tuple, Union

from spread import Outcome, cores, scratch_folder, spread

import wandb_storage._committer
import wandb_storage._log
import wandb_storage._segment_writer
from wandb_storage import (
    Console,
    FromLane,
    Log,
    LogError,
    LogNotFound,
    Reader,
    Record,
    Row,
    WriterLost,
    create_lane,
    recover,
)

THREADS = (1, 8)
DURABILITIES = ("process", "process", "power")  # what append waits for; after the death of a process both keep all
WRITERS_MAX = 3  # in one folder, one after the other
# When a writer dies, and how many of a hundred do so before that: while it creates, recovers or opens the log; in the
# first commits; in the midst of commits and segments.
DELAYS = ((0.02, 25), (0.06, 85), (0.4, 100))
LANES = 3
_FIRST_LANE = max(THREADS)  # lanes count as threads behind the others
_OPENED = _FIRST_LANE + LANES  # the slot behind those
_SLOTS = _OPENED + 1


class Plan(NamedTuple):
    """One writer: what it does until it is killed."""

    writer: int  # the how manieth in its folder
    threads: int
    durability: str
    delay: float
    flushes: bool
    commit_bytes: int
    segment_bytes: int
    commit_seconds: float
    lanes: int

    @property
    def writing(self) -> List[int]:
        """The threads that append, lanes among them."""
        return [*range(self.threads), *range(_FIRST_LANE, _FIRST_LANE + self.lanes)]

    @classmethod
    def draw(cls, rng: random.Random, writer: int) -> Plan:
        place = rng.randrange(100)
        delay = rng.uniform(0, next(longest for longest, share in DELAYS if place < share))
        sizes = rng.choice(((256 << 10, 192 << 20), (16 << 10, 192 << 20), (16 << 10, 30_000)))
        threads, durability, flushes = rng.choice(THREADS), rng.choice(DURABILITIES), rng.random() < 0.5
        lanes = rng.choice((0, 0, LANES))
        return cls(writer, threads, durability, delay, flushes, *sizes, rng.choice((0.5, 0.01)), lanes)


def content(writer: int, thread: int, number: int) -> Union[str, Dict[str, Any]]:
    """What a thread appends as its record of this number: a row, at times of a new layout, or a console line."""
    if number % 10 == 9:
        return f"{writer} {thread} {number}"
    row: Dict[str, Any] = {"writer": writer, "thread": thread, "number": number, "value": number * 0.5}
    if number % 50 == 7:
        row[f"key {number % 1000}"] = number
    if number % 500 == 400:
        row["text"] = "x" * (number % 10_000)
    return row


def _identify(record: Record) -> Tuple[int, int, int]:
    """(writer, thread, number) of a record; its content must be what was appended under that number."""
    found: Union[str, Dict[str, Any]]
    if isinstance(record, Row):
        found = dict(record.values)
        key = (found["writer"], found["thread"], found["number"])
    else:
        assert isinstance(record, Console)
        found = record.text
        writer, thread, number = found.split()
        key = (int(writer), int(thread), int(number))
    assert found == content(*key), f"this was never written: {found!r:.200}"
    return key


def read_back(folder: Path) -> Tuple[Dict[Tuple[int, int], int], int]:
    """How many records each thread of each writer has, all in order and once; and how many writers were lost."""
    counts: Dict[Tuple[int, int], int] = collections.defaultdict(int)
    lost = 0
    with Reader(folder) as reader:
        for expected, entry in enumerate(reader.entries(), 1):
            assert entry.sequence == expected, f"record {entry.sequence} in the place of {expected}"
            if isinstance(entry.record, WriterLost):
                lost += 1
            record = entry.record.record if isinstance(entry.record, FromLane) else entry.record
            if isinstance(record, (Row, Console)):
                writer, thread, number = _identify(record)
                assert number == counts[writer, thread], f"{number} in the place of {counts[writer, thread]}"
                counts[writer, thread] += 1
    return dict(counts), lost


# --- the writer -------------------------------------------------------------------------------------------------------


def _append_for_ever(log: Log, plan: Plan, thread: int, counts: memoryview) -> None:
    number = 0
    while True:
        one = content(plan.writer, thread, number)
        if isinstance(one, str):
            log.append(Console(text=one))
        else:
            log.append_row(one, number, 1.0, 2)
        number += 1
        counts[thread] = number
        if plan.flushes and number % 1000 == 0:
            log.flush()


def _write_until_killed(folder: Path, plan: Plan, counts: memoryview) -> None:
    """In the child: never returns."""
    try:
        vars(wandb_storage._log).update(COMMIT_BYTES=plan.commit_bytes)
        vars(wandb_storage._committer).update(COMMIT_SECONDS=plan.commit_seconds)
        vars(wandb_storage._segment_writer).update(SEGMENT_FILL_BYTES=plan.segment_bytes)
        try:
            log = Log.open(folder, durability=plan.durability)
        except LogNotFound:
            log = Log.create(folder, "r", durability=plan.durability)
        counts[_OPENED] = 1
        for lane in plan.writing[plan.threads :]:
            if not os.fork():
                _append_for_ever(create_lane(folder, "r", durability=plan.durability), plan, lane, counts)
        for thread in range(1, plan.threads):
            threading.Thread(target=_append_for_ever, args=(log, plan, thread, counts), daemon=True).start()
        _append_for_ever(log, plan, 0, counts)
    except BaseException:
        os.write(2, traceback.format_exc().encode())
    finally:
        os._exit(1)


def kill_one(folder: Path, plan: Plan) -> List[int]:
    """Run a writer and kill it: how many appends of each thread had returned, and whether the log was open."""
    # One aligned store for each count, which a kill can't tear.
    with mmap.mmap(-1, 8 * _SLOTS) as shared, memoryview(shared) as raw, raw.cast("Q") as counts:
        reading, writing = os.pipe()
        child = os.fork()
        if not child:
            os.setpgid(0, 0)
            _write_until_killed(folder, plan, counts)
        os.close(writing)
        with contextlib.suppress(PermissionError):  # whoever of the two is first; it may be over already
            os.setpgid(child, child)
        time.sleep(plan.delay)  # the random instant itself, nothing is waited for
        os.killpg(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        assert os.WIFSIGNALED(status), "the writer ended by itself; what it said is above"
        os.read(reading, 1)  # comes to its end with the last of its children
        os.close(reading)
        return list(counts)


# --- the campaign -----------------------------------------------------------------------------------------------------


def _check(folder: Path, plan: Plan, acknowledged: List[int], before: Dict[Tuple[int, int], int]) -> Dict[Any, int]:
    """Each record whose append had returned, once and in order; no other but one for each thread."""
    try:
        counts, _ = read_back(folder)
    except LogNotFound:
        assert not acknowledged[_OPENED], "a log that had been created is not there"
        assert not before, "a log that had records is not there"
        return {}
    mine = {thread: count for (writer, thread), count in counts.items() if writer == plan.writer}
    assert {key: count for key, count in counts.items() if key[0] != plan.writer} == before, "an earlier writer's"
    assert set(mine) <= set(plan.writing), "a thread that there was not"
    for thread in plan.writing:
        found = mine.get(thread, 0)
        assert acknowledged[thread] <= found <= acknowledged[thread] + 1, (
            f"thread {thread}: {acknowledged[thread]} appends had returned, {found} records are there"
        )
    return counts


def one_folder(folder: Path, rng: random.Random, writers: int, tried: Counter[str]) -> None:
    """Writers that die one after the other on one log. Raises AssertionError where something is lost."""
    folder.mkdir()
    counts: Dict[Tuple[int, int], int] = {}
    for writer in range(writers):
        plan = Plan.draw(rng, writer)
        acknowledged = kill_one(folder, plan)
        tried["kills"] += 1
        tried["appends"] += sum(acknowledged[:_OPENED])
        tried["with lanes"] += plan.lanes > 0
        tried["while opening"] += not acknowledged[_OPENED]
        try:
            counts = _check(folder, plan, acknowledged, counts)
            if rng.random() < 0.7:
                _recover(folder, counts)
        except (AssertionError, LogError) as error:
            raise AssertionError(f"{plan}: {error}") from error
    tried["segments"] += sum(1 for _ in folder.glob("*.wandb"))


def _recover(folder: Path, counts: Dict[Tuple[int, int], int]) -> None:
    try:
        recovered = recover(folder)
    except LogNotFound:
        assert not counts
        return
    again, lost = read_back(folder)
    assert again == counts, f"{counts} before the recovery, {again} after it"
    assert lost >= (recovered.writer_lost is not None)
    assert recover(folder) == (recovered.last_sequence, None), "a recovery was not finished"


def one_log(scratch: Path, seed: int, log: int, writers: int) -> Outcome:
    """The log of this number, and the writers that die on it."""
    tried: Counter[str] = collections.Counter(logs=1)
    folder = scratch / f"log-{log}"
    try:
        one_folder(folder, random.Random(f"{seed} {log}"), writers, tried)
    except AssertionError as error:
        return tried, f"seed {seed}, log {log}: {error}"
    shutil.rmtree(folder)
    return tried, ""


def logs(kills: int, seed: int) -> Iterator[Tuple[int, int]]:
    """(number, writers) of each log."""
    rng = random.Random(seed)
    number = 0
    while kills:
        number += 1
        writers = min(kills, rng.randint(1, WRITERS_MAX))
        kills -= writers
        yield number, writers


def campaign(kills: int, seed: int, scratch: Path, jobs: int = 1, unit: str = "") -> Outcome:
    """What was tried, how often; and the first thing that was wrong."""
    return spread([(scratch, seed, *one) for one in logs(kills, seed)], one_log, jobs, unit)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--jobs", type=int, default=cores(), help="logs at a time")
    arguments = parser.parse_args()
    start = time.monotonic()
    with scratch_folder() as scratch:
        tried, wrong = campaign(arguments.kills, arguments.seed, scratch, arguments.jobs, unit="kills")
    print(
        f"process death: {tried['kills']:,} kills ({tried['while opening']} while opening, {tried['with lanes']} with "
        f"three lanes) of writers with 1 and 8 threads, {tried['appends']:,} appends that had returned, "
        f"{tried['segments']} segments, seed "
        f"{arguments.seed}, {time.monotonic() - start:.0f} s: {'LOST: ' + wrong if wrong else '0 lost'}"
    )
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
