"""Charts: metrics of a run over an axis, in at most as many buckets as a chart has pixels.

A bucket keeps the lowest, the highest and the last value of its lines, so a spike of one point is there however long
the run is. A chart is drawn of the summaries that the blocks have (``_columns``): it costs its pixels, not its points.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sqlalchemy import Connection
from starlette.exceptions import HTTPException

from ._buckets import Buckets, RunColumns, level_for, lines_where
from ._columns import ODD, STEPS, Floats
from ._limits import BUCKETS_MAX, EXACT_ROWS_MAX, INDEXED_ROWS_PER_REQUEST
from ._store import Run
from ._tails import Tails

# Values under these keys place a row; they are not metrics of their own.
AXES = ("_step", "_runtime", "_timestamp")

# The bounds of a look at all of a run.
EVERYWHERE = (-math.inf, math.inf)


@dataclass(frozen=True)
class Charts:
    """Metrics of a run over one axis, as far as its rows have been read; ``read`` of them only now."""

    columns: RunColumns
    axis: str
    bounds: tuple[float, float]
    read: int

    @property
    def reached(self) -> int:
        return self.columns.end

    @property
    def names(self) -> list[str]:
        """What can be drawn: the keys that have a number."""
        return [
            key
            for key, known in self.columns.facts().items()
            if known.first is not None and key not in AXES and key != STEPS
        ]

    def to_json(self, keys: Sequence[str] = (), points_max: int = BUCKETS_MAX) -> dict[str, Any]:
        """The series of these keys, or of all. Those with the same places share them: ``x`` is a number in ``xs``."""
        known = self.columns.facts()
        drawn = [key for key in keys if key in known and known[key].first is not None] if keys else self.names
        xs: list[list[float]] = []
        numbers: dict[bytes, int] = {}
        series = {}
        for key, x, buckets in self._drawn(drawn, points_max):
            number = numbers.setdefault(x.tobytes(), len(xs))
            if number == len(xs):
                xs.append(_plain_places(x))
            series[key] = {"x": number, **_series_json(x, buckets)}
        return {"xs": xs, "series": {key: series[key] for key in drawn if key in series}}

    def _drawn(self, keys: list[str], points_max: int) -> Iterable[tuple[str, Floats, Buckets]]:
        """Each key that has a value in the bounds, with the places of its buckets."""
        axis = STEPS if self.axis == "_step" else self.axis
        first, end = 0, self.columns.end
        if self.bounds != EVERYWHERE:
            first, end = lines_where(self.columns, axis, *self.bounds)
        known = self.columns.facts()
        alike: dict[tuple[int, int, int], list[str]] = {}
        for key in keys:
            # A metric that begins late or ends early is drawn in as much detail as the others.
            start, stop = max(first, known[key].start), min(end, known[key].end)
            level = level_for(stop - start, points_max)
            if stop - start <= EXACT_ROWS_MAX and self._is_sparse(axis):
                level = 0
            if start < stop:
                alike.setdefault((level, start, stop), []).append(key)
        for (level, start, stop), names in alike.items():
            found = self.columns.buckets([axis, *names], level, start, stop)
            for key in names:
                if axis not in found or key not in found:
                    continue
                x, buckets = _placed(found[axis], found[key], self.bounds)
                if len(x) > points_max:
                    x, buckets = _merged(x, buckets, -(-(stop - start) // points_max))
                if len(x):
                    yield (key, *_in_order(x, buckets))

    def _is_sparse(self, axis: str) -> bool:
        """Whether there are rows without a place, so that buckets would speak for rows that aren't drawn."""
        if axis in (STEPS, *AXES) or axis not in self.columns.facts():
            return False
        return self.columns.facts()[axis].counts.get("number", 0) < self.columns.end


def _placed(axis: Buckets, values: Buckets, bounds: tuple[float, float]) -> tuple[Floats, Buckets]:
    """The values that have a place on the axis, within bounds, and their places."""
    at = np.minimum(np.searchsorted(axis.line, values.line), len(axis) - 1)
    inside = (axis.line[at] == values.line) & np.isfinite(axis.last[at])
    if bounds != EVERYWHERE:
        inside &= (axis.low[at] <= bounds[1]) & (axis.high[at] >= bounds[0])
    if not inside.all():
        values, at = values.take(inside), at[inside]
    return axis.last[at], values


def _merged(x: Floats, values: Buckets, lines: int) -> tuple[Floats, Buckets]:
    """The same in buckets of so many lines, each at the place of its last."""
    groups = (values.line - values.line[0]) // lines
    starts = np.flatnonzero(np.diff(groups, prepend=-1))
    return x[np.append(starts[1:], len(values)) - 1], values.merged(starts)


def _in_order(x: Floats, values: Buckets) -> tuple[Floats, Buckets]:
    if np.any(x[1:] < x[:-1]):
        order = np.argsort(x, kind="stable")
        return x[order], values.take(order)
    return x, values


def _series_json(x: Floats, buckets: Buckets) -> dict[str, Any]:
    """Plain lists in order of x, with null where a bucket ends in a value that is not finite.

    ``low`` and ``high`` are left out while each bucket is a single point. ``marks`` tell where something is not finite.
    """
    marks = [
        (place, spelling)
        for place, odd in zip(_plain_places(x[buckets.odd > 0]), buckets.odd[buckets.odd > 0].tolist())
        for bit, spelling in ODD.items()
        if odd & bit
    ]
    answer: dict[str, Any] = {"last": _plain(buckets.last), "marks": marks}
    if len(buckets) and buckets.count.max() > 1:
        answer["low"], answer["high"] = _plain(buckets.low), _plain(buckets.high)
    return answer


def _plain(values: Floats) -> list[float | None]:
    finite = np.isfinite(values)
    if finite.all():
        plain: list[float | None] = values.tolist()
        return plain
    return [value if known else None for value, known in zip(values.tolist(), finite.tolist())]


def _plain_places(x: Floats) -> list[float]:
    """The same numbers in fewer characters: steps are whole."""
    plain: list[float] = x.tolist()
    return [int(place) if place.is_integer() else place for place in plain]


def charts_of(
    connection: Connection,
    tails: Tails,
    run: Run,
    kind: str,
    axis: str,
    bounds: tuple[float, float] = EVERYWHERE,
    rows_max: int = INDEXED_ROWS_PER_REQUEST,
) -> Charts:
    """The charts of a run, of all its rows or of those between two bounds.

    Of the rows that are in no block yet at most ``rows_max`` are read now.
    """
    tail = tails.tail(connection, run, kind)
    read = tail.read_on(connection, run, kind, rows_max)
    return Charts(RunColumns(connection, run, kind, tail), axis, bounds, read)


def parsed_bound(text: str | None, *, low: bool) -> float:
    """One end of the part of an axis that a request asks for; infinite where it names none."""
    if text is None:
        return -math.inf if low else math.inf
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if math.isnan(value):
        raise HTTPException(400, "'from' and 'to' must be numbers")
    return value


def history_keys(columns: RunColumns, last_step: int | None) -> dict[str, Any]:
    """The ``historyKeys`` object of the public Api."""
    keys = {
        key: {
            "typeCounts": [{"type": kind, "count": count} for kind, count in known.counts.items()],
            "monotonic": known.monotonic and known.previous is not None,
            "previousValue": known.previous if known.previous is not None and math.isfinite(known.previous) else None,
        }
        for key, known in columns.facts().items()
        if key != STEPS
    }
    return {"lastStep": -1 if last_step is None else last_step, "sets": [], "keys": keys}
