"""What two runs, or two moments of one, have in common and what not: config, summary, and every row.

Rows are compared in the order in which they were logged, in constant memory. A row that one side lacks is missing; what
came late on one side and in its place on the other is found by its step. Clocks don't count, since two runs never share
them, and an integer equals the double of the same value.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Any, Dict, Iterator, List, Optional, Tuple

from wandb_storage import LogDamaged

from ._history import HistoryRow
from ._replay import Replay
from ._selection import Selection
from ._series import plottable

_CLOCKS = ("_timestamp", "_runtime")
# Rows that wait for their counterpart, of steps that one side had earlier than the other.
_WAITING_MAX = 10_000
# Ranges of missing rows that are kept; beyond, they are only counted.
RANGES_MAX = 1000
_ABSENT = object()


@dataclasses.dataclass
class Change:
    """One thing that is not the same; None stands for what a side hasn't got, too."""

    name: str
    left: Any
    right: Any
    only: str = ""  # "left" or "right" where the other side has no such thing


@dataclasses.dataclass
class KeyDifference:
    """A key of the history whose values differ."""

    rows: int = 0  # of both sides in which they do
    first_step: int = 0
    left: Any = None  # at the first step
    right: Any = None
    largest: float = 0.0  # absolute difference of finite numbers


@dataclasses.dataclass
class Missing:
    """Rows that one side lacks, as ranges of steps."""

    rows: int = 0
    ranges: List[Tuple[int, int]] = dataclasses.field(default_factory=list)

    def add(self, step: int) -> None:
        self.rows += 1
        if self.ranges and self.ranges[-1][0] <= step <= self.ranges[-1][1] + 1:
            self.ranges[-1] = (self.ranges[-1][0], max(step, self.ranges[-1][1]))
        elif len(self.ranges) < RANGES_MAX:
            self.ranges.append((step, step))


@dataclasses.dataclass
class Difference:
    """How `right` differs from `left`."""

    about: List[Change] = dataclasses.field(default_factory=list)  # state, name, tags, …
    config: List[Change] = dataclasses.field(default_factory=list)
    summary: List[Change] = dataclasses.field(default_factory=list)
    keys: List[Change] = dataclasses.field(default_factory=list)  # of the history: how many rows have each
    values: Dict[str, KeyDifference] = dataclasses.field(default_factory=dict)
    missing_left: Missing = dataclasses.field(default_factory=Missing)  # rows that only the right side has
    missing_right: Missing = dataclasses.field(default_factory=Missing)
    compared: int = 0  # rows that both sides have
    files: List[Change] = dataclasses.field(default_factory=list)

    @property
    def same(self) -> bool:
        """Whether both sides say the same of what the run logged; labels and how it ended don't count."""
        lists = (self.config, self.summary, self.keys, self.values, self.files)
        return not any(lists) and not self.missing_left.rows and not self.missing_right.rows


def compare(left: Replay, right: Replay, selection: Selection = Selection()) -> Difference:  # noqa: B008 - a tuple
    """Compare two replays; `selection` bounds the keys and rows that are looked at."""
    found = Difference()
    found.about = _changes(_facts(left), _facts(right))
    found.config = _changes(_flat(_own(left.config)), _flat(_own(right.config)))
    found.summary = _changes(_flat(_own(left.summary)), _flat(_own(right.summary)))
    found.files = _files(left, right)
    wanted = selection.keys
    keys = [
        {key: count for key, count in run.scan().keys.items() if key not in _CLOCKS and key != "_step"}
        for run in (left, right)
    ]
    one_sided = [change for change in _changes(*keys) if change.only]
    found.keys = [change for change in one_sided if wanted is None or change.name in wanted]
    _compare_rows(found, _rows(left, selection), _rows(right, selection))
    return found


def _files(left: Replay, right: Replay) -> List[Change]:
    """Of a server only the names are known, and it has files that no log lists."""
    if not left.origin and not right.origin:
        return _changes(left.files, right.files)
    changes = _changes(dict.fromkeys(left.files, ""), dict.fromkeys(right.files, ""))
    return [change for change in changes if not (right if change.only == "right" else left).origin]


def _facts(run: Replay) -> Dict[str, Any]:
    start = run.start
    return {
        "run": run.run_id, "state": run.state, "name": run.name, "notes": start.notes, "tags": list(start.tags),
        "group": start.group, "job type": start.job_type, "exit code": run.ended.exit_code,
    }  # fmt: skip


