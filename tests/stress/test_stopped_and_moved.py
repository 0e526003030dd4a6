"""Readers that are stopped, folders that are copied and moved, clocks that jump: the writer doesn't notice."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
from pathlib import Path
from typing import Iterator, List

import children
import pytest

from wandb_storage import Log, LogInUse, Reader, Row, WriterLost, recover

_READERS = {
    # Follows the log in bounded batches, as an uploader does.
    "uploader": """
position = 1
with Reader(folder) as reader:
    print("reading", flush=True)
    while True:
        batch = reader.read(position, 4096)
        assert [entry.sequence for entry in batch] == list(range(position, position + len(batch)))
        position += len(batch)
        if batch and isinstance(batch[-1].record, Row) and batch[-1].record.step == -1:
            break
""",
    # Reads all of it, with the tails, again and again.
    "dashboard": """
last = 0
print("reading", flush=True)
while True:
    with Reader(folder) as reader:
        found = list(reader.entries())
    assert [entry.sequence for entry in found] == list(range(1, len(found) + 1))
    assert len(found) >= last
    last = len(found)
    if isinstance(found[-1].record, Row) and found[-1].record.step == -1:
        break
""",
}
_READER_PROLOGUE = """
import sys
from pathlib import Path
from wandb_storage import Reader, Row
folder = Path(sys.argv[1])
"""


def steps(folder: Path) -> List[int]:
    with Reader(folder) as reader:
        return [entry.record.step for entry in reader.entries() if isinstance(entry.record, Row)]


def append(log: Log, *numbers: int) -> None:
    for number in numbers:
        log.append_row({"value": number * 0.5}, number, 1.0, 2)


@contextlib.contextmanager
def stopped(pid: int) -> Iterator[None]:
    os.kill(pid, signal.SIGSTOP)
    try:
        os.waitpid(pid, os.WUNTRACED)  # it has stopped, wherever it was
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


@pytest.mark.parametrize("kind", _READERS)
def test_a_stopped_reader_delays_nobody(tmp_path: Path, kind: str) -> None:
    """Stopped at ten instants, in a transaction or between two: the writer appends and commits as if it weren't there,
    and the reader goes on with every record."""
    with Log.create(tmp_path, "r") as log:
        append(log, 0)
        log.flush()
        with children.start(_READER_PROLOGUE + _READERS[kind], tmp_path) as reader:
            assert reader.stdout is not None
            assert reader.stdout.readline() == b"reading\n"
            step = 1
            for _ in range(10):
                with stopped(reader.pid):
                    for _ in range(1000):
                        append(log, step)
                        step += 1
                    log.flush()  # which would wait for the reader if anything did
                append(log, *range(step, step + 100))
                step += 100
            append(log, -1)
            log.flush()
            assert reader.wait(timeout=50) == 0
        assert log.trouble is None
    assert steps(tmp_path) == [*range(step), -1]


def test_a_reader_that_is_killed_in_a_transaction_leaves_nothing_behind(tmp_path: Path) -> None:
    """Its place in LMDB's table is freed, so readers may come and be killed as often as they like."""
    with Log.create(tmp_path, "r") as log:
        append(log, *range(100))
        log.flush()
        for number in range(5):
            with children.start(_READER_PROLOGUE + _READERS["uploader"], tmp_path) as reader:
                assert reader.stdout is not None
                reader.stdout.readline()
                append(log, *range(100 + number * 10, 110 + number * 10))
                log.flush()
                reader.send_signal(signal.SIGKILL)
        assert steps(tmp_path) == list(range(150))


