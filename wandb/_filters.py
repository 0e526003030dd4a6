"""Filters and orders of lists, above all of runs: the MongoDB-like expressions that the public Api sends.

``{"state": "finished", "config.lr": {"$gt": 0.1}, "$or": [...]}``. A key is looked up as written,
then with ``.value`` inserted or removed after the first part of a config key, because users write
both forms.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable, Mapping
from datetime import datetime, timezone
from typing import Any, Generic, Protocol, TypeVar

# Equals nothing: what a key leads to where there is no value.
MISSING: Any = object()

Row = TypeVar("Row")
AnyView = TypeVar("AnyView", bound="View")


def sortable_time(seconds: float) -> str:
    # Users compare times with ISO texts, and such texts sort like the times that they name.
    moment = datetime.fromtimestamp(seconds, timezone.utc)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


class FilterError(ValueError):
    """A filter or an order that cannot be understood."""


class View(Protocol):
    """What a filter sees of a row: values by dotted name, a marker that equals nothing where there is none."""

    def value(self, key: str) -> Any: ...


class RowView(Generic[Row]):
    """A row whose values are known by simple names."""

    def __init__(self, row: Row, values: Mapping[str, Any]) -> None:
        self.row = row
        self._values = values

    def value(self, key: str) -> Any:
        return lookup(self._values, key)


class RunView(Generic[Row]):
    """A run as filters see it: `column` knows values by simple names, `config` and `summary` are read at need.

    The config is as servers keep it, with each value below ``value``.
    """

    def __init__(
        self,
        run: Row,
        column: Callable[[str], Any],
        config: Callable[[], Mapping[str, Any]],
        summary: Callable[[], Mapping[str, Any]],
    ) -> None:
        self.run = run
        self._column = column
        self._config = functools.lru_cache(maxsize=1)(config)
        self._summary = functools.lru_cache(maxsize=1)(summary)

    def value(self, key: str) -> Any:
        """The value under a name, or a marker that equals nothing when there is none."""
        found = self._column(key)
        if found is not MISSING:
            return found
        root, _, rest = key.partition(".")
        if root in ("summary_metrics", "summaryMetrics", "summary"):
            return lookup(self._summary(), rest)
        if root != "config":
            return MISSING
        found = lookup(self._config(), rest)
        if found is MISSING or _is_config_entry(found):
            first, dot, deeper = rest.partition(".")
            with_value = lookup(self._config(), f"{first}.value{dot}{deeper}")
            return found if with_value is MISSING else with_value
        return found


def _is_config_entry(value: Any) -> bool:
    return isinstance(value, dict) and "value" in value


def is_missing(value: Any) -> bool:
    return value is MISSING


def lookup(tree: Any, path: str) -> Any:
    """Find ``a.b`` as one flat key first, then as nested objects."""
    if not isinstance(tree, Mapping):
        return MISSING
    if path in tree:
        return tree[path]
    position = path.find(".")
    while position >= 0:
        head, rest = path[:position], path[position + 1 :]
        if head in tree:
            found = lookup(tree[head], rest)
            if found is not MISSING:
                return found
        position = path.find(".", position + 1)
    return MISSING


def matches(view: View, expression: Any) -> bool:
    """Whether a run satisfies a filter."""
    if not isinstance(expression, dict):
        raise FilterError("a filter must be an object")
    return all(_matches_entry(view, key, wanted) for key, wanted in expression.items())


def _matches_entry(view: View, key: str, wanted: Any) -> bool:
    if key in ("$and", "$or", "$nor"):
        if not isinstance(wanted, list):
            raise FilterError(f"{key} needs a list of filters")
        found = [matches(view, part) for part in wanted]
        return {"$and": all(found), "$or": any(found), "$nor": not any(found)}[key]
    if key == "$not":
        return not matches(view, wanted)
    if key.startswith("$"):
        raise FilterError(f"the filter operator {key!r} is not supported")
    value = view.value(key)
    if isinstance(wanted, dict) and any(name.startswith("$") for name in wanted):
        return all(_compare(name, value, operand) for name, operand in wanted.items())
    return _equal(value, wanted)


def _compare(operator: str, value: Any, operand: Any) -> bool:
    if operator == "$not":
        if not isinstance(operand, dict):
            raise FilterError("$not needs an object of operators")
        return not all(_compare(name, value, inner) for name, inner in operand.items())
    if operator not in _OPERATORS:
        raise FilterError(f"the filter operator {operator!r} is not supported")
    return _OPERATORS[operator](value, operand)


def _equal(value: Any, operand: Any) -> bool:
    if value is MISSING:
        return operand is None
    if isinstance(value, list) and not isinstance(operand, list):
        return operand in value
    return bool(value == operand)


def _ordered(value: Any, operand: Any, test: Callable[[Any, Any], bool]) -> bool:
    if value is MISSING or value is None or operand is None:
        return False
    try:
        return test(value, operand)
    except TypeError:
        # Values of different kinds have no order, as in MongoDB.
        return False


def _regex(value: Any, operand: Any) -> bool:
    try:
        return isinstance(value, str) and re.search(str(operand), value) is not None
    except re.error as error:
        raise FilterError(f"{operand!r} is not a regular expression: {error}") from None


def _in(value: Any, operand: Any) -> bool:
    if not isinstance(operand, list):
        raise FilterError("$in and $nin need a list")
    return any(_equal(value, item) for item in operand)


_OPERATORS: Mapping[str, Callable[[Any, Any], bool]] = {
    "$eq": _equal,
    "$ne": lambda value, operand: not _equal(value, operand),
    "$gt": lambda value, operand: _ordered(value, operand, lambda a, b: bool(a > b)),
    "$gte": lambda value, operand: _ordered(value, operand, lambda a, b: bool(a >= b)),
    "$lt": lambda value, operand: _ordered(value, operand, lambda a, b: bool(a < b)),
    "$lte": lambda value, operand: _ordered(value, operand, lambda a, b: bool(a <= b)),
    "$in": _in,
    "$nin": lambda value, operand: not _in(value, operand),
    "$exists": lambda value, operand: (value is not MISSING) == bool(operand),
    "$regex": _regex,
}


def parse_filter(text: str | None) -> dict[str, Any]:
    try:
        value = json.loads(text or "{}")
    except (ValueError, RecursionError) as error:
        raise FilterError(f"the filter is not JSON: {error}") from None
    if not isinstance(value, dict):
        raise FilterError("a filter must be an object")
    return value


def ordered(views: list[AnyView], order: str | None) -> list[AnyView]:
    """Sort by ``+key`` or ``-key``; runs without a value come last either way."""
    text = order or "+created_at"
    key = text.lstrip("+-")
    descending = text.startswith("-")
    present: list[tuple[tuple[bool, Any], AnyView]] = []
    absent: list[AnyView] = []
    for view in views:
        value = view.value(key)
        if value is MISSING or value is None or isinstance(value, (dict, list)):
            absent.append(view)
        else:
            # Numbers before texts, so that a column of mixed kinds still has one order.
            present.append(((isinstance(value, str), value), view))
    present.sort(key=lambda pair: pair[0], reverse=descending)
    return [view for _, view in present] + absent
