"""Lines for the person at the terminal: `wandb: …` on stderr, coloured where stderr is a terminal that wants colour.

`WANDB_SILENT=true` turns all of them off; what else is shown is a matter of settings. Warnings and errors of the same
text can be limited to one.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Dict, Optional, Set

if TYPE_CHECKING:
    from .sdk.wandb_settings import Settings

_BLUE, _YELLOW, _RED, _BOLD, _RESET = "\033[34m", "\033[33m", "\033[31m", "\033[1m", "\033[0m"
_said: Set[str] = set()
_hidden: Dict[str, bool] = {}  # by level
_colours: Optional[bool] = None  # None: as the terminal is


def follow_settings(settings: Settings) -> None:
    """Show from here on what these settings want to be shown."""
    global _colours
    _colours = settings.show_colors
    for level, shown in (
        ("", settings.show_info), ("WARNING ", settings.show_warnings), ("ERROR ", settings.show_errors)
    ):  # fmt: skip
        _hidden[level] = settings.silent or not shown


def colourful() -> bool:
    """Whether stderr shows colours: a terminal, and nobody asked for none; or a setting says so."""
    if _colours is not None:
        return _colours
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return False
    return hasattr(sys.stderr, "isatty") and sys.stderr.isatty()


def is_shown(level: str) -> bool:
    """Whether the user wants lines of a level: "" is information."""
    return not (_hidden.get(level) or os.environ.get("WANDB_SILENT", "").lower() in ("1", "true", "yes"))


def _say(text: str, level: str, colour: str, newline: bool, repeat: bool, prefix: bool) -> None:
    if not is_shown(level):
        return
    if not repeat:
        if text in _said:
            return
        _said.add(text)
    head = f"wandb: {level}" if prefix else ""
    if head and colourful():
        head = f"{_BOLD}{_BLUE}wandb{_RESET}: {colour}{level}{_RESET if level else ''}"
    stream = sys.stderr
    if stream is None:
        return  # a program without a terminal, pythonw say
    try:
        stream.write("\n".join(f"{head}{line}" for line in text.split("\n")) + "\n" * newline)
        stream.flush()
    except (OSError, ValueError):
        pass  # a closed stderr must not end the training


def termlog(string: str = "", newline: bool = True, repeat: bool = True, prefix: bool = True) -> None:
    """Print a line for the user: without its end with `newline=False`, without "wandb: " with `prefix=False`, and only
    once with `repeat=False`.

    >>> termlog("the data is in place")
    """
    _say(string, "", "", newline, repeat, prefix)


def termwarn(string: str, newline: bool = True, repeat: bool = True, prefix: bool = True) -> None:
    """Print a warning; the other arguments are those of `termlog`.

    >>> termwarn("the learning rate is large", repeat=False)
    """
    _say(string, "WARNING ", _YELLOW, newline, repeat, prefix)


def termerror(string: str, newline: bool = True, repeat: bool = True, prefix: bool = True) -> None:
    """Print an error; the other arguments are those of `termlog`.

    >>> termerror("the checkpoint is damaged")
    """
    _say(string, "ERROR ", _RED, newline, repeat, prefix)


def termsetup(settings: Settings, logger: object = None) -> None:
    """Show from here on what these settings want to be shown. `logger` is accepted for callers of other clients.

    >>> import wandb
    >>> termsetup(wandb.Settings(show_info=False))
    >>> termlog("nobody sees this")
    >>> termsetup(wandb.Settings())
    """
    follow_settings(settings)
