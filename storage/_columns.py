"""Columns of a batch of rows, and putting them together from parts."""

from __future__ import annotations

import math
from array import array
from typing import Any, Dict, Iterator, List, NamedTuple, Optional, Sequence, Union

Values = Union["array[float]", "array[int]", bytearray, List[Any]]


class Column(NamedTuple):
    """A key's value in each row of a batch.

    `dtype` is what NumPy calls the type: "float64" and "int64" are arrays of the standard library, "bool" is bytes, and
    `numpy.frombuffer(values, dtype)` takes all three without a copy. "object" is a list: of None, text, other JSON
    values, integers beyond 64 bits, or of several types. The next batch's values may be of another type.
    """

    dtype: str
    values: Values
    present: Optional[bytes]  # 0 in the place of each row that lacks the key, 1 in the others; None: all have it

    def objects(self) -> List[Any]:
        """The values as they were logged; None also for rows that lack the key."""
        values: List[Any] = _objects(self.dtype, self.values)
        if self.present is None:
            return values
        return [value if there else None for value, there in zip(values, self.present)]

    def has(self, place: int) -> bool:
        """Whether a row has the key."""
        return self.present is None or self.present[place] != 0

    def at(self, place: int) -> Any:
        """A row's value; what fills the place where it has none."""
        return bool(self.values[place]) if self.dtype == "bool" else self.values[place]


class Columns(NamedTuple):
    """A batch of rows. Where a row lacks a key, NaN, 0, False or None fills the place."""

    rows: int
    last_sequence: int  # of the records that it takes into account
    columns: Dict[str, Column]  # in the order in which the keys first appear, and the clocks behind them

    def row(self, place: int) -> Dict[str, Any]:
        """One of the rows as a dictionary."""
        return {key: column.at(place) for key, column in self.columns.items() if column.has(place)}

    def dicts(self) -> Iterator[Dict[str, Any]]:
        """The rows as dictionaries."""
        columns = [(key, column.objects(), column.present) for key, column in self.columns.items()]
        for place in range(self.rows):
            yield {key: values[place] for key, values, present in columns if present is None or present[place]}


class Span(NamedTuple):
    """Consecutive places in a batch."""

    start: int
    stop: int


class Part(NamedTuple):
    """Values of one key for some of a batch's places."""

    spans: Sequence[Span]
    dtype: str
    values: Values


def typed_part(spans: Sequence[Span], values: List[Any]) -> Part:
    """Python's own values, in the narrowest type that holds them all."""
    types = set(map(type, values))
    if types == {float}:
        return Part(spans, "float64", array("d", values))
    if types == {bool}:
        return Part(spans, "bool", bytearray(values))
    if types == {int}:
        try:
            return Part(spans, "int64", array("q", values))
        except OverflowError:
            pass
    return Part(spans, "object", values)


def fill(into: Any, spans: Sequence[Span], values: Any) -> None:
    """Put consecutive values into the places that they belong to."""
    taken = 0
    for start, stop in spans:
        into[start:stop] = values[taken : taken + stop - start]
        taken += stop - start


def join_parts(parts: Sequence[Part], rows: int) -> Column:
    """The column that the parts make up."""
    dtypes = {part.dtype for part in parts}
    dtype = dtypes.pop() if len(dtypes) == 1 else "object"
    if len(parts) == 1 and list(parts[0].spans) == [(0, rows)]:
        return Column(dtype, parts[0].values, None)
    values = _blank(dtype, rows)
    present = bytearray(rows)
    for part in parts:
        fill(values, part.spans, part.values if part.dtype == dtype else _objects(part.dtype, part.values))
        for start, stop in part.spans:
            present[start:stop] = b"\1" * (stop - start)
    return Column(dtype, values, bytes(present) if 0 in present else None)


def _blank(dtype: str, rows: int) -> Values:
    if dtype == "float64":
        return array("d", [math.nan]) * rows
    if dtype == "int64":
        return array("q", bytes(8 * rows))
    return bytearray(rows) if dtype == "bool" else [None] * rows


def _objects(dtype: str, values: Values) -> List[Any]:
    return list(map(bool, values)) if dtype == "bool" else list(values)
