"""From the media in a `log` call to their JSON objects: figures are converted, lists become batches, charts tables.

`wandb/sdk/_values.py` finds them, wherever in the data they are.
"""

from __future__ import annotations

import contextlib
from typing import Any, Dict, Iterator, List, Sequence, Union

from .._terminal import termwarn
from ..errors import DataError
from ._base import BatchableMedia, Media, WBValue
from ._figures import library_of
from ._limits import BATCH_MAX
from ._sink import RunSink

Step = Union[int, str]


class LoggedMedia:
    """The media of one value in a `log` call, or of one that is set in the summary."""

    def __init__(self, run: RunSink, step: Step, moved: object) -> None:
        """`moved` stands for a value that is stored under another key."""
        self._run, self._step, self._moved = run, step, moved
        self.moved: Dict[str, Any] = {}  # what is stored under other keys

    def stored(self, value: Any, path: str, key: str) -> Any:
        """What the log stores of a value that stands under `key`; `path` is all the keys that lead to it.

        Raises DataError that names the path.
        """
        if hasattr(value, "_log_chart"):
            for other_key, table in value._log_chart(self._run, path).items():
                self.moved[other_key] = self.stored(table, other_key, other_key)
            return self._moved
        with _named(path):
            medium = as_media(value, path)
            if isinstance(medium, Media) and not medium.is_bound():
                medium._log_to(self._run, key, self._step)
            return medium.to_json(self._run)

    def batch(self, values: Sequence[Any], path: str, key: str) -> Any:
        """What the log stores of a list whose first element is a medium."""
        if len(values) > BATCH_MAX:
            raise DataError(
                f"{path}: {len(values):,} media in a list are above the limit of {BATCH_MAX:,}; log them in a Table"
            )
        media = [as_media(value, f"{path}[{index}]") for index, value in enumerate(values)]
        kind = type(media[0])
        if not issubclass(kind, BatchableMedia) or any(type(one) is not kind for one in media):
            return [self.stored(one, f"{path}[{index}]", key) for index, one in enumerate(media)]
        if kind.MAX_ITEMS is not None and len(media) > kind.MAX_ITEMS:
            termwarn(
                f"{path}: of {len(media)} {kind.__name__}s the first {kind.MAX_ITEMS} are kept; log the others under "
                "keys of their own, or all of them in a Table",
                repeat=False,
            )
            media = media[: kind.MAX_ITEMS]
        batch: List[BatchableMedia] = [one for one in media if isinstance(one, BatchableMedia)]
        with _named(path):
            for one in batch:
                one._log_to(self._run, key, self._step)
            return kind.seq_to_json(batch, self._run, key, self._step)


@contextlib.contextmanager
def _named(path: str) -> Iterator[None]:
    """Let errors begin with the keys that lead to the value."""
    try:
        yield
    except DataError as error:
        if str(error).startswith(path):
            raise
        raise DataError(f"{path}: {error}") from error


def as_media(value: Any, path: str) -> WBValue:
    """A value of this package as it is, a figure or a frame as the one that holds it. Raises DataError."""
    if isinstance(value, WBValue):
        return value
    library = library_of(value)
    if library == "pandas":
        from ._table import Table

        return Table(dataframe=value)
    if library == "PIL":
        from ._image import Image

        return Image(value)
    if library in ("matplotlib", "plotly"):
        from ._plotly import Plotly

        return Plotly.make_plot_media(value)
    if library == "bokeh":
        from ._bokeh import Bokeh

        return Bokeh(value)
    raise DataError(f"{path}: a value of type {type(value).__name__} in a list of media can't be stored with them")
