"""What is appended is read back: once, in order, by readers beside the writer and after it."""

from __future__ import annotations

import functools
import os
import random
import threading
import time
from pathlib import Path
from typing import List

import children
import pytest

from wandb_storage import (
    Alert,
    Console,
    Log,
    LogClosed,
    LogError,
    LogInUse,
    LogNotFound,
    LogUnavailable,
    Reader,
    Row,
    WriterLost,
    is_log_file,
    recover,
)
from wandb_storage._segment import Identity, create_segment, segment_path


def steps(folder: Path) -> List[int]:
    with Reader(folder) as reader:
        return [entry.record.step for entry in reader.entries() if isinstance(entry.record, Row)]


def append(log: Log, *numbers: int) -> None:
    for number in numbers:
        log.append_row({"value": number * 0.5}, number, 1.0, 2)


def test_appended_records_are_there_before_flush_after_it_and_after_close(tmp_path: Path) -> None:
    """A reader sees what append has returned for, wherever it stands at the moment."""
    with Log.create(tmp_path, "r") as log:
        append(log, *range(5))
        assert steps(tmp_path) == list(range(5))
        log.flush()
        assert log.committed == log.sequence == 6
        append(log, *range(5, 9))
        assert steps(tmp_path) == list(range(9))
    assert steps(tmp_path) == list(range(9))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run-r.owner", "run-r.wandb", "run-r.wandb-lock"]


def test_a_reader_knows_the_last_committed_record_without_reading_the_others(tmp_path: Path) -> None:
    with Log.create(tmp_path, "r") as log, Reader(tmp_path) as reader:
        assert reader.last_committed() == 0
        append(log, *range(5))
        log.flush()
        assert reader.last_committed() == log.committed == 6
    with Log.open(tmp_path) as log:
        assert reader.last_committed() == 6, "of the next segment, which is empty"
        append(log, 5)
    with Reader(tmp_path) as after:
        assert reader.last_committed() == after.last_committed() == log.committed


def test_records_commit_by_themselves_within_a_second(tmp_path: Path) -> None:
    """Promise P2: nobody has to call flush."""
    with Log.create(tmp_path, "r") as log:
        append(log, 1)
        deadline = time.monotonic() + 1.0
        while log.committed < log.sequence and time.monotonic() < deadline:
            time.sleep(0.01)
        assert log.committed == log.sequence


def test_a_closed_log_takes_nothing_and_says_so(tmp_path: Path) -> None:
    """LogClosed, not silence; closing again is nothing."""
    log = Log.create(tmp_path, "r")
    log.close()
    log.close()
    with pytest.raises(LogClosed, match="the log is closed"):
        append(log, 1)
    log.flush()  # everything that was appended is durable


def test_reopening_goes_on_in_the_next_segment(tmp_path: Path) -> None:
    """Sealed segments are never written again, numbers go on, and rows find their shapes."""
    for session in range(3):
        with Log.create(tmp_path, "r") if session == 0 else Log.open(tmp_path) as log:
            append(log, session)
            assert log.recovered is None or log.recovered.writer_lost is None
    assert steps(tmp_path) == [0, 1, 2]
    names = sorted(path.name for path in tmp_path.glob("*.wandb"))
    assert names == ["run-r.seg-0002.wandb", "run-r.seg-0003.wandb", "run-r.wandb"]


def test_reading_may_start_anywhere(tmp_path: Path) -> None:
    """A row whose shape stands before the start is decoded all the same."""
    with Log.create(tmp_path, "r") as log:
        for number in range(300):
            log.append_row({f"key {number % 7}": number}, number, 1.0, 2)
            if number == 150:
                log.flush()
        for start in (1, 20, 157, 158, 290):
            with Reader(tmp_path) as reader:
                found = list(reader.entries(start, start + 9))
            assert [entry.sequence for entry in found] == list(range(start, start + 9))
            for entry in found:
                if isinstance(entry.record, Row):
                    assert entry.record.values == {f"key {entry.record.step % 7}": entry.record.step}


def test_a_full_segment_rolls_to_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The map of a segment never grows: what comes after goes into the next one, with shapes of its own."""
    monkeypatch.setattr("wandb_storage._segment_writer.SEGMENT_FILL_BYTES", 5_000)
    rng = random.Random(1)
    with Log.create(tmp_path, "r") as log:
        for number in range(900):
            log.append_row({"value": rng.random(), "step": number}, number, 1.0, 2)
            if number % 90 == 0:
                log.flush()
    assert steps(tmp_path) == list(range(900))
    paths = sorted(tmp_path.glob("*.seg-*.wandb"))
    assert len(paths) > 1
    (tmp_path / "run-r.wandb").unlink()
    for path in paths[:-1]:
        path.unlink()
    assert steps(tmp_path)[-1] == 899, "the last segment can be read without the others"


def test_a_segment_that_is_full_before_its_time_rolls_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """LMDB's own MapFullError starts the next segment, and loses nothing."""
    monkeypatch.setattr("wandb_storage._segment.SEGMENT_BYTES", 128 << 10)
    rng = random.Random(1)
    with Log.create(tmp_path, "r") as log:
        for number in range(400):
            log.append(Console(time=number, text=rng.randbytes(1000).hex()))
            if number % 40 == 0:
                log.flush()
        assert log.trouble is None
    with Reader(tmp_path) as reader:
        assert [entry.record.time for entry in reader.entries()] == list(range(400))  # type: ignore[union-attr]
    assert len(list(tmp_path.glob("*.wandb"))) > 3


