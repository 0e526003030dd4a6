"""Makes blocks of columns in the background, as soon as a run has enough rows for the next, and packs small chunks."""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass, field

from sqlalchemy import or_, select
from sqlalchemy.exc import OperationalError

from ._blocks import NewBlock, blocks_made, catalog_of, store_block
from ._columns import Cells
from ._database import Database
from ._limits import BLOCK_ROWS, PACKED_AFTER_CHUNKS
from ._lines import EVENTS, HISTORY, LOG, iterate_lines
from ._packing import pack_between, pack_newest
from ._store import find_run_by_id, line_count, runs_for_change
from ._tables import runs
from ._values import parse_row

_logger = logging.getLogger(__name__)

# Rows come every half second and a block takes thousands, so there is no hurry.
_PAUSE_SECONDS = 1.0

# Streams of which is remembered how far they are.
_STREAMS_MAX = 10_000


@dataclass
class Growth:
    """What one request added to a run, or several of them together: chunks by stream, and the counts of lines."""

    run_id: int
    chunks: dict[str, int] = field(default_factory=dict)
    lines: dict[str, int] = field(default_factory=dict)
    # Whether lines changed that were there before, so that blocks may be gone.
    changed: bool = False

    def add(self, later: Growth) -> None:
        self.changed |= later.changed
        for kind, count in later.chunks.items():
            self.chunks[kind] = self.chunks.get(kind, 0) + count
        self.lines.update(later.lines)


class Indexer:
    """One thread that turns rows into blocks. What it does not get to is read from the rows."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: dict[int, Growth] = {}
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._work, name="wandb-server-indexer", daemon=True)
        # For each stream the line at which its next block is complete, and chunks that came since they were packed.
        self._due: dict[tuple[int, str], int] = {}
        self._loose: dict[tuple[int, str], int] = {}

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._wake.set()
        if self._thread.ident is not None:
            self._thread.join()

    def consider(self, growth: Growth) -> None:
        """Look at a run that got lines."""
        with self._lock:
            self._waiting.setdefault(growth.run_id, Growth(growth.run_id)).add(growth)
        self._wake.set()

    def _work(self) -> None:
        try:
            self._look_at_long_runs()
        except OperationalError as error:
            # They are looked at when they get rows.
            _logger.warning("runs that are there have to wait for their columns: %s", error.orig)
        while not self._stopping.is_set():
            self._wake.wait()
            self._wake.clear()
            with self._lock:
                found, self._waiting = self._waiting, {}
            for growth in found.values():
                self._try_to_index(growth)
            if len(self._due) > _STREAMS_MAX:
                # What is forgotten is asked of the database again.
                self._due.clear()
                self._loose.clear()
            self._stopping.wait(_PAUSE_SECONDS)

    def _try_to_index(self, growth: Growth) -> None:
        try:
            self._index(growth)
        except OperationalError as error:
            # The database is away or full, which passes. The rows are safe, and read without columns.
            _logger.warning("run %d has to wait for its columns: %s", growth.run_id, error.orig)
            self.consider(growth)
        except Exception:
            _logger.exception("rows of run %d could not be put in columns", growth.run_id)

    def _look_at_long_runs(self) -> None:
        with self._database.read() as connection:
            long = or_(runs.c.history_count >= BLOCK_ROWS, runs.c.events_count >= BLOCK_ROWS)
            found = connection.execute(select(runs.c.id, runs.c.history_count, runs.c.events_count).where(long)).all()
        for run_id, history, events in found:
            self.consider(Growth(run_id, {}, {HISTORY: history, EVENTS: events}))

    def _index(self, growth: Growth) -> None:
        for kind, count in growth.lines.items():
            stream = (growth.run_id, kind)
            if kind != LOG and (growth.changed or count >= self._due.get(stream, 0)):
                while not self._stopping.is_set() and self.make_next_block(growth.run_id, kind):
                    pass
            self._loose[stream] = self._loose.get(stream, 0) + growth.chunks.get(kind, 0)
            if self._loose[stream] >= PACKED_AFTER_CHUNKS:
                self._loose[stream] = 0
                pack_newest(self._database, growth.run_id, kind)

    def make_next_block(self, run_id: int, kind: str) -> bool:
        """Make one block; False when there are not enough rows for one."""
        with self._database.read() as connection:
            run = find_run_by_id(connection, run_id)
            if run is None:
                return False
            number = blocks_made(connection, run_id, kind)
            first, end = number * BLOCK_ROWS, (number + 1) * BLOCK_ROWS
            self._due[run_id, kind] = end
            if line_count(run, kind) < end:
                return False
            cells = Cells()
            for line, step, content in iterate_lines(connection, run_id, kind, first, end):
                row = parse_row(content) if step is not None else None
                if row is not None and step is not None:
                    cells.add_row(line - first, step, row)
            known = catalog_of(connection, run_id, kind)
        block = NewBlock(number, cells, known)
        with self._database.write_runs() as connection:
            locked = runs_for_change(connection, [run_id])
            # Lines that were changed meanwhile make the block one of the past; another server may have made it.
            unchanged = bool(locked) and locked[0].rewrites == run.rewrites
            if unchanged and blocks_made(connection, run_id, kind) == number:
                store_block(connection, run_id, kind, block)
        pack_between(self._database, run_id, kind, first, end)
        return True
