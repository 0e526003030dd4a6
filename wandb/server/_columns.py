"""Columns: the values of consecutive rows under one key, and summaries of them that cost a chart its pixels.

A *column* has the rows of one block: where they stand in it, and their numbers. A *summary* has 64 buckets of
consecutive lines: how many numbers each has, the lowest, the highest and the last, and whether some are not finite.
Sixteen summaries of one level are one of the next, whose buckets are sixteen times as wide, so a run of any length has
a level whose buckets are about as many as the pixels of a chart, and no number between two pixels is hidden.

==========  =====================  ====================
level       lines of a bucket      lines of a summary
==========  =====================  ====================
0           each line by itself
1           64                     4096, a block
2           1024                   65,536
3           16,384                 1,048,576
...
==========  =====================  ====================
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import zstandard

from .._row_keys import classified, flattened
from ._limits import BLOCK_ROWS

BUCKETS = 64
FANOUT = 16
LEVELS = range(1, 6)

# The key of the steps, or of the line numbers where rows have no step; no metric has an empty name.
STEPS = ""

SUMMARY = np.dtype(
    [
        ("count", "<u4", (BUCKETS,)),
        ("low", "<f8", (BUCKETS,)),
        ("high", "<f8", (BUCKETS,)),
        ("last", "<f8", (BUCKETS,)),
        ("odd", "u1", (BUCKETS,)),
    ]
)

# Bits of `odd`, and how JSON dialects spell what they mean.
ODD = {1: "NaN", 2: "Infinity", 4: "-Infinity"}

Floats = npt.NDArray[np.float64]
Places = npt.NDArray[np.uint32]
Summaries = npt.NDArray[np.void]

_HEAD = struct.Struct("<BI")
_EVERYWHERE, _ALL_NUMBERS, _NO_NUMBERS = 1, 2, 4


def bucket_lines(level: int) -> int:
    """How many lines a bucket of a level has."""
    return 1 if level == 0 else BUCKETS * FANOUT ** (level - 1)


def summary_lines(level: int) -> int:
    """How many lines a summary of a level has."""
    return BUCKETS * bucket_lines(level)


@dataclass
class KeyFacts:
    """What is known of a key without looking at its values."""

    counts: dict[str, int] = field(default_factory=dict)
    monotonic: bool = True
    first: float | None = None
    previous: float | None = None
    # The first line and the one behind the last that have a number.
    start: int = 0
    end: int = 0

    def add(self, later: KeyFacts) -> None:
        """Go on with what is known of the rows behind."""
        for kind, count in later.counts.items():
            self.counts[kind] = self.counts.get(kind, 0) + count
        if later.first is None:
            return
        joined = self.previous is None or later.first >= self.previous
        self.monotonic = self.monotonic and later.monotonic and joined
        if self.first is None:
            self.first, self.start = later.first, later.start
        self.previous, self.end = later.previous, later.end


@dataclass(frozen=True)
class Column:
    """The rows that have a key: their places, their numbers, and which of them have a number; None for all."""

    places: Places
    numbers: Floats
    numeric: npt.NDArray[np.bool_] | None
    counts: dict[str, int]

    def points(self) -> tuple[Places, Floats]:
        """The rows that have a number."""
        if self.numeric is None:
            return self.places, self.numbers
        return self.places[self.numeric], self.numbers[self.numeric]

    def facts(self, first_line: int) -> KeyFacts:
        places, numbers = self.points()
        if not len(numbers):
            return KeyFacts(dict(self.counts))
        return KeyFacts(
            dict(self.counts),
            bool(np.all(numbers[1:] >= numbers[:-1])),
            float(numbers[0]),
            float(numbers[-1]),
            first_line + int(places[0]),
            first_line + int(places[-1]) + 1,
        )


class Cells:
    """Rows taken apart: for each key where it stands and the values, in order of line."""

    def __init__(self) -> None:
        self._places: dict[str, list[int]] = {}
        self._values: dict[str, list[Any]] = {}
        self._steps: tuple[list[int], list[int]] = [], []

    def __len__(self) -> int:
        return len(self._steps[0])

    def keys(self) -> Iterable[str]:
        return self._values.keys()

    def has(self, key: str) -> bool:
        return key in self._values

    def add_row(self, place: int, step: int, row: dict[str, Any]) -> int:
        """Take a row apart; the number of its values is returned."""
        self._steps[0].append(place)
        self._steps[1].append(step)
        count = len(row)
        for key, value in row.items():
            if key != STEPS:
                self._add(key, place, value)
            if type(value) is dict and "_type" not in value:
                for inner_key, inner in flattened(value, f"{key}.", 1):
                    self._add(inner_key, place, inner)
                    count += 1
        return count

    def _add(self, key: str, place: int, value: Any) -> None:
        values = self._values.get(key)
        if values is None:
            self._places[key], self._values[key] = [place], [value]
        else:
            self._places[key].append(place)
            values.append(value)

    def columns(self) -> dict[str, Column]:
        return {key: self.column(key) for key in (STEPS, *self.keys())}

    def column(self, key: str) -> Column:
        if key == STEPS:
            lines, steps = self._steps
            return Column(np.array(lines, np.uint32), np.array(steps, np.float64), None, {"number": len(steps)})
        values = self._values[key]
        places = np.array(self._places[key], np.uint32)
        kinds = set(map(type, values))
        if kinds <= {float, int}:
            try:
                return Column(places, np.array(values, np.float64), None, {"number": len(values)})
            except OverflowError:
                pass
        return _mixed_column(places, values)


def _mixed_column(places: Places, values: Sequence[Any]) -> Column:
    counts: dict[str, int] = {}
    numbers, numeric = np.full(len(values), np.nan), np.zeros(len(values), np.bool_)
    for at, value in enumerate(values):
        kind, number = classified(value)
        counts[kind] = counts.get(kind, 0) + 1
        if number is not None:
            numbers[at], numeric[at] = number, True
    return Column(places, numbers, None if numeric.all() else numeric, counts)


def encode_column(column: Column) -> bytes:
    """The bytes of a column of a block: places of 16 bits, doubles, and a bit a row that says whether it has one."""
    count = len(column.places)
    everywhere = count == BLOCK_ROWS
    has_numbers = column.numeric is None or bool(column.numeric.any())
    flags = everywhere * _EVERYWHERE | (column.numeric is None) * _ALL_NUMBERS | (not has_numbers) * _NO_NUMBERS
    parts = [_HEAD.pack(flags, count)]
    if not everywhere:
        parts.append(column.places.astype("<u2").tobytes())
    if has_numbers:
        parts.append(column.numbers.astype("<f8").tobytes())
        if column.numeric is not None:
            parts.append(np.packbits(column.numeric).tobytes())
    return zstandard.compress(b"".join(parts), 1)


def decode_column(data: bytes) -> Column:
    content = zstandard.decompress(data)
    flags, count = _HEAD.unpack_from(content)
    at = _HEAD.size
    if flags & _EVERYWHERE:
        places = np.arange(count, dtype=np.uint32)
    else:
        places = np.frombuffer(content, "<u2", count, at).astype(np.uint32)
        at += 2 * count
    if flags & _NO_NUMBERS:
        return Column(places, np.full(count, np.nan), np.zeros(count, np.bool_), {})
    numbers = np.frombuffer(content, "<f8", count, at)
    if flags & _ALL_NUMBERS:
        return Column(places, numbers, None, {})
    bits = np.frombuffer(content, np.uint8, offset=at + 8 * count)
    return Column(places, numbers, np.unpackbits(bits, count=count).astype(np.bool_), {})


def summary_of(places: Places, numbers: Floats) -> Summaries:
    """The summary of a column of a block, as an array of one."""
    summary = empty_summaries(1)
    if not len(numbers):
        return summary
    buckets = places // BUCKETS
    starts = np.flatnonzero(np.diff(buckets, prepend=buckets[0] + 1))
    found = buckets[starts]
    bounded = numbers
    if not np.isfinite(numbers).all():
        bounded = np.where(np.isfinite(numbers), numbers, np.nan)
        odd = np.isnan(numbers) | (numbers == np.inf) << 1 | (numbers == -np.inf) << 2
        summary["odd"][0, found] = np.bitwise_or.reduceat(odd.astype(np.uint8), starts)
    ends = np.append(starts[1:], len(numbers))
    summary["count"][0, found] = ends - starts
    summary["low"][0, found] = np.fmin.reduceat(bounded, starts)
    summary["high"][0, found] = np.fmax.reduceat(bounded, starts)
    summary["last"][0, found] = numbers[ends - 1]
    return summary


def empty_summaries(count: int) -> Summaries:
    summaries = np.zeros(count, SUMMARY)
    for name in ("low", "high", "last"):
        summaries[name] = np.nan
    return summaries


def merged_summary(summaries: Summaries) -> Summaries:
    """The summary of the next level, of sixteen that follow one another."""
    merged = empty_summaries(1)
    counts = summaries["count"].reshape(BUCKETS, FANOUT)
    merged["count"][0] = counts.sum(axis=1)
    merged["low"][0] = np.fmin.reduce(summaries["low"].reshape(BUCKETS, FANOUT), axis=1)
    merged["high"][0] = np.fmax.reduce(summaries["high"].reshape(BUCKETS, FANOUT), axis=1)
    merged["odd"][0] = np.bitwise_or.reduce(summaries["odd"].reshape(BUCKETS, FANOUT), axis=1)
    # The last bucket of each group that has a number at all.
    newest = FANOUT - 1 - np.argmax(counts[:, ::-1] > 0, axis=1)
    merged["last"][0] = summaries["last"].reshape(BUCKETS, FANOUT)[np.arange(BUCKETS), newest]
    return merged
