"""Waiting that a signal handler can cut short.

`threading.Event` can't be used for that: its `set` takes a lock, which the thread that the handler interrupts may be
holding just then, and waits for ever.
"""

from __future__ import annotations

import contextlib
import os
import select


class Wake:
    """One thread waits; signal handlers and other threads wake it."""

    def __init__(self) -> None:
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._reader, False)
        os.set_blocking(self._writer, False)

    def wait(self, seconds: float) -> None:
        """Wait for so long at most. What woke it before counts too."""
        poll = select.poll()
        poll.register(self._reader, select.POLLIN)
        if poll.poll(max(0.0, seconds) * 1000):
            with contextlib.suppress(BlockingIOError):
                os.read(self._reader, 4096)

    def set(self) -> None:
        """Safe in a signal handler."""
        with contextlib.suppress(BlockingIOError):  # it is full: enough to wake it
            os.write(self._writer, b"\0")

    def __del__(self) -> None:
        os.close(self._reader)
        os.close(self._writer)
