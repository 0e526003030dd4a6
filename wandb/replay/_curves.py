"""The course of each metric, over the steps and over the time, collected from one pass in bounded memory."""

from __future__ import annotations

from array import array
from typing import Any, Dict, NamedTuple, Optional, Sequence

from wandb_storage import Columns

from ._history import HistoryRow
from ._series import Series, numbers_of, plottable

# Metrics beyond this many are counted and not drawn: each takes memory, and nobody looks through more.
CURVES_MAX = 512
MILLISECONDS = 1000


class Curve(NamedTuple):
    """A metric over the steps, and over the run's time in milliseconds."""

    steps: Series
    times: Series


class Curves:
    """Takes rows and samples of the machine. `buckets` bounds how finely a curve is kept."""

    def __init__(self, buckets: int) -> None:
        self._buckets = buckets
        self.metrics: Dict[str, Curve] = {}
        self.system: Dict[str, Curve] = {}  # whose samples have no steps
        self.left_out = 0  # values of metrics beyond the limit

    def take_columns(self, batch: Columns) -> None:
        times = times_of(batch)
        for key in batch.columns:
            self.take_column(batch, key, times)

    def take_column(self, batch: Columns, key: str, times: Sequence[int]) -> None:
        """One metric's values; `times` is `times_of` the batch."""
        if key.startswith("_"):
            return
        steps: Any = batch.columns["_step"].values
        there, moments, values = numbers_of(batch.columns[key], steps, times)
        curve = self._curve(self.metrics, key) if there else None
        if curve is not None:
            curve.steps.extend(there, values)
            curve.times.extend(moments, values)

    def take_system(self, rows: Sequence[HistoryRow]) -> None:
        for row in rows:
            time = int(row["_runtime"] * MILLISECONDS)
            for key, value in row.items():
                number = None if key.startswith("_") else plottable(value)
                curve = None if number is None else self._curve(self.system, key.partition(".")[2] or key)
                if curve is not None and number is not None:
                    curve.times.add(time, number)

    def _curve(self, curves: Dict[str, Curve], key: str) -> Optional[Curve]:
        known = curves.get(key)
        if known is None and len(curves) >= CURVES_MAX:
            self.left_out += 1
            return None
        if known is None:
            known = curves[key] = Curve(Series(self._buckets), Series(self._buckets))
        return known


def times_of(batch: Columns) -> Sequence[int]:
    """When each row came, in milliseconds of the run."""
    return array("q", [int(seconds * MILLISECONDS) for seconds in batch.columns["_runtime"].values])
