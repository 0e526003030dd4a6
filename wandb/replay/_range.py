"""The part of a history that somebody wants: steps and times from one to another."""

from __future__ import annotations

import itertools
from array import array
from typing import Any, Dict, Iterable, Iterator, NamedTuple, Optional, Sequence

from wandb_storage import Column, Columns


class Range(NamedTuple):
    """Which rows are wanted: both ends belong to it, and None leaves an end open. Times are seconds since the epoch."""

    from_step: Optional[int] = None
    to_step: Optional[int] = None
    from_time: Optional[float] = None
    to_time: Optional[float] = None

    def keys(self, keys: Optional[Sequence[str]]) -> Optional[Sequence[str]]:
        """What has to be read to choose among rows of which these keys are wanted."""
        if keys is None or "_timestamp" in keys or not self._has_times:
            return keys
        return [*keys, "_timestamp"]

    @property
    def _has_times(self) -> bool:
        return self.from_time is not None or self.to_time is not None

    def choose(
        self, batches: Iterable[Columns], keys: Optional[Sequence[str]] = None, in_order: bool = False
    ) -> Iterator[Columns]:
        """The rows of the range, and of their keys the wanted ones; `in_order`: whether steps only grow, so that
        nothing of the range comes behind it."""
        drop = "_timestamp" if self.keys(keys) != keys else ""
        for batch in batches:
            is_last = in_order and self.to_step is not None and batch.columns["_step"].values[-1] > self.to_step
            chosen = batch if self == EVERYTHING else self._choose(batch)
            if drop:
                chosen.columns.pop(drop, None)
            if chosen.rows:
                yield chosen
            if is_last:
                return

    def _choose(self, batch: Columns) -> Columns:
        wanted = bytearray(b"\1") * batch.rows
        bounds = (("_step", self.from_step, self.to_step), ("_timestamp", self.from_time, self.to_time))
        for key, low, high in bounds:
            if low is None and high is None:
                continue
            least = float("-inf") if low is None else low
            most = float("inf") if high is None else high
            for place, value in enumerate(batch.columns[key].values):
                if not least <= value <= most:
                    wanted[place] = 0
        return pick(batch, wanted)


EVERYTHING = Range()


def pick(batch: Columns, wanted: bytearray) -> Columns:
    """The rows of a batch whose places hold 1; a column that none of them has is left out."""
    rows = wanted.count(1)
    if rows == batch.rows:
        return batch
    start = wanted.find(1)
    together = rows > 0 and wanted.rfind(1) - start + 1 == rows
    columns: Dict[str, Column] = {}
    for key, column in batch.columns.items() if rows else ():
        values, present = column.values, column.present
        if together:
            values, present = values[start : start + rows], present and present[start : start + rows]
        else:
            values, present = _compress(values, wanted), present and bytes(itertools.compress(present, wanted))
        if present is None or 1 in present:
            columns[key] = column._replace(values=values, present=None if present and 0 not in present else present)
    return Columns(rows, batch.last_sequence, columns)


def _compress(values: Any, wanted: bytearray) -> Any:
    chosen = itertools.compress(values, wanted)
    return array(values.typecode, chosen) if isinstance(values, array) else type(values)(chosen)
