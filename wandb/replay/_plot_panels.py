"""Where the plots of a run's metrics go: charts for the first few, sparklines for the others."""

from __future__ import annotations

from typing import Dict, List, Optional, Tuple

from rich.console import Group, RenderableType
from rich.text import Text

from ._cells import cell_len, cut, left
from ._charts import Steps, line_chart, sparkline
from ._series import Series
from ._words import clean, count, number

_CHART_ROWS = 5
_CHART_WIDTH_MAX = 60
_CHART_WIDTH_MIN = 16
_TWO_COLUMNS_FROM = 104
_CHARTS_MAX = {1: 4, 2: 6}  # by columns: a screenful
_SPARKLINES_MAX = 40
_SPARKLINE_WIDTH_MAX = 40
_NAME_WIDTH_MAX = 32
_GUTTER = 3
_COLOURS = ("cyan", "magenta", "green", "yellow", "blue", "red")
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
    label = max((len(side) for _, one in charted for side in _sides(one)), default=0)
    blocks = [
        _chart(metric, steps, (label, chart_width), _COLOURS[at % len(_COLOURS)]) for at, metric in enumerate(charted)
    ]
    lines: List[Text] = []
    for at in range(0, len(blocks), columns):
        if lines:
            lines.append(Text())
        lines += _beside(blocks[at : at + columns], chart_width)
    if lines and others:
        lines.append(Text())
    lines += _sparklines(others[:_SPARKLINES_MAX], steps, width)
    if len(others) > _SPARKLINES_MAX:
        lines.append(Text(f"… and {count(len(others) - _SPARKLINES_MAX, 'metric')} more", style="dim"))
    return Group(*lines)


def _beside(blocks: List[List[Text]], width: int) -> List[Text]:
    lines = []
    for parts in zip(*blocks):
        line = Text(no_wrap=True, overflow="crop")
        for at, part in enumerate(parts):
            if at:
                line.append(" " * (at * (width + _GUTTER) - line.cell_len))
            line.append_text(part)
        lines.append(line)
    return lines


def _sides(series: Series) -> Tuple[str, str]:
    """What stands beside the top and the bottom of a chart."""
    return number(series.high, 4), number(series.low, 4)


def _chart(metric: Tuple[str, Series], steps: Steps, widths: Tuple[int, int], colour: str) -> List[Text]:
    """A chart of `widths`: of the numbers at its side, and of all of it."""
    key, series = metric
    label, width = widths
    high, low = _sides(series)
    plot = max(_CHART_WIDTH_MIN, min(_CHART_WIDTH_MAX, width - label - 1))
    last = f"last {number(series.last)}"
    title = Text(" " * (label + 1))
    title.append(cut(clean(key), max(8, plot - len(last) - 2)), style="bold")
    odd = _not_finite(series)
    if odd and title.cell_len + len(odd) + len(last) + 4 <= label + 1 + plot:
        title.append(f"  {odd}", style="yellow")
    title.append(" " * (label + 1 + plot - title.cell_len - len(last))).append(last)
    lines = [title]
    for row, dots in enumerate(line_chart(series, plot, _CHART_ROWS, steps)):
        side = high if row == 0 else low if row == _CHART_ROWS - 1 else ""
        lines.append(Text.assemble((side.rjust(label) + " ", "dim"), (dots, colour)))
    lines.append(Text(" " * (label + 1) + _axis(steps, plot), style="dim"))
    return lines


def _axis(steps: Steps, width: int) -> str:
    left, right = f"{steps[0]} ", f" step {steps[1]}"
    return left + "─" * max(0, width - len(left) - len(right)) + right


def _not_finite(series: Series) -> str:
    return f"{series.not_finite:,} NaN or inf" if series.not_finite else ""


def _sparklines(metrics: List[Tuple[str, Series]], steps: Steps, width: int) -> List[Text]:
    if not metrics:
        return []
    name = min(_NAME_WIDTH_MAX, width // 3, max(cell_len(clean(key)) for key, _ in metrics))
    last = max(len(number(series.last)) for _, series in metrics)
    room = width - name - last - 4
    notes = [_note(series) for _, series in metrics]
    longest = max(len(note) for note in notes)
    plot = min(_SPARKLINE_WIDTH_MAX, room - longest - 2)
    if plot < _CHART_WIDTH_MIN:  # a narrow terminal: rather the picture than the numbers
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
