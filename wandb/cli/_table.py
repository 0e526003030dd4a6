"""Lists as tables: aligned text in a pipe, in a terminal with colours and as wide as it is."""

from __future__ import annotations

import os
import sys
from typing import Collection, List, Mapping, Sequence

import click

# Columns that stay readable however narrow the terminal is.
_WIDTH_MIN = 8


class Table:
    """Titles, and rows of as many cells.

    `right` are the titles of columns of numbers, `kept` of those that a narrow terminal cuts last; `styles` colours the
    cells of the column `styled` by what they say, and others in yellow.
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
        if sys.stdout.isatty() and not os.environ.get("NO_COLOR"):
            self._show_coloured()
        else:
            for line in self._aligned():
                click.echo(line)

    def _show_coloured(self) -> None:
        from rich.console import Console
        from rich.table import Table as RichTable
        from rich.text import Text

        table = RichTable(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
        for title in self.titles:
            table.add_column(
                title, justify="right" if title in self.right else "left", no_wrap=True, overflow="ellipsis",
                min_width=_WIDTH_MIN if title in self.kept else None,
            )  # fmt: skip
        for row in self.rows:
            cells = [Text(cell) for cell in row]
            if self.styled:
                place = list(self.titles).index(self.styled)
                cells[place].stylize(self.styles.get(row[place], "yellow"))
            table.add_row(*cells)
        Console(highlight=False).print(table)

    def _aligned(self) -> List[str]:
        lines = [self.titles, *self.rows]
        widths = [max(len(line[column]) for line in lines) for column in range(len(self.titles))]
        return [
            "  ".join(
                cell.rjust(width) if title in self.right else cell.ljust(width)
                for title, cell, width in zip(self.titles, line, widths)
            ).rstrip()
            for line in lines
        ]
