"""A daemon thread that does something every few seconds, until it is stopped or has done it for the last time."""

from __future__ import annotations

import threading
from typing import Callable

# What begins with a run begins so much later: a thread that loads modules would hold up the program's first steps.
SETTLE_SECONDS = 0.2
# A signal handler that finishes a run may have interrupted an append, for whose end such a thread waits: then they
# would wait for each other.
STOP_SECONDS = 1.0


class Periodic:
    """Calls `call` every `seconds`, the first time after that long or, with `at_once`, in a moment; a call that returns
    False is the last."""

    def __init__(self, name: str, seconds: float, call: Callable[[], bool], at_once: bool = False) -> None:
        self._seconds, self._call, self._at_once = seconds, call, at_once
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End; returns when the thread has ended, or can't for now."""
        self._stopped.set()
        if self._thread is not threading.current_thread() and self._thread.is_alive():
            self._thread.join(STOP_SECONDS)

    def abandon(self) -> None:
        """In a forked child, where the thread is not."""
        self._stopped.set()

    def _run(self) -> None:
        if self._at_once:
            self._stopped.wait(SETTLE_SECONDS)
            if not self._call():
                return
        while not self._stopped.wait(self._seconds) and self._call():
            pass