def test_a_stopped_writer_is_alive(tmp_path: Path) -> None:
    """Nobody recovers the log of a process that merely stands still; readers read it."""
    script = """
import signal, sys
from pathlib import Path
from wandb_storage import Log
log = Log.create(Path(sys.argv[1]), "r")
for step in range(1000):
    log.append_row({"value": 1.0}, step, 1.0, 2)
print("written", flush=True)
sys.stdin.read()
log.close()
"""
    with children.start(script, tmp_path, stdin=-1) as writer:
        assert writer.stdout is not None
        assert writer.stdin is not None
        writer.stdout.readline()
        with stopped(writer.pid):
            assert steps(tmp_path) == list(range(1000))
            for action in (recover, Log.open):
                with pytest.raises(
                    LogInUse, match=f"process {writer.pid} on {os.uname().nodename} is writing this log"
                ):
                    action(tmp_path)
        writer.stdin.close()
        assert writer.wait(timeout=50) == 0
    assert recover(tmp_path).writer_lost is None
    assert steps(tmp_path) == list(range(1000))


def test_a_copy_of_a_living_log_is_a_log_of_its_own(tmp_path: Path) -> None:
    """Made file by file while the writer writes: it may be recovered and written, and the original knows nothing of
    it. The copy is made by another process, since a process must not open the files of a log that it writes."""
    original, copy = tmp_path / "original", tmp_path / "copy"
    original.mkdir()
    script = """
import shutil, sys
shutil.copytree(sys.argv[1], sys.argv[2])
"""
    with Log.create(original, "r") as log:
        append(log, *range(500))
        log.flush()
        append(log, *range(500, 600))
        children.output(script, original, copy)
        recover(copy)
        found = steps(copy)
        assert found == list(range(len(found)))
        assert len(found) >= 500
        with Log.open(copy) as second:
            append(second, 9000)
        append(log, *range(600, 700))
    assert steps(copy) == [*found, 9000]
    assert steps(original) == list(range(700))


def test_a_log_that_is_moved_while_it_is_written_goes_along(tmp_path: Path) -> None:
    """Open files move with their folder: appends and commits are not disturbed, and readers find the writer there."""
    before, after = tmp_path / "before", tmp_path / "after"
    before.mkdir()
    log = Log.create(before, "r")
    append(log, *range(100))
    log.flush()
    before.rename(after)
    append(log, *range(100, 200))
    log.flush()
    with Reader(after) as reader:
        writer = reader.writer()
        assert writer is not None
        assert writer.pid == os.getpid()
    with pytest.raises(LogInUse):
        recover(after)
    log.close()
    recover(after)
    assert steps(after) == list(range(200))


def test_a_closed_or_dead_log_may_be_moved_anywhere(tmp_path: Path) -> None:
    """No file of a log holds a path."""
    before, after = tmp_path / "before", tmp_path / "elsewhere" / "after"
    before.mkdir()
    children.killed_after(before, "create", 0, 500)
    found = steps(before)
    after.parent.mkdir()
    shutil.move(before, after)
    assert steps(after) == found
    with Log.open(after) as log:
        append(log, len(found))
    assert steps(after) == [*found, len(found)]


@pytest.mark.parametrize("seconds", [-86_400, 86_400])
def test_a_clock_that_jumps_by_a_day_changes_nothing_but_times(tmp_path: Path, seconds: int) -> None:
    """The system's clock can't be set by a test: `time.time` is replaced, in a process of its own. Commits go by the
    monotonic clock, order by the sequence numbers, and who died when is not asked."""
    script = """
import os, sys, time
from pathlib import Path
from wandb_storage import Log
real = time.time
folder, jump = Path(sys.argv[1]), int(sys.argv[2])
def append(log, step):
    log.append_row({"value": 1.0}, step, time.time(), 2)
log = Log.create(folder, "r")
for step in range(100):
    append(log, step)
time.time = lambda: real() + jump
for step in range(100, 200):
    append(log, step)
deadline = time.monotonic() + 5
while log.committed < log.sequence and time.monotonic() < deadline:
    time.sleep(0.005)
print(log.committed == log.sequence, flush=True)
log.close()
log = Log.open(folder)
append(log, 200)
os._exit(0)
"""
    assert children.output(script, tmp_path, seconds) == ["True"]
    lost = recover(tmp_path).writer_lost
    assert isinstance(lost, WriterLost)
    assert steps(tmp_path) == list(range(201))
