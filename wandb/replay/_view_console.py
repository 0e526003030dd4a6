"""The pane of what the program wrote to its terminal: it follows the end until somebody scrolls back."""

from __future__ import annotations

from typing import List

from rich.segment import Segment
from rich.style import Style
from textual.geometry import Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

from wandb_storage import ConsoleLine

from ._view_model import Model
from ._words import console_text

_STDERR, _STDOUT = Style(color="red"), Style()


class ConsolePane(ScrollView, can_focus=True):
    """The last lines of the console. Only those in sight are drawn."""

    DEFAULT_CSS = "ConsolePane { height: 1fr; }"

    def __init__(self, model: Model) -> None:
        super().__init__()
        self._model = model
        self._lines: List[ConsoleLine] = []

    def show(self, model: Model) -> None:
        """Go to another run."""
        self._model = model
        self.take()

    def take(self) -> None:
        """Show what is new."""
        with self._model.lock:
            self._lines = list(self._model.console)
        at_end = self.scroll_offset.y >= self.max_scroll_y
        self.virtual_size = Size(max(1, self.size.width), len(self._lines))
        if at_end:
            self.scroll_end(animate=False)
        self.refresh()

    def render_line(self, y: int) -> Strip:
        place = y + self.scroll_offset.y
        if place >= len(self._lines):
            return Strip.blank(self.size.width)
        line = self._lines[place]
        text = Segment(console_text(line.text), _STDERR if line.stream else _STDOUT)
        return Strip([text]).adjust_cell_length(self.size.width)
