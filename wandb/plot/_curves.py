"""Curves of a classifier's quality over its thresholds: ROC, and precision against recall."""

from __future__ import annotations

from typing import Any, Dict, List, Optional, Sequence, Tuple

from .._terminal import termwarn
from ..data_types import Table
from ..data_types._optional import load
from ..errors import DataError
from .custom_chart import CustomChart, plot_table

_SPEC = "wandb/area-under-curve/v0"
# Coordinates on the page are no more exact than this.
_DIGITS = 3


def roc_curve(
    y_true: Any,
    y_probas: Any = None,
    labels: Optional[Sequence[str]] = None,
    classes_to_plot: Optional[Sequence[Any]] = None,
    title: str = "ROC Curve",
    split_table: bool = False,
) -> CustomChart:
    """True against false positive rates, a curve for each class.

    >>> import wandb
    >>> chart = wandb.plot.roc_curve([0, 1, 1], [[0.8, 0.2], [0.3, 0.7], [0.4, 0.6]], labels=["cat", "dog"])
    >>> chart.table.columns, chart.table.data[0]
    (['class', 'fpr', 'tpr'], ['cat', 0.0, 0.0])

    y_true: the true classes. y_probas: (count, classes), a probability or score for each. labels: the names of classes
    that are numbers. classes_to_plot: only these. Needs scikit-learn; raises DataError, and Error without it.
    """
    metrics = load("sklearn.metrics", "scikit-learn", "wandb.plot.roc_curve")
    columns: List[Tuple[Any, Any, Any]] = []
    for name, wanted, scores, true in each_class(y_true, y_probas, labels, classes_to_plot):
        false_rates, true_rates, _ = metrics.roc_curve(true, scores, pos_label=wanted)
        columns.append((name, false_rates, true_rates))
    return _chart(columns, ("class", "fpr", "tpr"), ("fpr", "tpr"), title, _ROC_AXES, split_table)


def pr_curve(
    y_true: Any = None,
    y_probas: Any = None,
    labels: Optional[Sequence[str]] = None,
    classes_to_plot: Optional[Sequence[Any]] = None,
    interp_size: int = 21,
    title: str = "Precision-Recall Curve",
    split_table: bool = False,
) -> CustomChart:
    """Precision against recall, a curve for each class.

    >>> import wandb
    >>> chart = wandb.plot.pr_curve([0, 1, 1], [[0.8, 0.2], [0.3, 0.7], [0.4, 0.6]], interp_size=3)
    >>> chart.table.data[:3]
    [[0, 1.0, 1.0], [0, 1.0, 0.5], [0, 1.0, 0.0]]

    Arguments as those of `roc_curve`; interp_size: how many values of recall, from 1 to 0, are shown.
    """
    numpy = load("numpy", "numpy", "wandb.plot.pr_curve")
    metrics = load("sklearn.metrics", "scikit-learn", "wandb.plot.pr_curve")
    recall = numpy.linspace(0, 1, interp_size)[::-1]
    columns: List[Tuple[Any, Any, Any]] = []
    for name, wanted, scores, true in each_class(y_true, y_probas, labels, classes_to_plot):
        precision, found_recall, _ = metrics.precision_recall_curve(true, scores, pos_label=wanted)
        # The best precision that is to be had with so much recall, or more.
        best = numpy.maximum.accumulate(precision)[::-1]
        columns.append((name, best[numpy.searchsorted(found_recall[::-1], recall, side="left")], recall))
    return _chart(columns, ("class", "precision", "recall"), ("recall", "precision"), title, _PR_AXES, split_table)


_ROC_AXES = ("False positive rate", "True positive rate")
_PR_AXES = ("Recall", "Precision")


def each_class(
    y_true: Any, y_probas: Any, labels: Optional[Sequence[str]], classes_to_plot: Optional[Sequence[Any]]
) -> List[Tuple[Any, Any, Any, Any]]:
    """(name, class, its scores, the true classes) of each that is drawn."""
    numpy = load("numpy", "numpy", "a curve of wandb.plot")
    if y_true is None or y_probas is None:
        raise DataError("a curve needs y_true, the true classes, and y_probas, a probability for each class")
    true, scores = numpy.asarray(_on_host(y_true)), numpy.asarray(_on_host(y_probas))
    classes = numpy.unique(true)
    if scores.ndim != 2 or len(scores) != len(true) or scores.shape[1] < len(classes):
        raise DataError(
            f"y_probas is an array ({len(true):,}, {len(classes)}), a probability for each of y_true and each class, "
            f"not one of shape {scores.shape}"
        )
    named = labels is not None and numpy.issubdtype(classes.dtype, numpy.integer)
    result = []
    for index, one in enumerate(classes.tolist()):
        if classes_to_plot is None or one in list(classes_to_plot):
            result.append((labels[one] if named and labels is not None else one, one, scores[:, index], true))
    if not result:
        raise DataError(f"classes_to_plot: none of {list(classes_to_plot or ())} is one of {classes.tolist()}")
    return result


def _on_host(values: Any) -> Any:
    return values.detach().cpu() if hasattr(values, "detach") and hasattr(values, "cpu") else values


def _chart(
    columns: Sequence[Tuple[Any, Any, Any]],
    names: Tuple[str, str, str],
    axes: Tuple[str, str],
    title: str,
    axis_titles: Tuple[str, str],
    split_table: bool,
) -> CustomChart:
    fields: Dict[str, str] = {"x": axes[0], "y": axes[1], "class": "class"}
    texts = {"title": title, "x-axis-title": axis_titles[0], "y-axis-title": axis_titles[1]}
    return plot_table(_SPEC, table_of(columns, names), fields, texts, split_table)


def table_of(columns: Sequence[Tuple[Any, Any, Any]], names: Tuple[str, str, str]) -> Table:
    """The points of curves, each with its class, as many as a page shows."""
    numpy = load("numpy", "numpy", "a curve of wandb.plot")
    rows = [
        [name, first, second]
        for name, *curve in columns
        for first, second in zip(*(numpy.round(axis, _DIGITS).tolist() for axis in curve))
    ]
    return Table(columns=list(names), data=_sample(rows) if len(rows) > Table.MAX_ROWS else rows)


def _sample(rows: List[List[Any]]) -> List[List[Any]]:
    """As many rows as a page shows, each class with its share, always the same ones."""
    termwarn(f"wandb uses only {Table.MAX_ROWS} data points to create the plots.")
    utils = load("sklearn.utils", "scikit-learn", "a curve of so many points")
    chosen = utils.resample(
        range(len(rows)), replace=False, n_samples=Table.MAX_ROWS, random_state=42, stratify=[row[0] for row in rows]
    )
    return sorted((rows[index] for index in chosen), key=lambda row: (row[1], row[2], str(row[0])))
