"""A run's rows as dictionaries, many at a time: what `RunState.apply` gives for each, in a fraction of the time.

For whoever needs the rows one by one but meets them by the thousand. Rows that one call committed each, alike in their
keys and types, are taken together where no row is being put together and no metric definition touches them. All else
goes through `RunState.apply`. Rows and state come out the same either way, the order of the keys included.
"""

from __future__ import annotations

import itertools
from collections import deque
from typing import Any, Deque, Iterable, List, NamedTuple, Optional, Tuple

from ._errors import LogDamaged
from ._format import Run
from ._layout import INDEPENDENT, STEP_WORD, TIME_WORD, Layout, Layouts
from ._reader import READ_BYTES, Chunk, Reader
from ._records import Row, Scalar, SystemMetrics
from ._state import Completed, RunState

# Together are taken so many rows, and rows times keys: what was asked for is soon there, in little memory.
STRETCH_ROWS_MAX = 1024
STRETCH_CELLS_MAX = 1 << 13
# Fewer rows are quicker taken one by one.
_STRETCH_ROWS_MIN = 8
_CLOCKS = ("_step", "_timestamp", "_runtime")
_HARMLESS = INDEPENDENT | {SystemMetrics}


class Folded(NamedTuple):
    """Records that a state has taken, and what they completed."""

    last_sequence: int
    completed: Completed


class RowFold:
    """The fold of a log's committed records, as far as its caller asks for it. Not safe between threads."""

    def __init__(self, reader: Reader, bytes_max: int = READ_BYTES) -> None:
        """`bytes_max` is what is read at once."""
        self._reader, self._bytes_max = reader, bytes_max
        self._layouts: Layouts[Layout] = Layouts(reader.row_decoder, Layout)
        self._runs: Deque[Tuple[Chunk, Run]] = deque()
        self._position = 1  # of the first record that is not among them
        self._mixed_to = 0  # layouts of one size take turns below this record: they go one by one

    @property
    def waits(self) -> bool:
        """Whether records have been read that are not taken yet."""
        return bool(self._runs)

    def seek(self, sequence: int) -> None:
        """Go on with the record `sequence`, back or ahead."""
        self._runs.clear()
        self._position = sequence
        self._mixed_to = 0

    def take(self, state: RunState, rows_max: int, last: int = 0) -> Optional[Folded]:
        """Take the next record into `state`, or several rows that are alike: `rows_max` at most, and none behind the
        record `last` where that is given. None at the end. Raises LogDamaged after everything before the damage."""
        if not self._runs and not self._read():
            return None
        chunk, run = self._runs[0]
        if last:
            rows_max = min(rows_max, last + 1 - run.sequence)
        frames, completed = self._take(state, chunk, run, rows_max)
        if frames < run.frames:
            self._runs[0] = chunk, run.between(run.sequence + frames, run.sequence + run.frames)
        else:
            self._runs.popleft()
        return Folded(run.sequence + frames - 1, completed)

    def _read(self) -> bool:
        try:
            self._runs.extend(self._reader.read_runs(self._position, self._bytes_max))
        except LogDamaged:
            # Of several blocks only a later one may be damaged: what stands before it is still good.
            self._runs.extend(self._reader.read_runs(self._position, 1))
        if self._runs:
            _, run = self._runs[-1]
            self._position = run.sequence + run.frames
        return bool(self._runs)

    def _take(self, state: RunState, chunk: Chunk, run: Run, rows_max: int) -> Tuple[int, Completed]:
        layout = None
        if run.kind == Row.kind and not state.row and run.sequence >= self._mixed_to:
            layout = self._layouts.at(chunk.raw, run.offset)
        if layout is not None:
            count = min(run.frames, rows_max, STRETCH_ROWS_MAX, STRETCH_CELLS_MAX // max(1, len(layout.places)))
            if count >= _STRETCH_ROWS_MIN:
                if layout.fits_all(chunk.raw, run.offset, count):
                    return count, Completed(_take_rows(state, layout, chunk.raw, run.offset, count))
                self._mixed_to = run.sequence + run.frames
        payload = chunk.payload(run, 0)
        record = self._reader.entry(run.sequence, run.kind, payload).record
        completed = state.apply(record)
        if type(record) is Row:
            self._layouts.learn(payload, state.metrics)
        elif type(record) not in _HARMLESS:
            self._layouts.forget()
        return 1, completed


def _take_rows(state: RunState, layout: Layout, raw: bytes, offset: int, count: int) -> List[Any]:
    frames = memoryview(raw)[offset : offset + count * layout.size]
    times = layout.column(frames, TIME_WORD, "d")
    steps, runtimes = state.apply_rows(layout.column(frames, STEP_WORD, "q"), times, [layout.explicit] * count)
    columns = [
        _values(layout, frames, scalar, place, count) for scalar, place in zip(layout.fast.scalars, layout.places)
    ]
    keys = (*layout.fast.keys, *_CLOCKS)
    rows = [dict(zip(keys, values)) for values in zip(*columns, steps, times, runtimes)]
    state.summary.update(rows[-1])
    return rows


def _values(layout: Layout, frames: memoryview, scalar: int, place: int, count: int) -> Iterable[Any]:
    if scalar == Scalar.NULL:
        return itertools.repeat(None, count)
    values: Iterable[Any] = layout.column(frames, place, "d" if scalar == Scalar.DOUBLE else "q")
    return map(bool, values) if scalar == Scalar.BOOLEAN else values
