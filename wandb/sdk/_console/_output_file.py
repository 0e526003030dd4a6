"""`output.log` in the run's files: what the program printed, as its terminal showed it, for those who look there.

The log has the same and more, so this file is a convenience: it is written from a thread, and given up where the disk
refuses. The uploader makes the server's from the log.
"""

from __future__ import annotations

import contextlib
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING, Deque, Dict, Optional, TextIO

from wandb_storage import Console

from .._loading import loading

if TYPE_CHECKING:
    from wandb_storage import ConsoleLines

# Text that waits for the thread. Where a disk doesn't take it, the file ends there.
_WAITING_CHARACTERS_MAX = 16 << 20


class OutputFile:
    """`take` may be called while another thread writes, and never waits for the disk."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: Optional[TextIO] = None
        self._given_up = False
        self._waiting: Deque[Console] = deque()
        self._waiting_characters = 0
        self._lines_of: Optional[ConsoleLines] = None
        self._lines: Dict[int, str] = {}  # not written yet
        self._next = 0

    def take(self, record: Console) -> None:
        """Remember what was printed."""
        if self._given_up:
            return
        self._waiting.append(record)
        self._waiting_characters += len(record.text)
        if self._waiting_characters > _WAITING_CHARACTERS_MAX:
            self._given_up = True
            self._waiting.clear()

    def write_settled(self) -> None:
        """Write the lines that can't change any more."""
        self._apply()
        self._write(self._fold.settled)

    def close(self) -> None:
        """Write all lines."""
        self._apply()
        self._write(self._fold.count)
        if self._file is not None:
            with contextlib.suppress(OSError):  # it tries once more to write what the disk has refused
                self._file.close()
            self._file = None

    @property
    def _fold(self) -> ConsoleLines:
        """Made in the thread: a run's start doesn't wait for its module."""
        if self._lines_of is None:
            with loading:
                from wandb_storage import ConsoleLines

            self._lines_of = ConsoleLines()
        return self._lines_of

    def _apply(self) -> None:
        while self._waiting:
            record = self._waiting.popleft()
            self._waiting_characters -= len(record.text)
            for line in self._fold.write(record.time, record.stream, record.text):
                self._lines[line.number] = line.text

    def _write(self, until: int) -> None:
        if until <= self._next or self._given_up:
            return
        text = "".join(f"{self._lines.pop(number)}\n" for number in range(self._next, until))
        self._next = until
        try:
            if self._file is None:
                self._file = open(self._path, "a", encoding="utf-8", errors="replace")  # noqa: SIM115  closed by close
            self._file.write(text)
            self._file.flush()
        except OSError:
            self._given_up = True
            self._lines.clear()
