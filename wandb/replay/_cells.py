"""Texts in columns of a terminal, where a character may take two columns or none."""

from __future__ import annotations

from rich.cells import cell_len, set_cell_size


def cut(text: str, width: int) -> str:
    """The text in at most `width` columns, with an ellipsis where it was cut."""
    return text if cell_len(text) <= width else set_cell_size(text, max(0, width - 1)).rstrip() + "…"


def left(text: str, width: int) -> str:
    """The text cut or filled to exactly `width` columns."""
    return set_cell_size(cut(text, width), width)


def right(text: str, width: int) -> str:
    """The same, at the right."""
    shown = cut(text, width)
    return " " * (width - cell_len(shown)) + shown


__all__ = ["cell_len", "cut", "left", "right"]
