"""Figures of Matplotlib and Plotly, told by what they are and not by importing whose they are."""

from __future__ import annotations

import types
from typing import Any

from ..errors import DataError
from ._optional import load


def library_of(value: Any) -> str:
    """The library that a value comes from: the first of its classes that is of a known one decides."""
    if isinstance(value, types.ModuleType):
        return value.__name__.partition(".")[0]
    found = [kind.__module__.partition(".")[0] for kind in type(value).__mro__]
    return next((name for name in found if name in ("matplotlib", "plotly", "bokeh", "pandas", "PIL")), found[0])


def is_matplotlib(value: Any) -> bool:
    """Whether it is a figure, a part of one, or `pyplot` itself."""
    return library_of(value) == "matplotlib"


def as_figure(value: Any) -> Any:
    """The figure: that of an axis or a line, and of `pyplot` the current one. Raises DataError."""
    if isinstance(value, types.ModuleType):
        value = load("matplotlib.pyplot", "matplotlib", "pyplot's figure").gcf()
    if not any(kind.__name__ == "Figure" for kind in type(value).__mro__):
        value = getattr(value, "figure", None)
    if value is None or not hasattr(value, "savefig"):
        raise DataError("only a figure of Matplotlib's, a part of one, or pyplot itself can be logged as a figure")
    return value


def has_images(figure: Any) -> bool:
    """Whether it shows images, which Plotly can't take over."""
    return any(len(axes.images) > 0 for axes in figure.axes)
