"""All charts of a model at once."""

from __future__ import annotations

from typing import Any, Optional, Sequence

from .._terminal import termlog, termwarn
from ..errors import DataError
from ._classifiers import (
    plot_calibration_curve,
    plot_class_proportions,
    plot_confusion_matrix,
    plot_feature_importances,
    plot_precision_recall,
    plot_roc,
)
from ._clusterers import plot_elbow_curve, plot_silhouette
from ._models import plot_learning_curve, plot_summary_metrics
from ._regressors import plot_outlier_candidates, plot_residuals


def plot_classifier(
    model: Any,
    X_train: Any,
    X_test: Any,
    y_train: Any,
    y_test: Any,
    y_pred: Any,
    y_probas: Any,
    labels: Optional[Sequence[Any]],
    is_binary: bool = False,
    model_name: str = "Classifier",
    feature_names: Optional[Sequence[str]] = None,
    log_learning_curve: bool = False,
) -> None:
    """Log the charts of a fitted classifier: feature importances, confusion matrix, metrics, class proportions, ROC,
    precision and recall; of a binary one the calibration, and on request the learning curve.

    >>> import wandb
    >>> from sklearn import datasets, linear_model
    >>> X, y = datasets.make_classification(random_state=0)
    >>> model = linear_model.LogisticRegression().fit(X, y)
    >>> with wandb.init(mode="disabled"):
    ...     wandb.sklearn.plot_classifier(
    ...         model, X, X, y, y, model.predict(X), model.predict_proba(X), ["no", "yes"], model_name="Logistic"
    ...     )
    """
    termlog(f"Plotting {model_name}.")
    try:
        plot_feature_importances(model, feature_names)
    except DataError as error:
        termwarn(f"no chart of feature importances: {error}")
    if log_learning_curve:
        plot_learning_curve(model, X_train, y_train)
    plot_confusion_matrix(y_test, y_pred, labels)
    plot_summary_metrics(model, X_train, y_train, X_test, y_test)
    plot_class_proportions(y_train, y_test, labels)
    if is_binary:
        plot_calibration_curve(model, X_train, y_train, model_name)
    plot_roc(y_test, y_probas, labels)
    plot_precision_recall(y_test, y_probas, labels)


def plot_regressor(
    model: Any, X_train: Any, X_test: Any, y_train: Any, y_test: Any, model_name: str = "Regressor"
) -> None:
    """Log the charts of a fitted regressor: metrics, learning curve, outlier candidates, residuals.

    >>> import wandb
    >>> from sklearn import datasets, linear_model
    >>> X, y = datasets.load_diabetes(return_X_y=True)
    >>> model = linear_model.Ridge().fit(X, y)
    >>> with wandb.init(mode="disabled"):
    ...     wandb.sklearn.plot_regressor(model, X, X, y, y, "Ridge")
    """
    termlog(f"Plotting {model_name}.")
    plot_summary_metrics(model, X_train, y_train, X_test, y_test)
    plot_learning_curve(model, X_train, y_train)
    plot_outlier_candidates(model, X_train, y_train)
    plot_residuals(model, X_train, y_train)


def plot_clusterer(
    model: Any, X_train: Any, cluster_labels: Any, labels: Optional[Sequence[Any]] = None, model_name: str = "Clusterer"
) -> None:
    """Log the charts of a fitted clusterer: silhouettes, and of one that takes a number of clusters the elbow curve.

    >>> import wandb
    >>> from sklearn import cluster, datasets
    >>> X, _ = datasets.make_blobs(50, random_state=0)
    >>> model = cluster.KMeans(3, n_init=1).fit(X)
    >>> with wandb.init(mode="disabled"):
    ...     wandb.sklearn.plot_clusterer(model, X, model.labels_)
    """
    termlog(f"Plotting {model_name}.")
    centers = hasattr(model, "cluster_centers_")
    if centers and hasattr(model, "n_clusters"):
        plot_elbow_curve(model, X_train)
    plot_silhouette(model, X_train, cluster_labels, labels, kmeans=centers)
