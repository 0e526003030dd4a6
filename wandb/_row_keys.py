"""The keys of history rows as charts and the public Api know them: the server and the local Api count alike."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

# Levels of nested objects whose keys are metrics of their own.
DEPTH_MAX = 8

_SPECIAL = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


def flattened(row: dict[str, Any], prefix: str = "", depth: int = 0) -> Iterator[tuple[str, Any]]:
    """Keys and values of a row, the ones of nested objects joined by dots."""
    for key, value in row.items():
        yield prefix + key, value
        if isinstance(value, dict) and "_type" not in value and depth < DEPTH_MAX:
            yield from flattened(value, f"{prefix}{key}.", depth + 1)


def classified(value: Any) -> tuple[str, float | None]:
    """What the public Api calls the kind of a value, and its number if it is one."""
    if isinstance(value, bool):
        return "boolean", None
    if isinstance(value, (int, float)):
        try:
            return "number", float(value)
        except OverflowError:
            # An integer beyond the range of a double.
            return "number", math.inf if value > 0 else -math.inf
    if isinstance(value, str):
        # Clients of before 2020 spelled these as texts.
        return ("number", _SPECIAL[value]) if value in _SPECIAL else ("string", None)
    if isinstance(value, dict):
        return str(value.get("_type", "map")), None
    return ("list", None) if isinstance(value, list) else ("nil", None)
