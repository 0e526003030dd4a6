"""Lists as tables: aligned text in a pipe, in a terminal with colours and as wide as it is."""

from __future__ import annotations

import shutil
import sys
from typing import Callable, Collection, Dict, List, Literal, Mapping, Sequence

import click

# Of a text that a narrow terminal cuts.
_WIDTH_MIN = 8
_GAP = 2


class Table:
    """Titles, and rows of as many cells.

    `right` are the titles of columns of numbers, `kept` of those that a narrow terminal still shows when it has no room
    for others; `styles` colours the cells of the column `styled` by what they say, and others in yellow.
    """

    def __init__(
        self, titles: Sequence[str], right: Collection[str] = (), kept: Collection[str] = (), styled: str = "",
        styles: Mapping[str, str] = {},
    ) -> None:  # fmt: skip
        self.titles, self.right, self.kept, self.styled, self.styles = titles, right, kept, styled, styles
        self.rows: List[Sequence[str]] = []

    def add(self, *cells: str) -> None:
        self.rows.append(cells)

    def show(self) -> None:
        """Print it."""
        if sys.stdout.isatty():
            self._show_in_terminal()
        else:
            for line in self._aligned():
                click.echo(line)

    def _show_in_terminal(self) -> None:
        from rich.cells import cell_len
        from rich.console import Console
        from rich.table import Table as RichTable
        from rich.text import Text

        # It obeys NO_COLOR, and would take 80 columns where TERM is dumb.
        console = Console(highlight=False, width=shutil.get_terminal_size().columns)
        widths = self._fitted_widths(console.width, cell_len)
        table = RichTable(box=None, pad_edge=False, padding=(0, _GAP, 0, 0), header_style="bold")
        for place, width in widths.items():
            title = self.titles[place]
            justify: Literal["left", "right"] = "right" if title in self.right else "left"
            table.add_column(title, justify=justify, no_wrap=True, overflow="ellipsis", width=width)
        for row in self.rows:
            cells = [Text(cell) for cell in row]
            if self.styled:
                styled = list(self.titles).index(self.styled)
                cells[styled].stylize(self.styles.get(row[styled], "yellow"))
            table.add_row(*(cells[place] for place in widths))
        console.print(table)

    def _fitted_widths(self, room: int, measure: Callable[[str], int]) -> Dict[int, int]:
        """Of each column that a terminal has room for. A text may be cut; half a number would be another one. Where
        that isn't enough, columns of texts give way before those of numbers, the last ones before others."""
        widths = dict(enumerate(self._widths(measure)))
        texts = [place for place in widths if self.titles[place] not in self.right]
        spare = [place for place in widths if self.titles[place] not in self.kept]
        spare.sort(key=lambda place: (place not in texts, -place))
        while (excess := sum(widths.values()) + _GAP * (len(widths) - 1) - room) > 0:
            longest = max((place for place in texts if place in widths), key=lambda place: widths[place], default=None)
            if longest is not None and widths[longest] > _WIDTH_MIN:
                widths[longest] = max(_WIDTH_MIN, widths[longest] - excess)
            elif spare:
                widths.pop(spare.pop(0))
            else:
                break
        return widths

    def _widths(self, measure: Callable[[str], int] = len) -> List[int]:
        lines = [self.titles, *self.rows]
        return [max(measure(line[column]) for line in lines) for column in range(len(self.titles))]

    def _aligned(self) -> List[str]:
        widths = self._widths()
        return [
            (" " * _GAP)
            .join(
                cell.rjust(width) if title in self.right else cell.ljust(width)
                for title, cell, width in zip(self.titles, line, widths)
            )
            .rstrip()
            for line in (self.titles, *self.rows)
        ]
