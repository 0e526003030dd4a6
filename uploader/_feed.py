"""The committed records of a run's log, one after the other, and whether more may have come.

Only committed records: what waits in the tail could be taken back by a power loss, and then the server would hold what
the log does not.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Optional, Tuple

from wandb_storage import Folded, Reader, Record, RowFold, RunState, Writer, is_log_file

# Raw bytes read at once: one block of the log.
READ_BYTES = 1 << 18
# A file system counts modification times in ticks; what happens within the tick of a look is seen by the next one.
TICK_SECONDS = 0.1

Signature = Tuple[Tuple[str, int, int], ...]


class Feed:
    """A log from a position on. Not safe between threads; raises LogError as `wandb_storage.Reader` does."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.reader = Reader(folder)
        self._fold = RowFold(self.reader, READ_BYTES)
        self._seen: Optional[Signature] = None

    def close(self) -> None:
        self.reader.close()

    def writer(self) -> Optional[Writer]:
        return self.reader.writer()

    def seek(self, sequence: int) -> None:
        """Go on with the record `sequence`, back or ahead."""
        self._fold.seek(sequence)
        self._seen = None

    def first_record(self) -> Optional[Record]:
        """The log's first record that is there."""
        entries = self.reader.read(1, 1)
        return entries[0].record if entries else None

    def take(self, state: RunState, rows_max: int, last: int = 0) -> Optional[Folded]:
        """Take the next record into `state`, or several rows that are alike: `rows_max` at most, and none behind `last`
        where that is given. None at the end. Raises LogDamaged after everything before the damage."""
        folded = self._fold.take(state, rows_max, last)
        if folded is None:
            # LMDB holds three descriptors of a log that is read; of hundreds of runs most have nothing to read.
            self.reader.close()
        return folded

    def may_have_grown(self) -> bool:
        """Whether the log's files have changed since this was last asked, or records wait. Costs a few system calls."""
        if self._fold.waits:
            return True
        signature = self._signature()
        if signature == self._seen:
            return False
        newest = max((mtime for _, mtime, _ in signature), default=0)
        settled = time.time() - newest / 1e9 > TICK_SECONDS
        self._seen = signature if settled else None
        return True

    def _signature(self) -> Signature:
        """Of the segments: commits write them, and appends to the tail don't."""
        found = []
        with os.scandir(self.reader.folder) as entries:
            for entry in entries:
                if entry.name.endswith(".wandb") and is_log_file(entry.name):
                    status = entry.stat()
                    found.append((entry.name, status.st_mtime_ns, status.st_size))
        return tuple(sorted(found))
