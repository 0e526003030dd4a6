"""Console lines: the two forms in which clients send them, as one value."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

# `ERROR 2026-11-23T02:52:50.361224 text`; the first word only for standard error.
_PLAIN = re.compile(r"(ERROR )?(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z?) ?(.*)", re.DOTALL)


@dataclass(frozen=True)
class ConsoleLine:
    """One line that a program printed."""

    number: int
    timestamp: str | None
    level: str | None
    label: str | None
    text: str


def parse_console_line(number: int, content: str) -> ConsoleLine:
    """Take a line apart; a line in no known form is text altogether."""
    if content.startswith("{"):
        try:
            value = json.loads(content)
        except (ValueError, RecursionError):
            value = None
        if isinstance(value, dict) and isinstance(value.get("content"), str) and "ts" in value:
            return ConsoleLine(
                number,
                _text_or_none(value["ts"]),
                _text_or_none(value.get("level")),
                _text_or_none(value.get("label")),
                value["content"],
            )
    found = _PLAIN.fullmatch(content)
    if found is None:
        return ConsoleLine(number, None, None, None, content)
    level = "error" if found.group(1) else None
    return ConsoleLine(number, found.group(2), level, None, found.group(3))


def _text_or_none(value: object) -> str | None:
    return value if isinstance(value, str) else None
