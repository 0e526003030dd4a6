"""Tails: the rows of runs that are in no block yet, taken apart and kept for who looks again in a moment."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable

from sqlalchemy import Connection

from ._blocks import Facts, blocks_made
from ._columns import STEPS, Cells, Column, KeyFacts
from ._limits import BLOCK_ROWS, INDEXED_ROW_VALUES, TAIL_ROWS_MAX, TAIL_VALUES_MAX
from ._lines import iterate_lines
from ._store import Run, line_count
from ._values import parse_row

_ROWS_OF_PART = 1024


class Tail:
    """The lines of a stream from the last block on, as far as they have been read."""

    def __init__(self, first_line: int, rewrites: int) -> None:
        self.first_line, self.rewrites = first_line, rewrites
        self.next_line = first_line
        self.values = 0
        # Arrays take a fraction of the memory of a row's objects.
        self._parts: list[dict[str, Column]] = []
        self._cells = Cells()
        self._lock = threading.Lock()

    def read_on(self, connection: Connection, run: Run, kind: str, rows_max: int) -> int:
        """Take apart what was added since, at most so many rows. A wide one costs as much as several, and counts as
        such; the number of those that were read is returned."""
        with self._lock:
            start, held = self.next_line, self.values
            values_max = min(TAIL_VALUES_MAX, held + rows_max * INDEXED_ROW_VALUES)
            end = min(line_count(run, kind), start + rows_max, self.first_line + TAIL_ROWS_MAX)
            for line, step, content in iterate_lines(connection, run.id, kind, start, end):
                if step is not None:
                    self.values += self._cells.add_row(line - self.first_line, step, parse_row(content) or {})
                    if len(self._cells) == _ROWS_OF_PART:
                        self._parts.append(self._cells.columns())
                        self._cells = Cells()
                self.next_line = line + 1
                if self.values > values_max:
                    break
            else:
                self.next_line = max(start, end)
            return max(self.next_line - start, (self.values - held) // INDEXED_ROW_VALUES)

    def columns(self, keys: Iterable[str]) -> dict[str, list[Column]]:
        """The columns of these keys in parts, the places counted from the first line."""
        with self._lock:
            return {key: self._columns(key) for key in keys}

    def facts(self) -> Facts:
        """What is known of each key."""
        found: Facts = {}
        with self._lock:
            keys = dict.fromkeys(key for part in self._parts for key in part)
            for key in dict.fromkeys([STEPS, *keys, *self._cells.keys()]):
                known = found[key] = KeyFacts()
                for column in self._columns(key):
                    known.add(column.facts(self.first_line))
        return found

    def _columns(self, key: str) -> list[Column]:
        found = [part[key] for part in self._parts if key in part]
        if key == STEPS or self._cells.has(key):
            found.append(self._cells.column(key))
        return found


class Tails:
    """The tails of the runs that somebody looks at, the longest unused ones forgotten."""

    def __init__(self) -> None:
        self._tails: OrderedDict[tuple[int, str], Tail] = OrderedDict()
        self._lock = threading.Lock()

    def tail(self, connection: Connection, run: Run, kind: str) -> Tail:
        """The tail of a run behind the blocks that the connection sees, as far as it was read before."""
        first_line = blocks_made(connection, run.id, kind) * BLOCK_ROWS
        key = (run.id, kind)
        with self._lock:
            tail = self._tails.get(key)
            if tail is None or (tail.first_line, tail.rewrites) != (first_line, run.rewrites):
                tail = self._tails[key] = Tail(first_line, run.rewrites)
            self._tails.move_to_end(key)
            held = sum(other.values for other in self._tails.values())
            while held > TAIL_VALUES_MAX and len(self._tails) > 1:
                held -= self._tails.popitem(last=False)[1].values
        return tail
