"""Charts of classifiers."""

from __future__ import annotations

from typing import Any, List, Optional, Sequence

from .._of_the_active_run import log
from ..data_types import Table
from ..data_types._optional import load
from ..errors import DataError
from ..plot import Visualize, pr_curve, roc_curve, visualize
from ._inputs import features, fitted, module, named, shown, targets

_DIGITS = 3
_IMPORTANCES = ("feature_importances_", "feature_log_prob_", "coef_")
_BINS = 10


def plot_roc(
    y_true: Any = None,
    y_probas: Any = None,
    labels: Optional[Sequence[str]] = None,
    plot_micro: bool = True,
    plot_macro: bool = True,
    classes_to_plot: Optional[Sequence[Any]] = None,
) -> None:
    """Log true against false positive rates, see `wandb.plot.roc_curve`. The other two arguments have no effect.

    >>> import wandb
    >>> with wandb.init(mode="disabled"):
    ...     wandb.sklearn.plot_roc([0, 1, 1], [[0.8, 0.2], [0.3, 0.7], [0.4, 0.6]], ["cat", "dog"])
    """
    log({"roc": roc_curve(y_true, y_probas, labels, classes_to_plot)})


def plot_precision_recall(
    y_true: Any = None,
    y_probas: Any = None,
    labels: Optional[Sequence[str]] = None,
    plot_micro: bool = True,
    classes_to_plot: Optional[Sequence[Any]] = None,
) -> None:
    """Log precision against recall, see `wandb.plot.pr_curve`. `plot_micro` has no effect.

    >>> import wandb
    >>> with wandb.init(mode="disabled"):
    ...     wandb.sklearn.plot_precision_recall([0, 1, 1], [[0.8, 0.2], [0.3, 0.7], [0.4, 0.6]])
    """
    log({"precision_recall": pr_curve(y_true, y_probas, labels, classes_to_plot)})


def confusion_matrix(
    y_true: Any = None,
    y_pred: Any = None,
    labels: Optional[Sequence[Any]] = None,
    true_labels: Optional[Sequence[Any]] = None,
    pred_labels: Optional[Sequence[Any]] = None,
    normalize: bool = False,
    title: Optional[str] = None,
    hide_zeros: bool = False,
    hide_counts: bool = False,
) -> Visualize:
    """How often each class was taken for each. `normalize`: as shares of the true class.

    >>> import wandb
    >>> wandb.sklearn.confusion_matrix([0, 1, 1], [0, 1, 0], ["cat", "dog"]).table.data[1]
    ['dog', 'cat', 0]

    labels: the names of classes that are numbers. true_labels, pred_labels: only these. The others have no effect.
    """
    true, predicted = targets(y_true, "y_true"), targets(y_pred, "y_pred")
    classes = module("utils.multiclass").unique_labels(true, predicted).tolist()
    counts = module("metrics").confusion_matrix(true, predicted).astype(float if normalize else int)
    if normalize:
        counts = (counts / counts.sum(axis=1, keepdims=True).clip(1)).round(2)
    names = named(classes, labels)
    rows = [
        [names[column], names[row], counts[row, column].item()]
        for row, actual in enumerate(classes)
        for column, taken in enumerate(classes)
        if (true_labels is None or actual in true_labels) and (pred_labels is None or taken in pred_labels)
    ]
    return visualize("wandb/confusion_matrix/v1", Table(columns=["Predicted", "Actual", "Count"], data=shown(rows)))


def plot_confusion_matrix(
    y_true: Any = None,
    y_pred: Any = None,
    labels: Optional[Sequence[Any]] = None,
    true_labels: Optional[Sequence[Any]] = None,
    pred_labels: Optional[Sequence[Any]] = None,
    normalize: bool = False,
    title: Optional[str] = None,
    hide_zeros: bool = False,
    hide_counts: bool = False,
) -> None:
    """Log how often each class was taken for each.

    >>> import wandb
    >>> with wandb.init(mode="disabled"):
    ...     wandb.sklearn.plot_confusion_matrix([0, 1, 1], [0, 1, 0], ["cat", "dog"])
    """
    log({"confusion_matrix": confusion_matrix(y_true, y_pred, labels, true_labels, pred_labels, normalize)})


