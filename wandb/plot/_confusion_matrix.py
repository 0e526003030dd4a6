"""What a classifier took for what."""

from __future__ import annotations

import collections
from typing import Any, Dict, List, Optional, Sequence

from ..data_types import Table
from ..errors import DataError
from .custom_chart import CustomChart, plot_table


def confusion_matrix(
    probs: Optional[Sequence[Sequence[float]]] = None,
    y_true: Optional[Sequence[Any]] = None,
    preds: Optional[Sequence[Any]] = None,
    class_names: Optional[Sequence[str]] = None,
    title: str = "Confusion Matrix Curve",
    split_table: bool = False,
) -> CustomChart:
    """How often each class was taken for each.

    >>> import wandb
    >>> chart = wandb.plot.confusion_matrix(y_true=[0, 1, 1], preds=[0, 1, 0], class_names=["cat", "dog"])
    >>> chart.table.data
    [['cat', 'cat', 1.0], ['cat', 'dog', 0.0], ['dog', 'cat', 1.0], ['dog', 'dog', 1.0]]

    y_true: the true classes. preds: those that were predicted, or `probs`, (count, classes), a probability for each.
    class_names: the names of the classes 0, 1, …; without them they are Class_1, Class_2, …. Raises DataError.
    """
    if (probs is None) == (preds is None):
        raise DataError("Only one of `probs` or `preds` should be provided, not both.")
    true = _plain(y_true)
    predicted = _plain(preds) if probs is None else [_largest(_plain(row)) for row in probs]
    if len(predicted) != len(true):
        raise DataError(
            "The number of predictions and true labels must be equal, unlike "
            f"{len(predicted):,} predictions and {len(true):,} labels"
        )
    classes = _classes(true, predicted, class_names)
    names = [f"Class_{index + 1}" for index in range(len(classes))] if class_names is None else list(class_names)
    counts = collections.Counter(zip(true, predicted))
    data = [
        [names[row], names[column], float(counts[actual, taken])]
        for row, actual in enumerate(classes)
        for column, taken in enumerate(classes)
    ]
    fields = {name: name for name in ("Actual", "Predicted", "nPredictions")}
    table = Table(columns=list(fields), data=data)
    return plot_table("wandb/confusion_matrix/v1", table, fields, {"title": title}, split_table)


def _plain(values: Any) -> List[Any]:
    if values is None:
        raise DataError("confusion_matrix: pass y_true, and preds or probs")
    return list(values.tolist() if hasattr(values, "tolist") else values)


def _largest(values: Sequence[float]) -> int:
    return max(range(len(values)), key=values.__getitem__)


def _classes(true: Sequence[Any], predicted: Sequence[Any], names: Optional[Sequence[str]]) -> List[Any]:
    found: Dict[str, Any] = {"true labels": set(true), "predicted classes": set(predicted)}
    if names is None:
        return sorted(found["true labels"] | found["predicted classes"])
    for what, values in found.items():
        if len(values) > len(names):
            raise DataError(f"The number of unique {what} exceeds the number of class names.")
        unknown = [value for value in values if value not in range(len(names))]
        if unknown:
            raise DataError(f"confusion_matrix: {what} are numbers of class_names, from 0 on, unlike {unknown[0]!r}")
    return list(range(len(names)))
