"""Flipped bits: at random places of a log's files, and what its reader and its recovery make of them.

Of a log that was closed, and of one whose writer died, one file is changed: a single bit, several, a zeroed sector, a
sector of another place. The log is read, recovered and read again in a child with little address space and little time.
Whatever comes out was written: the whole log, or a beginning of it and an error that names the file.

    python tests/fault/flips.py --flips 10000 --seed 1
"""

from __future__ import annotations

import argparse
import collections
import functools
import json
import os
import random
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback
from pathlib import Path
from typing import Any, Callable, Counter, Dict, List, Optional, Tuple

import wandb_storage._log
import wandb_storage._segment_writer
from wandb_storage import Console, Entry, Log, LogError, Reader, WriterLost, recover

SECTOR = 512
ADDRESS_BYTES_MORE = 512 << 20  # LMDB's map is half of that
STATE_SECONDS_MAX = 20


def in_child(work: Callable[[], Any]) -> Any:
    """What `work` returns, from a process of its own with little address space and time. Raises AssertionError."""
    answer, tell = os.pipe()
    child = os.fork()
    if not child:
        try:
            signal.alarm(STATE_SECONDS_MAX)
            now = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
            resource.setrlimit(resource.RLIMIT_AS, (now + ADDRESS_BYTES_MORE, now + ADDRESS_BYTES_MORE))
            try:
                told = ["returned", work()]
            except BaseException:
                told = ["raised", traceback.format_exc()[-3000:]]
            with os.fdopen(tell, "w") as pipe:
                json.dump(told, pipe)
        finally:
            os._exit(0)
    os.close(tell)
    with os.fdopen(answer) as pipe:
        raw = pipe.read()
    _, status = os.waitpid(child, 0)
    assert not status, f"ended by signal {status}: {'a hang' if status == signal.SIGALRM else 'a crash'}"
    how, value = json.loads(raw)
    assert how == "returned", value
    return value


# --- the logs ---------------------------------------------------------------------------------------------------------


def write_log(folder: Path, run_id: str, close: bool) -> None:
    """A log of two sessions and several segments; the last session is closed, or dies with records in both tails."""
    folder.mkdir(parents=True, exist_ok=True)

    def work() -> None:
        vars(wandb_storage._segment_writer).update(SEGMENT_FILL_BYTES=30_000)
        rng = random.Random(run_id)
        number = 0
        with Log.create(folder, run_id) as log:
            for _ in range(4):
                number = _append(log, rng, number, 40)
                log.flush()
        log = Log.open(folder)
        for _ in range(4):
            number = _append(log, rng, number, 40)
            log.flush()
        _append(log, rng, number, 30)
        if close:
            log.close()

    in_child(work)


def _append(log: Log, rng: random.Random, number: int, count: int) -> int:
    for _ in range(count):
        if number % 7 == 0:
            log.append(Console(time=number, text=rng.randbytes(rng.choice((20, 300, 3000))).hex()))
        else:
            log.append_row({"value": rng.random(), f"key {number % 5}": number}, number, 1.0, 2)
        number += 1
    return number


def read_what_is_there(folder: Path, whole: List[Entry]) -> str:
    """Read, recover, read again: nothing but what was written. How it ended, and why."""
    before, error = until_error(folder)
    _assert_a_beginning(before, whole)
    outcome = "an error" if error is not None else "whole" if len(before) == len(whole) else "shorter"
    assert error is None or error.path is not None or str(folder) in str(error), f"an error without a place: {error}"
    try:
        recovered = recover(folder)
    except LogError:
        assert error is not None or outcome != "whole", "what can be read can't be recovered"
        return outcome
    after, _ = until_error(folder)
    _assert_a_beginning([one for one in after if not isinstance(one.record, WriterLost)], whole)
    own = [one for one in after if not isinstance(one.record, WriterLost)]
    if outcome == "whole":
        assert own == [one for one in whole if not isinstance(one.record, WriterLost)], "a recovery lost records"
    elif outcome == "shorter":
        lost = recovered.writer_lost
        outcome += ", and told" if lost is not None else ", and not told"
    return outcome


