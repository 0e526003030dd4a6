"""Where the plots of a run's metrics go: charts for the first few, sparklines for the others."""

from __future__ import annotations

from typing import Dict, List, Optional, Tuple

from rich.console import Group, RenderableType
from rich.text import Text

from ._cells import cell_len, left
from ._chart_block import PLOT_WIDTH_MIN, Look, chart_block, sides
from ._charts import Bounds, Steps, sparkline
from ._series import Series
from ._words import clean, count, number

_CHART_ROWS = 5
_CHART_WIDTH_MAX = 60
_TWO_COLUMNS_FROM = 104
_CHARTS_MAX = {1: 4, 2: 6}  # by columns: a screenful
_SPARKLINES_MAX = 40
_SPARKLINE_WIDTH_MAX = 40
_NAME_WIDTH_MAX = 32
_GUTTER = 3
COLOURS = ("cyan", "magenta", "green", "yellow", "blue", "red")
# What counts the progress of a run tells nothing as a curve.
_COUNTERS = {"epoch", "step", "global_step", "iteration", "iter", "batch", "trainer/global_step"}


def plot_panels(series: Dict[str, Series], steps: Steps, width: int) -> Optional[RenderableType]:
    """All plots; None where there is nothing to plot."""
    metrics = [(key, one) for key, one in series.items() if one.count]
    if not metrics:
        return None
    columns = 2 if width >= _TWO_COLUMNS_FROM else 1
    charted = [metric for metric in metrics if not metric[1].flat and metric[0].lower() not in _COUNTERS]
    charted = charted[: _CHARTS_MAX[columns]]
    names = {key for key, _ in charted}
    others = [metric for metric in metrics if metric[0] not in names]
    chart_width = (width - _GUTTER * (columns - 1)) // columns
    look = Look(steps)
    label = max((len(side) for _, one in charted for side in sides(Bounds(one.low, one.high), look)), default=0)
    plot = max(PLOT_WIDTH_MIN, min(_CHART_WIDTH_MAX, chart_width - label - 1))
    blocks = [
        chart_block(key, one, look, label, plot, _CHART_ROWS, COLOURS[at % len(COLOURS)])
        for at, (key, one) in enumerate(charted)
    ]
    lines: List[Text] = []
    for at in range(0, len(blocks), columns):
        if lines:
            lines.append(Text())
        lines += beside(blocks[at : at + columns], chart_width)
    if lines and others:
        lines.append(Text())
    lines += sparklines(others[:_SPARKLINES_MAX], steps, width)
    if len(others) > _SPARKLINES_MAX:
        lines.append(Text(f"… and {count(len(others) - _SPARKLINES_MAX, 'metric')} more", style="dim"))
    return Group(*lines)


def beside(blocks: List[List[Text]], width: int) -> List[Text]:
    """Blocks of as many lines side by side, each in so many columns."""
    lines = []
    for parts in zip(*blocks):
        line = Text(no_wrap=True, overflow="crop")
        for at, part in enumerate(parts):
            if at:
                line.append(" " * (at * (width + _GUTTER) - line.cell_len))
            line.append_text(part)
        lines.append(line)
    return lines


def _not_finite(series: Series) -> str:
    return f"{series.not_finite:,} NaN or inf" if series.not_finite else ""


def sparklines(metrics: List[Tuple[str, Series]], steps: Steps, width: int) -> List[Text]:
    """A line for each metric: its name, its course, its last value, its extremes."""
    if not metrics:
        return []
    name = min(_NAME_WIDTH_MAX, width // 3, max(cell_len(clean(key)) for key, _ in metrics))
    last = max(len(number(series.last)) for _, series in metrics)
    room = width - name - last - 4
    notes = [_note(series) for _, series in metrics]
    longest = max(len(note) for note in notes)
    plot = min(_SPARKLINE_WIDTH_MAX, room - longest - 2)
    if plot < PLOT_WIDTH_MIN:  # a narrow terminal: rather the picture than the numbers
        notes, plot = [""] * len(metrics), min(_SPARKLINE_WIDTH_MAX, room)
    lines = []
    for (key, series), note in zip(metrics, notes):
        line = Text(no_wrap=True, overflow="crop")
        line.append(left(clean(key), name), style="bold")
        line.append("  ").append(sparkline(series, max(1, plot), steps), style="cyan")
        line.append("  ").append(number(series.last).rjust(last))
        if note:
            line.append("  ").append(note, style="dim")
        lines.append(line)
    return lines


def _note(series: Series) -> str:
    """What the sparkline doesn't tell."""
    parts = [] if series.flat else [f"{number(series.low, 4)} … {number(series.high, 4)}"]
    if series.not_finite:
        parts.append(_not_finite(series))
    return ", ".join(parts)
