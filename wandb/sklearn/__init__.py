"""Charts of scikit-learn's models, logged to the active run.

>>> import numpy as np, wandb
>>> from sklearn.linear_model import Ridge
>>> X, y = np.arange(20.0).reshape(10, 2), np.arange(10.0)
>>> model = Ridge().fit(X, y)
>>> with wandb.init(mode="offline") as run:
...     wandb.sklearn.plot_summary_metrics(model, X, y, X, y)
>>> run.summary["summary_metrics"]["nrows"]
3

Each `plot_` function logs one chart under its name; `plot_classifier`, `plot_regressor` and `plot_clusterer` log all
that fit such a model. Some fit the model, or copies of it, again. They raise DataError for what they can't draw.
"""

from __future__ import annotations

from ._all import plot_classifier, plot_clusterer, plot_regressor
from ._classifiers import (
    confusion_matrix,
    plot_calibration_curve,
    plot_class_proportions,
    plot_confusion_matrix,
    plot_feature_importances,
    plot_precision_recall,
    plot_roc,
)
from ._clusterers import plot_elbow_curve, plot_silhouette
from ._decision_boundaries import plot_decision_boundaries
from ._models import learning_curve, plot_learning_curve, plot_summary_metrics, summary_metrics
from ._regressors import plot_outlier_candidates, plot_residuals

__all__ = [
    "confusion_matrix",
    "learning_curve",
    "plot_calibration_curve",
    "plot_class_proportions",
    "plot_classifier",
    "plot_clusterer",
    "plot_confusion_matrix",
    "plot_decision_boundaries",
    "plot_elbow_curve",
    "plot_feature_importances",
    "plot_learning_curve",
    "plot_outlier_candidates",
    "plot_precision_recall",
    "plot_regressor",
    "plot_residuals",
    "plot_roc",
    "plot_silhouette",
    "plot_summary_metrics",
    "summary_metrics",
]
