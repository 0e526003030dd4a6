"""What the objects of the public Api have in common: the attributes that the server gave, under Python's names."""

from __future__ import annotations

import html
from typing import Any, Dict, Mapping, Optional

from ..sdk._jupyter import display_html, ipython


class Attrs:
    """An object of the server: `created_at` is what the server calls `createdAt`, and so on.

    >>> one = Attrs({"createdAt": "2026-11-23T03:06:49Z"})
    >>> one.created_at
    '2026-11-23T03:06:49Z'
    """

    def __init__(self, attrs: Mapping[str, Any]) -> None:
        self._attrs: Dict[str, Any] = dict(attrs)

    def snake_to_camel(self, string: str) -> str:
        """The server's name for one of Python's.

        >>> Attrs({}).snake_to_camel("history_line_count")
        'historyLineCount'
        """
        first, *rest = string.split("_")
        return first + "".join(part.title() for part in rest)

    def __getattr__(self, name: str) -> Any:
        # Special names are asked for by copy and pickle before there are any attributes.
        if not name.startswith("_"):
            for key in (self.snake_to_camel(name), name):
                if key in self._attrs:
                    return self._value(key)
        raise AttributeError(f"{type(self).__name__} has no attribute {name!r}")

    def _value(self, key: str) -> Any:
        """The value under one of the server's names. What takes an effort is found out when it is first asked for."""
        value = self._attrs[key]
        if callable(value):
            value = self._attrs[key] = value()
        return value

    def __getstate__(self) -> Dict[str, Any]:
        """For another process, which gets what is known."""
        return {**vars(self), "_attrs": {key: self._value(key) for key in list(self._attrs)}}

    def to_html(self, height: int = 420, hidden: bool = False) -> Optional[str]:
        """The object as HTML; None for what has no page."""
        return None

    def display(self, height: int = 420, hidden: bool = False) -> bool:
        """Show the object in the notebook that runs this; False where there is none, or nothing to show."""
        shown = self.to_html(height, hidden) if ipython() is not None else None
        if shown is None:
            return False
        display_html(shown)
        return True


def frame_html(url: str, title: str, height: int, hidden: bool) -> str:
    """A page in a frame; with `hidden`, behind a button."""
    style = f"border:none;width:100%;height:{int(height)}px"
    frame = f'<iframe src="{html.escape(url)}?jupyter=true" style="{style}"></iframe>'
    return f"<details><summary>Show {html.escape(title)}</summary>{frame}</details>" if hidden else frame
