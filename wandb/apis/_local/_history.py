"""Rows of a log as a server would give them: in order of step, all of them or evenly chosen ones."""

from __future__ import annotations

import heapq
import math
import operator
from array import array
from itertools import compress
from typing import Any, Dict, Iterator, List, Optional, Sequence, Tuple

from wandb_storage import Columns

from ..._filters import is_missing, lookup
from ..._row_keys import classified, flattened
from ..._sampling import evenly
from ...replay import Replay

Row = Dict[str, Any]
Stepped = Tuple[int, Row]

_step_of = operator.itemgetter(0)


class Wanted:
    """Which values of a row are asked for: all, or those of some keys, of rows that have all of them.

    A key may lead into dictionaries, as `"eval.loss"`.
    """

    def __init__(self, keys: Optional[Sequence[str]]) -> None:
        self._keys = list(dict.fromkeys(keys)) if keys else None
        self._nested = [key for key in self._keys or () if "." in key]

    @property
    def columns(self) -> Optional[List[str]]:
        """The keys of the log that are needed for it."""
        if self._keys is None:
            return None
        return [*self._keys, *(key[:place] for key in self._nested for place, sign in enumerate(key) if sign == ".")]

    def of(self, batch: Columns) -> Iterator[Optional[Row]]:
        """For each row of a batch what is asked for; None for one that lacks something."""
        if self._keys is None:
            yield from batch.dicts()
        elif self._nested:
            yield from (self._looked_up(row) for row in batch.dicts())
        else:
            columns = [batch.columns[key] for key in self._keys if key in batch.columns]
            if len(columns) < len(self._keys):
                yield from (None for _ in range(batch.rows))
                return
            masks = [column.present or b"\1" * batch.rows for column in columns]
            values = zip(*(column.objects() for column in columns))
            for row, there in zip(values, map(all, zip(*masks))):
                yield dict(zip(self._keys, row)) if there else None

    def _looked_up(self, row: Row) -> Optional[Row]:
        found = {key: lookup(row, key) for key in self._keys or ()}
        return None if any(map(is_missing, found.values())) else found


def scan(replay: Replay, keys: Optional[Sequence[str]], start: int, stop: int) -> Iterator[Row]:
    """Each row with `start` <= step < `stop`, in order of step; in constant memory, but for rows that came late."""
    wanted = Wanted(keys)
    if replay.scan().in_order:
        for step, row in _rows(replay, wanted, late=False):
            if step >= stop:
                return
            if step >= start:
                yield row
        return
    late = sorted(_rows(replay, wanted, late=True), key=_step_of)
    # Of rows with the same step those on time come first, and others as they came.
    merged = heapq.merge(_rows(replay, wanted, late=False), late, key=_step_of)
    yield from (row for step, row in merged if start <= step < stop)


def _rows(replay: Replay, wanted: Wanted, late: bool) -> Iterator[Stepped]:
    """The rows whose step is below that of a row before them; or the others, which are in order."""
    highest = 0
    for batch in replay.columns(wanted.columns):
        for step, row in zip(batch.columns["_step"].objects(), wanted.of(batch)):
            if (step < highest) == late and row is not None:
                yield step, row
            highest = max(highest, step)


def sample(replay: Replay, keys: Optional[Sequence[str]], count: int) -> List[Row]:
    """At most `count` rows, evenly chosen among those that have all keys, in order of step."""
    wanted = Wanted(keys)
    steps = array("q")
    for batch in replay.columns(wanted.columns):
        there = (row is not None for row in wanted.of(batch)) if keys else [True] * batch.rows
        steps.extend(compress(batch.columns["_step"].objects(), there))
    order: Sequence[int] = range(len(steps))
    if not replay.scan().in_order:
        order = sorted(order, key=steps.__getitem__)
    chosen = list(evenly(order, count))
    rows = _rows_at(replay, wanted, sorted(chosen))
    return [rows[place] for place in chosen]


def _rows_at(replay: Replay, wanted: Wanted, places: Sequence[int]) -> Dict[int, Row]:
    """place -> row, counted among the rows that have all keys."""
    found: Dict[int, Row] = {}
    remaining, place = iter(places), 0
    following = next(remaining, None)
    for batch in replay.columns(wanted.columns):
        if wanted.columns is None:  # where in the batch a row is needs no look at the others
            while following is not None and following < place + batch.rows:
                found[following] = batch.row(following - place)
                following = next(remaining, None)
            place += batch.rows
            continue
        for row in wanted.of(batch):
            if row is None:
                continue
            if place == following:
                found[place] = row
                following = next(remaining, None)
            place += 1
    return found


def history_keys(replay: Replay) -> Dict[str, Any]:
    """What a server would know of the keys: how many values of which kind, and whether numbers only grow."""
    facts: Dict[str, _Facts] = {}
    for batch in replay.columns():
        for row in batch.dicts():
            for key, value in flattened(row):
                facts.setdefault(key, _Facts()).add(value)
    last = replay.scan().last_step
    keys = {key: known.to_json() for key, known in facts.items()}
    return {"lastStep": -1 if last is None else last, "sets": [], "keys": keys}


class _Facts:
    def __init__(self) -> None:
        self._counts: Dict[str, int] = {}
        self._monotonic = True
        self._previous: Optional[float] = None

    def add(self, value: Any) -> None:
        kind, number = classified(value)
        self._counts[kind] = self._counts.get(kind, 0) + 1
        if number is not None:
            self._monotonic = self._monotonic and (self._previous is None or number >= self._previous)
            self._previous = number

    def to_json(self) -> Dict[str, Any]:
        previous = self._previous
        return {
            "typeCounts": [{"type": kind, "count": count} for kind, count in self._counts.items()],
            "monotonic": self._monotonic and previous is not None,
            "previousValue": previous if previous is not None and math.isfinite(previous) else None,
        }
