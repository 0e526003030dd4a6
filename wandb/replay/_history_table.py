"""The first and the last rows of a history as a table, with as many columns as fit."""

from __future__ import annotations

from typing import List, Optional, Sequence

from rich.console import Group, RenderableType
from rich.text import Text

from ._cells import cell_len, cut, right
from ._history import HistoryRow
from ._picture import Picture
from ._words import clean, value_text

_CELL_WIDTH_MAX = 24
_GAP = "  "


def history_table(keys: Sequence[str], picture: Picture, rows: int, width: int) -> Optional[RenderableType]:
    """None where there are no rows."""
    shown = [*picture.first_rows, *picture.last_rows]
    if not shown:
        return None
    # Keys that stand in the rows shown come first: a column of blanks tells nothing.
    present = [key for key in keys if any(key in row for row in shown)]
    ordered = present + [key for key in keys if key not in present]
    columns = _columns(ordered, shown, width)
    lines = [_line(columns, 0, "bold")]
    hidden = rows - len(shown)
    for index in range(len(shown)):
        if hidden and index == len(picture.first_rows):
            lines.append(Text(_GAP.join(right("⋮", cell_len(column[0])) for column in columns), style="dim"))
        lines.append(_line(columns, index + 1, ""))
    left_out = len(ordered) - len(columns)
    if left_out:
        names = ", ".join(clean(key) for key in ordered[len(columns) :])
        lines.append(Text(cut(f"+{left_out} more: {names}", width), style="dim"))
    return Group(*lines)


def _columns(keys: Sequence[str], rows: Sequence[HistoryRow], width: int) -> List[List[str]]:
    """Padded cells by column, the title first: as many columns as fit, and at least one."""
    columns: List[List[str]] = []
    used = -len(_GAP)
    for key in keys:
        cells = [clean(key), *(value_text(row[key], _CELL_WIDTH_MAX) if key in row else "" for row in rows)]
        cell_width = min(_CELL_WIDTH_MAX, max(cell_len(cell) for cell in cells))
        used += len(_GAP) + cell_width
        if columns and used > width:
            break
        columns.append([right(cell, cell_width) for cell in cells])
    return columns


def _line(columns: Sequence[Sequence[str]], index: int, style: str) -> Text:
    return Text(_GAP.join(column[index] for column in columns), style=style, no_wrap=True, overflow="ellipsis")
