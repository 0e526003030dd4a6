"""Messages that a run sends to its owner."""

from __future__ import annotations

import datetime
import enum
import time
from typing import Union

from wandb_storage import Alert

from ..errors import UsageError


class AlertLevel(enum.Enum):
    """How urgent an alert is.

    >>> AlertLevel("WARN")
    <AlertLevel.WARN: 'WARN'>
    """

    INFO = "INFO"
    WARN = "WARN"
    ERROR = "ERROR"


def alert_record(
    title: str, text: str, level: Union[None, str, AlertLevel], wait: Union[None, float, datetime.timedelta]
) -> Alert:
    """An alert as the log stores it. Raises UsageError for a level that doesn't exist, and a time that is none."""
    try:
        known = level if isinstance(level, AlertLevel) else AlertLevel(str(level or "INFO").upper())
    except ValueError:
        levels = ", ".join(one.value for one in AlertLevel)
        raise UsageError(f"alert: level is one of {levels}, not {level!r}") from None
    try:
        seconds = wait.total_seconds() if isinstance(wait, datetime.timedelta) else float(wait or 0)
    except (TypeError, ValueError):
        raise UsageError(f"alert: wait_duration is a number of seconds or a timedelta, not {wait!r}") from None
    return Alert(title=str(title), text=str(text), level=known.value, wait_seconds=seconds, time=time.time())
