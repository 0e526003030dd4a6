"""Where a binary classifier changes its mind, in the two directions in which the samples differ most."""

from __future__ import annotations

from typing import Any, List

from .._of_the_active_run import log
from ..data_types import Table
from ..data_types._optional import load
from ..errors import DataError
from ..plot import visualize
from ._inputs import features, fitted, module, targets

_BOUNDARY_POINTS = 100
_TEST_POINTS, _TRAIN_POINTS = 300, 600
# Of a line between two samples, the place is found to a thousandth.
_HALVINGS = 10
_BOUNDARY, _CLASSES = "black", ("#1f77b4", "#d62728")


def plot_decision_boundaries(binary_clf: Any = None, X: Any = None, y: Any = None) -> None:
    """Log points on the boundary between the two classes, and samples around it, projected by principal components.

    >>> import wandb
    >>> from sklearn import datasets, linear_model
    >>> X, y = datasets.make_classification(random_state=0)
    >>> model = linear_model.LogisticRegression().fit(X, y)
    >>> with wandb.init(mode="disabled"):
    ...     wandb.sklearn.plot_decision_boundaries(model, X, y)

    A boundary point lies between two samples that are taken for different classes. Raises DataError for more classes.
    """
    numpy = load("numpy", "numpy", "wandb.sklearn")
    samples, true = features(X).astype(float), targets(y)
    classes = sorted(set(true.tolist()))
    if len(classes) != 2:
        raise DataError(f"plot_decision_boundaries: y has two classes, not {len(classes)}")
    model = fitted(binary_clf, "classifier")
    predicted = model.predict(samples) == classes[1]
    sides = [samples[predicted == side] for side in (False, True)]
    rows: List[List[Any]] = []
    project = module("decomposition").PCA(n_components=min(2, samples.shape[1])).fit(samples).transform
    if all(map(len, sides)):
        random = numpy.random.default_rng(42)
        low, high = (side[random.integers(len(side), size=_BOUNDARY_POINTS)] for side in sides)
        for _ in range(_HALVINGS):
            middle = (low + high) / 2
            above = (model.predict(middle) == classes[1])[:, None]
            low, high = numpy.where(above, low, middle), numpy.where(above, middle, high)
        rows += [[*_flat(point), _BOUNDARY] for point in project((low + high) / 2).tolist()]
    train, test, train_y, test_y = module("model_selection").train_test_split(samples, true, random_state=42)
    for part, labels, count in ((test, test_y, _TEST_POINTS), (train, train_y, _TRAIN_POINTS)):
        colors = [_CLASSES[classes.index(label)] for label in labels.tolist()[:count]]
        rows += [[*_flat(point), color] for point, color in zip(project(part[:count]).tolist(), colors)]
    table = Table(columns=["x", "y", "color"], data=rows)
    log({"decision_boundaries": visualize("wandb/decision_boundaries/v1", table)})


def _flat(point: List[float]) -> List[float]:
    """Two coordinates; samples of one feature lie on a line."""
    return [point[0], point[1] if len(point) > 1 else 0.0]
