"""What type a key's values have over a whole run, for tables whose columns have one type each."""

from __future__ import annotations

from typing import Any, List, Set

from wandb_storage import Column

# What a column of a table can be. JSON is for values of several types, and for what is neither number, truth nor text.
DOUBLE, INTEGER, TRUTH, TEXT, JSON = "double", "integer", "truth", "text", "json"
_PLAIN = {"float64": DOUBLE, "int64": INTEGER, "bool": TRUTH}
# A double holds every integer up to here.
_EXACT_MAX = 1 << 53
_WIDE = "wide"


def note_types(column: Column, known: Set[str]) -> None:
    """Add the types of a batch's values to those that are known of the key."""
    if column.dtype in _PLAIN:
        known.add(_PLAIN[column.dtype])
        if column.dtype == "int64" and _WIDE not in known and _is_wide(column.values):
            known.add(_WIDE)
        return
    present: Any = column.objects() if column.present is None else column.values
    for kind in set(map(type, present)):
        if kind is str:
            known.add(TEXT)
        elif kind is float:
            known.add(DOUBLE)
        elif kind is bool:
            known.add(TRUTH)
        elif kind is int:
            known.add(INTEGER)
            integers: List[int] = [value for value in present if type(value) is int]
            known.update([_WIDE] if _is_wide(integers) else [])
            known.update([JSON] if not -(1 << 63) <= min(integers) <= max(integers) < 1 << 63 else [])
        elif kind is not type(None):
            known.add(JSON)


def _is_wide(integers: Any) -> bool:
    return bool(max(integers) > _EXACT_MAX or min(integers) < -_EXACT_MAX)


def table_type(known: Set[str]) -> str:
    """The type that holds all of the values exactly."""
    kinds = known - {_WIDE}
    if kinds == {DOUBLE, INTEGER} and _WIDE not in known:
        return DOUBLE
    return kinds.pop() if len(kinds) == 1 else JSON
