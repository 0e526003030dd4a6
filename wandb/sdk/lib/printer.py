"""Printing for the user as libraries do it: the lines of `wandb.termlog`, by an object."""

from __future__ import annotations

from typing import TYPE_CHECKING, Optional, Sequence, Union

from ..._terminal import is_shown, termerror, termlog, termwarn
from .._history_sample import sparkline

if TYPE_CHECKING:
    from ..wandb_settings import Settings

# As in the standard library's logging.
_WARNING, _ERROR = 30, 40
_LEVELS = {"DEBUG": 10, "INFO": 20, "WARN": _WARNING, "WARNING": _WARNING, "ERROR": _ERROR, "CRITICAL": 50, "FATAL": 50}
_SYMBOLS = {
    "star": "⭐️", "broom": "🧹", "rocket": "🚀", "gorilla": "🦍", "turtle": "🐢", "lightning": "️⚡", "package": "📦",
}  # fmt: skip


class Printer:
    """Prints lines at a level, and knows how names, code and links look in them.

    >>> printer = new_printer()
    >>> printer.display(f"the model is in {printer.files('model.pt')}", level="warn")
    """

    supports_html = False
    supports_unicode = True

    def __init__(self, settings: Optional[Settings] = None) -> None:
        self._silent = settings is not None and settings.silent

    def display(self, text: Union[str, Sequence[str]], *, level: Union[None, str, int] = None) -> None:
        """Print one line or several. level: "info", "warn" or "error", or a number as in `logging`."""
        if self._silent:
            return
        number = _LEVELS.get(level.upper(), 0) if isinstance(level, str) else level or 0
        say = termerror if number >= _ERROR else termwarn if number >= _WARNING else termlog
        for line in (text,) if isinstance(text, str) else text:
            say(line)

    def progress_update(self, text: str, percent_done: Optional[float] = None) -> None:
        """Nothing: a line that is drawn over again would stand in the captured console."""

    def progress_close(self) -> None:
        """Nothing."""

    def sparklines(self, series: Sequence[float]) -> Optional[str]:
        """The course of numbers in one line of text."""
        return sparkline(list(series)) if is_shown("") else None

    def emoji(self, name: str) -> str:
        """A picture by its name; empty where there is none."""
        return _SYMBOLS.get(name, "")

    def code(self, text: str) -> str:
        """Text that is to be typed."""
        return f"`{text}`"

    def link(self, link: str, text: Optional[str] = None) -> str:
        """An address, which terminals make a link of themselves."""
        return link if text is None else f"{text} ({link})"

    def grid(self, rows: Sequence[Sequence[str]], title: Optional[str] = None) -> str:
        """Rows of two columns, the first one aligned to the right."""
        width = max((len(row[0]) for row in rows), default=0)
        lines = [f"{row[0]:>{width}} {' '.join(row[1:])}" for row in rows]
        return "\n".join([title, *lines] if title else lines)

    def panel(self, columns: Sequence[str]) -> str:
        """Columns, one below the other."""
        return "\n".join(columns)

    def name(self, text: str) -> str:
        """The name of a run."""
        return text

    def files(self, text: str) -> str:
        """A path."""
        return text

    def secondary_text(self, text: str) -> str:
        """What matters less."""
        return text

    def error(self, text: str) -> str:
        """What went wrong."""
        return text


def new_printer(settings: Optional[Settings] = None) -> Printer:
    """A printer for this process's terminal."""
    return Printer(settings)


get_printer = new_printer  # as it was called before
