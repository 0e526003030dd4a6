"""Makes blocks in the background, as soon as a run has enough rows for the next."""

from __future__ import annotations

import threading

from sqlalchemy import or_, select

from ._blocks import block_of_rows, blocks_made, encode_block, store_block
from ._database import Database
from ._limits import BLOCK_ROWS
from ._lines import EVENTS, HISTORY, iterate_lines
from ._store import find_run_by_id, line_count
from ._tables import runs

# Rows come every half second and a block takes thousands, so there is no hurry.
_PAUSE_SECONDS = 1.0


class Indexer:
    """One thread that turns rows into blocks. What it does not get to is read from the rows."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: set[int] = set()
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._work, name="wandb-server-indexer", daemon=True)

    def start(self) -> None:
        with self._database.read() as connection:
            long = or_(runs.c.history_count >= BLOCK_ROWS, runs.c.events_count >= BLOCK_ROWS)
            self._waiting.update(connection.scalars(select(runs.c.id).where(long)))
        self._wake.set()
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._wake.set()
        if self._thread.ident is not None:
            self._thread.join()

    def consider(self, run_id: int) -> None:
        """Look at a run that got rows."""
        with self._lock:
            self._waiting.add(run_id)
        self._wake.set()

    def _work(self) -> None:
        while not self._stopping.is_set():
            self._wake.wait()
            self._wake.clear()
            with self._lock:
                found, self._waiting = self._waiting, set()
            for run_id in found:
                for kind in (HISTORY, EVENTS):
                    while not self._stopping.is_set() and self.make_next_block(run_id, kind):
                        pass
            self._stopping.wait(_PAUSE_SECONDS)

    def make_next_block(self, run_id: int, kind: str) -> bool:
        """Make one block; False when there are not enough rows for one."""
        with self._database.read() as connection:
            run = find_run_by_id(connection, run_id)
            if run is None:
                return False
            number = blocks_made(connection, run_id, kind)
            first, end = number * BLOCK_ROWS, (number + 1) * BLOCK_ROWS
            if line_count(run, kind) < end:
                return False
            rows = [(step, content) for _, step, content in iterate_lines(connection, run_id, kind, first, end)]
        data = encode_block(block_of_rows(rows))
        with self._database.write() as connection:
            now = find_run_by_id(connection, run_id)
            # Lines that were changed meanwhile make the block one of the past; it is made again then.
            if now is not None and now.rewrites == run.rewrites:
                store_block(connection, run_id, kind, number, data)
        return True
