"""A run's history as columns: what the fold gives row by row, several times as fast.

A row that one call committed, while no other was being put together, is complete as it stands in the log. Rows of one
layout stand at equal distances there, so that a column of theirs is a slice with a stride, and only their steps and
times go through the fold. All other records go the ordinary way, through `RunState.apply`, as do rows that the run's
metric definitions change. Rows and state come out the same either way.
"""

from __future__ import annotations

from array import array
from pathlib import Path
from typing import Any, Callable, Collection, Dict, Iterator, List, NamedTuple, Optional, Sequence, Tuple, Union

from ._checkpoint import beginning
from ._columns import Columns, Part, Span, fill, join_parts, typed_part
from ._decode import FastRow
from ._errors import LogDamaged
from ._format import Run
from ._layout import HEADER, INDEPENDENT, STEP_WORD, TIME_WORD, Layout, Layouts
from ._reader import Chunk, Entry, Reader
from ._records import ConfigChange, FromLane, Row, Scalar
from ._state import Completed, RunState

# What a batch holds at most: rows, and rows times keys, since every key gets a place in every row.
BATCH_ROWS_MAX = 1 << 14
BATCH_CELLS_MAX = 1 << 21
# A batch ends behind so many bytes of rows that are taken one by one: they may hold long texts.
BATCH_BYTES_MAX = 4 << 20
# Fewer rows between two records that are none are quicker taken one by one.
_STRETCH_ROWS_MIN = 8
_CLOCKS = ("_step", "_timestamp", "_runtime")

OnEntry = Callable[[Entry, Completed], object]


def read_columns(
    source: Union[Path, Reader], keys: Optional[Sequence[str]] = None, stop: Optional[int] = None
) -> Iterator[Columns]:
    """The history of a run, finished or not, in batches of bounded size: what its records, or those below `stop`, add
    up to. The row that was still being put together, if there is one, comes last.

    With `keys` there are `_step` and those columns only, but still all rows. Raises LogDamaged at the damage, after
    every row before it, and what `Reader` raises.

    >>> for batch in read_columns(folder, ["loss"]):                            # doctest: +SKIP
    ...     steps = numpy.frombuffer(batch.columns["_step"].values, "int64")
    """
    if not isinstance(source, Reader):
        with Reader(source) as reader:
            yield from read_columns(reader, keys, stop)
        return
    before, state = beginning(source)
    fold = ColumnFold(source, state, keys)
    damage: Optional[LogDamaged] = None
    try:
        yield from fold.batches(before + 1, stop)
    except LogDamaged as error:
        damage = error
    last = fold.finish()
    if last is not None:
        yield last
    if damage is not None:
        raise damage


