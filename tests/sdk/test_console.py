"""What the program prints, in the run's log."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Dict, List

import pytest

import wandb
from wandb.sdk._console._buffer import without_overwritten
from wandb.sdk._console._capture import ConsoleCapture
from wandb_storage import Console, ConsoleLines, Reader, Record, RunState


def console_of(run: wandb.Run) -> List[str]:
    state = RunState()
    lines: Dict[int, str] = {}
    with Reader(Path(run.sync_dir)) as reader:
        for entry in reader.entries():
            lines.update({line.number: line.text for line in state.apply(entry.record).console})
    return [lines[number] for number in sorted(lines)]


def test_lines_are_captured_and_progress_bars_fold(capsys: pytest.CaptureFixture[str]) -> None:
    with wandb.init(mode="offline", settings={"silent": True}) as run:
        print("first")
        for percent in range(0, 101, 10):
            sys.stderr.write(f"\rprogress {percent}%")
        sys.stderr.write("\n")
        print("last, without an end", end="")
    assert console_of(run) == ["first", "progress 100%", "last, without an end"]
    captured = capsys.readouterr()
    assert captured.out == "first\nlast, without an end"
    assert "progress 50%" in captured.err


def test_the_streams_are_given_back() -> None:
    before = (sys.stdout.write, sys.stderr.write)
    with wandb.init(mode="offline"):
        assert sys.stdout.write != before[0]
    assert (sys.stdout.write, sys.stderr.write) == before


def test_two_runs_share_a_stream_and_give_it_back() -> None:
    before = sys.stdout.write
    first = wandb.init(mode="offline", settings={"silent": True})
    second = wandb.init(mode="offline", reinit="create_new", settings={"silent": True})
    print("for both")
    first.finish()
    print("for the second")
    second.finish()
    assert (console_of(first), console_of(second)) == (["for both"], ["for both", "for the second"])
    assert sys.stdout.write == before


def test_a_stream_that_somebody_else_wrapped_stays_wrapped(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    heard: List[str] = []
    monkeypatch.setattr(sys, "stdout", stream)
    stream.write = heard.append  # type: ignore[method-assign,assignment]
    with wandb.init(mode="offline", settings={"silent": True}) as run:
        sys.stdout.write("heard")
    sys.stdout.write("later")
    assert (heard, console_of(run)) == (["heard", "later"], ["heard"])


def test_a_failing_log_stops_no_print(capsys: pytest.CaptureFixture[str]) -> None:
    def refuse(record: Record) -> None:
        print("the log complains")
        raise RuntimeError

    capture = ConsoleCapture(refuse)
    capture.start()
    print("printed")
    capture.stop()
    assert "printed" in capsys.readouterr().out


def test_a_program_that_ends_no_line_fills_no_memory() -> None:
    """And of a bar that is drawn thousands of times a second only the last state is recorded."""
    records: List[Console] = []
    capture = ConsoleCapture(records.append)  # type: ignore[arg-type]
    capture.start()
    for step in range(50_000):
        sys.stdout.write(f"\r{step:6}")
    capture.stop()
    assert len(records) > 1
    assert records[-1].text.endswith("\r 49999")
    assert sum(len(record.text) for record in records) < 1000


def test_a_forked_child_prints_and_ends() -> None:
    """Its output is its own: a lock that another thread held when it was forked must not hold it up."""
    run = wandb.init(mode="offline", settings={"silent": True})
    (capture,) = (watcher for watcher in run._watchers if isinstance(watcher, ConsoleCapture))
    with capture._buffer.lock:  # as the flushing thread may hold it
        child = fork_and_print()
    assert os.waitpid(child, 0)[1] == 0
    run.finish()
    assert console_of(run) == []


def fork_and_print() -> int:
    """Fork a child that prints from a thread of its own, to which the lock is somebody else's, and ends."""
    child = os.fork()
    if child:
        return child
    signal.alarm(20)
    printing = threading.Thread(target=print, args=("in the child",))
    printing.start()
    printing.join()
    os._exit(0)


def test_output_log_holds_what_the_terminal_showed() -> None:
    with wandb.init(mode="offline", settings={"silent": True}) as run:
        print("first")
        for percent in range(0, 101, 10):
            sys.stderr.write(f"\rprogress {percent}%")
        print("\nlast")
    written = (Path(run.dir) / "output.log").read_text(encoding="utf-8")
    assert sorted(written.splitlines()) == ["", "first", "last", "progress 100%"]


def test_a_run_ends_where_the_disk_takes_no_console_output() -> None:
    script = """
import resource, wandb
run = wandb.init(mode="offline")
print("first")
_, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (1, hard))
print("second")
run.finish()
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (done.returncode, "Traceback" in done.stderr) == (0, False), done.stderr


@pytest.mark.parametrize("text", ["a\rb", "\r1\r2\r3", "ab\rcd\re", "x\n\r 1%\r 2%\n", "abc\r\n", "\r12\r3\r\x1b[A4"])
def test_what_is_left_out_of_the_log_was_overwritten(text: str) -> None:
    def shown(written: str) -> List[str]:
        lines = ConsoleLines()
        return [line.text for line in (*lines.write(0, 0, "before "), *lines.write(0, 0, written))][1:]

    assert shown(without_overwritten(text)) == shown(text)


def test_console_off_captures_nothing() -> None:
    with wandb.init(mode="offline", settings={"console": "off", "silent": True}) as run:
        print("unheard")
    assert console_of(run) == []
