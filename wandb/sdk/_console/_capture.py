"""What the program prints, into the run's log: stdout and stderr of this process, while a run is active.

The streams keep their identity: only their `write` is wrapped, at `init`, so progress bars and rich consoles see the
terminal that they expect. A line goes into the log when it ends, so that a program's last words survive it; what has no
end yet (a progress bar) when it is a second old, as the last state of the bar. Nothing here may disturb the program: a
failure of ours ends the capture, not the print.

What passes by Python's streams is not seen: output of subprocesses and of native code, which write to the descriptors
themselves. `_redirect` captures that too, at a price.
"""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import Any, Callable, List, Optional, TextIO, Tuple

from wandb_storage import Record, Stream

from .._jupyter import on_each_cell
from .._periodic import STOP_SECONDS, Periodic
from ._buffer import ConsoleBuffer

FLUSH_SECONDS = 1.0

Listener = Callable[[Stream, str], None]


class ConsoleCapture:
    """Listens to the streams between `start` and `stop`, and appends what passes to a log and to `output.log`."""

    def __init__(self, append: Callable[[Record], object], output: Optional[Path] = None) -> None:
        self._buffer = ConsoleBuffer(append, output)
        self._stopped = False
        self._tees: List[_Tee] = []
        self._cells = contextlib.ExitStack()
        self._periodic = Periodic("wandb-console", FLUSH_SECONDS, self._flush)

    def start(self) -> None:
        """Begin to capture."""
        self._listen()
        # IPython wraps the streams itself while a cell runs, and then puts back what was there before the cell.
        self._cells = on_each_cell(self._listen)
        self._periodic.start()

    def _listen(self, *_: object) -> None:
        before, self._tees = self._tees, []
        for stream, number in ((sys.stdout, Stream.STDOUT), (sys.stderr, Stream.STDERR)):
            tee = _Tee.of(stream, number) if stream is not None else None
            if tee is not None:
                self._tees.append(tee)
        for tee in self._tees:
            if tee not in before:
                tee.listeners = (*tee.listeners, self._take)
        for tee in before:
            if tee not in self._tees:
                tee.remove(self._take)

    def _take(self, number: Stream, text: str) -> None:
        if not self._stopped:
            self._buffer.take(number, text)

    def _flush(self) -> bool:
        self._buffer.flush()
        return True

    def abandon(self) -> None:
        """In a forked child, whose output is not the run's: give the streams back. The parent's thread may hold the
        lock for ever."""
        self._stopped = True
        self._untee()

    def stop(self) -> None:
        """Give the streams back, and append what is still pending."""
        self._cells.close()
        self._untee()
        self._stopped = True
        self._periodic.stop()
        # Whoever holds the lock and doesn't let go is appending, and waits for what a signal handler interrupted.
        if self._buffer.lock.acquire(timeout=STOP_SECONDS):
            self._buffer.flush()
            self._buffer.lock.release()
        self._buffer.close()

    def _untee(self) -> None:
        for tee in self._tees:
            tee.remove(self._take)
        self._tees.clear()


class _Tee:
    """The `write` of a stream, which all captures of the process share."""

    def __init__(self, stream: TextIO, number: Stream) -> None:
        self.listeners: Tuple[Listener, ...] = ()
        self._stream, self._number = stream, number
        self._own: Any = vars(stream).get("write")  # of somebody who wrapped the stream before
        self._write = stream.write

    @classmethod
    def of(cls, stream: TextIO, number: Stream) -> Optional[_Tee]:
        """The tee of a stream; None where it is of a kind that can't be wrapped."""
        try:
            present = getattr(vars(stream).get("write"), "__self__", None)
            if isinstance(present, cls):
                return present
            tee = cls(stream, number)
            stream.write = tee.write  # type: ignore[method-assign]
        except (AttributeError, TypeError):
            return None
        return tee

    def write(self, text: str) -> int:
        """Print, then tell the listeners."""
        written = self._write(text)
        if isinstance(text, str) and text:
            for listener in self.listeners:
                try:
                    listener(self._number, text)
                except Exception:
                    pass
        return written

    def remove(self, listener: Listener) -> None:
        """Stop telling a listener; without any, the stream gets its own `write` back."""
        self.listeners = tuple(one for one in self.listeners if one != listener)
        # Somebody may have wrapped the stream after us: their wrapper stays, and ours passes everything on.
        if self.listeners or getattr(vars(self._stream).get("write"), "__self__", None) is not self:
            return
        if self._own is not None:
            self._stream.write = self._own
        else:
            del self._stream.write
