"""JSON that every reader takes: it has no NaN and no infinities, so they stand as texts."""

from __future__ import annotations

import json
import math
from typing import Any, Optional


def strict_json(value: Any, indent: Optional[int] = None) -> str:
    """The value as JSON; "NaN", "Infinity" and "-Infinity" for what JSON lacks."""
    try:
        return json.dumps(value, allow_nan=False, indent=indent)
    except ValueError:
        return json.dumps(_named(value), allow_nan=False, indent=indent)


def compact_json(value: Any) -> str:
    """The same, without spaces: for rows by the million."""
    try:
        return json.dumps(value, allow_nan=False, separators=(",", ":"))
    except ValueError:
        return json.dumps(_named(value), allow_nan=False, separators=(",", ":"))


def _named(value: Any) -> Any:
    """The value with names for the numbers that JSON lacks."""
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, dict):
        return {key: _named(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_named(item) for item in value]
    return value
