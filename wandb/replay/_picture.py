"""What the story of a run shows of its rows and its console: the ends of both, and the course of each metric."""

from __future__ import annotations

import collections
from typing import Any, Deque, Dict, List, Sequence

from wandb_storage import ConsoleLine

from ._scan import HistoryRow
from ._series import Series, plottable

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
        self._console: Dict[int, ConsoleLine] = {}

    def take_row(self, row: HistoryRow) -> None:
        if len(self.first_rows) < FIRST_ROWS:
            self.first_rows.append(row)
        else:
            self.last_rows.append(row)
        step = row["_step"]
        series = self.series
        for key, value in row.items():
            if type(value) is not float and type(value) is not int:
                continue
            known = series.get(key)
            if known is None:
                if key.startswith("_") or len(series) >= SERIES_MAX:
                    continue
                known = series[key] = Series()
            self._plot(known, step, value)

    @staticmethod
    def _plot(series: Series, step: int, value: Any) -> None:
        plotted = plottable(value)
        if plotted is not None:
            series.add(step, plotted)

    def take_console(self, lines: Sequence[ConsoleLine]) -> None:
        for line in lines:
            self._console[line.number] = line
        while len(self._console) > CONSOLE_LINES:
            del self._console[min(self._console)]

    @property
    def console(self) -> List[ConsoleLine]:
        """The last lines, oldest first."""
        return [line for _, line in sorted(self._console.items())]
