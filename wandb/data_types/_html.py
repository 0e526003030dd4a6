"""Pages of HTML."""

from __future__ import annotations

import os
from typing import Any, Sequence, Union

from .._terminal import termwarn
from ..errors import DataError
from ._base import BatchableMedia
from ._content import Content
from ._limits import TEXT_BYTES_MAX
from ._sink import Json

# Links open beside the dashboard, not in its frame, and W&B's own pages bring this style sheet.
_HEAD = '<base target="_blank"><link rel="stylesheet" type="text/css" href="https://app.wandb.ai/normalize.css" />'


class Html(BatchableMedia):
    """A page of HTML, which is shown in a frame.

    >>> import wandb
    >>> page = wandb.Html("<h1>Results</h1>", inject=False)
    >>> page.html
    '<h1>Results</h1>'

    data: HTML as text, an open file of it, or the path of a file whose name ends in .html.
    inject: add a style sheet, and let links open in a tab of their own.
    data_is_not_path: take `data` for HTML, whatever it looks like.

    A text that is called like such a file, where there is none, is logged as it is, with a warning. Raises DataError.
    """

    _log_type = "html-file"
    _folder = "media/html"

    def __init__(self, data: Any, inject: bool = True, data_is_not_path: bool = False) -> None:
        super().__init__()
        named = (
            not data_is_not_path
            and isinstance(data, (str, os.PathLike))
            and len(str(data)) < 4096
            and os.path.splitext(data)[1] == ".html"
        )
        if named and os.path.isfile(data):
            content = Content.of_file(data)
            check_text_size(content.size, "wandb.Html")
            self.html = content.read().decode("utf-8", "replace")
            if not inject:
                self._content = content
                return
        elif isinstance(data, str):
            if named and "<" not in data:
                termwarn(f"wandb.Html: there is no file {data}, so its name is logged as the page")
            self.html = data
        elif isinstance(data, os.PathLike):
            raise DataError(f"wandb.Html: {os.fspath(data)!r} is no file whose name ends in .html")
        elif hasattr(data, "read"):
            self.html = read_text(data)
        else:
            raise DataError(f"wandb.Html: data is HTML as a text, a file or a path, not {type(data).__name__}")
        if inject:
            self.inject_head()
        encoded = self.html.encode("utf-8", "replace")
        check_text_size(len(encoded), "wandb.Html")
        self._content = Content.of_bytes(encoded, ".html")

    def inject_head(self) -> None:
        """Add style sheet and target of links to the page's head."""
        for tag, before, after in (("<head>", "<head>", ""), ("<html>", "<html><head>", "</head>")):
            first, found, rest = self.html.partition(tag)
            if found:
                self.html = f"{first}{before}{_HEAD}{after}{rest}".strip()
                return
        self.html = f"{_HEAD}{self.html}".strip()

    @classmethod
    def from_json(cls, json_obj: Json, source_artifact: Any) -> Html:
        """The page again."""
        page = cls(source_artifact.get_entry(json_obj["path"]).download(), inject=False)
        page._entry = json_obj["path"]
        return page

    @classmethod
    def seq_to_json(cls, seq: Sequence[Html], run: Any, key: str, step: Union[int, str]) -> Json:
        """The JSON object of a batch."""
        return {"_type": "html", "count": len(seq), "html": [one.to_json(run) for one in seq]}


def read_text(file: Any) -> str:
    """All the text of an open file, from its beginning."""
    if hasattr(file, "seek"):
        file.seek(0)
    text = file.read()
    return text.decode("utf-8", "replace") if isinstance(text, bytes) else str(text)


def check_text_size(size: int, what: str) -> None:
    """Raise DataError for a text that no dashboard opens."""
    if size > TEXT_BYTES_MAX:
        raise DataError(
            f"{what}: {size:,} bytes are above the limit of {TEXT_BYTES_MAX:,}; log a smaller one, or the file in an "
            "artifact"
        )
