"""From the dictionary of a `log` call to the bytes of its row: the hot path's first half.

A row's keys and the types of its values select a template; what no template can hold goes into the row's JSON. The
caller holds the log's lock.
"""

from __future__ import annotations

import json
import operator
from typing import Any, Callable, Dict, List, Mapping, NamedTuple, Optional, Sequence, Tuple

from ._encode import RowTemplate, encode, storage_order
from ._errors import UnstorableValue
from ._format import FRAME_HEADER, ROW_KEYS_MAX, SHAPE_KEYS_MAX, SHAPES_MAX
from ._records import Row, Scalar, Shape

_SCALARS = {float: Scalar.DOUBLE, int: Scalar.INTEGER, bool: Scalar.BOOLEAN, type(None): Scalar.NULL}

# What `append` returns for a row that it was not to look at further; no record has this number.
UNKNOWN_LAYOUT = -1

Append = Callable[[bytearray, int], int]


class _Plan(NamedTuple):
    """How to store rows of one layout."""

    template: RowTemplate
    pick: Optional[Callable[[Mapping[str, Any]], Tuple[Any, ...]]]  # values in the order stored; None: as they come
    flags: int
    keys: List[str]
    types: List[type]


class RowEncoder:
    """Appends rows through `append(frame, kind)`, and the shapes that they need."""

    def __init__(self, append: Append) -> None:
        self._append = self._append_row = append
        self._plans: Dict[Tuple[Any, ...], _Plan] = {}
        self._keys = 0  # in all plans
        self._last: Optional[_Plan] = None

    def reset(self) -> None:
        """Forget all shapes: a segment stands on its own, so a new one needs them again."""
        self._plans.clear()
        self._keys = 0
        self._last = None

    def append(self, row: Mapping[str, Any], step: int, time: float, flags: int, known_only: bool = False) -> int:
        """Append one row of storable values (as `dump_json` takes them); return its sequence number.

        With `known_only` the values need not be storable: a row whose keys and types were not appended before is not
        looked at further, and UNKNOWN_LAYOUT is returned.
        """
        values = row.values()
        plan = self._last
        # The row before usually had the same keys, even the same strings: comparing is cheaper than hashing.
        if plan is None or plan.flags != flags or plan.keys != list(row) or plan.types != list(map(type, values)):
            layout = (flags, *row, *map(type, values))
            plan = self._plans.get(layout)
            if plan is None:
                if known_only:
                    return UNKNOWN_LAYOUT
                plan = self._plan(layout, row, flags)
                if plan is None:
                    return self._append_mixed(row, step, time, flags)
            self._last = plan
        template = plan.template
        try:
            template.pack_head(template.frame, template.head_offset, step, time)
            template.pack_values(
                template.frame, template.values_offset, *(values if plan.pick is None else plan.pick(row))
            )
        except Exception:
            # An integer beyond 64 bits is all that the types don't exclude; JSON holds those.
            return self._append_mixed(row, step, time, flags)
        return self._append_row(template.frame, Row.kind)

    def append_elsewhere(self, append: Append, row: Mapping[str, Any], step: int, time: float, flags: int) -> int:
        """As `append`, with a way of its own for the row; shapes go where they always go."""
        try:
            self._append_row = append
            return self.append(row, step, time, flags)
        finally:
            self._append_row = self._append

    def _plan(self, layout: Tuple[Any, ...], row: Mapping[str, Any], flags: int) -> Optional[_Plan]:
        scalars = [_SCALARS.get(type(value)) for value in row.values()]
        if any(scalar is None for scalar in scalars) or not row:
            return None
        if len(row) > ROW_KEYS_MAX:
            raise UnstorableValue(f"a row of {len(row):,} keys is above the limit of {ROW_KEYS_MAX:,}; log a Table")
        known = [scalar for scalar in scalars if scalar is not None]
        shape = self._append_shape(list(row), known)
        if not shape:
            return None  # there is no room for the keys, and values without them are worth nothing
        doubles, integers, nulls = storage_order(known)
        stored = doubles + integers
        keys = list(row)
        pick: Optional[Callable[[Mapping[str, Any]], Tuple[Any, ...]]] = None
        if nulls or stored != sorted(stored):
            if len(stored) == 1:
                only = keys[stored[0]]
                pick = lambda row: (row[only],)  # noqa: E731
            else:
                pick = operator.itemgetter(*(keys[index] for index in stored)) if stored else lambda row: ()
        self._keys += len(keys)
        if len(self._plans) >= SHAPES_MAX or self._keys > SHAPE_KEYS_MAX:
            self.reset()
            self._keys = len(keys)
        plan = self._plans[layout] = _Plan(
            RowTemplate(shape, known, flags), pick, flags, keys, list(map(type, row.values()))
        )
        return plan

    def _append_shape(self, keys: List[str], scalars: Sequence[int]) -> int:
        payload = encode(Shape(keys=keys, scalars=list(scalars)))
        return self._append(bytearray(FRAME_HEADER.size) + payload, Shape.kind)

    def _append_mixed(self, row: Mapping[str, Any], step: int, time: float, flags: int) -> int:
        """A row that is not all scalars: everything in JSON."""
        text = dump_json(row)
        payload = encode(Row(step=step, time=time, flags=flags, json=text))
        return self._append_row(bytearray(FRAME_HEADER.size) + payload, Row.kind)


# An encoder that is kept: `json.dumps` with options makes another for each call.
_encode_json = json.JSONEncoder(separators=(",", ":"), ensure_ascii=True, allow_nan=True, check_circular=True).encode


def dump_json(value: Any) -> str:
    """JSON as records hold it: compact, NaN and infinities as bare tokens, integers of any size.

    Raises UnstorableValue for what is no JSON value.
    """
    try:
        return _encode_json(value)
    except (TypeError, ValueError, RecursionError) as error:
        raise UnstorableValue(f"not a JSON value: {error}") from error


__all__ = ["Append", "RowEncoder", "dump_json"]