def _own(values: Dict[str, Any]) -> Dict[str, Any]:
    """Without what clients keep for themselves."""
    return {key: value for key, value in values.items() if not key.startswith("_")}


def _flat(values: Dict[str, Any], before: str = "") -> Dict[str, Any]:
    """Nested dictionaries as one, with dots between the keys."""
    flat: Dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, dict) and value and "_type" not in value:
            flat.update(_flat(value, f"{before}{key}."))
        else:
            flat[f"{before}{key}"] = value
    return flat


def _changes(left: Dict[str, Any], right: Dict[str, Any]) -> List[Change]:
    found = []
    for name in {**left, **right}:
        one, other = left.get(name, _ABSENT), right.get(name, _ABSENT)
        if other is _ABSENT:
            found.append(Change(name, one, None, "left"))
        elif one is _ABSENT:
            found.append(Change(name, None, other, "right"))
        elif not same_value(one, other):
            found.append(Change(name, one, other))
    return found


def same_value(left: Any, right: Any) -> bool:
    """Equal, with every NaN the same."""
    if isinstance(left, float) and isinstance(right, float) and math.isnan(left) and math.isnan(right):
        return True
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(same_value(value, right[key]) for key, value in left.items())
    if isinstance(left, (list, tuple)) and isinstance(right, (list, tuple)):
        return len(left) == len(right) and all(map(same_value, left, right))
    return bool(left == right)


# --- rows -------------------------------------------------------------------------------------------------------------


def _rows(run: Replay, selection: Selection) -> Iterator[HistoryRow]:
    """Up to the damage, where there is one, which the caller tells of."""
    try:
        for row in selection.history(run):
            for clock in _CLOCKS:
                row.pop(clock, None)
            yield row
    except LogDamaged:
        return


def _compare_rows(found: Difference, left: Iterator[HistoryRow], right: Iterator[HistoryRow]) -> None:
    waiting = _Waiting(found)
    one, other = next(left, None), next(right, None)
    while one is not None or other is not None:
        if one is not None and other is not None and one["_step"] == other["_step"]:
            _compare_row(found, one, other)
            one, other = next(left, None), next(right, None)
        elif other is None or (one is not None and one["_step"] < other["_step"]):
            assert one is not None
            waiting.put(one, on_left=True)
            one = next(left, None)
        else:
            waiting.put(other, on_left=False)
            other = next(right, None)
    waiting.give_up()


class _Waiting:
    """Rows whose counterpart may stand elsewhere on the other side."""

    def __init__(self, found: Difference) -> None:
        self._found = found
        self._left: Dict[int, List[HistoryRow]] = {}
        self._right: Dict[int, List[HistoryRow]] = {}
        self._count = 0

    def put(self, row: HistoryRow, on_left: bool) -> None:
        own, others = (self._left, self._right) if on_left else (self._right, self._left)
        step = row["_step"]
        if step in others:
            counterpart = others[step].pop(0)
            if not others[step]:
                del others[step]
            self._count -= 1
            _compare_row(self._found, *((row, counterpart) if on_left else (counterpart, row)))
            return
        own.setdefault(step, []).append(row)
        self._count += 1
        if self._count > _WAITING_MAX:
            self.give_up()

    def give_up(self) -> None:
        """What waits has no counterpart."""
        for rows, missing in ((self._left, self._found.missing_right), (self._right, self._found.missing_left)):
            for step in sorted(rows):
                for _ in rows[step]:
                    missing.add(step)
            rows.clear()
        self._count = 0


def _compare_row(found: Difference, left: HistoryRow, right: HistoryRow) -> None:
    found.compared += 1
    if left == right:  # which NaN never is
        return
    for key in {**left, **right}:
        one, other = left.get(key, _ABSENT), right.get(key, _ABSENT)
        if one is not _ABSENT and other is not _ABSENT and same_value(one, other):
            continue
        _note(found, key, left["_step"], one, other)


def _note(found: Difference, key: str, step: int, one: Any, other: Any) -> None:
    known: Optional[KeyDifference] = found.values.get(key)
    if known is None:
        known = found.values[key] = KeyDifference(0, step, _shown(one), _shown(other))
    known.rows += 1
    numbers = [value for value in (plottable(one), plottable(other)) if value is not None and math.isfinite(value)]
    if len(numbers) == 2:
        known.largest = max(known.largest, abs(numbers[0] - numbers[1]))


def _shown(value: Any) -> Any:
    return None if value is _ABSENT else value
