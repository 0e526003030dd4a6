"""Points in time and spans of it as a person writes them."""

from __future__ import annotations

import datetime
import re
from typing import TYPE_CHECKING

from ._help import Parsed

if TYPE_CHECKING:
    from wandb.replay import Replay

_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 7 * 86400.0}
_SPAN = re.compile(r"(?:\d+(?:\.\d+)?[smhdw])+")
_PART = re.compile(r"(?P<number>\d+(?:\.\d+)?)(?P<unit>[smhdw])")
_MOMENT_FORMS = "a time is 2026-01-05T12:30, seconds since 1970, +10m behind a run's start or -10m before its end"
_SPAN_FORMS = "a span of time is 90s, 30m, 12h, 7d, 2w or 1h30m"


def parse_span(text: str) -> float:
    """Seconds from `90s`, `1h30m`, `7d`. Raises ValueError, which says what one looks like."""
    if not _SPAN.fullmatch(text):
        raise ValueError(f"{text!r} is none: {_SPAN_FORMS}")
    return sum(float(part["number"]) * _UNITS[part["unit"]] for part in _PART.finditer(text))


class Moment:
    """A point in time, which may depend on the run it is about."""

    def __init__(self, seconds: float, behind_start: bool = False, before_end: bool = False) -> None:
        self._seconds, self._behind_start, self._before_end = seconds, behind_start, before_end

    def of(self, run: Replay) -> float:
        """Seconds since the epoch."""
        if self._behind_start:
            return run.sessions[0].start.time + self._seconds if run.sessions else run.start.time + self._seconds
        return run.scan().state.last_time - self._seconds if self._before_end else self._seconds

    @classmethod
    def parse(cls, text: str) -> Moment:
        """Raises ValueError, which says what a time looks like."""
        if text[:1] in ("+", "-") and _SPAN.fullmatch(text[1:]):
            return cls(parse_span(text[1:]), text[0] == "+", text[0] == "-")
        try:
            return cls(float(text))
        except ValueError:
            pass
        try:
            # Python before 3.11 reads no Z.
            return cls(datetime.datetime.fromisoformat(re.sub("[zZ]$", "+00:00", text)).timestamp())
        except ValueError:
            raise ValueError(f"{text!r} is none: {_MOMENT_FORMS}") from None


MOMENT, SPAN = Parsed("time", Moment.parse), Parsed("span", parse_span)
