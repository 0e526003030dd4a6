"""JSON files of media: compact UTF-8, numbers written as W&B's client writes them, so equal data are the same bytes."""

from __future__ import annotations

import json
import re
from typing import Any, Match

from ..errors import DataError

_encode = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, allow_nan=True).encode
_encode_ascii = json.JSONEncoder(separators=(",", ":"), ensure_ascii=True, allow_nan=True).encode
# A text, which is left alone, or a number with a small negative exponent: 1.5e-05 is 0.000015, 1e-07 is 1e-7.
_SMALL = re.compile(r'"(?:[^"\\]|\\.)*"|(?P<sign>-?)(?P<digit>\d)(?:\.(?P<rest>\d+))?e-0(?P<exponent>\d)')


def dump_media_json(value: Any, what: str) -> bytes:
    """The bytes of a JSON file. Raises DataError, which names `what`, for values that are no JSON.

    >>> dump_media_json({"a": [1, 1e-05, 2.5e-07, "1e-05"]}, "x").decode()
    '{"a":[1,0.00001,2.5e-7,"1e-05"]}'
    """
    try:
        text = _encode(value)
    except (TypeError, ValueError, RecursionError) as error:
        raise DataError(f"{what}: {error}") from error
    if "e-0" in text:
        text = _SMALL.sub(_shorter, text)
    try:
        return text.encode()
    except UnicodeEncodeError:  # a surrogate by itself, which only an escape can say
        return _encode_ascii(value).encode()


def _shorter(match: Match[str]) -> str:
    digit = match["digit"]
    if digit is None:
        return match[0]
    if match["exponent"] == "5":
        return f"{match['sign']}0.0000{digit}{match['rest'] or ''}"
    rest = f".{match['rest']}" if match["rest"] else ""
    return f"{match['sign']}{digit}{rest}e-{match['exponent']}"
