"""What the story of a run shows of its rows and its console: the ends of both, and the course of each metric."""

from __future__ import annotations

import collections
from typing import Deque, Dict, List, Sequence

from wandb_storage import Columns, ConsoleLine

from ._history import HistoryRow
from ._series import Series, numbers_of, plottable

FIRST_ROWS = LAST_ROWS = 3
CONSOLE_LINES = 10
# Metrics beyond this many are counted and not plotted: nobody scrolls through more, and each takes memory.
SERIES_MAX = 256


class Picture:
    """Collects from one pass, in bounded memory."""

    def __init__(self) -> None:
        self.first_rows: List[HistoryRow] = []
        self.last_rows: Deque[HistoryRow] = collections.deque(maxlen=LAST_ROWS)
        self.series: Dict[str, Series] = {}
        self.system: Dict[str, Series] = {}  # over the run's time in milliseconds
        self._console: Dict[int, ConsoleLine] = {}

    def take_columns(self, batch: Columns) -> None:
        first = min(batch.rows, FIRST_ROWS - len(self.first_rows))
        self.first_rows += [row_at(batch, place) for place in range(first)]
        for place in range(max(first, batch.rows - LAST_ROWS), batch.rows):
            self.last_rows.append(row_at(batch, place))
        steps = batch.columns["_step"].objects()
        for key, column in batch.columns.items():
            if key.startswith("_") or (key not in self.series and len(self.series) >= SERIES_MAX):
                continue
            there, values = numbers_of(column, steps)
            if there:
                self.series.setdefault(key, Series()).extend(there, values)

    def take_system(self, rows: Sequence[HistoryRow]) -> None:
        for row in rows:
            time = int(row["_runtime"] * 1000)
            for key, value in row.items():
                number = None if key.startswith("_") else plottable(value)
                if number is not None and (key in self.system or len(self.system) < SERIES_MAX):
                    self.system.setdefault(key, Series()).add(time, number)

    def take_console(self, lines: Sequence[ConsoleLine]) -> None:
        for line in lines:
            self._console[line.number] = line
        while len(self._console) > CONSOLE_LINES:
            del self._console[min(self._console)]

    @property
    def console(self) -> List[ConsoleLine]:
        """The last lines, oldest first."""
        return [line for _, line in sorted(self._console.items())]


def row_at(batch: Columns, place: int) -> HistoryRow:
    """One row of a batch, as a dictionary."""
    return {
        key: bool(column.values[place]) if column.dtype == "bool" else column.values[place]
        for key, column in batch.columns.items()
        if column.present is None or column.present[place]
    }
