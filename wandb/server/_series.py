"""Charts: every numeric metric of a run, folded into a bounded number of buckets.

A column starts with one point in each bucket. When it has ``BUCKETS_MAX`` buckets, neighbours are
merged and each bucket holds twice as many points from then on. A bucket keeps the lowest, the
highest and the last value, so a spike of one point is still there after any number of merges.
Memory is bounded by the number of metrics and not by the length of the run, and new rows cost
only themselves: the index of a run remembers how far it has read.
"""

from __future__ import annotations

import functools
import json
import math
import threading
from array import array
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection
from starlette.exceptions import HTTPException

from .._filters import lookup
from .._row_keys import classified, flattened
from ._blocks import PLAIN_KINDS, Block, find_block
from ._limits import BLOCK_ROWS, BUCKETS_MAX, INDEXED_COLUMNS_MAX, MARKS_MAX, METRICS_MAX
from ._lines import HISTORY, iterate_lines, rows_between
from ._store import Run, line_count
from ._values import finite_number, spelled

# Values under these keys place a row; they are not metrics of their own.
AXES = ("_step", "_runtime", "_timestamp")

# The bounds of a look at all of a run.
EVERYWHERE = (-math.inf, math.inf)

# Zooming goes by doubles, which are exact up to here.
_STEP_MAX = 2**53

# How much cheaper a row is in a block than as a text.
_BLOCK_GAIN = 16


