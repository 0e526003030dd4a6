"""What the program prints, into the run's log: stdout and stderr of this process, while a run is active.

The streams keep their identity: only their `write` is wrapped, at `init`, so progress bars and rich consoles see the
terminal that they expect. A line goes into the log when it ends; what has no end yet (a progress bar) when it is a
second old. Nothing here may disturb the program: a failure of ours ends the capture, not the print.
"""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from typing import Any, Callable, Dict, List, TextIO, Tuple

from wandb_storage import Console, Record, Stream

from ._periodic import STOP_SECONDS, Periodic

_FLUSH_SECONDS = 1.0
# One record of console text. A program that prints megabytes in one call is cut into several.
_RECORD_CHARACTERS_MAX = 64 << 10


class ConsoleCapture:
    """Wraps the streams between `start` and `stop`, and appends what passes to a log."""

    def __init__(self, append: Callable[[Record], object]) -> None:
        self._append = append
        self._lock = threading.RLock()
        self._pending: Dict[Stream, List[str]] = {Stream.STDOUT: [], Stream.STDERR: []}
        self._wrapped: List[Tuple[TextIO, Any]] = []
        self._stopped = False
        self._periodic = Periodic("wandb-console", _FLUSH_SECONDS, self._flush_pending)

    def start(self) -> None:
        """Begin to capture."""
        for stream, number in ((sys.stdout, Stream.STDOUT), (sys.stderr, Stream.STDERR)):
            if stream is not None:
                self._wrap(stream, number)
        self._periodic.start()

    def _wrap(self, stream: TextIO, number: Stream) -> None:
        write = stream.write

        def captured_write(text: str) -> int:
            written = write(text)
            with contextlib.suppress(Exception):  # whatever goes wrong here, the program has printed
                self._take(number, text)
            return written

        try:
            stream.write = captured_write  # type: ignore[method-assign]
        except AttributeError:
            return  # a stream of a kind that can't be wrapped stays uncaptured
        self._wrapped.append((stream, captured_write))

    def _take(self, number: Stream, text: str) -> None:
        if not isinstance(text, str) or not text or self._stopped:
            return
        with self._lock:
            pending = self._pending[number]
            pending.append(text)
            if "\n" in text:
                self._flush(number)

    def _flush(self, number: Stream) -> None:
        """Append what is pending of a stream; the lock is held."""
        text = "".join(self._pending[number])
        self._pending[number] = []
        for start in range(0, len(text), _RECORD_CHARACTERS_MAX):
            part = text[start : start + _RECORD_CHARACTERS_MAX]
            self._append(Console(time=time.time(), stream=number, text=part))

    def _flush_pending(self) -> bool:
        with contextlib.suppress(Exception), self._lock:  # the log says itself what is wrong with it
            for number in self._pending:
                self._flush(number)
        return True

    def abandon(self) -> None:
        """In a forked child: give the streams back. The parent's thread may hold the lock for ever."""
        self._stopped = True
        self._unwrap()

    def stop(self) -> None:
        """Give the streams back, and append what is still pending."""
        self._unwrap()
        # Whoever holds the lock and doesn't let go is appending, and waits for what a signal handler interrupted.
        if self._lock.acquire(timeout=STOP_SECONDS):
            self._flush_pending()
            self._lock.release()
        self._stopped = True
        self._periodic.stop()

    def _unwrap(self) -> None:
        for stream, wrapper in self._wrapped:
            # Somebody may have wrapped the stream after us: their wrapper stays, and ours passes everything on.
            if stream.__dict__.get("write") is wrapper:
                del stream.write
        self._wrapped.clear()