def plot_feature_importances(
    model: Any = None,
    feature_names: Optional[Sequence[str]] = None,
    title: str = "Feature Importance",
    max_num_features: int = 50,
) -> None:
    """Log how much a model relies on which feature, the most important ones first.

    >>> import wandb
    >>> from sklearn import datasets, linear_model
    >>> X, y = datasets.make_classification(random_state=0)
    >>> model = linear_model.LogisticRegression().fit(X, y)
    >>> with wandb.init(mode="disabled"):
    ...     wandb.sklearn.plot_feature_importances(model)

    Raises DataError for a model that doesn't say so, or says so for several classes.
    """
    found = next((name for name in _IMPORTANCES if hasattr(fitted(model), name)), None)
    if found is None:
        raise DataError(f"{type(model).__name__} has none of {', '.join(_IMPORTANCES)}")
    numpy = load("numpy", "numpy", "wandb.sklearn")
    importances = numpy.atleast_1d(numpy.squeeze(numpy.asarray(getattr(model, found))))
    if importances.ndim > 1:
        raise DataError(f"{type(model).__name__}.{found} has {len(importances)} rows; a chart shows those of one")
    order = importances.argsort()[::-1][:max_num_features].tolist()
    names = order if feature_names is None else [str(feature_names[index]) for index in order]
    rows = [[name, importances[index].item()] for name, index in zip(names, order)]
    table = Table(columns=["feature_names", "importances"], data=rows)
    log({"feature_importances": visualize("wandb/feature_importances/v1", table)})


def plot_class_proportions(y_train: Any = None, y_test: Any = None, labels: Optional[Sequence[Any]] = None) -> None:
    """Log how many samples each class has in the training and the test set.

    >>> import wandb
    >>> with wandb.init(mode="disabled"):
    ...     wandb.sklearn.plot_class_proportions([0, 1, 1], [0, 1], ["cat", "dog"])
    """
    sets = {"train": targets(y_train, "y_train")}
    if y_test is not None:
        sets["test"] = targets(y_test, "y_test")
    classes = module("utils.multiclass").unique_labels(*sets.values()).tolist()
    rows = [
        [name, dataset, int((values == one).sum())]
        for name, one in zip(named(classes, labels), classes)
        for dataset, values in sets.items()
    ]
    table = Table(columns=["class", "dataset", "count"], data=shown(rows))
    log({"class_proportions": visualize("wandb/class_proportions/v1", table)})


def plot_calibration_curve(clf: Any = None, X: Any = None, y: Any = None, clf_name: str = "Classifier") -> None:
    """Log how well the probabilities of a binary classifier are what they say, beside a logistic regression.

    >>> import wandb
    >>> from sklearn import datasets, linear_model
    >>> X, y = datasets.make_classification(random_state=0)
    >>> model = linear_model.LogisticRegression().fit(X, y)
    >>> with wandb.init(mode="disabled"):
    ...     wandb.sklearn.plot_calibration_curve(model, X, y, "Logistic")

    Copies of the classifier are fitted to a tenth of the samples, and calibrated in two ways.
    """
    samples, true = features(X), targets(y)
    if len(set(true.tolist())) != 2:
        raise DataError("plot_calibration_curve: y has two classes")
    if type(fitted(clf, "classifier")).__name__ == "ComplementNB":
        samples = samples - samples.min()  # it takes no negative numbers
    calibration = module("calibration")
    models = {
        "Logistic": module("linear_model").LogisticRegression(C=1.0),
        f"{clf_name} Isotonic": calibration.CalibratedClassifierCV(clf, cv=2, method="isotonic"),
        f"{clf_name} Sigmoid": calibration.CalibratedClassifierCV(clf, cv=2, method="sigmoid"),
    }
    train, test, train_y, test_y = module("model_selection").train_test_split(
        samples, true, test_size=0.9, random_state=42
    )
    rows: List[List[Any]] = [["Perfectly calibrated", 0.0, 0.0, 0, 0.0], ["Perfectly calibrated", 1.0, 1.0, 0, 0.0]]
    numpy = load("numpy", "numpy", "wandb.sklearn")
    for name, model in models.items():
        probabilities = model.fit(train, train_y).predict_proba(test)[:, 1]
        counts, edges = numpy.histogram(probabilities, bins=_BINS)
        found, predicted = calibration.calibration_curve(test_y, probabilities, n_bins=_BINS)
        for index, (fraction, mean) in enumerate(zip(found.round(_DIGITS).tolist(), predicted.round(_DIGITS).tolist())):
            rows.append([name, fraction, mean, int(counts[index]), float(edges[index])])
    columns = ["model", "fraction_of_positives", "mean_predicted_value", "hist_dict", "edge_dict"]
    log({"calibration_curve": visualize("wandb/calibration/v1", Table(columns=columns, data=rows))})
