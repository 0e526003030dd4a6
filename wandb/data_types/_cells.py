"""The cells of a table as JSON."""

from __future__ import annotations

import datetime
import decimal
import enum
import math
from typing import Any

from ..errors import DataError
from ._base import WBValue
from ._limits import DEPTH_MAX

_UTC = datetime.timezone.utc
_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=_UTC)
_MILLISECOND = datetime.timedelta(milliseconds=1)
_PLAIN = frozenset({int, str, bool, type(None)})


def plain_cell(value: Any, artifact: Any = None, depth: int = 0) -> Any:
    """A cell as a JSON value: times are milliseconds since the epoch, NaN is null, media are their objects.

    >>> import datetime
    >>> plain_cell([1, float("nan"), datetime.date(1970, 1, 2), {"a": (1, 2)}])
    [1, None, 86400000, {'a': [1, 2]}]

    What is no JSON stays what it is. Raises DataError for what is nested too deep.
    """
    kind = type(value)
    if kind in _PLAIN:
        return value
    if kind is float:
        return None if math.isnan(value) else value
    if isinstance(value, WBValue):
        return value.to_json(artifact)
    check_depth(depth)
    if isinstance(value, dict):
        return {_plain_key(key): plain_cell(item, artifact, depth + 1) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain_cell(item, artifact, depth + 1) for item in value]
    if hasattr(value, "detach") and hasattr(value, "cpu"):
        return plain_cell(value.detach().cpu().tolist(), artifact)
    if kind.__name__ == "datetime64":
        return None if value != value else plain_cell(value.astype("datetime64[us]").tolist(), artifact)
    if hasattr(value, "tolist"):
        return plain_cell(value.tolist(), artifact)
    return _plain_single(value)


def check_depth(depth: int) -> None:
    """Raise DataError for what is nested too deep."""
    if depth > DEPTH_MAX:
        raise DataError(f"nested more than {DEPTH_MAX} deep; does the value contain itself?")


def milliseconds(moment: datetime.date) -> int:
    """A time, or the beginning of a day, in milliseconds since the epoch; without a zone it is taken for UTC."""
    if not isinstance(moment, datetime.datetime):
        moment = datetime.datetime(moment.year, moment.month, moment.day, tzinfo=_UTC)
    elif moment.tzinfo is None:
        moment = moment.replace(tzinfo=_UTC)
    return (moment - _EPOCH) // _MILLISECOND


def from_milliseconds(value: float) -> datetime.datetime:
    """The time again, in UTC."""
    return datetime.datetime.fromtimestamp(value / 1000, tz=_UTC)


def _plain_key(key: Any) -> Any:
    return key.item() if hasattr(key, "item") else key


def _plain_single(value: Any) -> Any:
    if isinstance(value, datetime.date):
        # pandas has a time that is none.
        return milliseconds(value) if value == value else None
    if isinstance(value, decimal.Decimal):
        return float(value)
    if isinstance(value, enum.Enum):
        return value.name
    if isinstance(value, (set, frozenset)):
        return [plain_cell(item) for item in value]
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, float):
        return None if math.isnan(value) else float(value)
    if callable(value) and hasattr(value, "__qualname__"):
        return f"{value.__module__}.{value.__qualname__}"
    return value
