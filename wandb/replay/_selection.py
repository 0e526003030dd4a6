"""What somebody wants of one run or several: of which keys, of which rows."""

from __future__ import annotations

from typing import Callable, Dict, Iterator, NamedTuple, Optional, Sequence, Set

from wandb_storage import Columns, LogDamaged

from ._history import History
from ._range import EVERYTHING, Range
from ._replay import Replay, order_keys
from ._types import table_type


def _everything(_: Replay) -> Range:
    return EVERYTHING


class Selection(NamedTuple):
    """Of these keys, or of all, the rows of a range, which may depend on the run: ten minutes behind its start, say.
    `progress` is told of each batch how many rows have been read."""

    keys: Optional[Sequence[str]] = None
    range_of: Callable[[Replay], Range] = _everything
    progress: Callable[[int], object] = bool

    def history(self, replay: Replay) -> History:
        return replay.history(self.keys, **self.range_of(replay)._asdict())

    def types(self, replays: Sequence[Replay]) -> Dict[str, str]:
        """Of each key of the runs, in order, the type of a column that holds the values of all."""
        known: Dict[str, Set[str]] = {}
        for replay in replays:
            for key in self.history(replay).types():
                known.setdefault(key, set()).update(replay.scan().types[key])
        ordered = order_keys(known) if self.keys is None else list(known)
        return {key: table_type(known[key]) for key in ordered}

    def batches(self, replay: Replay) -> Iterator[Columns]:
        """The rows, up to the damage where there is one: the caller tells of it when what is readable is out."""
        try:
            yield from self.history(replay).columns(self.progress)
        except LogDamaged:
            return
