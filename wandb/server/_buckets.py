"""Buckets: what a part of a run's lines has under some keys, read at the level that a question needs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt
from sqlalchemy import Connection

from ._blocks import Facts, catalog_of, stored_columns, stored_summaries
from ._columns import LEVELS, STEPS, Column, Floats, KeyFacts, Summaries, bucket_lines, summary_lines
from ._limits import BLOCK_ROWS, BUCKETS_MAX
from ._store import Run
from ._tails import Tail

LineNumbers = npt.NDArray[np.int64]

# Blocks of which the columns are in memory together.
_BLOCKS_AT_ONCE = 32

# Buckets that are looked through for where a part of an axis lies.
_LOOKED_THROUGH = 16 * BUCKETS_MAX


@dataclass(frozen=True)
class Buckets:
    """Consecutive buckets of one key that have a number: their first lines and what `_columns` says of each."""

    line: LineNumbers
    count: npt.NDArray[np.int64]
    low: Floats
    high: Floats
    last: Floats
    odd: npt.NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.line)

    def take(self, chosen: npt.NDArray[np.bool_] | npt.NDArray[np.int64]) -> Buckets:
        return Buckets(*(getattr(self, field.name)[chosen] for field in fields(Buckets)))

    def between(self, first: int, end: int) -> Buckets:
        return self.take((self.line >= first) & (self.line < end))

    def merged(self, starts: npt.NDArray[np.int64]) -> Buckets:
        """Each bucket with those behind it, up to the next start."""
        ends = np.append(starts[1:], len(self)) - 1
        return Buckets(
            self.line[starts],
            np.add.reduceat(self.count, starts),
            np.fmin.reduceat(self.low, starts),
            np.fmax.reduceat(self.high, starts),
            self.last[ends],
            np.bitwise_or.reduceat(self.odd, starts),
        )


def _of_points(lines: LineNumbers, numbers: Floats) -> Buckets:
    """Each number as a bucket of its own."""
    odd = np.zeros(len(numbers), np.uint8)
    bounded = numbers
    if not np.isfinite(numbers).all():
        bounded = np.where(np.isfinite(numbers), numbers, np.nan)
        odd |= np.isnan(numbers).astype(np.uint8)
        odd |= (numbers == np.inf).astype(np.uint8) << 1
        odd |= (numbers == -np.inf).astype(np.uint8) << 2
    return Buckets(lines, np.ones(len(numbers), np.int64), bounded, bounded, numbers, odd)


def _of_summaries(numbers: list[int], summaries: Summaries, level: int) -> Buckets:
    width = bucket_lines(level)
    firsts = np.array(numbers, np.int64)[:, None] * summary_lines(level)
    lines = (firsts + np.arange(summaries["count"].shape[1]) * width).ravel()
    count, odd = summaries["count"].ravel().astype(np.int64), summaries["odd"].ravel()
    low, high, last = (summaries[name].ravel() for name in ("low", "high", "last"))
    found = Buckets(lines, count, low, high, last, odd)
    return found.take(count > 0)


def _joined(parts: Sequence[Buckets]) -> Buckets:
    if len(parts) == 1:
        return parts[0]
    return Buckets(*(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(Buckets)))


class RunColumns:
    """One stream of a run by keys: what lies in blocks, and behind them the tail as far as it was read."""

    def __init__(self, connection: Connection, run: Run, kind: str, tail: Tail) -> None:
        self._connection, self._run, self._kind, self._tail = connection, run, kind, tail
        self._stored = tail.first_line
        self.end = tail.next_line
        self._facts: Facts | None = None

    def facts(self) -> Facts:
        """What is known of each key."""
        if self._facts is None:
            self._facts = catalog_of(self._connection, self._run.id, self._kind)
            for key, added in self._tail.facts().items():
                self._facts.setdefault(key, KeyFacts()).add(added)
        return self._facts

    def buckets(self, keys: Iterable[str], level: int, first: int, end: int) -> dict[str, Buckets]:
        """The buckets of a level with lines from ``first`` up to and without ``end``; those of the newest lines may
        be finer. A key without a number there is left out."""
        names = list(dict.fromkeys(keys))
        parts: dict[str, list[Buckets]] = {}
        stored = self._points(names, first, end) if level == 0 else self._summaries(names, level, first, end)
        for key, part in stored:
            parts.setdefault(key, []).append(part)
        if end > self._stored:
            for key, columns in self._tail.columns(names).items():
                for column in columns:
                    part = _points_of(column, self._stored).between(first, end)
                    parts.setdefault(key, []).append(part)
        joined = {key: _joined(found) for key, found in parts.items()}
        return {key: found for key, found in joined.items() if len(found)}

    def lines_with(self, keys: Sequence[str], first: int, end: int) -> tuple[LineNumbers, Floats]:
        """The lines between two that have all of these keys, and their steps."""
        names = [STEPS, *keys]
        parts = list(self._stored_lines_with(names, first, min(end, self._stored)))
        if end > self._stored:
            tail = {key: _whole(columns) for key, columns in self._tail.columns(names).items() if columns}
            parts.append(_rows_of(tail, names, self._stored))
        lines = np.concatenate([part[0] for part in parts] or [np.empty(0, np.int64)])
        steps = np.concatenate([part[1] for part in parts] or [np.empty(0)])
        inside = (lines >= first) & (lines < end)
        return (lines, steps) if inside.all() else (lines[inside], steps[inside])

    def _stored_lines_with(self, names: list[str], first: int, end: int) -> Iterator[tuple[LineNumbers, Floats]]:
        last = -(-end // BLOCK_ROWS)
        # Some at a time: the columns of a run of ten million rows fill a machine.
        for start in range(first // BLOCK_ROWS, last, _BLOCKS_AT_ONCE):
            stop = min(last, start + _BLOCKS_AT_ONCE)
            by_block: dict[int, dict[str, Column]] = {}
            for key, columns in stored_columns(self._connection, self._run.id, self._kind, names, start, stop).items():
                for number, column in columns:
                    by_block.setdefault(number, {})[key] = column
            for number in sorted(by_block):
                yield _rows_of(by_block[number], names, number * BLOCK_ROWS)

    def _points(self, keys: list[str], first: int, end: int) -> Iterator[tuple[str, Buckets]]:
        blocks = first // BLOCK_ROWS, -(-min(end, self._stored) // BLOCK_ROWS)
        for key, columns in stored_columns(self._connection, self._run.id, self._kind, keys, *blocks).items():
            for number, column in columns:
                yield key, _points_of(column, number * BLOCK_ROWS).between(first, end)

    def _summaries(self, keys: list[str], highest: int, first: int, end: int) -> Iterator[tuple[str, Buckets]]:
        """Summaries of a level, and of lower ones for lines that complete none of the higher."""
        at = first
        for level in reversed(LEVELS[:highest]):
            lines = summary_lines(level)
            start, stop = at // lines, min(self._stored // lines, -(-end // lines))
            if start >= stop:
                continue
            found = stored_summaries(self._connection, self._run.id, self._kind, keys, level, start, stop)
            for key, (numbers, summaries) in found.items():
                # A bucket that begins before the first line may hold lines behind it.
                lowest = first - bucket_lines(level) + 1
                yield key, _of_summaries(numbers, summaries, level).between(lowest, end)
            at = stop * lines


def _points_of(column: Column, first_line: int) -> Buckets:
    places, numbers = column.points()
    return _of_points(places.astype(np.int64) + first_line, numbers)


def _whole(parts: list[Column]) -> Column:
    """Parts of one column as one; only places and steps count here."""
    return Column(np.concatenate([part.places for part in parts]), np.concatenate([p.numbers for p in parts]), None, {})


def _rows_of(columns: dict[str, Column], keys: list[str], first_line: int) -> tuple[LineNumbers, Floats]:
    """The lines that all keys have, and their steps."""
    if not all(key in columns for key in keys):
        return np.empty(0, np.int64), np.empty(0)
    places, steps = columns[STEPS].places, columns[STEPS].numbers
    rows = len(places)
    for key in keys:
        # What every row has narrows nothing.
        if len(columns[key].places) < rows:
            present = np.isin(places, columns[key].places, assume_unique=True)
            places, steps = places[present], steps[present]
    return places.astype(np.int64) + first_line, steps


def level_for(lines: int, points: int) -> int:
    """The coarsest level at which so many lines have at least so many buckets."""
    return max((level for level in LEVELS if lines >= points * bucket_lines(level)), default=0)


def lines_where(columns: RunColumns, axis: str, low: float, high: float) -> tuple[int, int]:
    """The first and the last line, and one more, between which all values of a key lie that are within bounds."""
    levels = (level for level in (0, *LEVELS) if columns.end <= _LOOKED_THROUGH * bucket_lines(level))
    level = next(levels, LEVELS[-1])
    found = columns.buckets([axis], level, 0, columns.end).get(axis)
    if found is None:
        return 0, 0
    inside = np.flatnonzero((found.low <= high) & (found.high >= low))
    if not len(inside):
        return 0, 0
    last = int(inside[-1])
    end = columns.end if last + 1 == len(found) else int(found.line[last + 1])
    return int(found.line[inside[0]]), end
