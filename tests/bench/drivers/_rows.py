"""Rows to log."""

from __future__ import annotations

import random
from typing import Iterator

from ._client import Row, metric_names

# After so many rows a held value changes: a learning rate by the epoch, the last evaluation's loss.
_HELD_ROWS = 100
_WALK_STEP = 1e-3


def rows(kind: str, scalars: int, count: int) -> Iterator[Row]:
    """Rows of one kind: `random` and `walk` change every value in every row, `held` now and then, `constant` never."""
    source = random.Random(7)
    names = metric_names(scalars)
    values = [source.random() for _ in names]
    for index in range(count):
        if kind == "random" or (kind == "held" and index % _HELD_ROWS == 0):
            values = [source.random() for _ in names]
        elif kind == "walk":
            values = [value + source.gauss(0.0, _WALK_STEP) for value in values]
        yield dict(zip(names, values))
