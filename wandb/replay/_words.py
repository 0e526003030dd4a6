"""How values read: numbers, times, sizes and texts, short and safe to print.

What a run logged is somebody's data, and a terminal obeys what it is sent: control characters are shown, not sent on.
"""

from __future__ import annotations

import json
import math
import re
import time
from typing import Any

# Control characters, and those that turn the direction of the text around them.
_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_ESCAPE_SEQUENCE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[ -/]*[0-~])")
_SHOWN = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
_INTEGER_DIGITS_MAX = 24


def clean(text: str, width: int = 0) -> str:
    """One line of text as it may be printed; cut to `width` characters where that is given."""
    shown = _UNSAFE.sub(lambda match: _SHOWN.get(match[0]) or ascii(match[0])[1:-1], text)
    return shown if not width or len(shown) <= width else shown[: max(0, width - 1)] + "…"


def console_text(text: str) -> str:
    """A line that a program wrote to its terminal, without colours and other commands to it."""
    return clean(_ESCAPE_SEQUENCE.sub("", text).expandtabs())


def number(value: float, digits: int = 5) -> str:
    """A number in a few characters."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        # The decimal text of a huge integer takes time that grows with its square.
        small = abs(value) < 10**_INTEGER_DIGITS_MAX
        return str(value) if small else f"an integer of {value.bit_length()} bits"
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "inf" if value > 0 else "-inf"
    return f"{value:.{digits}g}"


def value_text(value: Any, width: int = 0) -> str:
    """Any logged value in one line."""
    if value is None:
        return "null"
    if isinstance(value, (bool, int, float)):
        return number(value)
    if isinstance(value, str):
        return clean(value, width) if value else '""'
    if isinstance(value, dict) and isinstance(value.get("_type"), str):
        return clean(f"<{value['_type']}>", width)
    # Long enough to fill any line, short enough for a table of a million cells.
    return clean(json.dumps(value, ensure_ascii=False, default=str)[: max(width, 400) + 1], width)


def count(many: int, noun: str) -> str:
    """`1 row`, `1,024 rows`."""
    return f"{many:,} {noun}" if many == 1 else f"{many:,} {noun}s"


def duration(seconds: float) -> str:
    """A span of time, to about three digits."""
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.3g} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days} d {hours:02} h"
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {rest:02} s"


def moment(seconds: float) -> str:
    """A point in time, in the reader's time zone."""
    try:
        return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds))
    except (ValueError, OverflowError, OSError):
        return f"{seconds} s after 1970"  # a clock that was far off when it was read


def size(amount: int) -> str:
    """An amount of bytes."""
    scaled, unit = float(amount), "B"
    for larger in ("KiB", "MiB", "GiB", "TiB"):
        if scaled < 999.5:
            break
        scaled, unit = scaled / 1024, larger
    return f"{amount} B" if unit == "B" else f"{scaled:.3g} {unit}"