class Column:
    """One metric over one axis."""

    def __init__(self) -> None:
        self._x, self._low, self._high, self._last = (array("d") for _ in range(4))
        self._width = 1
        self._filled = 0
        # Where a value was not finite: the place and its spelling.
        self._marks: list[tuple[float, str]] = []

    def add(self, x: float, value: float) -> None:
        if not math.isfinite(value):
            if len(self._marks) < MARKS_MAX:
                self._marks.append((x, spelled(value)))
            value = math.nan
        if self._x and self._filled < self._width:
            self._filled += 1
            self._x[-1] = x
            self._low[-1] = _lower(self._low[-1], value)
            self._high[-1] = _higher(self._high[-1], value)
            self._last[-1] = value
            return
        if len(self._x) == BUCKETS_MAX:
            self._merge_neighbours()
        for values, item in (
            (self._x, x),
            (self._low, value),
            (self._high, value),
            (self._last, value),
        ):
            values.append(item)
        self._filled = 1

    def extend(self, xs: Sequence[float], values: Sequence[float]) -> None:
        """Add finite values in order: what ``add`` would do one by one, a bucket at a time."""
        at = 0
        while at < len(values):
            if not self._x or self._filled == self._width:
                self.add(xs[at], values[at])
                at += 1
                continue
            end = min(at + self._width - self._filled, len(values))
            part = values[at:end]
            self._low[-1] = _lower(self._low[-1], min(part))
            self._high[-1] = _higher(self._high[-1], max(part))
            self._x[-1], self._last[-1] = xs[end - 1], part[-1]
            self._filled += end - at
            at = end

    def _merge_neighbours(self) -> None:
        # Reached only with every bucket full, and their number is even.
        self._low = array("d", map(_lower, self._low[::2], self._low[1::2]))
        self._high = array("d", map(_higher, self._high[::2], self._high[1::2]))
        self._x, self._last = self._x[1::2], self._last[1::2]
        self._width *= 2

    def to_json(self, points_max: int = BUCKETS_MAX) -> dict[str, Any]:
        """Plain lists in order of x, with null where a bucket ends in a value that is not finite.

        ``low`` and ``high`` are left out while each bucket is a single point. For a chart with fewer pixels
        neighbours are merged until there are at most ``points_max``.
        """
        order = sorted(range(len(self._x)), key=self._x.__getitem__)
        size = -(-len(order) // points_max) or 1
        if size > 1:
            groups = [order[at : at + size] for at in range(0, len(order), size)]
            lows = [functools.reduce(_lower, map(self._low.__getitem__, group)) for group in groups]
            highs = [functools.reduce(_higher, map(self._high.__getitem__, group)) for group in groups]
            order = [group[-1] for group in groups]
        else:
            lows, highs = [self._low[index] for index in order], [self._high[index] for index in order]
        answer: dict[str, Any] = {
            "x": [_short(self._x[index]) for index in order],
            "last": [_finite(self._last[index]) for index in order],
            "marks": self._marks,
        }
        if self._width > 1 or size > 1:
            answer["low"], answer["high"] = [_finite(value) for value in lows], [_finite(value) for value in highs]
        return answer


def _lower(a: float, b: float) -> float:
    return b if a != a or b < a else a


def _higher(a: float, b: float) -> float:
    return b if a != a or b > a else a


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _short(value: float) -> float | int:
    """The same number in fewer characters: steps are whole."""
    return int(value) if value.is_integer() else value


@dataclass
class KeyFacts:
    """What is known of a key without looking at its values again."""

    type_counts: dict[str, int] = field(default_factory=dict)
    monotonic: bool = True
    previous: float | None = None


class RunIndex:
    """The columns and key facts of one stream of a run over one axis."""

    def __init__(self, axis: str) -> None:
        self._axis = axis
        self.columns: dict[str, Column] = {}
        self.facts: dict[str, KeyFacts] = {}
        self.last_step: int | None = None
        self.next_line = 0
        self._rewrites = 0
        self._blocks_without_media: set[int] = set()
        self.lock = threading.Lock()

    def catch_up(self, connection: Connection, run: Run, kind: str, lines_max: int | None) -> bool:
        """Read what was added since the last time; False when lines that were read changed."""
        if self.next_line and self._rewrites != run.rewrites:
            return False
        self._rewrites = run.rewrites
        count = line_count(run, kind)
        budget = count if lines_max is None else lines_max
        while self.next_line < count and budget > 0:
            budget -= self._read_on(connection, run, kind, min(count, self.next_line + budget))
        return True

    def _read_on(self, connection: Connection, run: Run, kind: str, end: int) -> int:
        """Read the next block, or rows up to the next; what it cost is returned, in rows that were parsed."""
        number, behind = divmod(self.next_line, BLOCK_ROWS)
        block = find_block(connection, run.id, kind, number) if behind == 0 else None
        if block is not None:
            self.add_block(block)
            if not any(kind not in PLAIN_KINDS for column in block.columns.values() for kind in column.counts):
                self._blocks_without_media.add(number)
            self.next_line += BLOCK_ROWS
            return BLOCK_ROWS // _BLOCK_GAIN
        first, self.next_line = self.next_line, min(end, (number + 1) * BLOCK_ROWS)
        for _, step, content in iterate_lines(connection, run.id, kind, first, self.next_line):
            if step is not None:
                self.add_row(step, json.loads(content))
        return self.next_line - first

    def end_without_media(self, line: int) -> int | None:
        """The end of the stretch without media that a line begins; None where there may be some."""
        number = line // BLOCK_ROWS
        if number not in self._blocks_without_media:
            return None
        return (number + 1) * BLOCK_ROWS

    def next_without_media(self, line: int, end: int) -> int:
        """Where the next block without media begins, at the latest at ``end``."""
        number = line // BLOCK_ROWS + 1
        while number * BLOCK_ROWS < end and number not in self._blocks_without_media:
            number += 1
        return min(end, number * BLOCK_ROWS)

    def add_block(self, block: Block) -> None:
        """What ``add_row`` does with each row of a block, column by column."""
        if not block.steps:
            return
        highest = max(block.steps)
        self.last_step = highest if self.last_step is None else max(self.last_step, highest)
        places = self._places(block)
        placed = math.isfinite(sum(places))
        for key, column in block.columns.items():
            facts = self.facts.get(key)
            if facts is None:
                if len(self.facts) >= METRICS_MAX:
                    continue
                facts = self.facts[key] = KeyFacts()
            for kind, count in column.counts.items():
                facts.type_counts[kind] = facts.type_counts.get(kind, 0) + count
            if not column.values:
                continue
            if not column.monotonic or (facts.previous is not None and not column.values[0] >= facts.previous):
                facts.monotonic = False
            facts.previous = column.values[-1]
            if key in AXES:
                continue
            chart = self.columns.get(key)
            if chart is None:
                chart = self.columns[key] = Column()
            xs = places
            if len(column.values) != len(block.steps):
                xs = array("d", map(places.__getitem__, column.places))
            if placed and column.finite:
                chart.extend(xs, column.values)
                continue
            for x, value in zip(xs, column.values):
                if math.isfinite(x):
                    chart.add(x, value)

    def _places(self, block: Block) -> array[float]:
        """Where each row of a block stands on the axis; NaN where it has no place."""
        if self._axis == "_step":
            return array("d", block.steps)
        places = array("d", [math.nan]) * len(block.steps)
        axis = block.columns.get(self._axis)
        if axis is not None:
            for place, x in zip(axis.places, axis.values):
                places[place] = x
        return places

    def add_row(self, step: int, row: dict[str, Any]) -> None:
        if self.last_step is None or step > self.last_step:
            self.last_step = step
        x = finite_number(step if self._axis == "_step" else lookup(row, self._axis))
        for key, value in flattened(row):
            kind, number = classified(value)
            facts = self.facts.get(key)
            if facts is None:
                if len(self.facts) >= METRICS_MAX:
                    continue
                facts = self.facts[key] = KeyFacts()
            facts.type_counts[kind] = facts.type_counts.get(kind, 0) + 1
            if number is None:
                continue
            if facts.previous is not None and not number >= facts.previous:
                facts.monotonic = False
            facts.previous = number
            if key not in AXES and x is not None:
                self.columns.setdefault(key, Column()).add(x, number)


class SeriesCache:
    """The indexes of the runs that somebody looks at, the longest unused ones forgotten."""

    def __init__(self) -> None:
        self._indexes: OrderedDict[tuple[int, str, str], RunIndex] = OrderedDict()
        self._lock = threading.Lock()

    def index(self, connection: Connection, run: Run, kind: str, axis: str, lines_max: int | None = None) -> RunIndex:
        """The index of a run, up to date with what the connection sees.

        With ``lines_max`` it may stop earlier; its ``next_line`` tells how far it got.
        """
        key = (run.id, kind, axis)
        with self._lock:
            index = self._indexes.setdefault(key, RunIndex(axis))
            self._indexes.move_to_end(key)
            held = sum(len(index.columns) for index in self._indexes.values())
            while held > INDEXED_COLUMNS_MAX and len(self._indexes) > 1:
                held -= len(self._indexes.popitem(last=False)[1].columns)
        with index.lock:
            if index.catch_up(connection, run, kind, lines_max):
                return index
        fresh = RunIndex(axis)
        fresh.catch_up(connection, run, kind, lines_max)
        with self._lock:
            self._indexes[key] = fresh
        return fresh

    def reached(self, run: Run, kind: str, axis: str) -> int:
        """How many lines of a run are in its index by now."""
        with self._lock:
            index = self._indexes.get((run.id, kind, axis))
        return 0 if index is None else index.next_line


def range_index(connection: Connection, run: Run, kind: str, axis: str, first: float, last: float) -> RunIndex:
    """An index of only the rows with ``first <= x <= last``: a closer look at a part of a chart."""
    index = RunIndex(axis)
    if axis == "_step" and kind == HISTORY:
        low, high = (int(max(-_STEP_MAX, min(bound, _STEP_MAX))) for bound in (first, last))
        for step, content in rows_between(connection, run.id, low, high + 1):
            if first <= step <= last:
                index.add_row(step, json.loads(content))
        return index
    for line, place, content in iterate_lines(connection, run.id, kind, 0):
        if place is None:
            continue
        row = json.loads(content)
        x = finite_number(lookup(row, axis))
        if x is not None and first <= x <= last:
            index.add_row(line, row)
    return index


@dataclass(frozen=True)
class Charts:
    """Metrics of a run over one axis, as far as its rows have been read."""

    index: RunIndex
    reached: int
    read: int

    def to_json(self, keys: Sequence[str], points_max: int = BUCKETS_MAX) -> dict[str, Any]:
        """The columns of these keys, or of all. Those with the same places share them: ``x`` is a number in ``xs``."""
        xs: list[list[float]] = []
        series: dict[str, Any] = {}
        with self.index.lock:
            names = [key for key in keys if key in self.index.columns] if keys else list(self.index.columns)
            for name in names:
                found = self.index.columns[name].to_json(points_max)
                if found["x"] not in xs:
                    xs.append(found["x"])
                series[name] = {**found, "x": xs.index(found["x"])}
        return {"xs": xs, "series": series}


def charts_of(
    connection: Connection,
    cache: SeriesCache,
    run: Run,
    kind: str,
    axis: str,
    bounds: tuple[float, float],
    lines_max: int,
) -> Charts:
    """The charts of a run, of all its rows or of those between two bounds."""
    if bounds == EVERYWHERE:
        before = cache.reached(run, kind, axis)
        index = cache.index(connection, run, kind, axis, lines_max)
        return Charts(index, index.next_line, max(0, index.next_line - before))
    return Charts(range_index(connection, run, kind, axis, *bounds), line_count(run, kind), line_count(run, kind))


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


def history_keys(index: RunIndex) -> dict[str, Any]:
    """The ``historyKeys`` object of the public Api."""
    keys = {}
    with index.lock:
        found = list(index.facts.items())
    for key, facts in found:
        previous = facts.previous
        keys[key] = {
            "typeCounts": [{"type": kind, "count": count} for kind, count in facts.type_counts.items()],
            "monotonic": facts.monotonic and previous is not None,
            "previousValue": _finite(previous) if previous is not None else None,
        }
    return {
        "lastStep": index.last_step if index.last_step is not None else -1,
        "sets": [],
        "keys": keys,
    }
