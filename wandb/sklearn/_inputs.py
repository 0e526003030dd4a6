"""What the charts are given, as arrays, or an error that says what is wrong with it."""

from __future__ import annotations

from typing import Any, List, Optional, Sequence

from ..data_types import Table
from ..data_types._optional import load
from ..errors import DataError


def module(name: str) -> Any:
    """A module of scikit-learn's. Raises Error where it isn't installed."""
    return load(f"sklearn.{name}", "scikit-learn", "wandb.sklearn")


def features(X: Any, name: str = "X") -> Any:
    """An array (samples, features) of numbers. Raises DataError."""
    numpy = load("numpy", "numpy", "wandb.sklearn")
    if X is None:
        raise DataError(f"{name} is None; pass an array (samples, features)")
    array = numpy.asarray(X.toarray() if hasattr(X, "toarray") else X)
    if array.ndim != 2 or array.dtype.kind not in "biuf":
        raise DataError(f"{name} is an array (samples, features) of numbers, not {array.dtype} {array.shape}")
    if array.dtype.kind == "f" and not numpy.isfinite(array).all():
        raise DataError(f"{name} has values that are missing or infinite; fill them in first")
    return array


def targets(y: Any, name: str = "y") -> Any:
    """An array (samples,). Raises DataError."""
    numpy = load("numpy", "numpy", "wandb.sklearn")
    array = None if y is None else numpy.asarray(y)
    if array is None or array.ndim != 1 or not array.size:
        raise DataError(f"{name} is an array (samples,), not {'None' if array is None else array.shape}")
    return array


def fitted(model: Any, kind: Optional[str] = None) -> Any:
    """A model of a kind, "classifier" say, that has been fitted. Raises DataError."""
    base, validation = module("base"), module("utils.validation")
    if kind is not None and not getattr(base, f"is_{kind}")(model):
        raise DataError(f"{type(model).__name__} is no {kind}")
    try:
        validation.check_is_fitted(model)
    except Exception as error:
        raise DataError(f"{type(model).__name__}: {error}") from error
    return model


def named(values: Sequence[Any], labels: Optional[Sequence[Any]]) -> List[Any]:
    """Classes that are whole numbers by their names in `labels`; others as they are."""
    plain = list(values.tolist() if hasattr(values, "tolist") else values)
    if labels is None or not all(type(one) is int for one in plain):
        return plain
    return [labels[one] for one in plain]


def shown(rows: List[List[Any]]) -> List[List[Any]]:
    """As many rows as a page shows."""
    return rows[: Table.MAX_ROWS]
