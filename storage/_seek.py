"""Finding the record at which a run passed a step or a moment, without folding what stands before it."""

from __future__ import annotations

import struct
from typing import Optional, Set, Tuple

from ._encode import ROW_REST_AT, ROW_STEP_AT
from ._format import FRAME_HEADER, Run
from ._reader import Chunk, Reader
from ._records import FromLane, Record, Row, Shape

_HEADER = FRAME_HEADER.size


def find_beyond(
    reader: Reader, *, step: Optional[int] = None, time: Optional[float] = None, start: int = 1
) -> Optional[int]:
    """The number of the first record from `start` on that logs a later step than `step`, or that was made after `time`
    (seconds since the epoch); None where there is none.

    A row counts by the step that its call named, so one that comes late passes nothing. Child processes don't move
    their parent's step, but their records have a time. Raises LogDamaged where no such record stands before the damage.

    >>> with Reader(folder) as reader:                          # doctest: +SKIP
    ...     state_then = fold(reader.entries(stop=find_beyond(reader, step=100)))
    """
    if (step is None) == (time is None):
        raise ValueError("name either a step or a time")
    search = _Search(reader, step, time)
    for chunk in reader.chunks(start):
        for run in chunk.runs():
            found = search.rows(chunk, run) if run.kind == Row.kind else search.records(chunk, run)
            if found is not None:
                return found
    return None


class _Search:
    def __init__(self, reader: Reader, step: Optional[int], time: Optional[float]) -> None:
        self._reader, self._step, self._time = reader, step, time
        self._heads: Set[bytes] = set()  # how rows start whose step and time are known to stand in their place

    def rows(self, chunk: Chunk, run: Run) -> Optional[int]:
        """Rows of one size: where they start alike, only their steps or times are looked at."""
        rest = run.size - _HEADER - ROW_REST_AT
        if rest < 0:
            return self.records(chunk, run)
        unpack = struct.Struct(f"<{_HEADER}x{ROW_STEP_AT}sqd{rest}x")
        frames = memoryview(chunk.raw)[run.offset : run.offset + run.frames * run.size]
        heads, steps, times = zip(*unpack.iter_unpack(frames))
        if self._heads.issuperset(heads) and not self._passes(steps, times):
            return None
        return self.records(chunk, run)

    def _passes(self, steps: Tuple[int, ...], times: Tuple[float, ...]) -> bool:
        return max(steps) > self._step if self._step is not None else not max(times) <= (self._time or 0.0)

    def records(self, chunk: Chunk, run: Run) -> Optional[int]:
        """Each record as it is."""
        if self._step is not None and run.kind not in (Row.kind, Shape.kind):
            return None
        for index in range(run.frames):
            payload = chunk.payload(run, index)
            record = self._reader.entry(run.sequence + index, run.kind, payload).record
            if record is not None and self._is_beyond(record):
                return run.sequence + index
            if run.kind == Row.kind and self._reader.row_decoder.known(payload) is not None:
                self._heads.add(payload[:ROW_STEP_AT])
        return None

    def _is_beyond(self, record: Record) -> bool:
        if self._step is not None:
            return isinstance(record, Row) and record.step > self._step
        inner = record.record if isinstance(record, FromLane) else record
        return bool(getattr(inner, "time", 0.0) > (self._time or 0.0))
