"""One chart with its title, the values at its sides and its axis, as lines of text."""

from __future__ import annotations

import math
from typing import List, NamedTuple, Optional, Sequence

from rich.text import Text

from ._cells import cut
from ._charts import DOT_COLUMNS, Bounds, Steps, draw
from ._series import Series, Span
from ._words import clean, duration, number

PLOT_WIDTH_MIN = 16
# Of decades below the highest value that a logarithmic chart shows: what is lower is noise, or nothing.
_DECADES_MAX = 12


class Look(NamedTuple):
    """How charts are drawn: between which steps, or milliseconds of the run, and how."""

    steps: Steps
    times: bool = False
    logarithmic: bool = False
    smoothing: float = 0.0  # the weight of what came before, from 0 to 1


def chart_block(
    name: str, series: Series, look: Look, label: int, plot: int, rows: int, colour: str, selected: bool = False
) -> List[Text]:
    """The lines of a chart: `label` columns for the values at its side, `plot` by `rows` characters for the course."""
    spans = _shown(series.spans(plot * DOT_COLUMNS, *look.steps), look)
    bounds = _bounds(series, spans, look)
    last = f"last {number(series.last)}"
    title = Text(" " * (label + 1))
    title.append(cut(clean(name), max(8, plot - len(last) - 2)), style="bold reverse" if selected else "bold")
    notes = ["log"] if look.logarithmic else []
    notes += [f"{series.not_finite:,} NaN or inf"] if series.not_finite else []
    odd = ", ".join(notes)
    if odd and title.cell_len + len(odd) + len(last) + 4 <= label + 1 + plot:
        title.append(f"  {odd}", style="yellow")
    title.append(" " * max(1, label + 1 + plot - title.cell_len - len(last))).append(last)
    lines = [title]
    high, low = sides(bounds, look)
    for row, dots in enumerate(draw(spans, rows, bounds)):
        side = high if row == 0 else low if row == rows - 1 else ""
        lines.append(Text.assemble((side.rjust(label) + " ", "dim"), (dots, colour)))
    lines.append(Text(" " * (label + 1) + _axis(look, plot), style="dim"))
    return lines


def sides(bounds: Bounds, look: Look) -> Sequence[str]:
    """What stands beside the top and the bottom of a chart."""
    values = (bounds.high, bounds.low)
    return [number(10**value if look.logarithmic else value, 4) if math.isfinite(value) else "" for value in values]


def _axis(look: Look, width: int) -> str:
    first, last = look.steps
    if look.times:
        left, right = f"{duration(first / 1000)} ", f" {duration(last / 1000)}"
    else:
        left, right = f"{first} ", f" step {last}"
    return left + "─" * max(0, width - len(left) - len(right)) + right


def _bounds(series: Series, spans: Sequence[Optional[Span]], look: Look) -> Bounds:
    """Of the whole series where all of it is shown as it is; else of what is shown."""
    whole = look.steps[0] <= series.first_step and series.last_step <= look.steps[1]
    if whole and not look.logarithmic and not look.smoothing:
        return Bounds(series.low, series.high)
    known = [span for span in spans if span is not None]
    if not known:
        return Bounds(math.inf, -math.inf)
    return Bounds(min(span.low for span in known), max(span.high for span in known))


def _shown(spans: List[Optional[Span]], look: Look) -> List[Optional[Span]]:
    if look.smoothing:
        spans = _smoothed(spans, look.smoothing)
    return _logarithms(spans) if look.logarithmic else spans


def _smoothed(spans: List[Optional[Span]], weight: float) -> List[Optional[Span]]:
    """An exponential average over the columns; gaps stay gaps and don't pull it."""
    average = norm = 0.0
    smooth: List[Optional[Span]] = []
    for span in spans:
        if span is None:
            smooth.append(None)
            continue
        average = average * weight + (1 - weight) * (span.low / 2 + span.high / 2)
        norm = norm * weight + (1 - weight)
        value = average / norm
        smooth.append(Span(value, value, value, value))
    return smooth


def _logarithms(spans: List[Optional[Span]]) -> List[Optional[Span]]:
    """Powers of ten; what isn't positive is a gap."""
    highest = max((span.high for span in spans if span is not None), default=0.0)
    if highest <= 0:
        return [None] * len(spans)
    floor = math.log10(highest) - _DECADES_MAX

    def power(value: float) -> float:
        return max(floor, math.log10(value)) if value > 0 else floor

    return [None if span is None or span.high <= 0 else Span(*map(power, span)) for span in spans]
