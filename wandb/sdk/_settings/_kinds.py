"""The types of settings: each function returns the value in its one form, or raises ValueError with what is expected.

Text is understood for every type, because files and the environment hold nothing else.
"""

from __future__ import annotations

import json
import os
from typing import Any, Callable, Dict, Mapping, Optional, Tuple, Union

MODES = ("online", "offline", "disabled", "shared")
_MODE_ALIASES = {"dryrun": "offline", "run": "online", "noop": "disabled"}
_REINIT_WORDS = ("default", "return_previous", "finish_previous", "create_new")
_TRUE, _FALSE = ("1", "true", "yes", "on"), ("0", "false", "no", "off")
_IDENTIFIER_FORBIDDEN = frozenset("/\\#?%:")
_IDENTIFIER_CHARACTERS_MAX = 128

Kind = Callable[[Any], Any]


def text(value: Any) -> str:
    if not isinstance(value, (str, os.PathLike)):
        raise ValueError("text is expected")
    return str(os.fspath(value))


def flag(value: Any) -> bool:
    word = str(value).strip().lower() if isinstance(value, (bool, int, str)) else ""
    if word in _TRUE:
        return True
    if word in _FALSE:
        return False
    raise ValueError("true or false is expected")


def integer(value: Any) -> int:
    try:
        if isinstance(value, (bool, float)):
            raise ValueError
        return int(value)
    except (TypeError, ValueError):
        raise ValueError("a whole number is expected") from None


def seconds(value: Any) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = -1.0
    if isinstance(value, bool) or not number >= 0:
        raise ValueError("a number of seconds, 0 or more, is expected")
    return number


def size(value: Any) -> str:
    """Bytes, as a number or with a unit; whoever uses it knows the units."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else text(value)


def texts(value: Any) -> Tuple[str, ...]:
    """Several texts; one text holds them separated by commas."""
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    try:
        return tuple(text(part) for part in value)
    except (TypeError, ValueError):
        raise ValueError("texts are expected: a list, or one text with commas") from None


def integers(value: Any) -> Tuple[int, ...]:
    try:
        return tuple(integer(part) for part in (value.split(",") if isinstance(value, str) else value))
    except (TypeError, ValueError):
        raise ValueError("whole numbers are expected: a list, or one text with commas") from None


def mapping(value: Any) -> Dict[str, Any]:
    """Names and values; a text holds them as JSON."""
    try:
        found = json.loads(value) if isinstance(value, str) else value
    except ValueError:
        found = None
    if not isinstance(found, Mapping) or not all(isinstance(name, str) for name in found):
        raise ValueError("a dictionary, or one as JSON, is expected")
    return dict(found)


def headers(value: Any) -> Dict[str, str]:
    """Names and values of HTTP headers."""
    found = {name: str(one) for name, one in mapping(value).items()}
    for name, one in found.items():
        if not (name + one).isascii() or not (name + one).isprintable():
            raise ValueError(f"headers are printable ASCII, and {name!r} isn't")
    return found


def levels(value: Any) -> Dict[str, int]:
    """Levels of `logging` by name or number, for names of loggers."""
    import logging

    found = {}
    for name, level in mapping(value).items():
        number = level if isinstance(level, int) else logging.getLevelName(str(level).upper())
        if not isinstance(number, int):
            raise ValueError(f"{level!r} is no level of logging, for the logger {name}")
        found[name] = number
    return found


def anything(value: Any) -> Any:
    return value


def choice(*words: str) -> Kind:
    """One of these words."""

    def parse(value: Any) -> str:
        if not isinstance(value, str) or value not in words:
            raise ValueError(f"one of {', '.join(words)} is expected")
        return value

    return parse


def mode(value: Any) -> str:
    return str(_choose_mode(_MODE_ALIASES.get(value, value) if isinstance(value, str) else value))


def url(value: Any) -> str:
    address = text(value).strip().rstrip("/")
    if not address.startswith(("http://", "https://")):
        raise ValueError("a URL that starts with http:// or https:// is expected")
    return address


def resume(value: Any) -> Optional[str]:
    if isinstance(value, bool):
        return "auto" if value else None
    word = value.strip() if isinstance(value, str) else value
    if isinstance(word, str) and word.lower() in _TRUE + _FALSE:
        return "auto" if word.lower() in _TRUE else None
    if word not in ("allow", "must", "never", "auto"):
        raise ValueError("one of allow, must, never, auto, True, False is expected")
    return str(word)


def reinit(value: Any) -> Union[bool, str]:
    if isinstance(value, str) and value in _REINIT_WORDS:
        return value
    try:
        return flag(value)
    except ValueError:
        raise ValueError(f"a boolean, or one of {', '.join(_REINIT_WORDS)}, is expected") from None


def identifier(value: Any) -> str:
    name = text(value)
    if not name or not _IDENTIFIER_FORBIDDEN.isdisjoint(name) or name in (".", ".."):
        raise ValueError(r"a name without any of / \ # ? % : is expected")
    if len(name) > _IDENTIFIER_CHARACTERS_MAX:
        raise ValueError(f"at most {_IDENTIFIER_CHARACTERS_MAX} characters are expected")
    return name


_choose_mode = choice(*MODES)
