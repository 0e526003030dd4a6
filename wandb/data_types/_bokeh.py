"""Bokeh's plots."""

from __future__ import annotations

import os
from typing import Any

from ..errors import DataError
from ._base import Media
from ._content import Content
from ._html import check_text_size
from ._json import dump_media_json
from ._optional import load


class Bokeh(Media):
    """A plot of Bokeh's, which stays interactive.

    >>> from bokeh.plotting import figure
    >>> import wandb
    >>> plot = figure(width=200, height=100)
    >>> _ = plot.line([1, 2], [3, 4])
    >>> wandb.data_types.Bokeh(plot).get_media_subdir()
    'media/bokeh'

    data_or_path: a model or a document of Bokeh's, or the path of a JSON file of one.

    Raises DataError, and Error where the library bokeh is missing.
    """

    _log_type = "bokeh-file"
    _folder = "media/bokeh"

    def __init__(self, data_or_path: Any) -> None:
        super().__init__()
        if isinstance(data_or_path, (str, os.PathLike)):
            self._content = Content.of_file(data_or_path, ".bokeh.json")
            return
        bokeh = load("bokeh.document", "bokeh", "wandb.Bokeh")
        model = load("bokeh.model", "bokeh", "wandb.Bokeh").Model
        if isinstance(data_or_path, model):
            document = bokeh.Document()
            document.add_root(data_or_path)
        elif isinstance(data_or_path, bokeh.Document):
            document = data_or_path
        else:
            raise DataError(f"wandb.Bokeh: {type(data_or_path).__name__} is no plot and no document of Bokeh's")
        encoded = dump_media_json(_plain(document), "wandb.Bokeh")
        check_text_size(len(encoded), "wandb.Bokeh")
        self._content = Content.of_bytes(encoded, ".bokeh.json")

    @property
    def b_obj(self) -> Any:
        """The plot as a document of Bokeh's."""
        import json

        assert self._content is not None
        return load("bokeh.document", "bokeh", "wandb.Bokeh").Document.from_json(json.loads(self._content.read()))


def _plain(document: Any) -> Any:
    try:
        return document.to_json(deferred=False)
    except TypeError:  # of before 3.9, which never defers
        return document.to_json()
