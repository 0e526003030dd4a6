"""The curves of a classifier, as tables of the views of 2020."""

from __future__ import annotations

from typing import Any, Optional, Sequence

from ..data_types._optional import load
from ..plot import Visualize, visualize
from ..plot._curves import each_class, table_of

# So many points of a curve of precision are shown.
_SAMPLES = 20


def roc(
    y_true: Any = None,
    y_probas: Any = None,
    labels: Optional[Sequence[str]] = None,
    plot_micro: bool = True,
    plot_macro: bool = True,
    classes_to_plot: Optional[Sequence[Any]] = None,
) -> Visualize:
    """True against false positive rates, a curve for each class. Arguments: see `wandb.plot.roc_curve`.

    >>> import wandb
    >>> wandb.plots.ROC([0, 1], [[0.8, 0.2], [0.3, 0.7]]).table.columns
    ['class', 'fpr', 'tpr']

    plot_micro and plot_macro have no effect, and never had.
    """
    metrics = load("sklearn.metrics", "scikit-learn", "wandb.plots.ROC")
    curves = []
    for name, wanted, scores, true in each_class(y_true, y_probas, labels, classes_to_plot):
        curves.append((name, *metrics.roc_curve(true, scores, pos_label=wanted)[:2]))
    return visualize("wandb/roc/v1", table_of(curves, ("class", "fpr", "tpr")))


def precision_recall(
    y_true: Any = None,
    y_probas: Any = None,
    labels: Optional[Sequence[str]] = None,
    plot_micro: bool = True,
    classes_to_plot: Optional[Sequence[Any]] = None,
) -> Visualize:
    """Precision against recall, a curve for each class. Arguments: see `wandb.plot.pr_curve`.

    >>> import wandb
    >>> wandb.plots.precision_recall([0, 1], [[0.8, 0.2], [0.3, 0.7]]).spec.name
    'wandb/pr_curve/v1'
    """
    metrics = load("sklearn.metrics", "scikit-learn", "wandb.plots.precision_recall")
    curves = []
    for name, wanted, scores, true in each_class(y_true, y_probas, labels, classes_to_plot):
        precision, recall, _ = metrics.precision_recall_curve(true, scores, pos_label=wanted)
        places = [len(precision) * sample // _SAMPLES for sample in range(_SAMPLES)]
        curves.append((name, precision[places], recall[places]))
    return visualize("wandb/pr_curve/v1", table_of(curves, ("class", "precision", "recall")))
