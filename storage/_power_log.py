"""The writer with `durability="power"`: what `append` has returned for survives a power loss.

An append is the same write to the tail, and then a wait for the commit that holds it. Threads that wait at the same
time are served by the same commit, so that the cost of a sync is shared. Each commit is a block: rows that come one by
one compress worse than those that are half a second's together.
"""

from __future__ import annotations

import contextlib
from typing import Any, Mapping

from ._errors import LogError
from ._log import Log
from ._records import Record


class PowerLog(Log):
    """A log whose appends return behind a full sync; use `Log.create` or `Log.open`."""

    def append(self, record: Record) -> int:
        """As `Log.append`; when this returns, the record survives a power loss too.

        Where the disk refuses, it returns as `Log.append` does, with the log's one warning, and doesn't wait again
        until a commit has got through. In a signal handler that interrupted an append it doesn't wait.
        """
        sequence = super().append(record)
        self._await(sequence)
        return sequence

    def append_row(self, row: Mapping[str, Any], step: int, time: float, flags: int, known_only: bool = False) -> int:
        """As `Log.append_row`, and as `append`."""
        sequence = super().append_row(row, step, time, flags, known_only)
        self._await(sequence)
        return sequence

    def _await(self, sequence: int) -> None:
        if sequence <= 0 or self.committed >= sequence or self._interrupting():
            return
        if self.trouble is not None:
            return  # the committer tries by itself, and nobody waits for a disk that refuses
        with contextlib.suppress(LogError):  # the committer has warned
            self._committer.wait(sequence)

    def _warn_once(self, message: str) -> None:
        super()._warn_once(f"{message}. Until then nothing that is appended is durable against a power loss")
