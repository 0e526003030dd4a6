"""A run's history in a line a key: the sparklines at its end, and the few rows that are kept for them."""

from __future__ import annotations

import math
from typing import Any, Dict, List

_BARS = "▁▂▃▄▅▆▇█"
_BAR_COUNT = 40


class HistorySample:
    """A few hundred evenly spaced rows of any number, for the sparklines at the end."""

    def __init__(self) -> None:
        self._rows: List[Dict[str, Any]] = []
        self._stride = self._until = 1

    def add(self, row: Dict[str, Any]) -> None:
        """Take the next row."""
        self._until -= 1
        if self._until:
            return
        self._until = self._stride
        self._rows.append(dict(row))
        if len(self._rows) >= 8 * _BAR_COUNT:
            del self._rows[1::2]
            self._stride *= 2

    def series(self) -> Dict[str, List[float]]:
        """Each numeric key's values, in order."""
        series: Dict[str, List[float]] = {}
        for row in self._rows:
            for key, value in row.items():
                if isinstance(value, (int, float)) and not isinstance(value, bool):
                    series.setdefault(key, []).append(float(value))
        return series


def sparkline(values: List[float], width: int = _BAR_COUNT) -> str:
    """A line of bars; what is no finite number is a space.

    >>> sparkline([0, 1, 2, 3])
    '▁▃▆█'
    """
    if len(values) > width:
        values = [values[index * len(values) // width] for index in range(width)]
    finite = [value for value in values if math.isfinite(value)]
    if not finite:
        return " " * len(values)
    low, high = min(finite), max(finite)
    scale = (len(_BARS) - 1) / (high - low) if high > low else 0.0
    if not math.isfinite(scale):
        scale = 0.0
    return "".join(_BARS[round((value - low) * scale)] if math.isfinite(value) else " " for value in values)
