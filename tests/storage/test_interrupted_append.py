"""An append that something comes between: exceptions, signal handlers, in any instruction."""

from __future__ import annotations

import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any, Callable, Iterator, List

import children
import pytest

from wandb_storage import Log, LogClosed, LogUnavailable, Reader, Row


def steps(folder: Path) -> List[int]:
    with Reader(folder) as reader:
        return [entry.record.step for entry in reader.entries() if isinstance(entry.record, Row)]


@pytest.fixture(autouse=True)
def quiet_signals() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in (signal.SIGALRM, signal.SIGUSR1)}
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)
    for number, handler in before.items():
        signal.signal(number, handler)


class Interrupt(Exception):
    """What the handler raises: any exception may come, KeyboardInterrupt is only the usual one."""


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # see below
def test_a_storm_of_interrupts_neither_loses_nor_doubles(tmp_path: Path) -> None:
    """What had returned is there; what was interrupted is there once or not at all; order is kept."""

    armed = [False]

    def interrupt(*_: Any) -> None:
        if armed[0]:  # at most once an arming, so that none comes where nothing catches it
            armed[0] = False
            raise Interrupt

    signal.signal(signal.SIGALRM, interrupt)
    returned, interrupted, begun = [], 0, 0
    with Log.create(tmp_path, "r") as log:
        while interrupted < 1500:
            try:
                armed[0] = True
                signal.setitimer(signal.ITIMER_REAL, 0.0001, 0.00013)
                while armed[
                    0
                ]:  # where nothing can raise, in a destructor say, Python tells of an exception and goes on
                    begun += 1
                    number = begun
                    log.append_row({"value": 0.5, f"key {number % 3}": number}, number, 1.0, 2)
                    returned.append(number)
            except Interrupt:
                interrupted += 1
            signal.setitimer(signal.ITIMER_REAL, 0)
        log.flush()
        found = steps(tmp_path)
    assert found == sorted(set(found))
    assert set(returned) <= set(found) <= set(range(1, begun + 1))
    assert steps(tmp_path) == found


def at_call(number: int, act: Callable[[], None]) -> List[int]:
    """Let `act` run at the `number`th call or return within the log's own code: where Python looks for signals. The
    list holds what is left to count."""
    countdown, busy = [number], [False]

    def profile(frame: Any, event: str, argument: Any) -> None:
        if busy[0] or countdown[0] < 0 or os.path.basename(frame.f_code.co_filename) not in _MODULES:
            return
        if event == "c_call":
            return  # Python looks when a call has returned
        countdown[0] -= 1
        if countdown[0] < 0:
            busy[0] = True
            act()
            busy[0] = False

    sys.setprofile(profile)
    return countdown


_MODULES = {"_log.py", "_rows.py", "_tail.py", "_encode.py", "_format.py"}


@pytest.mark.parametrize("fail_memory", [False, True])
def test_an_interrupt_after_every_single_call(tmp_path: Path, fail_memory: bool) -> None:
    """The same, without luck: an append is interrupted at its first call, the next at its second, and so on."""

    def interrupt() -> None:
        raise Interrupt

    returned = []
    with Log.create(tmp_path, "r") as log:
        log.append_row({"value": 0.5}, 0, 1.0, 2)
        number = 0
        countdown = [-1]
        while countdown[0] < 0:
            number += 1
            log._active.refusing = fail_memory
            countdown = at_call(number, interrupt)
            try:
                log.append_row(
                    {"value": 0.5, f"key {number}": number} if number % 2 else {"value": 0.5}, number, 1.0, 2
                )
                sys.setprofile(None)
                returned.append(number)
            except Interrupt:
                sys.setprofile(None)
            log.append_row({"value": 0.5}, 100_000 + number, 1.0, 2)
            returned.append(100_000 + number)
            if number > 40 and not number % 2:
                break
        log.flush()
        found = steps(tmp_path)
    assert number > 10
    assert len(found) == len(set(found))
    assert set(returned) <= set(found) <= set(range(number + 1)) | set(range(100_001, 100_001 + number))
    later = [step for step in found if step > 100_000]
    assert later == sorted(later)


