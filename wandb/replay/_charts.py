"""Plots in characters: a line chart in braille dots, and a sparkline of one line."""

from __future__ import annotations

from typing import List, NamedTuple, Optional, Sequence, Tuple

from ._series import Series, Span

_SPARKS = "▁▂▃▄▅▆▇█"
_BRAILLE = 0x2800
# The dots of one braille character: two columns of four rows, from the top.
_DOTS = ((0x01, 0x02, 0x04, 0x40), (0x08, 0x10, 0x20, 0x80))
DOT_COLUMNS, DOT_ROWS = len(_DOTS), len(_DOTS[0])

Steps = Tuple[int, int]  # the first and the last of a plot


class Bounds(NamedTuple):
    """The values at the bottom and at the top of a chart."""

    low: float
    high: float


def draw(spans: Sequence[Optional[Span]], height: int, bounds: Bounds) -> List[str]:
    """The lines of a chart of a span for each column of dots."""
    width, rows = len(spans) // DOT_COLUMNS, height * DOT_ROWS
    cells = [[0] * width for _ in range(height)]
    before: Optional[int] = None
    for column, span in enumerate(spans):
        if span is None:
            before = None
            continue
        low, high = _row(bounds, span.low, rows), _row(bounds, span.high, rows)
        if before is not None:
            # Let the line hang together: reach out to where the last column ended.
            first = _row(bounds, span.first, rows)
            low, high = min(low, _towards(first, before)), max(high, _towards(first, before))
        before = _row(bounds, span.last, rows)
        for row in range(low, high + 1):
            down = rows - 1 - row
            cells[down // DOT_ROWS][column // DOT_COLUMNS] |= _DOTS[column % DOT_COLUMNS][down % DOT_ROWS]
    # A space where no dot is: the empty braille character is no blank in every font, and would trail at line ends.
    return ["".join(chr(_BRAILLE + cell) if cell else " " for cell in line) for line in cells]


def sparkline(series: Series, width: int, steps: Steps) -> str:
    """The course of a metric in one line; a space where no finite value was."""
    return "".join(_spark(series, span) for span in series.spans(width, *steps))


def _spark(series: Series, span: Optional[Span]) -> str:
    if span is None:
        return " "
    if series.low == series.high:
        return _SPARKS[3]
    bounds = Bounds(series.low, series.high)
    return _SPARKS[_row(bounds, span.low / 2 + span.high / 2, len(_SPARKS))]


def _row(bounds: Bounds, value: float, rows: int) -> int:
    """The row of a value, counted from the bottom."""
    # Halves, because the distance of two doubles may not be a double.
    reach = bounds.high / 2 - bounds.low / 2
    if reach <= 0:
        return rows // 2
    return min(rows - 1, max(0, round((value / 2 - bounds.low / 2) / reach * (rows - 1))))


def _towards(row: int, other: int) -> int:
    """The row beside `other`, on the way to it from `row`."""
    return other + (other < row) - (other > row)
