"""A metric's course over the steps in bounded memory, for plots.

Values go into buckets of equal width along the steps. When the steps outgrow the buckets, pairs are joined and the
width doubles, so a series of any length keeps between half of its buckets and all of them, and loses no extreme.
"""

from __future__ import annotations

import bisect
import itertools
import math
import operator
from typing import Any, List, NamedTuple, Optional, Sequence, Tuple

from wandb_storage import Column

# At least twice the dot columns of the widest plot, so that joining pairs never shows.
BUCKETS = 512


class Span(NamedTuple):
    """What a metric did within one column of a plot: from `first` to `last`, between `low` and `high`."""

    first: float
    low: float
    high: float
    last: float


class Series:
    """One metric."""

    __slots__ = (
        "_buckets_max",
        "buckets",
        "count",
        "first_step",
        "high",
        "last",
        "last_step",
        "low",
        "not_finite",
        "width",
    )

    def __init__(self, buckets_max: int = BUCKETS) -> None:
        self._buckets_max = buckets_max
        self.first_step = 0
        self.last_step = 0
        self.width = 1  # steps that one bucket covers
        self.buckets: List[Optional[List[float]]] = []  # [first, low, high, last]; [] where nothing was finite
        self.count = 0  # values, finite or not
        self.not_finite = 0
        self.low = math.inf
        self.high = -math.inf
        self.last = math.nan

    def add(self, step: int, value: float) -> None:
        """Take the next value. One that comes late, for a step before the first, counts for the first."""
        if not self.count:
            self.first_step = self.last_step = step
        self.count += 1
        self.last = value
        if step > self.last_step:
            self.last_step = step
        self._widen(step)
        index = max(0, (step - self.first_step) // self.width)
        buckets = self.buckets
        bucket = buckets[index]
        if not math.isfinite(value):
            self.not_finite += 1
            if bucket is None:
                buckets[index] = []
            return
        self.low = min(self.low, value)
        self.high = max(self.high, value)
        if not bucket:
            buckets[index] = [value, value, value, value]
            return
        if value < bucket[1]:
            bucket[1] = value
        elif value > bucket[2]:
            bucket[2] = value
        bucket[3] = value

    def extend(self, steps: Sequence[int], values: Sequence[float]) -> None:
        """Take many values, several times as fast where the steps rise and all of the values are finite."""
        rising = len(steps) > 1 and all(map(operator.lt, steps, itertools.islice(steps, 1, None)))
        if not rising or (self.count and steps[0] <= self.last_step) or not math.isfinite(sum(values)):
            for step, value in zip(steps, values):
                self.add(step, value)
            return
        if not self.count:
            self.first_step = steps[0]
        self.count += len(steps)
        self.last_step, self.last = steps[-1], float(values[-1])
        self._widen(self.last_step)
        start = 0
        while start < len(steps):
            index = (steps[start] - self.first_step) // self.width
            stop = bisect.bisect_left(steps, self.first_step + (index + 1) * self.width, start)
            part = values[start:stop]
            here = [float(part[0]), float(min(part)), float(max(part)), float(part[-1])]
            self.low, self.high = min(self.low, here[1]), max(self.high, here[2])
            self.buckets[index] = _join(self.buckets[index], here)
            start = stop

    def _widen(self, step: int) -> None:
        """Let there be a bucket for a step."""
        while (step - self.first_step) // self.width >= self._buckets_max:
            self._double()
        self.buckets += [None] * ((step - self.first_step) // self.width + 1 - len(self.buckets))

    def _double(self) -> None:
        self.width *= 2
        old = self.buckets
        self.buckets = [
            _join(old[index], old[index + 1] if index + 1 < len(old) else None) for index in range(0, len(old), 2)
        ]

    @property
    def finite(self) -> int:
        return self.count - self.not_finite

    @property
    def flat(self) -> bool:
        """Whether there is no course to plot."""
        return self.finite < 2 or self.low == self.high

    def spans(self, columns: int, first_step: int, last_step: int) -> List[Optional[Span]]:
        """The course in `columns` columns from `first_step` to `last_step`.

        Between two values the course is a straight line. None stands before the first value, behind the last, and
        where there were values of which none was finite.
        """
        drawn: List[Optional[Span]] = [None] * columns
        scale = (columns - 1) / max(1, last_step - first_step)
        before: Optional[int] = None
        for index, bucket in enumerate(self.buckets):
            if bucket is None:
                continue
            if not bucket:
                before = None
                continue
            middle = self.first_step + index * self.width + (self.width - 1) / 2
            column = min(columns - 1, max(0, round((min(middle, self.last_step) - first_step) * scale)))
            here = Span(*bucket)
            known = drawn[column]
            if before is not None and column > before + 1:
                left = drawn[before]
                assert left is not None
                _connect(drawn, before, left.last, column, here.first)
            drawn[column] = here if known is None or before != column else _joined(known, here)
            before = column
        return drawn


def _join(left: Optional[List[float]], right: Optional[List[float]]) -> Optional[List[float]]:
    if not left or not right:
        # Finite values hide the others, and those hide that there is nothing.
        return left or right or (left if left is not None else right)
    return [left[0], min(left[1], right[1]), max(left[2], right[2]), right[3]]


def _joined(left: Span, right: Span) -> Span:
    return Span(left.first, min(left.low, right.low), max(left.high, right.high), right.last)


def _connect(drawn: List[Optional[Span]], left: int, start: float, right: int, stop: float) -> None:
    """A straight line in the columns between two."""
    for column in range(left + 1, right):
        part = (column - left) / (right - left)
        # Weighted, and not start + part * (stop - start): that difference may be infinite.
        value = start * (1 - part) + stop * part
        drawn[column] = Span(value, value, value, value)


def plottable(value: Any) -> Optional[float]:
    """The number that a plot shows for a logged value; None for what is none."""
    if type(value) is float:
        return value
    if type(value) is int:
        try:
            return float(value)
        except OverflowError:
            return None
    return None


def numbers_of(column: Column, *beside: Sequence[Any]) -> Tuple[Sequence[Any], ...]:
    """What stands beside the values of a column that a plot can show, and these values: empty where there are none."""
    parts: List[Sequence[Any]] = [*beside, column.values]
    if column.dtype == "bool":
        return tuple(() for _ in parts)
    if column.present is not None:
        parts = [list(itertools.compress(part, column.present)) for part in parts]
    if column.dtype == "object":
        plotted = [plottable(value) for value in parts[-1]]
        shown = [value is not None for value in plotted]
        parts = [list(itertools.compress(part, shown)) for part in (*parts[:-1], plotted)]
    return tuple(parts)
