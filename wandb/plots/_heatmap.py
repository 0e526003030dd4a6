"""Heatmaps, as tables of the views of 2020."""

from __future__ import annotations

from typing import Any, Sequence

from ..data_types import Table
from ..errors import DataError
from ..plot import Visualize, visualize

_DIGITS = 2


def heatmap(x_labels: Sequence[Any], y_labels: Sequence[Any], matrix_values: Any, show_text: bool = False) -> Visualize:
    """A value for each pair of labels, as a colour.

    >>> import wandb
    >>> wandb.plots.HeatMap(["a"], ["c", "d"], [[1.234], [5]], show_text=True).table.data
    [['a', 'c', 1.23], ['a', 'd', 5]]

    matrix_values: a row for each of y_labels, in it a value for each of x_labels. show_text: write the values down too.
    Raises DataError for another number of them.
    """
    rows = [list(row.tolist() if hasattr(row, "tolist") else row) for row in matrix_values]
    if len(rows) != len(y_labels) or any(len(row) != len(x_labels) for row in rows):
        raise DataError(f"heatmap: matrix_values has {len(y_labels)} rows of {len(x_labels)} values, as the labels say")
    data = [[x, y, round(rows[j][i], _DIGITS)] for i, x in enumerate(x_labels) for j, y in enumerate(y_labels)]
    table = Table(columns=["x_axis", "y_axis", "values"], data=data)
    return visualize("wandb/heatmap/v1" if show_text else "wandb/heatmap_no_text/v1", table)
