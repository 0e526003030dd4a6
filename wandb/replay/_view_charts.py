"""The pane of charts: as many as fit, in pages; one of them is selected, and can have the pane for itself."""

from __future__ import annotations

import fnmatch
from typing import Dict, List, NamedTuple, Optional, Tuple

from rich.console import Group, RenderableType
from rich.text import Text
from textual.widget import Widget

from ._chart_block import PLOT_WIDTH_MIN, Look, chart_block
from ._charts import Steps
from ._curves import Curve
from ._plot_panels import COLOURS, beside
from ._series import Series
from ._view_model import Model

_LABEL = 10  # columns for the values at a chart's side
_CHART_ROWS_MIN = 6  # of the plot itself
_TITLE_AND_AXIS = 2
_COLUMNS_FROM = (0, 84, 160)  # the width from which there are so many charts side by side
_GUTTER = 2
_SMOOTHINGS = (0.0, 0.6, 0.9, 0.97)
_ZOOM = 2.0
_PAN = 0.25  # of what is shown


class _Detail(NamedTuple):
    """What was read anew for a part of the steps."""

    steps: Steps
    series: Dict[str, Series]


class Charts(Widget, can_focus=True):
    """Charts of a model's metrics, or of its machine's."""

    DEFAULT_CSS = "Charts { height: 1fr; }"

    def __init__(self, model: Model, system: bool = False) -> None:
        super().__init__()
        self.model = model
        self._system = system
        self.pattern = ""
        self.selected = 0
        self.alone = False  # the selected one has the pane for itself
        self.times = system  # time along the axis, and not steps
        self.logarithmic = False
        self.smoothing = 0.0
        self.range: Optional[Steps] = None
        self.detail: Optional[_Detail] = None

    # --- which ones ---------------------------------------------------------------------------------------------------

    @property
    def _curves(self) -> Dict[str, Curve]:
        return self.model.curves.system if self._system else self.model.curves.metrics

    def names(self) -> List[str]:
        """The metrics that fit the filter: a pattern, or a part of the name."""
        known = [name for name, curve in self._curves.items() if self._series(curve).count]
        if not self.pattern:
            return known
        low = self.pattern.lower()
        pattern = low if any(mark in low for mark in "*?[") else f"*{low}*"
        return [name for name in known if fnmatch.fnmatchcase(name.lower(), pattern)]

    @property
    def current(self) -> Optional[str]:
        names = self.names()
        return names[min(self.selected, len(names) - 1)] if names else None

    def _series(self, curve: Curve) -> Series:
        return curve.times if self.times else curve.steps

    def whole(self) -> Steps:
        """From the first to the last place along the axis that any metric has."""
        series = [self._series(curve) for curve in self._curves.values()]
        series = [one for one in series if one.count]
        if not series:
            return 0, 1
        return min(one.first_step for one in series), max(one.last_step for one in series)

    def on_page(self) -> List[str]:
        """The metrics of the page that is shown."""
        names = self.names()
        per_page = self._per_page()
        start = min(self.selected, max(0, len(names) - 1)) // per_page * per_page
        return names[start : start + per_page]

    def _per_page(self) -> int:
        columns, lines = self._grid()
        return 1 if self.alone else columns * lines

    def _grid(self) -> Tuple[int, int]:
        columns = max(count for count, width in enumerate(_COLUMNS_FROM, 1) if self.size.width >= width)
        return columns, max(1, self.size.height // (_CHART_ROWS_MIN + _TITLE_AND_AXIS))

    # --- what the keys do ---------------------------------------------------------------------------------------------

    def move(self, by: int) -> None:
        """Select another, in reading order."""
        names = self.names()
        if names:
            self.selected = max(0, min(len(names) - 1, min(self.selected, len(names) - 1) + by))
        self.refresh()

    def move_line(self, by: int) -> None:
        self.move(by * (1 if self.alone else self._grid()[0]))

    def move_page(self, by: int) -> None:
        self.move(by * self._per_page())

    def toggle_alone(self) -> None:
        self.alone = not self.alone
        self.refresh()

    def toggle_times(self) -> None:
        self.times = not self.times
        self.reset()

    def toggle_logarithmic(self) -> None:
        self.logarithmic = not self.logarithmic
        self.refresh()

    def smooth_more(self) -> None:
        self.smoothing = _SMOOTHINGS[(_SMOOTHINGS.index(self.smoothing) + 1) % len(_SMOOTHINGS)]
        self.refresh()

    def reset(self) -> None:
        self.range = self.detail = None
        self.refresh()

    def zoom(self, closer: bool) -> None:
        """Show half as much along the axis, at the end of a run that goes on, or twice as much."""
        low, high = self.range or self.whole()
        first, last = self.whole()
        length = max(2.0, (high - low) / _ZOOM if closer else (high - low) * _ZOOM)
        middle = (low + high) / 2
        if closer and self.range is None:
            middle = high - length / 2  # what is newest
        self._show(middle - length / 2, middle + length / 2, first, last)

    def pan(self, by: int) -> None:
        """Move along the axis."""
        if self.range is not None:
            low, high = self.range
            first, last = self.whole()
            shift = by * _PAN * (high - low)
            shift = max(first - low, min(last - high, shift))
            self._show(low + shift, high + shift, first, last)

    def _show(self, low: float, high: float, first: int, last: int) -> None:
        bounded = max(first, round(low)), min(last, round(high))
        self.range = None if bounded == (first, last) else bounded
        self.refresh()

    # --- drawing ------------------------------------------------------------------------------------------------------

    def render(self) -> RenderableType:
        with self.model.lock:
            names = self.on_page()
            if not names:
                nothing = f"no metric fits {self.pattern!r}" if self.pattern else "nothing to draw yet"
                return Text(f"\n  {nothing}", style="dim")
            return self._draw(names)

    def _draw(self, names: List[str]) -> RenderableType:
        columns, lines = (1, 1) if self.alone else self._grid()
        columns = min(columns, len(names))
        lines = min(lines, -(-len(names) // columns))
        width = (self.size.width - _GUTTER * (columns - 1)) // columns
        rows = max(_CHART_ROWS_MIN, self.size.height // lines - _TITLE_AND_AXIS)
        plot = max(PLOT_WIDTH_MIN, width - _LABEL - 2)
        look = Look(self.range or self.whole(), self.times, self.logarithmic, self.smoothing)
        current, all_names = self.current, self.names()
        blocks = [
            chart_block(
                name, self._drawn(name), look, _LABEL, plot, rows, COLOURS[all_names.index(name) % len(COLOURS)],
                selected=name == current,
            )
            for name in names
        ]  # fmt: skip
        shown: List[Text] = []
        for at in range(0, len(blocks), columns):
            shown += beside(blocks[at : at + columns], width)
        return Group(*shown)

    def _drawn(self, name: str) -> Series:
        """What was read anew for the part that is shown, where that is here already."""
        if self.detail is not None and self.detail.steps == self.range and name in self.detail.series:
            return self.detail.series[name]
        return self._series(self._curves[name])

    @property
    def wants_detail(self) -> Optional[Steps]:
        """The steps that would be drawn too coarsely from what was collected."""
        if self.range is None or self.times or self._system:
            return None
        read = self.detail.series if self.detail is not None and self.detail.steps == self.range else {}
        return None if all(name in read for name in self.on_page()) else self.range

    def set_detail(self, steps: Steps, series: Dict[str, Series]) -> None:
        self.detail = _Detail(steps, series)
        self.refresh()
