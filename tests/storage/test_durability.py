"""`durability="power"`: what append has returned for is behind a sync, and no trouble of the disk is raised."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import List

import children
import pytest

from wandb_storage import Console, Log, LogClosed, Reader, Row, verify


def test_what_append_returned_for_is_committed(tmp_path: Path) -> None:
    """Records and rows, the first of a shape too."""
    with Log.create(tmp_path, "r", durability="power") as log:
        assert log.append(Console(text="hi")) == log.committed == 1
        assert log.append_row({"loss": 0.5}, 0, 1.0, 2) == log.committed == 3
        assert log.append_row({"loss": 0.5}, 1, 1.0, 2, True) == log.committed == 4
        assert log.append_row({"other": 0.5}, 2, 1.0, 2, True) == -1
    with Log.open(tmp_path, durability="power") as log:
        assert log.append(Console(text="ho")) == log.committed == 5


def test_the_default_does_not_wait(tmp_path: Path) -> None:
    with Log.create(tmp_path, "r") as log:
        log.append(Console(text="hi"))
        assert log.committed == 0


def test_a_promise_that_nobody_makes_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="durability is 'process' or 'power', not 'disk'"):
        Log.create(tmp_path, "r", durability="disk")
    assert list(tmp_path.iterdir()) == []


def test_threads_that_wait_together_share_commits(tmp_path: Path) -> None:
    """Eight threads need far fewer syncs than appends; each block is a commit."""
    threads, each = 8, 40
    with Log.create(tmp_path, "r", durability="power") as log:
        behind: List[int] = []

        def append(thread: int) -> None:
            for number in range(each):
                sequence = log.append(Console(text=f"{thread} {number}"))
                if log.committed < sequence:
                    behind.append(sequence)

        workers = [threading.Thread(target=append, args=(thread,)) for thread in range(threads)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        assert behind == []
        assert log.sequence == threads * each
    report = verify(tmp_path)
    assert report.records == threads * each
    assert report.blocks < threads * each / 2


def test_a_refusing_disk_degrades_with_one_warning_and_heals(tmp_path: Path) -> None:
    """append never raises, doesn't wait for a disk that refuses, and waits again when it takes what waits."""
    script = """
import random, resource, signal, sys, time
from pathlib import Path
from wandb_storage import Console, Log
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
warnings = []
log = Log.create(Path(sys.argv[1]), "r", warn=warnings.append, durability="power")
log.append(Console(text="before"))
resource.setrlimit(resource.RLIMIT_FSIZE, (100, resource.RLIM_INFINITY))
slowest = 0
for number in range(200):
    before = time.monotonic()
    log.append(Console(text=str(number)))
    slowest = max(slowest, time.monotonic() - before)
print(log.committed, sum("durable against a power loss" in text for text in warnings), slowest < 0.5)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
log.flush()
print(log.committed == log.sequence, log.trouble)
sequence = log.append(Console(text="after"))
print(log.committed == sequence, log.lost)
log.close()
"""
    assert children.output(script, tmp_path) == ["1 1 True", "True None", "True 0"]
    with Reader(tmp_path) as reader:
        texts = [entry.record.text for entry in reader.entries() if isinstance(entry.record, Console)]
    assert texts == ["before", *map(str, range(200)), "after"]


def test_what_was_appended_needs_no_tail(tmp_path: Path) -> None:
    """The tails are what a power loss takes; here nothing is in them that was acknowledged."""
    script = """
import os, sys
from pathlib import Path
from wandb_storage import Log
log = Log.create(Path(sys.argv[1]), "r", durability="power")
for step in range(50):
    log.append_row({"loss": 0.5}, step, 1.0, 2)
os._exit(0)
"""
    children.output(script, tmp_path)
    for path in tmp_path.glob("*.tail-*"):
        path.unlink()
    with Reader(tmp_path) as reader:
        steps = [entry.record.step for entry in reader.entries() if isinstance(entry.record, Row)]
    assert steps == list(range(50))


def test_a_forked_child_is_told_to_open_its_own(tmp_path: Path) -> None:
    """Not left waiting for a thread that it doesn't have."""
    with Log.create(tmp_path, "r", durability="power") as log:
        log.append(Console(text="hi"))
        child = os.fork()
        if not child:
            try:
                log.append(Console(text="from the child"))
            except LogClosed:
                os._exit(0)
            os._exit(1)
        assert os.waitpid(child, 0)[1] == 0
        assert log.append(Console(text="ho")) == log.committed == 2
