"""Points in time and spans of it as a person writes them."""

from __future__ import annotations

import datetime
import math
import re
from typing import TYPE_CHECKING, Callable

from ._help import Parsed

if TYPE_CHECKING:
    from wandb.replay import Replay

_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 7 * 86400.0}
_SPAN = re.compile(r"(?:\d+(?:\.\d+)?[smhdw])+")
_PART = re.compile(r"(?P<number>\d+(?:\.\d+)?)(?P<unit>[smhdw])")
_TIME_OF_DAY = re.compile(r"\d\d:\d\d(?::\d\d)?")
_MOMENT_FORMS = (
    "a time is 2026-01-05T12:30, 12:30 on the day of a run's start, +10m behind the start, -10m before the end, or "
    "seconds since 1970"
)
_SPAN_FORMS = "a span of time is 90s, 30m, 12h, 7d, 2w or 1h30m"


def parse_span(text: str) -> float:
    """Seconds from `90s`, `1h30m`, `7d`. Raises ValueError, which says what one looks like."""
    if not _SPAN.fullmatch(text):
        raise ValueError(f"{text!r} is none: {_SPAN_FORMS}")
    return sum(float(part["number"]) * _UNITS[part["unit"]] for part in _PART.finditer(text))


class Moment:
    """A point in time, which may depend on the run it is about."""

    def __init__(self, of: Callable[[Replay], float]) -> None:
        self.of = of  # seconds since the epoch

    @classmethod
    def parse(cls, text: str) -> Moment:
        """Raises ValueError, which says what a time looks like."""
        if text[:1] in ("+", "-"):
            if not _SPAN.fullmatch(text[1:]):
                raise ValueError(f"{text!r} is none: {_MOMENT_FORMS}")
            seconds = parse_span(text[1:])
            return cls((lambda run: _start(run) + seconds) if text[0] == "+" else (lambda run: _end(run) - seconds))
        try:
            if _TIME_OF_DAY.fullmatch(text):
                of_day = datetime.time.fromisoformat(text)
                return cls(lambda run: _first(of_day, run))
            # Python before 3.11 reads no Z.
            when = datetime.datetime.fromisoformat(re.sub("[zZ]$", "+00:00", text)).timestamp()
        except ValueError:
            when = _seconds(text)
        return cls(lambda run: when)


def _seconds(text: str) -> float:
    try:
        when = float(text)
    except ValueError:
        when = math.nan
    if not math.isfinite(when):
        raise ValueError(f"{text!r} is none: {_MOMENT_FORMS}")
    return when


def _start(run: Replay) -> float:
    return (run.sessions[0].start if run.sessions else run.start).time


def _end(run: Replay) -> float:
    return run.scan().state.last_time


def _first(of_day: datetime.time, run: Replay) -> float:
    """When the clocks of this machine first showed the time in the run: on the day of its start, or on the next."""
    start = datetime.datetime.fromtimestamp(_start(run))
    then = datetime.datetime.combine(start.date(), of_day)
    if then < start.replace(second=0, microsecond=0):
        then += datetime.timedelta(days=1)
    return then.timestamp()


MOMENT, SPAN = Parsed("time", Moment.parse), Parsed("span", parse_span)
