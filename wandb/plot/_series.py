"""Several lines in one chart."""

from __future__ import annotations

from typing import Any, Iterable, List, Optional, Sequence

from ..data_types import Table
from ..errors import DataError
from .custom_chart import CustomChart, plot_table


def line_series(
    xs: Sequence[Any],
    ys: Sequence[Iterable[Any]],
    keys: Optional[Sequence[str]] = None,
    title: str = "",
    xname: str = "x",
    split_table: bool = False,
) -> CustomChart:
    """Lines over one list of x values, or each over a list of its own.

    >>> import wandb
    >>> chart = wandb.plot.line_series(xs=[0, 1], ys=[[1, 2], [3, 4]], keys=["a", "b"], xname="epoch")
    >>> chart.table.data
    [[0, 'a', 1], [1, 'a', 2], [0, 'b', 3], [1, 'b', 4]]

    keys: the names of the lines. Raises DataError where there are not as many of them, or of lists of x, as lines.
    """
    lists: List[Any] = list(xs) if len(xs) and _is_list(xs[0]) else [xs] * len(ys)
    names = [f"line_{index}" for index in range(len(ys))] if keys is None else list(keys)
    for what, found in (("x-series", len(lists)), ("keys", len(names))):
        if found != len(ys):
            raise DataError(f"Number of {what} ({found}) must match y-series ({len(ys)}).")
    data = [[x, name, y] for x_values, name, y_values in zip(lists, names, ys) for x, y in zip(x_values, y_values)]
    table = Table(columns=["step", "lineKey", "lineVal"], data=data)
    fields = {"step": "step", "lineKey": "lineKey", "lineVal": "lineVal"}
    return plot_table("wandb/lineseries/v0", table, fields, {"title": title, "xname": xname}, split_table)


def _is_list(value: Any) -> bool:
    return isinstance(value, Iterable) and not isinstance(value, (str, bytes))
