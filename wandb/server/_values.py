"""JSON as clients send it, with its bare NaN and Infinity, and as browsers take it, without."""

from __future__ import annotations

import json
import math
from typing import Any

import orjson

from ._limits import NESTING_MAX


def parse_object(text: str) -> dict[str, Any] | None:
    """The JSON object in a text; None when there is none, or one that is nested too deeply.

    Whatever passes here can be walked by a recursive function later.
    """
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return _bounded_object(text, value)


def parse_row(text: str) -> dict[str, Any] | None:
    """What ``parse_object`` finds, an eighth of the time; an integer beyond 64 bits is a double."""
    try:
        value = orjson.loads(text)
    except ValueError:
        # NaN and infinities, halves of surrogate pairs, numbers beyond doubles: all that strict JSON has not.
        return parse_object(text)
    return _bounded_object(text, value)


def _bounded_object(text: str, value: Any) -> dict[str, Any] | None:
    if not isinstance(value, dict):
        return None
    # Almost every row has fewer brackets than the limit, and needs no second look.
    if text.count("{") + text.count("[") > NESTING_MAX and _nesting(value) > NESTING_MAX:
        return None
    return value


def _nesting(value: Any) -> int:
    deepest, waiting = 0, [(value, 1)]
    while waiting:
        item, depth = waiting.pop()
        deepest = max(deepest, depth)
        inner = item.values() if isinstance(item, dict) else item
        waiting.extend((child, depth + 1) for child in inner if isinstance(child, (dict, list)))
    return deepest


def strict_json(value: Any) -> Any:
    """Replace what strict JSON has no number for by its name."""
    if isinstance(value, float):
        return value if math.isfinite(value) else spelled(value)
    if isinstance(value, dict):
        return {key: strict_json(item) for key, item in value.items()}
    if isinstance(value, list):
        return [strict_json(item) for item in value]
    return value


def spelled(value: float) -> str:
    """How JSON dialects spell a value that is not finite."""
    if math.isnan(value):
        return "NaN"
    return "Infinity" if value > 0 else "-Infinity"


def finite_number(value: Any) -> float | None:
    """A value as a finite double; None for everything that is not one."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        number = float(value)
    except OverflowError:
        # An integer beyond the range of a double.
        return None
    return number if math.isfinite(number) else None