def until_error(folder: Path) -> Tuple[List[Entry], Optional[LogError]]:
    found: List[Entry] = []
    try:
        with Reader(folder) as reader:
            for entry in reader.entries():
                found.append(entry)
    except LogError as error:
        return found, error
    return found, None


def _assert_a_beginning(found: List[Entry], whole: List[Entry]) -> None:
    for entry in found:
        assert entry.sequence <= len(whole), f"record {entry.sequence} was never written"
        assert entry == whole[entry.sequence - 1], f"record {entry.sequence} is not what was written"
    assert [entry.sequence for entry in found] == list(range(1, len(found) + 1)), "records are missing in the middle"


# --- the campaign -----------------------------------------------------------------------------------------------------


def change(raw: bytes, rng: random.Random) -> Tuple[bytes, str]:
    """The bytes of a file, changed by a disk, and how."""
    content, what = bytearray(raw), rng.random()
    # Half of the places are in the first pages: few bytes, and everything hangs on them.
    place = rng.randrange(min(len(raw), rng.choice((8192, len(raw)))))
    if what < 0.8:
        content[place] ^= 1 << rng.randrange(8)
        return bytes(content), f"a bit of byte {place}"
    if what < 0.9:
        places = [rng.randrange(len(raw)) for _ in range(rng.randrange(2, 20))]
        for one in places:
            content[one] ^= 1 << rng.randrange(8)
        return bytes(content), f"a bit each of bytes {places}"
    start = place // SECTOR * SECTOR
    stop = min(len(raw), start + SECTOR)
    if what < 0.95:
        content[start:stop] = bytes(stop - start)
        return bytes(content), f"zeros from {start} to {stop}"
    other = rng.randrange(max(1, len(raw) - SECTOR)) // SECTOR * SECTOR
    content[start:stop] = raw[other : other + stop - start]
    return bytes(content), f"the sector at {other} at {start}"


def campaign(flips: int, seed: int, scratch: Path) -> Tuple[Counter[str], str]:
    """How the logs were found, how often; and the first thing that was wrong."""
    tried: Counter[str] = collections.Counter()
    rng = random.Random(seed)
    logs: Dict[str, List[Entry]] = {}
    for name in ("closed", "dead"):
        write_log(scratch / name, name, close=name == "closed")
        logs[name], error = until_error(scratch / name)
        assert error is None
    while tried["flips"] < flips:
        name = rng.choice(sorted(logs))
        folder = Path(shutil.copytree(scratch / name, scratch / "changed"))
        path = rng.choice(sorted(path for path in folder.iterdir() if path.stat().st_size and path.suffix != ".owner"))
        content, how = change(path.read_bytes(), rng)
        path.write_bytes(content)
        try:
            outcome = in_child(functools.partial(read_what_is_there, folder, logs[name]))
        except AssertionError as wrong:
            return tried, f"seed {seed}, flip {tried['flips']}, {path.name} of the {name} log, {how}: {wrong}"
        if "not told" in outcome:
            return tried, f"seed {seed}, flip {tried['flips']}, {path.name} of the {name} log, {how}: {outcome}"
        tried["flips"] += 1
        tried[outcome] += 1
        shutil.rmtree(folder)
    return tried, ""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--flips", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    arguments = parser.parse_args()
    start = time.monotonic()
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else None) as scratch:
        tried, wrong = campaign(arguments.flips, arguments.seed, Path(scratch))
    outcomes = ", ".join(f"{count} {name}" for name, count in sorted(tried.items()) if name != "flips")
    print(
        f"flipped bits: {tried['flips']} damaged logs ({outcomes}), seed {arguments.seed}, "
        f"{time.monotonic() - start:.0f} s: {'WRONG: ' + wrong if wrong else '0 wrong records, crashes or hangs'}"
    )
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
