"""Failing calls: EIO, ENOSPC, EDQUOT, EINTR and short writes at every single call that a log makes on its files.

A shim (`failing.c`) makes one call fail, or several, or all from one on: each write, sync, truncate, open, rename,
unlink and mmap in turn. The workload creates a log, appends, commits, rolls to other segments, closes, reopens, appends
and closes. `append` must not raise, each log may warn once, and what `Log.lost` doesn't count is read back once and in
order when the disk is well again. How long the slowest append took is told: 100 ms is the promise.

    python tests/fault/failing_calls.py --cases 0 --seed 1      # 0: every call, every error, every duration
"""

from __future__ import annotations

import argparse
import collections
import ctypes
import errno
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path
from typing import Any, Counter, Dict, Iterator, List, NamedTuple, Set, Tuple

import wandb_storage._log
import wandb_storage._segment_writer
from wandb_storage import Log, LogError, LogNotFound, Reader, Row, recover

SHORT = -1
ERRORS = {name: getattr(errno, name) for name in ("EIO", "ENOSPC", "EDQUOT", "EINTR")}
ERRORS["short write"] = SHORT
FOR_GOOD = 1 << 40
DURATIONS = (1, 4, FOR_GOOD)
DURABILITIES = ("process", "process", "process", "power")
CASE_SECONDS_MAX = 30
SHAPES = 6  # layouts that the workload's rows have: their records count as lost too


class Case(NamedTuple):
    at: int  # the number of the first call that fails; 0 for none
    times: int  # so many calls in a row
    error: str
    memory_bytes: int  # what may wait in memory
    durability: str = "process"

    def __str__(self) -> str:
        how = "for good" if self.times == FOR_GOOD else f"{self.times} times"
        return f"{self.error} at call {self.at}, {how}, {self.memory_bytes} bytes of memory, {self.durability}"


# --- the workload, in a forked child ----------------------------------------------------------------------------------


class Told(NamedTuple):
    """What a child experienced."""

    appended: int  # rows, numbered from 0
    kept: List[int]  # those that got a sequence number
    durable: List[int]  # those that a flush or close had promised by its return
    lost: int
    warnings: List[int]  # of each log
    slowest: float  # seconds of the slowest append, but those in which the machine had no core for it
    errors: List[str]  # that create, open, flush and close raised
    calls: int
    failed: str  # the call that failed


class Workload:
    def __init__(self, folder: Path, durability: str) -> None:
        self.folder, self.durability = folder, durability
        self.appended = self.lost = 0
        self.slowest = 0.0
        self.kept: List[int] = []
        self.durable: List[int] = []
        self.before: List[int] = []  # what earlier sessions had promised
        self.mine: List[int] = []  # what this one has kept
        self.warnings: List[List[str]] = []
        self.errors: List[str] = []

    def run(self) -> None:
        for session in range(2):
            self.warnings.append([])
            self.before, self.mine = self.durable, []
            try:
                if session:
                    log = Log.open(self.folder, self.warnings[-1].append, self.durability)
                else:
                    log = Log.create(self.folder, "r", self.warnings[-1].append, self.durability)
            except LogError as error:
                self.errors.append(f"{'open' if session else 'create'}: {error}")
                continue
            for appends in (200, 60, 60) if not session else (60, 10):
                self._append(log, appends)
                self._settle("flush", log.flush)
            self._append(log, 20)
            self._settle("close", log.close)
            self.lost += log.lost

    def _append(self, log: Log, count: int) -> None:
        for _ in range(count):
            number = self.appended
            self.appended += 1
            row = {"number": number, f"key {number % 3}": number * 0.37}
            start, waited = time.perf_counter(), _waited_for_a_core()
            sequence = log.append_row(row, number, 1.0, 2)
            taken = time.perf_counter() - start - (_waited_for_a_core() - waited)
            self.slowest = max(self.slowest, taken)
            if sequence:
                self.kept.append(number)
                self.mine.append(number)

    def _settle(self, name: str, call: Any) -> None:
        try:
            call()
            # What an earlier session could not write when it was closed, this one can't promise.
            self.durable = self.before + self.mine
        except LogError as error:
            self.errors.append(f"{name}: {error}")


def _waited_for_a_core() -> float:
    """Seconds in which this thread was ready and the machine had no core for it: no fault of the log's."""
    try:
        with open("/proc/thread-self/schedstat") as file:
            return int(file.read().split()[1]) / 1e9
    except OSError:
        return 0.0


def _child(folder: Path, case: Case, shim: Any, tell: int) -> None:
    signal.alarm(CASE_SECONDS_MAX)
    try:
        vars(wandb_storage._log).update(COMMIT_BYTES=2000, MEMORY_BYTES_MAX=case.memory_bytes)
        vars(wandb_storage._segment_writer).update(SEGMENT_FILL_BYTES=4000)
        workload = Workload(folder, case.durability)
        shim.failing_arm(os.fsencode(folder), case.at, case.times, ERRORS[case.error])
        workload.run()
        told = Told(
            workload.appended, workload.kept, workload.durable, workload.lost, [len(one) for one in workload.warnings],
            workload.slowest, workload.errors, shim.failing_calls(), shim.failing_name().decode(),
        )  # fmt: skip
        answer: Any = list(told)
    except BaseException:
        answer = traceback.format_exc()
    with os.fdopen(tell, "w") as pipe:
        json.dump(answer, pipe)