class _Stored(NamedTuple):
    """Frames of one layout, one behind the other, and the places of their rows in the batch."""

    layout: _Layout
    raw: bytes
    spans: List[Span]

    def column(self, word: int, typecode: str) -> Any:
        return self.layout.column(self.raw, word, typecode)

    def part(self, scalar: int, word: int) -> Part:
        """One value of each row."""
        if scalar == Scalar.DOUBLE:
            return Part(self.spans, "float64", self.column(word, "d"))
        if scalar == Scalar.INTEGER:
            return Part(self.spans, "int64", self.column(word, "q"))
        if scalar == Scalar.BOOLEAN:
            return Part(self.spans, "bool", bytearray(map(bool, self.column(word, "q"))))
        return Part(self.spans, "object", [None] * (len(self.raw) // self.layout.size))

    def payloads(self) -> Iterator[Tuple[int, bytes]]:
        """(place, payload) of each row."""
        places = (place for start, stop in self.spans for place in range(start, stop))
        for place, offset in zip(places, range(0, len(self.raw), self.layout.size)):
            yield place, self.raw[offset + HEADER : offset + self.layout.size]


class _Layout(Layout):
    """A layout, where each of its columns stands, and those of its rows that wait for their batch."""

    def __init__(self, fast: FastRow, head: bytes, size: int, wanted: Optional[Collection[str]]) -> None:
        super().__init__(fast, head, size)
        self.columns = {
            key: (scalar, place)
            for key, scalar, place in zip(fast.keys, fast.scalars, self.places)
            if key not in _CLOCKS and (wanted is None or key in wanted)
        }
        self._waiting: List[bytes] = []
        self._spans: List[Span] = []

    @property
    def waits(self) -> bool:
        return bool(self._waiting)

    def add(self, frames: bytes, place: int, count: int) -> None:
        self._waiting.append(frames)
        if self._spans and self._spans[-1].stop == place:
            self._spans[-1] = Span(self._spans[-1].start, place + count)
        else:
            self._spans.append(Span(place, place + count))

    def take(self) -> _Stored:
        """What waits, which then waits no more."""
        stored = _Stored(self, b"".join(self._waiting), self._spans)
        self._waiting, self._spans = [], []
        return stored


class ColumnFold:
    """Takes the records of a log into `state`, as `RunState.apply` would, and gives the rows that they complete.

    `on_entry` gets every record that is no row, and what it completes, when the state has taken it.
    """

    def __init__(
        self, reader: Reader, state: RunState, keys: Optional[Sequence[str]] = None, on_entry: Optional[OnEntry] = None
    ) -> None:
        self.state = state
        self.last_sequence = 0  # of the records that the state has taken
        self._reader, self._wanted, self._on_entry = reader, None if keys is None else set(keys), on_entry
        self._layouts = Layouts(reader.row_decoder, lambda fast, head, size: _Layout(fast, head, size, self._wanted))
        self._begin()

    def _begin(self) -> None:
        """Start a batch."""
        self._rows = 0
        self._bytes = 0  # of rows that were taken one by one
        self._stretch = 0  # the place of the first row that waits in a layout
        self._waiting: List[_Layout] = []
        self._keys: Dict[str, None] = {}  # as they first appear
        self._parts: Dict[str, List[Part]] = {}
        self._single: Dict[str, Tuple[List[int], List[Any]]] = {}  # places and values of rows that were dictionaries

    def batches(self, start: int = 1, stop: Optional[int] = None, tail: bool = True) -> Iterator[Columns]:
        """The rows that the records from `start` on, below `stop`, complete; `state` is what those before add up to.

        With each batch, `state` is what the records up to the batch's last add up to. Raises LogDamaged at the damage,
        after every row before it.
        """
        damage: Optional[LogDamaged] = None
        try:
            for chunk in self._reader.chunks(start, stop, tail):
                for run in chunk.runs():
                    yield from self._take_run(chunk, run)
        except LogDamaged as error:
            damage = error
        if self._rows:
            yield self._end_batch()
        if damage is not None:
            raise damage

    def finish(self) -> Optional[Columns]:
        """The row that is still being put together; for when no more records follow."""
        for row in self.state.complete_row():
            self._add(row)
        return self._end_batch() if self._rows else None

    # --- records ------------------------------------------------------------------------------------------------------

    def _take_run(self, chunk: Chunk, run: Run) -> Iterator[Columns]:
        raw, taken, alike = chunk.raw, 0, True
        while taken < run.frames:
            offset, count = run.offset + taken * run.size, 1
            layout = self._layouts.at(raw, offset) if run.kind == Row.kind and not self.state.row else None
            if layout is None:
                payload = chunk.payload(run, taken)
                entry = self._reader.entry(run.sequence + taken, run.kind, payload)
                row = entry.record.record if isinstance(entry.record, FromLane) else entry.record
                if isinstance(row, Row) and self._room([*self.state.row, *row.values]) < 1:
                    yield self._end_batch()
                self._take_entry(entry, payload)
                self._bytes += len(payload) if isinstance(row, Row) else 0
            else:
                if not layout.waits:
                    if self._room(layout.columns) < 1:
                        yield self._end_batch()
                    self._waiting.append(layout)
                    self._keys.update(dict.fromkeys(layout.columns))
                if alike:
                    count = min(run.frames - taken, self._room())
                    if not layout.fits_all(raw, offset, count):
                        count, alike = 1, False  # layouts of one size take turns: the rest goes row by row
                layout.add(raw[offset : offset + count * run.size], self._rows, count)
                self._rows += count
            taken += count
            self.last_sequence = run.sequence + taken - 1
            if self._room() < 1 or (self._bytes >= BATCH_BYTES_MAX and self._rows):
                yield self._end_batch()

    def _room(self, keys: Collection[str] = ()) -> int:
        """How many more rows the batch takes when these keys come in."""
        count = len(self._keys) + sum(key not in self._keys for key in keys)
        return max(1, min(BATCH_ROWS_MAX, BATCH_CELLS_MAX // max(1, count))) - self._rows

    def _take_entry(self, entry: Entry, payload: bytes) -> None:
        """The ordinary way."""
        record = entry.record
        independent = type(record) in INDEPENDENT
        # Whoever listens for changes of the config asks the state at which step they came.
        if not independent or (self._on_entry is not None and type(record) is ConfigChange):
            self._end_stretch()
        completed = self.state.apply(record)
        for row in completed.rows:
            self._add(row)
        if isinstance(record, Row):
            self._layouts.learn(payload, self.state.metrics)
            return
        if not independent and not (isinstance(record, FromLane) and isinstance(record.record, Row)):
            self._layouts.forget()
        if self._on_entry is not None:
            self._on_entry(entry, completed)

    # --- rows ---------------------------------------------------------------------------------------------------------

    def _add(self, row: Dict[str, Any]) -> None:
        self._put(row, self._rows)
        self._rows += 1
        self._stretch = self._rows

    def _put(self, row: Dict[str, Any], place: int) -> None:
        """A row that is a dictionary."""
        for key, value in row.items():
            if key not in _CLOCKS:
                if self._wanted is not None and key not in self._wanted:
                    continue
                self._keys[key] = None
            places, values = self._single.setdefault(key, ([], []))
            places.append(place)
            values.append(value)

    def _end_stretch(self) -> None:
        """Bring the rows that wait in layouts through the fold."""
        first, count, self._stretch = self._stretch, self._rows - self._stretch, self._rows
        if not count:
            return
        stored = [layout.take() for layout in self._waiting]
        self._waiting = []
        if count >= _STRETCH_ROWS_MIN:
            self._fold(stored, first, count)
            return
        for place, payload in sorted(pair for one in stored for pair in one.payloads()):
            for row in self.state.apply(self._reader.row_decoder.decode(payload)).rows:
                self._put(row, place)

    def _fold(self, stored: List[_Stored], first: int, count: int) -> None:
        logged, times, explicit = array("q", bytes(8 * count)), array("d", bytes(8 * count)), bytearray(count)
        for one in stored:
            within = [Span(start - first, stop - first) for start, stop in one.spans]
            fill(logged, within, one.column(STEP_WORD, "q"))
            fill(times, within, one.column(TIME_WORD, "d"))
            if one.layout.explicit:
                fill(explicit, within, b"\1" * count)
            for key, (scalar, word) in one.layout.columns.items():
                self._parts.setdefault(key, []).append(one.part(scalar, word))
        steps, runtimes = self.state.apply_rows(logged, times, explicit)
        # What stays in the summary is what the last row of each layout says.
        for one in sorted(stored, key=lambda one: one.spans[-1]):
            last = self._reader.row_decoder.decode(one.raw[HEADER - one.layout.size :])
            self.state.summary.update(last.values)
        self.state.summary.update(_step=steps[-1], _timestamp=times[-1], _runtime=runtimes[-1])
        spans = [Span(first, first + count)]
        clocks = typed_part(spans, steps), Part(spans, "float64", times), Part(spans, "float64", array("d", runtimes))
        for key, part in zip(_CLOCKS, clocks):
            self._parts.setdefault(key, []).append(part)

    def _end_batch(self) -> Columns:
        self._end_stretch()
        for key, (places, values) in self._single.items():
            self._parts.setdefault(key, []).append(typed_part([Span(place, place + 1) for place in places], values))
        clocks = [key for key in _CLOCKS if self._wanted is None or key in self._wanted or key == "_step"]
        columns = {key: join_parts(self._parts[key], self._rows) for key in (*self._keys, *clocks)}
        batch = Columns(self._rows, self.last_sequence, columns)
        self._begin()
        return batch