def test_a_signal_handler_may_log(tmp_path: Path) -> None:
    """Its rows are there too, each once, wherever in an append it came."""
    with Log.create(tmp_path, "r") as log:
        handled = [0]

        def handle(*_: Any) -> None:
            handled[0] += 1
            number = handled[0]
            log.append_row({"handler": 1.0}, -number, 1.0, 2)

        signal.signal(signal.SIGALRM, handle)
        signal.setitimer(signal.ITIMER_REAL, 0.0001, 0.00011)
        number = 0
        while handled[0] < 1000:
            number += 1
            log.append_row({"value": 0.5}, number, 1.0, 2)
        signal.setitimer(signal.ITIMER_REAL, 0)
        log.flush()
        found = steps(tmp_path)
    assert [step for step in found if step > 0] == list(range(1, number + 1))
    # Handlers interrupt each other too, so that the order of theirs is not fixed.
    assert sorted(-step for step in found if step < 0) == list(range(1, handled[0] + 1))


@pytest.mark.parametrize("closes", [False, True])
def test_a_signal_handler_at_every_single_call(tmp_path: Path, closes: bool) -> None:
    """A handler that logs, flushes and even closes, at each call within an append in turn."""
    at, done = 0, False
    while not done:
        at += 1
        folder = tmp_path / str(at)
        folder.mkdir()
        with Log.create(folder, "r") as log:

            def handle(log: Log = log) -> None:
                log.append_row({"handler": 1.0}, 2, 1.0, 2)
                try:
                    log.flush()
                except LogUnavailable:
                    pass  # in the middle of an append it can't be had
                if closes:
                    log.close()

            countdown = at_call(at, handle)
            refused = False
            try:
                log.append_row({"value": 0.5}, 1, 1.0, 2)
            except LogClosed:
                refused = True
            finally:
                sys.setprofile(None)
            done = countdown[0] >= 0
        assert sorted(steps(folder)) == [1] * (not refused) + [2] * (not done), at
        assert not list(folder.glob("*.tail-*")), "it was closed"
    assert at > 10


def test_a_handler_that_logs_finishes_and_raises_loses_nothing(tmp_path: Path) -> None:
    """What a preempted program does on SIGTERM: log a last row, close, leave by SystemExit."""
    script = """
import os, signal, sys
from pathlib import Path
from wandb_storage import Log
log = Log.create(Path(sys.argv[1]), "r")
def leave(*_):
    log.append_row({"last": 1.0}, -1, 1.0, 2)
    log.close()
    sys.exit(0)
signal.signal(signal.SIGALRM, leave)
signal.setitimer(signal.ITIMER_REAL, float(sys.argv[2]))
number = 0
while True:
    log.append_row({"value": 0.5}, number, 1.0, 2)
    number += 1
    os.write(1, b".")
"""
    for attempt in range(5):
        folder = tmp_path / str(attempt)
        folder.mkdir()
        counted = len(children.output(script, folder, 0.02 + attempt * 0.0037)[0])
        found = steps(folder)
        assert found.count(-1) == 1
        assert counted <= len(found) - 1 <= counted + 1
        assert not list(folder.glob("*.tail-*")), "it was closed"


def test_other_threads_are_not_disturbed_by_an_interrupt(tmp_path: Path) -> None:
    """The interrupted append lets go of the lock, and the next one puts things right."""

    def interrupt(*_: Any) -> None:
        raise Interrupt

    signal.signal(signal.SIGUSR1, interrupt)
    with Log.create(tmp_path, "r") as log:
        stop = threading.Event()
        theirs: List[int] = []

        def work() -> None:
            while not stop.is_set():
                log.append_row({"other": 0.5}, 1_000_000 + len(theirs), 1.0, 2)
                theirs.append(1_000_000 + len(theirs))
                if len(theirs) % 50 == 0:
                    signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGUSR1)

        thread = threading.Thread(target=work)
        mine, begun, interrupted = [], 0, 0
        while interrupted < 200:
            try:
                if thread.ident is None:
                    thread.start()
                while True:
                    begun += 1
                    log.append_row({"value": 0.5}, begun, 1.0, 2)
                    mine.append(begun)
            except Interrupt:
                interrupted += 1
        while thread.is_alive():
            try:
                stop.set()
                thread.join()
            except Interrupt:
                pass
        log.flush()
    found = steps(tmp_path)
    assert [step for step in found if step >= 1_000_000] == theirs
    ours = [step for step in found if step < 1_000_000]
    assert ours == sorted(set(ours))
    assert set(mine) <= set(ours)