def experience(folder: Path, case: Case, shim: Any) -> Told:
    """The workload with these failures. Raises AssertionError where it came to a bad end."""
    answer, tell = os.pipe()
    child = os.fork()
    if not child:
        try:
            _child(folder, case, shim, tell)
        finally:
            os._exit(0)
    os.close(tell)
    with os.fdopen(answer) as pipe:
        raw = pipe.read()
    _, status = os.waitpid(child, 0)
    assert not status, f"ended by signal {status}: {'a hang' if status == signal.SIGALRM else 'a crash'}"
    told = json.loads(raw)
    assert isinstance(told, list), f"something raised that may not: {told}"
    return Told(*told)


# --- what must be true afterwards -------------------------------------------------------------------------------------


def numbers(folder: Path) -> List[int]:
    with Reader(folder) as reader:
        rows = [entry.record for entry in reader.entries() if isinstance(entry.record, Row)]
    found = [row.step for row in rows]
    assert all(row.values == {"number": n, f"key {n % 3}": n * 0.37} for n, row in zip(found, rows)), "another row"
    assert found == sorted(set(found)), f"not once and in order: {found}"
    return found


def check(folder: Path, told: Told) -> None:
    """The disk is well again: everything that isn't counted as lost is there."""
    assert max(told.warnings) <= 1, f"warnings: {told.warnings}"
    try:
        before = numbers(folder)
        recover(folder)
    except LogNotFound:
        assert not told.appended, "a log that had been created is not there"
        return
    after = numbers(folder)
    assert after == before, f"{before} before the recovery, {after} after it"
    found: Set[int] = set(after)
    assert found <= set(told.kept), f"{found - set(told.kept)} were refused, and are there"
    assert found >= set(told.durable), f"{set(told.durable) - found} were promised and are gone; {told.errors}"
    missing = told.appended - len(found)
    assert missing <= told.lost <= missing + SHAPES, f"{missing} are missing, {told.lost} counted as lost"
    with Log.open(folder) as log:
        log.append_row({"number": told.appended, f"key {told.appended % 3}": told.appended * 0.37}, told.appended, 1, 2)
    assert numbers(folder) == [*after, told.appended], "a session after all that"


# --- the campaign -----------------------------------------------------------------------------------------------------


def every_case(calls: int, rng: random.Random) -> Iterator[Case]:
    for at in range(1, calls + 1):
        for error in ERRORS:
            for times in DURATIONS:
                # An interrupted call is made again, by Python itself too: for good would be for ever.
                if error != "EINTR" or times != FOR_GOOD:
                    yield Case(at, times, error, rng.choice((3000, 64 << 20)), rng.choice(DURABILITIES))


def campaign(cases: int, seed: int, scratch: Path, shim: Any) -> Tuple[Counter[str], Dict[str, int], str]:
    """What was tried, which calls failed how often, and the first thing that was wrong."""
    tried: Counter[str] = collections.Counter()
    failed: Counter[str] = collections.Counter()
    folder = scratch / "log"
    rng = random.Random(seed)
    folder.mkdir()
    calm = experience(folder, Case(0, 0, "EIO", 64 << 20), shim)
    check(folder, calm)
    assert not calm.errors
    assert not calm.lost
    tried["calls"] = calm.calls
    everything = list(every_case(calm.calls, rng))
    for case in rng.sample(everything, cases) if cases else everything:
        shutil.rmtree(folder)
        folder.mkdir()
        try:
            told = experience(folder, case, shim)
            failed[told.failed] += 1
            tried["lost"] += told.lost
            tried["appends"] += told.appended
            if case.durability != "power":  # there an append waits for the disk, as it was asked to
                tried["slowest"] = max(tried["slowest"], round(told.slowest * 1e6))
            check(folder, told)
        except Exception:
            return tried, failed, f"{case}: {traceback.format_exc()}"
        tried["cases"] += 1
    return tried, failed, ""


def compile_shim(folder: Path) -> Path:
    """Raises OSError or CalledProcessError where there is no compiler."""
    shim = folder / "failing.so"
    source = Path(__file__).with_name("failing.c")
    subprocess.run(["cc", "-O1", "-shared", "-fPIC", "-o", shim, source, "-ldl"], check=True, capture_output=True)
    return shim


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", type=int, default=0, help="a sample of so many; 0 for all")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    arguments = parser.parse_args()
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else None) as folder:
        scratch = Path(folder)
        shim = ctypes.CDLL(None)
        if not hasattr(shim, "failing_arm"):
            # A shim works in a process that was started with it.
            try:
                environment = {**os.environ, "LD_PRELOAD": str(compile_shim(scratch))}
            except (OSError, subprocess.CalledProcessError) as error:
                print(f"failing calls: the shim can't be compiled: {error}")
                return 2
            command = [sys.executable, __file__, "--cases", str(arguments.cases), "--seed", str(arguments.seed)]
            return subprocess.run(command, env=environment, check=False).returncode
        shim.failing_calls.restype = ctypes.c_long
        shim.failing_name.restype = ctypes.c_char_p
        shim.failing_arm.argtypes = (ctypes.c_char_p, ctypes.c_long, ctypes.c_long, ctypes.c_int)
        begin = time.monotonic()
        tried, failed, wrong = campaign(arguments.cases, arguments.seed, scratch, shim)
    kinds = ", ".join(f"{name} {count}" for name, count in sorted(failed.items()) if name)
    print(
        f"failing calls: {tried['cases']} failures at {tried['calls']} calls ({kinds}), {tried['appends']:,} appends, "
        f"none raised, the slowest took {tried['slowest'] / 1000:.1f} ms, {tried['lost']} lost and counted, seed "
        f"{arguments.seed}, {time.monotonic() - begin:.0f} s: "
        f"{'WRONG: ' + wrong if wrong else '0 lost without being counted'}"
    )
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
