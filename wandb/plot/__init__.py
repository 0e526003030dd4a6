"""Charts of tables: a table, and how a page draws it.

>>> import wandb
>>> table = wandb.Table(columns=["epoch", "loss"], data=[[0, 1.0], [1, 0.5]])
>>> with wandb.init(mode="offline") as run:
...     run.log({"progress": wandb.plot.line(table, x="epoch", y="loss", title="Loss")})
>>> run.summary["progress_table"]["nrows"]
2

A chart that is logged under a key is a table under `<key>_table`, and an entry in the run's config that says which Vega
specification draws it. `plot_table` takes any specification that the server knows.
"""

from __future__ import annotations

from ._confusion_matrix import confusion_matrix
from ._curves import pr_curve, roc_curve
from ._of_columns import bar, histogram, line, scatter
from ._series import line_series
from .custom_chart import CustomChart, plot_table
from .viz import Visualize, visualize

__all__ = [
    "CustomChart",
    "Visualize",
    "bar",
    "confusion_matrix",
    "histogram",
    "line",
    "line_series",
    "plot_table",
    "pr_curve",
    "roc_curve",
    "scatter",
    "visualize",
]
