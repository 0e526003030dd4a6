"""Charts of a table's columns as they are."""

from __future__ import annotations

from typing import Optional

from ..data_types import Table
from .custom_chart import CustomChart, plot_table


def bar(table: Table, label: str, value: str, title: str = "", split_table: bool = False) -> CustomChart:
    """Bars: one a row, its label from one column, its height from another.

    >>> import wandb
    >>> table = wandb.Table(columns=["class", "accuracy"], data=[["car", 0.9], ["bus", 0.7]])
    >>> wandb.plot.bar(table, label="class", value="accuracy", title="By class").spec.spec_name
    'wandb/bar/v0'
    """
    return plot_table("wandb/bar/v0", table, {"label": label, "value": value}, {"title": title}, split_table)


def histogram(table: Table, value: str, title: str = "", split_table: bool = False) -> CustomChart:
    """How the values of a column are distributed.

    >>> import wandb
    >>> table = wandb.Table(columns=["height"], data=[[1.7], [1.8]])
    >>> wandb.plot.histogram(table, value="height").spec.fields
    {'value': 'height'}
    """
    return plot_table("wandb/histogram/v0", table, {"value": value}, {"title": title}, split_table)


def line(
    table: Table, x: str, y: str, stroke: Optional[str] = None, title: str = "", split_table: bool = False
) -> CustomChart:
    """A line through the points of two columns, or a line for each value of the column `stroke`.

    >>> import wandb
    >>> table = wandb.Table(columns=["epoch", "loss", "model"], data=[[0, 1.0, "a"], [0, 2.0, "b"]])
    >>> wandb.plot.line(table, x="epoch", y="loss", stroke="model").spec.fields
    {'x': 'epoch', 'y': 'loss', 'stroke': 'model'}
    """
    return plot_table("wandb/line/v0", table, {"x": x, "y": y, "stroke": stroke}, {"title": title}, split_table)


def scatter(table: Table, x: str, y: str, title: str = "", split_table: bool = False) -> CustomChart:
    """The points of two columns.

    >>> import wandb
    >>> table = wandb.Table(columns=["size", "accuracy"], data=[[1, 0.5], [2, 0.7]])
    >>> wandb.plot.scatter(table, x="size", y="accuracy").spec.spec_name
    'wandb/scatter/v0'
    """
    return plot_table("wandb/scatter/v0", table, {"x": x, "y": y}, {"title": title}, split_table)
