"""Charts of any model: how good it is, and how that depends on how much it has seen."""

from __future__ import annotations

from typing import Any

from .._of_the_active_run import log
from ..data_types import Table
from ..errors import DataError
from ..plot import Visualize, visualize
from ._inputs import features, fitted, module, shown, targets

_DIGITS = 2


def summary_metrics(
    model: Any = None, X: Any = None, y: Any = None, X_test: Any = None, y_test: Any = None
) -> Visualize:
    """Accuracy, precision, recall and F1 of a classifier; mean errors and R² of a regressor; on the test set.

    >>> import wandb
    >>> from sklearn import datasets, linear_model
    >>> X, y = datasets.load_diabetes(return_X_y=True)
    >>> chart = wandb.sklearn.summary_metrics(linear_model.Ridge().fit(X, y), X, y, X, y)
    >>> [row[0] for row in chart.table.data]
    ['mae', 'mse', 'r2_score']
    """
    metrics, base = module("metrics"), module("base")
    true, predicted = targets(y_test, "y_test"), fitted(model).predict(X_test)
    if base.is_classifier(model):
        found = {"accuracy_score": metrics.accuracy_score(true, predicted)}
        for name in ("precision", "recall", "f1"):
            score = getattr(metrics, f"{name}_score")(true, predicted, average="weighted", zero_division=0)
            found["f1_score" if name == "f1" else name] = score
    elif base.is_regressor(model):
        found = {
            "mae": metrics.mean_absolute_error(true, predicted),
            "mse": metrics.mean_squared_error(true, predicted),
            "r2_score": metrics.r2_score(true, predicted),
        }
    else:
        raise DataError(f"{type(model).__name__} is no classifier and no regressor")
    rows = [[name, round(float(value), _DIGITS), type(model).__name__] for name, value in found.items()]
    return visualize("wandb/metrics/v1", Table(columns=["metric_name", "metric_value", "model_name"], data=rows))


def plot_summary_metrics(
    model: Any = None, X: Any = None, y: Any = None, X_test: Any = None, y_test: Any = None
) -> None:
    """Log how good a model is on the test set.

    >>> import wandb
    >>> from sklearn import datasets, linear_model
    >>> X, y = datasets.load_diabetes(return_X_y=True)
    >>> model = linear_model.Ridge().fit(X, y)
    >>> with wandb.init(mode="disabled"):
    ...     wandb.sklearn.plot_summary_metrics(model, X, y, X, y)
    """
    log({"summary_metrics": summary_metrics(model, X, y, X_test, y_test)})


def learning_curve(
    model: Any,
    X: Any,
    y: Any,
    cv: Any = None,
    shuffle: bool = False,
    random_state: Any = None,
    train_sizes: Any = None,
    n_jobs: int = 1,
    scoring: Any = None,
) -> Visualize:
    """Scores on training and test set by how many samples were learned from. The model is fitted again for each.

    >>> import wandb
    >>> from sklearn import datasets, linear_model
    >>> X, y = datasets.load_diabetes(return_X_y=True)
    >>> wandb.sklearn.learning_curve(linear_model.Ridge().fit(X, y), X, y).table.data[0][::2]
    ['train', 35]

    The other arguments are those of `sklearn.model_selection.learning_curve`.
    """
    if train_sizes is None:
        train_sizes = [0.1, 0.325, 0.55, 0.775, 1.0]
    sizes, *scores = module("model_selection").learning_curve(
        fitted(model), features(X), targets(y), cv=cv, n_jobs=n_jobs, train_sizes=train_sizes, scoring=scoring,
        shuffle=shuffle, random_state=random_state,
    )[:3]  # fmt: skip
    rows = [
        [dataset, round(float(folds[index].mean()), _DIGITS), int(size)]
        for index, size in enumerate(sizes)
        for dataset, folds in zip(("train", "test"), scores)
    ]
    return visualize("wandb/learning_curve/v1", Table(columns=["dataset", "score", "train_size"], data=shown(rows)))


def plot_learning_curve(
    model: Any = None,
    X: Any = None,
    y: Any = None,
    cv: Any = None,
    shuffle: bool = False,
    random_state: Any = None,
    train_sizes: Any = None,
    n_jobs: int = 1,
    scoring: Any = None,
) -> None:
    """Log the learning curve of a model.

    >>> import wandb
    >>> from sklearn import datasets, linear_model
    >>> X, y = datasets.load_diabetes(return_X_y=True)
    >>> model = linear_model.Ridge().fit(X, y)
    >>> with wandb.init(mode="disabled"):
    ...     wandb.sklearn.plot_learning_curve(model, X, y)
    """
    log({"learning_curve": learning_curve(model, X, y, cv, shuffle, random_state, train_sizes, n_jobs, scoring)})
