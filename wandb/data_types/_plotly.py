"""Plotly's figures, and Matplotlib's that can become such."""

from __future__ import annotations

from typing import Any, Dict, List, Union

from .._terminal import termwarn
from ..errors import DataError, Error
from ._base import Media, WBValue
from ._cells import check_depth
from ._content import Content
from ._figures import as_figure, has_images, is_matplotlib, library_of
from ._html import check_text_size
from ._image import Image
from ._json import dump_media_json
from ._optional import load


class Plotly(Media):
    """A figure of Plotly's, which stays interactive.

    >>> import plotly.graph_objects as go, wandb
    >>> figure = wandb.Plotly(go.Figure(go.Scatter(x=[1, 2], y=[3, 4])))
    >>> with wandb.init(mode="offline") as run:
    ...     run.log({"figure": figure})
    >>> run.summary["figure"]["_type"]
    'plotly-file'

    val: a figure of Plotly's, or one of Matplotlib's, which Plotly converts.

    Raises DataError for something else, and for a figure of Matplotlib's with images: `wandb.Image` takes that.
    """

    _log_type = "plotly-file"
    _folder = "media/plotly"

    def __init__(self, val: Any) -> None:
        super().__init__()
        if isinstance(val, str):  # the path of a file that an artifact holds
            self._content = Content.of_file(val, ".plotly.json")
            return
        if is_matplotlib(val):
            figure = as_figure(val)
            if has_images(figure):
                raise DataError("wandb.Plotly: Plotly can't show a figure with images; wandb.Image(figure) can")
            val = _converted(figure)
        if library_of(val) != "plotly" or not hasattr(val, "to_plotly_json"):
            raise DataError(f"wandb.Plotly: a figure of Plotly's or Matplotlib's is expected, not {type(val).__name__}")
        encoded = dump_media_json(as_lists(val.to_plotly_json()), "wandb.Plotly")
        check_text_size(len(encoded), "wandb.Plotly")
        self._content = Content.of_bytes(encoded, ".plotly.json")

    @classmethod
    def make_plot_media(cls, val: Any) -> Union[Image, Plotly]:
        """What `log` makes of a figure: one of Matplotlib's that Plotly can't show is an image."""
        if not is_matplotlib(val):
            return cls(val)
        figure = as_figure(val)
        if not has_images(figure):
            try:
                return cls(figure)
            except Error as error:
                termwarn(f"a figure of Matplotlib's is logged as an image: {error}", repeat=False)
        return Image(figure)


def _converted(figure: Any) -> Any:
    tools = load("plotly.tools", "plotly", "an interactive figure (wandb.Image(figure) makes a still one)")
    try:
        return tools.mpl_to_plotly(figure)
    except Exception as error:  # the converter doesn't know all of Matplotlib
        raise DataError(f"Plotly can't convert this figure ({error}); wandb.Image takes it as it is") from error


def as_lists(value: Any, depth: int = 0) -> Any:
    """Arrays as lists, all the way down; media as the names of their classes. Raises DataError for what is nested too
    deep."""
    check_depth(depth)
    if isinstance(value, dict):
        result: Dict[Any, Any] = {key: as_lists(item, depth + 1) for key, item in value.items()}
        return result
    if isinstance(value, (list, tuple)):
        items: List[Any] = [as_lists(item, depth + 1) for item in value]
        return items
    if isinstance(value, WBValue):
        return type(value).__name__
    if hasattr(value, "tolist"):
        return as_lists(value.tolist())
    if hasattr(value, "isoformat"):
        return value.isoformat()
    return value
