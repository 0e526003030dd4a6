"""What was printed, on its way into a log: put together to records, a line when it ends, a progress bar once a second.

Of what carriage returns cover again only the last state is kept.
"""

from __future__ import annotations

import collections
import threading
import time
from pathlib import Path
from typing import Callable, Deque, List, Optional

from wandb_storage import Console, Record, Stream

from ._output_file import OutputFile

# One record of console text: what a program prints in one call may be cut into several.
_RECORD_CHARACTERS_MAX = 64 << 10
# So much is remembered of a line that doesn't end: a program that ends none fills no memory.
_PIECES_MAX, _PIECE_CHARACTERS_MAX = 1024, 4096


class ConsoleBuffer:
    """Appends what it is given to a log and to `output.log`. Safe between threads."""

    def __init__(self, append: Callable[[Record], object], output: Optional[Path]) -> None:
        self.lock = threading.RLock()
        self._append = append
        self._output = OutputFile(output) if output is not None else None
        # By the stream's number. Deques, since a print is not to wait for a lock.
        self._pending: List[Deque[str]] = [collections.deque() for _ in Stream]
        self._flushing = False

    def take(self, number: Stream, text: str) -> None:
        """Remember what was printed, and append it where a line has ended."""
        pending = self._pending[number]
        pending.append(text)
        if "\n" in text or len(text) > _PIECE_CHARACTERS_MAX or len(pending) > _PIECES_MAX:
            with self.lock:
                self._flush(number)

    def flush(self) -> None:
        """Append what is pending, and write the lines that can't change any more. Nothing is raised."""
        try:
            with self.lock:
                for number in Stream:
                    self._flush(number)
            if self._output is not None:
                self._output.write_settled()
        except Exception:
            pass

    def close(self) -> None:
        """Write all lines of `output.log`."""
        if self._output is not None:
            self._output.close()

    def _flush(self, number: Stream) -> None:
        """Append what is pending of a stream; the lock is held."""
        pending = self._pending[number]
        if self._flushing or not pending:
            return  # the log itself has something to say, which waits for the next flush
        self._flushing = True
        try:
            text = without_overwritten("".join([pending.popleft() for _ in range(len(pending))]))
            now = time.time()
            for start in range(0, len(text), _RECORD_CHARACTERS_MAX):
                record = Console(time=now, stream=number, text=text[start : start + _RECORD_CHARACTERS_MAX])
                self._append(record)
                if self._output is not None:
                    self._output.take(record)
        finally:
            self._flushing = False


def without_overwritten(text: str) -> str:
    r"""The text without what carriage returns cover again: of a progress bar, its last state.

    >>> without_overwritten("start\n\r 1%\r 2%\r 3%")
    'start\n\r 3%'
    """
    if text.count("\r") < 2 or "\x1b" in text or "\b" in text:
        return text
    return "\n".join(map(_last_state, text.split("\n")))


def _last_state(line: str) -> str:
    begun, *restarts = line.split("\r")
    kept: List[str] = []
    covered = -1
    for part in reversed(restarts):
        if len(part) > covered:
            kept.append(part)
            covered = len(part)
    return "\r".join([begun, *reversed(kept)])
