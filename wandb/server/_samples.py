"""Evenly chosen rows of a run's stream, without reading the whole of it where that can be helped."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

import numpy as np
from sqlalchemy import Connection, select

from .._sampling import evenly
from ._buckets import RunColumns, lines_where
from ._chunks import Lines
from ._columns import STEPS
from ._lines import HISTORY, chunks_between, contents_at
from ._tables import chunks


@dataclass(frozen=True)
class _Wanted:
    """Which rows are chosen from: of each group of texts a row must hold one; the bounds of its step are inclusive."""

    contains: Sequence[Sequence[str]]
    first: int | None
    last: int | None

    def has(self, step: int | None, content: str) -> bool:
        return (
            step is not None
            and (self.first is None or step >= self.first)
            and (self.last is None or step <= self.last)
            and all(any(text in content for text in group) for group in self.contains)
        )

    def has_all_between(self, low: int, high: int) -> bool:
        inside = (self.first is None or low >= self.first) and (self.last is None or high <= self.last)
        return inside and not self.contains


class _Stretch:
    """Chunks whose steps overlap: none of them has a step that lies among those of another stretch."""

    def __init__(self) -> None:
        self.firsts: list[int] = []
        self.low = self.high = self.rows = 0

    def add(self, first: int, rows: int, low: int, high: int) -> None:
        self.low = min(self.low, low) if self.firsts else low
        self.high = max(self.high, high) if self.firsts else high
        self.rows += rows
        self.firsts.append(first)


class _Stream:
    """One stream of a run in stretches."""

    def __init__(self, connection: Connection, run_id: int, kind: str, wanted: _Wanted) -> None:
        self._connection, self._run_id, self._kind, self._wanted = connection, run_id, kind, wanted

    def stretches(self) -> Iterator[_Stretch]:
        """In order of step."""
        condition = (chunks.c.run_id == self._run_id) & (chunks.c.kind == self._kind) & (chunks.c.rows > 0)
        if self._wanted.first is not None:
            condition &= chunks.c.high_step >= self._wanted.first
        if self._wanted.last is not None:
            condition &= chunks.c.low_step <= self._wanted.last
        stretch = _Stretch()
        query = select(chunks.c.first, chunks.c.rows, chunks.c.low_step, chunks.c.high_step).where(condition)
        for first, rows, low, high in self._connection.execute(query.order_by(chunks.c.low_step, chunks.c.first)):
            if stretch.firsts and low > stretch.high:
                yield stretch
                stretch = _Stretch()
            stretch.add(first, rows, low, high)
        if stretch.firsts:
            yield stretch

    def count(self, stretch: _Stretch) -> int:
        """How many rows of a stretch are wanted."""
        if self._wanted.has_all_between(stretch.low, stretch.high):
            return stretch.rows
        return len(self._numbers(stretch))

    def contents(self, stretch: _Stretch, places: list[int]) -> list[str]:
        """The rows at these places of the wanted ones in order."""
        numbers = self._numbers(stretch)
        chosen = [numbers[place] for place in places]
        found = contents_at(self._connection, self._run_id, self._kind, chosen)
        return [found[number] for number in chosen]

    def _numbers(self, stretch: _Stretch) -> list[int]:
        """The lines of the wanted rows, in order of step, then of line."""
        rows = [
            (step, number)
            for chunk in self._chunks(stretch)
            for number, step, content in zip(_range(chunk), chunk.steps, chunk.contents)
            if self._wanted.has(step, content)
        ]
        rows.sort()
        return [number for _, number in rows]

    def _chunks(self, stretch: _Stretch) -> Iterator[Lines]:
        for first in stretch.firsts:
            yield from chunks_between(self._connection, self._run_id, self._kind, first, first + 1)


def _range(chunk: Lines) -> range:
    return range(chunk.first, chunk.end)


def sampled_rows(
    connection: Connection,
    run_id: int,
    kind: str,
    count_max: int,
    contains: Sequence[Sequence[str]] = (),
    steps: tuple[int | None, int | None] = (None, None),
) -> list[str]:
    """Evenly chosen rows, the first and the last always among them, in order of step.

    ``contains`` narrows the choice before it is made: of each group of texts, a row must hold one. ``steps`` are
    inclusive bounds.
    """
    stream = _Stream(connection, run_id, kind, _Wanted(contains, *steps))
    stretches = list(stream.stretches())
    ends = list(accumulate(map(stream.count, stretches)))
    contents: list[str] = []
    chosen = list(evenly(range(ends[-1] if ends else 0), count_max))
    at = 0
    for stretch, start, end in zip(stretches, [0, *ends], ends):
        first = at
        while at < len(chosen) and chosen[at] < end:
            at += 1
        if at > first:
            contents += stream.contents(stretch, [place - start for place in chosen[first:at]])
    return contents


def sampled_rows_with(
    connection: Connection,
    run_id: int,
    columns: RunColumns,
    keys: Sequence[str],
    count_max: int,
    steps: tuple[int | None, int | None] = (None, None),
) -> list[str]:
    """What ``sampled_rows`` does for history rows that have all of these keys, found by their columns."""
    first, end = 0, columns.end
    low, high = (-math.inf if steps[0] is None else steps[0]), (math.inf if steps[1] is None else steps[1])
    if steps != (None, None):
        first, end = lines_where(columns, STEPS, low, high)
    lines, places = columns.lines_with(keys, first, end)
    if steps != (None, None):
        inside = (places >= low) & (places <= high)
        lines, places = lines[inside], places[inside]
    if np.any(places[1:] < places[:-1]):
        lines = lines[np.lexsort((lines, places))]
    chosen = [int(lines[at]) for at in evenly(range(len(lines)), count_max)]
    contents = contents_at(connection, run_id, HISTORY, chosen)
    return [contents[number] for number in chosen]
