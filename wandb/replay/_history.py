"""A run's history, ready to be read row by row, in columns, or as a table of another library.

Nothing is read before somebody asks, and each reading goes through the log anew.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable, Dict, Iterator, Optional, Sequence

from wandb_storage import Columns, read_columns

from ._range import Range

if TYPE_CHECKING:
    import pandas
    import polars
    import pyarrow

HistoryRow = Dict[str, Any]


class History:
    """The rows of a run, or of a part of it; what `Replay.history` returns.

    Iterating gives the rows as dictionaries, streamed. Where the log is damaged, LogDamaged is raised after every row
    before the damage.

    >>> history = replay("latest").history(["loss"])
    >>> next(iter(history))
    {'_step': 0, 'loss': 1.0}
    >>> history.to_polars()["loss"].min()
    0.005
    """

    def __init__(
        self, folder: Path, stop: int, types: Dict[str, str], keys: Optional[Sequence[str]], wanted: Range,
        keep: object = None, in_order: bool = False,
    ) -> None:  # fmt: skip
        """`types`: of each key of the run, in the order that tables have. `keep`: what goes with the last reader.
        `in_order`: whether no row's step is below that of a row before it."""
        self._keep, self._in_order = keep, in_order
        self._folder, self._stop, self._types, self._keys, self._range = folder, stop, types, keys, wanted

    def __iter__(self) -> Iterator[HistoryRow]:
        for batch in self.columns():
            if self._keys is None:
                yield from batch.dicts()
            else:
                yield from holding(batch, self._keys)

    def columns(self, progress: Callable[[int], object] = bool) -> Iterator[Columns]:
        """Batches of bounded size, each with `rows` and `columns`: several times as fast as the rows one by one.

        A column's `values` are an array or bytes that NumPy takes as they are, or a list where they are no plain
        numbers; `present` marks the rows that have the key. Rows that have none of the wanted keys are there, too.
        `progress` is told, of each batch anew, how many rows of the run have been read.
        """
        read = read_columns(self._folder, self._range.keys(self._keys), self._stop)
        return self._range.choose(_counted(read, progress), self._keys, self._in_order)

    def types(self) -> Dict[str, str]:
        """Of each key that the rows may have, what its column in a table is: double, integer, truth, text or json."""
        keys = self._types if self._keys is None else dict.fromkeys(["_step", *self._keys])
        return {key: self._types[key] for key in keys if key in self._types}

    def to_arrow(self) -> pyarrow.Table:
        """A pyarrow.Table with a column a key: numbers as int64 or double, truth as bool, text as string, and what is
        nothing of these, or of several types, as JSON text. A row without the key, and None, are null.

        Needs pyarrow: `pip install "wandb[parquet]"`.
        """
        from ._arrow import to_table

        return to_table(self)

    def to_pandas(self) -> pandas.DataFrame:
        """A pandas.DataFrame with a column a key, of float64, int64, bool or object; integers and truths of which rows
        lack some are of pandas' own types Int64 and boolean, so that none is rounded. Needs pandas."""
        from ._frames import to_pandas

        return to_pandas(self)

    def to_polars(self) -> polars.DataFrame:
        """A polars.DataFrame with the columns of `to_arrow`. Needs polars."""
        from ._frames import to_polars

        return to_polars(self)


def _counted(batches: Iterator[Columns], progress: Callable[[int], object]) -> Iterator[Columns]:
    for batch in batches:
        yield batch
        progress(batch.rows)


def holding(batch: Columns, keys: Sequence[str]) -> Iterator[HistoryRow]:
    """Of each row that holds any of the keys, `_step` and those of the keys that it holds."""
    for row in batch.dicts():
        chosen = {key: row[key] for key in keys if key in row}
        if chosen:
            yield {"_step": row["_step"], **chosen}
