"""From the dictionary of a `log` call to the bytes of its row: the hot path's first half.

A row's keys and the types of its values select a template; what no template can hold goes into the row's JSON. The
caller holds the log's lock.
"""

from __future__ import annotations

import functools
import json
import operator
from typing import Any, Callable, Dict, List, Mapping, NamedTuple, Optional, Sequence, Tuple

from ._encode import RowTemplate, encode, json_row_frame, storage_order
from ._errors import UnstorableValue
from ._format import FRAME_HEADER, ROW_KEYS_MAX, SHAPE_KEYS_MAX, SHAPES_MAX
from ._records import Row, Scalar, Shape

_CONTAINERS = frozenset({dict, list})
_STORABLE = frozenset({float, int, bool, type(None), str}) | _CONTAINERS
_SCALARS = {float: Scalar.DOUBLE, int: Scalar.INTEGER, bool: Scalar.BOOLEAN, type(None): Scalar.NULL}

# What `append` returns for a row that it was not to look at further; no record has this number.
UNKNOWN_LAYOUT = -1

# The key that tells media from dictionaries of metrics.
MEDIA_TYPE = "_type"

Append = Callable[[bytearray, int], int]


class _Plan(NamedTuple):
    """How to store rows of one layout."""

    template: Optional[RowTemplate]  # None: as JSON, since not all values are numbers
    pick: Optional[Callable[[Mapping[str, Any]], Tuple[Any, ...]]]  # values in the order stored; None: as they come
    flags: int
    keys: List[str]
    types: List[type]
    nested: bool = False  # whether containers are among the values, whose content the types don't tell


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
        if template is None:
            if known_only and plan.nested:
                return UNKNOWN_LAYOUT
            return self._append_mixed(row, step, time, flags)
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
        types = list(map(type, row.values()))
        scalars = [_SCALARS.get(kind) for kind in types]
        if None in scalars or not row:
            if not _STORABLE.issuperset(types) or len(row) > ROW_KEYS_MAX:
                return None
            self._make_room(len(row))
            plan = _Plan(None, None, flags, list(row), types, nested=not _CONTAINERS.isdisjoint(types))
            self._plans[layout] = plan
            return plan
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
        self._make_room(len(keys))
        plan = self._plans[layout] = _Plan(RowTemplate(shape, known, flags), pick, flags, keys, types)
        return plan

    def _make_room(self, keys: int) -> None:
        """For another plan, of so many keys."""
        self._keys += keys
        if len(self._plans) >= SHAPES_MAX or self._keys > SHAPE_KEYS_MAX:
            self.reset()
            self._keys = keys

    def _append_shape(self, keys: List[str], scalars: Sequence[int]) -> int:
        payload = encode(Shape(keys=keys, scalars=list(scalars)))
        return self._append(bytearray(FRAME_HEADER.size) + payload, Shape.kind)

    def _append_mixed(self, row: Mapping[str, Any], step: int, time: float, flags: int) -> int:
        """A row that is not all scalars: everything in JSON."""
        return self._append_row(json_row_frame(step, time, flags, json_bytes(row)), Row.kind)


# An encoder that is kept: `json.dumps` with options makes another for each call.
_encode_json = json.JSONEncoder(separators=(",", ":"), ensure_ascii=True, allow_nan=True, check_circular=True).encode
# orjson takes a tenth of the time, and a millisecond to load: a run that logs numbers alone never needs it.
_quick_json: Optional[Callable[[Any], bytes]] = None
_slow_left = 16  # so many values are dumped without it


def merge_values(values: Dict[str, Any], more: Mapping[str, Any]) -> None:
    """Put the values of a row over others: those in dictionaries one by one, since each is a metric; media whole.

    Dictionaries within `values` are replaced, not changed.
    """
    for key, value in more.items():
        if type(value) is dict:
            held = values.get(key)
            if isinstance(held, dict) and MEDIA_TYPE not in value and MEDIA_TYPE not in held:
                merged = dict(held)
                merge_values(merged, value)
                value = merged
        values[key] = value


def dump_json(value: Any) -> str:
    """JSON as records hold it: compact, NaN and infinities as bare tokens, integers of any size.

    Raises UnstorableValue for what is no JSON value.
    """
    global _slow_left
    if _slow_left:
        _slow_left -= 1
        return _dump_slowly(value)
    return json_bytes(value).decode()


def json_bytes(value: Any) -> bytes:
    """The same in UTF-8."""
    quick = _quick_json or _load_quick_json()
    try:
        raw = quick(value)
    except TypeError:
        return _dump_slowly(value).encode()  # integers beyond 64 bits, halves of surrogate pairs, no JSON value at all
    # NaN and infinities become null, as None does.
    return raw if raw.find(b"null") < 0 else _dump_slowly(value).encode()


def _dump_slowly(value: Any) -> str:
    try:
        return _encode_json(value)
    except (TypeError, ValueError, RecursionError) as error:
        raise UnstorableValue(f"not a JSON value: {error}") from error


def _load_quick_json() -> Callable[[Any], bytes]:
    global _quick_json
    import orjson

    options = orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_SUBCLASS
    _quick_json = functools.partial(orjson.dumps, option=options)
    return _quick_json


__all__ = ["Append", "RowEncoder", "dump_json"]