def test_a_tail_larger_than_a_block_is_cut(tmp_path: Path) -> None:
    """Forty megabytes between two commits are two blocks."""
    with Log.create(tmp_path, "r") as log:
        text = "x" * (10 << 20)
        with log._append_lock:  # the committer has to wait meanwhile
            for number in range(4):
                log.append(Console(time=number, text=text))
        log.flush()
        with Reader(tmp_path) as reader:
            assert [len(reader.read(start)) for start in (1, 4)] == [3, 1]
            assert [entry.record.time for entry in reader.entries()] == [0, 1, 2, 3]  # type: ignore[union-attr]


def test_threads_may_append_together(tmp_path: Path) -> None:
    """Each record once, each thread's in its own order."""
    with Log.create(tmp_path, "r") as log:

        def work(worker: int) -> None:
            for number in range(500):
                log.append_row({"worker": worker, f"only {worker}": 0.5}, number, 1.0, 2)

        threads = [threading.Thread(target=work, args=(worker,)) for worker in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    with Reader(tmp_path) as reader:
        rows = [entry.record for entry in reader.entries() if isinstance(entry.record, Row)]
    for worker in range(8):
        assert [row.step for row in rows if row.values["worker"] == worker] == list(range(500))


def test_a_reader_beside_a_busy_writer_sees_no_hole(tmp_path: Path) -> None:
    """Whenever one reads: everything whose append had returned before, in order, without gaps."""
    with Log.create(tmp_path, "r") as log:
        stop = threading.Event()

        def work() -> None:
            number = 0
            while not stop.is_set():
                append(log, number)
                number += 1
                if number % 300 == 0:
                    log.flush()

        thread = threading.Thread(target=work)
        thread.start()
        try:
            for _ in range(25):
                before = log.sequence
                found = [entry.sequence for entry in Reader(tmp_path).entries()]
                assert found == list(range(1, len(found) + 1))
                assert len(found) >= before
        finally:
            stop.set()
            thread.join()


def test_a_second_writer_is_refused_with_the_name_of_the_first(tmp_path: Path) -> None:
    """LogInUse says which process on which host, whatever the second wants."""
    with Log.create(tmp_path, "r"):
        for attempt in (lambda: Log.open(tmp_path), lambda: Log.create(tmp_path, "r"), lambda: recover(tmp_path)):
            with pytest.raises(LogInUse, match=f"process {os.getpid()} on {os.uname().nodename} is writing this log"):
                attempt()
    with pytest.raises(LogInUse, match="open it to go on"):
        Log.create(tmp_path, "r")


def test_a_forked_child_is_told_to_open_its_own(tmp_path: Path) -> None:
    """The child can neither write nor close the parent's log, but read it; the parent goes on undisturbed."""
    with Log.create(tmp_path, "r") as log:
        append(log, 1)
        log.flush()
        read, write = os.pipe()
        child = os.fork()
        if not child:
            try:
                answers = []
                for attempt in (functools.partial(append, log, 2), log.flush):
                    try:
                        attempt()
                    except LogError as error:
                        answers.append(f"{type(error).__name__} {error}")
                log.close()
                answers.append(str(steps(tmp_path)))
                os.write(write, "\n".join(answers).encode())
            finally:
                os._exit(0)
        os.waitpid(child, 0)
        os.close(write)
        with os.fdopen(read) as told:
            first, second, third = told.read().splitlines()
        assert first == second
        assert first.startswith("LogClosed")
        assert first.endswith("the log belongs to the parent process; a child writes a lane of its own")
        assert third == "[1]"
        append(log, 3)
    assert steps(tmp_path) == [1, 3]


def test_a_child_that_outlives_the_writer_does_not_hold_its_lock(tmp_path: Path) -> None:
    """A forked worker keeps running when the writer is gone: the log can be recovered at once."""
    script = """
import os, sys, time
from pathlib import Path
from wandb_storage import Log
log = Log.create(Path(sys.argv[1]), "r")
log.append_row({"value": 1.0}, 1, 1.0, 2)
if os.fork() == 0:
    os.close(1)
    sys.stdin.read()
os._exit(1)
"""
    with children.start(script, tmp_path, stdin=-1) as child:
        assert child.stdout is not None
        child.stdout.read()
        child.wait()
        assert recover(tmp_path).writer_lost is not None
        assert child.stdin is not None
        child.stdin.close()
    assert steps(tmp_path) == [1]


def test_a_failed_start_leaves_nothing_open(tmp_path: Path) -> None:
    """No descriptor, no thread, no lock stays behind when a log can't be opened."""
    with Log.create(tmp_path, "r"):
        pass
    before = len(os.listdir("/proc/self/fd")), threading.active_count()
    (tmp_path / "run-r.tail-0").mkdir()
    with pytest.raises(LogUnavailable):
        Log.open(tmp_path)
    assert (len(os.listdir("/proc/self/fd")), threading.active_count()) == before
    (tmp_path / "run-r.tail-0").rmdir()
    with Log.open(tmp_path) as log:
        append(log, 1)
    assert (len(os.listdir("/proc/self/fd")), threading.active_count()) == before
    with Reader(tmp_path) as reader:
        list(reader.entries())
    assert len(os.listdir("/proc/self/fd")) == before[0]


def test_what_a_dying_creation_leaves_is_no_obstacle(tmp_path: Path) -> None:
    """A half-made segment has no name yet; the next creation replaces it."""
    (tmp_path / ".run-r.wandb.new").write_bytes(b"half")
    (tmp_path / ".run-r.wandb.new-lock").write_bytes(b"")
    with pytest.raises(LogNotFound):
        Reader(tmp_path)
    with Log.create(tmp_path, "r") as log:
        append(log, 1)
    assert steps(tmp_path) == [1]


def test_every_file_of_a_log_is_known_as_such(tmp_path: Path) -> None:
    """What walks a run's folder must not open these: LMDB's locks would break."""
    with Log.create(tmp_path, "r"), Log.create(tmp_path, "x.y"):
        create_segment(tmp_path / "unused", Identity("r", "0" * 32, 1, 1, 0.0))
        names = {path.name for path in tmp_path.iterdir()} - {"unused"}
    assert names
    assert all(is_log_file(name) for name in names | {".run-r.wandb.new", "run-r.tail-0.damaged"})
    assert not is_log_file("wandb-metadata.json")
    assert segment_path(tmp_path, "r", 12).name == "run-r.seg-0012.wandb"
    assert is_log_file("run-r.seg-0012.wandb")


def test_records_of_unknown_kinds_are_skipped_and_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A later version's records don't disturb an earlier version's reader."""
    from wandb_storage import _records

    with Log.create(tmp_path, "r") as log:
        log.append(Alert(title="a"))
        log.append(Console(text="b"))
        log.append(Alert(title="c"))
    monkeypatch.delitem(_records.RECORD_TYPES, Alert.kind)
    with Reader(tmp_path) as reader:
        found = [(entry.sequence, entry.kind, type(entry.record).__name__) for entry in reader.entries()]
        assert reader.unknown_kinds == 2
    assert found == [(1, 12, "NoneType"), (2, 8, "Console"), (3, 12, "NoneType")]


def test_a_recovered_log_says_how_its_writer_ended(tmp_path: Path) -> None:
    """The evidence is a record; recovering again changes nothing."""
    count = children.killed_after(tmp_path, "create", 0, 10)
    recovered = recover(tmp_path)
    with Reader(tmp_path) as reader:
        *before, last = reader.entries()
    assert isinstance(last.record, WriterLost)
    assert last.record.cause == "died"
    assert last.record.evidence.endswith("ended without closing the log: the lock that it held until its end is free")
    assert last.record.last_sequence == before[-1].sequence
    assert count <= len(before) - 1 <= count + 1
    assert recovered.last_sequence == last.sequence
    assert recover(tmp_path) == (last.sequence, None)


def test_a_session_that_dies_before_its_first_record_is_not_laid_to_the_one_before(tmp_path: Path) -> None:
    """Only the process that held the log open is reported lost, and once."""
    children.killed_after(tmp_path, "create", 0, 10)
    script = """
import os, sys
from pathlib import Path
from wandb_storage import Log
log = Log.open(Path(sys.argv[1]))
print(os.getpid(), flush=True)
os._exit(1)
"""
    with children.start(script, tmp_path) as child:
        assert child.stdout is not None
        pid = int(child.stdout.read())
    recovered = recover(tmp_path)
    assert recovered.writer_lost is not None
    assert recovered.writer_lost.pid == pid
    with Reader(tmp_path) as reader:
        assert sum(isinstance(entry.record, WriterLost) for entry in reader.entries()) == 2


@pytest.mark.parametrize("iteration", range(25))
def test_a_killed_writer_loses_nothing(tmp_path: Path, iteration: int) -> None:
    """Promise P1, counted from outside: each append that returned is there once, in order, before and after recovery
    and over two sessions that both end in SIGKILL. The one append that was under way may be there too."""
    rng = random.Random(iteration)
    first = children.killed_after(tmp_path, "create", 0, rng.choice((1, 50, 3000, rng.randrange(1, 20_000))))
    found = steps(tmp_path)
    assert found == list(range(len(found)))
    assert first <= len(found) <= first + 1
    if iteration % 2:
        recover(tmp_path)
        assert steps(tmp_path) == found
    second = children.killed_after(tmp_path, "open", len(found), rng.randrange(1, 3000))
    everything = steps(tmp_path)
    assert everything == list(range(len(everything)))
    assert len(found) + second <= len(everything) <= len(found) + second + 1
    recover(tmp_path)
    assert steps(tmp_path) == everything
