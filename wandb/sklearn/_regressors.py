"""Charts of regressors."""

from __future__ import annotations

from typing import Any, List

from .._of_the_active_run import log
from ..data_types import Table
from ..data_types._optional import load
from ..errors import DataError
from ..plot import visualize
from ._inputs import features, fitted, module, shown, targets

# Of training and test set, so many points are drawn.
_POINTS_MAX = 100
_DIGITS = 3


def plot_outlier_candidates(regressor: Any = None, X: Any = None, y: Any = None) -> None:
    """Log how much each sample moves the fit (Cook's distance). A copy of the regressor is fitted.

    >>> import wandb
    >>> from sklearn import datasets, linear_model
    >>> X, y = datasets.load_diabetes(return_X_y=True)
    >>> model = linear_model.Ridge().fit(X, y)
    >>> with wandb.init(mode="disabled"):
    ...     wandb.sklearn.plot_outlier_candidates(model, X, y)

    Raises DataError where there are no more samples than features.
    """
    numpy = load("numpy", "numpy", "wandb.sklearn")
    samples, true = features(X), targets(y).astype(float)
    count, dimensions = samples.shape
    freedom = count - int(numpy.linalg.matrix_rank(samples))
    if freedom <= 0:
        raise DataError(f"plot_outlier_candidates: {count} samples of {dimensions} features leave nothing to chance")
    model = module("base").clone(fitted(regressor, "regressor")).fit(samples, true)
    leverage = (samples * numpy.linalg.pinv(samples).T).sum(axis=1).clip(0, 1 - 1e-12)
    residuals = true - model.predict(samples)
    variance = max(float(residuals @ residuals) / freedom, numpy.finfo(float).tiny)
    distances = residuals**2 / (variance * dimensions) * leverage / (1 - leverage) ** 2
    threshold = 4 / count
    share = round(100.0 * float((distances >= threshold).mean()), _DIGITS)
    rows = [[distance, index, share, threshold] for index, distance in enumerate(distances.tolist())]
    columns = ["distance", "instance_indicies", "outlier_percentage", "influence_threshold"]
    log({"outlier_candidates": visualize("wandb/outliers/v1", Table(columns=columns, data=shown(rows)))})


def plot_residuals(regressor: Any = None, X: Any = None, y: Any = None) -> None:
    """Log what is left between predictions and truth. A copy is fitted to four fifths of the samples.

    >>> import wandb
    >>> from sklearn import datasets, linear_model
    >>> X, y = datasets.load_diabetes(return_X_y=True)
    >>> model = linear_model.Ridge().fit(X, y)
    >>> with wandb.init(mode="disabled"):
    ...     wandb.sklearn.plot_residuals(model, X, y)
    """
    train, test, train_y, test_y = module("model_selection").train_test_split(
        features(X), targets(y).astype(float), test_size=0.2
    )
    model = module("base").clone(fitted(regressor, "regressor")).fit(train, train_y)
    scores = [float(model.score(train, train_y)), float(model.score(test, test_y))]
    rows: List[List[Any]] = []
    for dataset, samples, true in (("train", train, train_y), ("test", test, test_y)):
        predicted = model.predict(samples)[:_POINTS_MAX]
        residuals = predicted - true[:_POINTS_MAX]
        rows += [[dataset, *point, *scores] for point in zip(predicted.tolist(), residuals.tolist())]
    columns = ["dataset", "y_pred", "residuals", "train_score", "test_score"]
    log({"residuals": visualize("wandb/residuals_plot/v1", Table(columns=columns, data=rows))})
