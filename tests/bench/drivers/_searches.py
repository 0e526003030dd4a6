"""What a search finds: the same functions, the same number of trials, another proposal."""

from __future__ import annotations

import importlib
import math
import random
import statistics
import time
from typing import Any, Callable, Dict, List, Mapping, NamedTuple, Protocol

Values = Mapping[str, float]


class Search(Protocol):
    """One search. `begin` starts a study; then `propose` and `tell` take turns."""

    def begin(self, parameters: Mapping[str, Mapping[str, Any]], seed: int) -> None: ...

    def propose(self) -> Values: ...

    def tell(self, values: Values, loss: float) -> None: ...


class Problem(NamedTuple):
    """A function to be made small."""

    parameters: Mapping[str, Mapping[str, Any]]
    loss: Callable[[Values], float]


def _branin(values: Values) -> float:
    x, y = values["x"], values["y"]
    valley = y - 5.1 / (4 * math.pi**2) * x * x + 5 / math.pi * x - 6
    return valley**2 + 10 * (1 - 1 / (8 * math.pi)) * math.cos(x) + 10


_A = ((10, 3, 17, 3.5, 1.7, 8), (0.05, 10, 17, 0.1, 8, 14), (3, 3.5, 1.7, 10, 17, 8), (17, 8, 0.05, 10, 0.1, 14))
_P = (
    (0.1312, 0.1696, 0.5569, 0.0124, 0.8283, 0.5886),
    (0.2329, 0.4135, 0.8307, 0.3736, 0.1004, 0.9991),
    (0.2348, 0.1451, 0.3522, 0.2883, 0.3047, 0.6650),
    (0.4047, 0.8828, 0.8732, 0.5743, 0.1091, 0.0381),
)


def _hartmann(values: Values) -> float:
    point = [values[f"x{axis}"] for axis in range(6)]
    return -sum(
        weight * math.exp(-sum(a * (x - p) ** 2 for a, x, p in zip(_A[row], point, _P[row])))
        for row, weight in enumerate((1.0, 1.2, 3.0, 3.2))
    )


def _rosenbrock(values: Values) -> float:
    point = [values[f"x{axis}"] for axis in range(4)]
    return sum(100 * (after - x * x) ** 2 + (1 - x) ** 2 for x, after in zip(point, point[1:]))


def _digits() -> Callable[[Values], float]:
    """The error of a support vector machine on scikit-learn's handwritten digits, in three folds."""
    datasets, model_selection, svm = (
        importlib.import_module(f"sklearn.{name}") for name in ("datasets", "model_selection", "svm")
    )
    images, labels = datasets.load_digits(return_X_y=True)

    def loss(values: Values) -> float:
        model = svm.SVC(C=values["C"], gamma=values["gamma"])
        return float(1 - model_selection.cross_val_score(model, images[:500], labels[:500], cv=3).mean())

    return loss


def _axes(count: int, low: float, high: float) -> Dict[str, Dict[str, Any]]:
    return {f"x{axis}": {"distribution": "uniform", "min": low, "max": high} for axis in range(count)}


def _logarithmic(low: float, high: float) -> Dict[str, Any]:
    return {"distribution": "log_uniform_values", "min": low, "max": high}


def problem(name: str) -> Problem:
    if name == "Branin":
        axes = {"x": {"distribution": "uniform", "min": -5.0, "max": 10.0}}
        return Problem({**axes, "y": {"distribution": "uniform", "min": 0.0, "max": 15.0}}, _branin)
    if name == "Hartmann-6":
        return Problem(_axes(6, 0.0, 1.0), _hartmann)
    if name == "Rosenbrock-4":
        return Problem(_axes(4, -2.0, 2.0), _rosenbrock)
    return Problem({"C": _logarithmic(1e-3, 1e3), "gamma": _logarithmic(1e-7, 1.0)}, _digits())


PROBLEMS = ("Branin", "Hartmann-6", "Rosenbrock-4", "SVM on digits")


def search(search: Search, folder: str, name: str, trials: int, seeds: int) -> List[float]:
    """The lowest loss of so many trials, for each seed."""
    found, best = problem(name), []
    for seed in range(seeds):
        search.begin(found.parameters, seed)
        losses = []
        for _ in range(trials):
            values = search.propose()
            losses.append(found.loss(values))
            search.tell(values, losses[-1])
        best.append(min(losses))
    return best


def propose(search: Search, folder: str, trials: int, calls: int) -> Dict[str, float]:
    """Milliseconds of a proposal behind so many trials."""
    found, source = problem("Hartmann-6"), random.Random(0)
    times = []
    for call in range(calls + 1):
        search.begin(found.parameters, call)
        for _ in range(trials):
            values = {name: source.random() for name in found.parameters}
            search.tell(values, found.loss(values))
        start = time.perf_counter()
        search.propose()
        times.append(1e3 * (time.perf_counter() - start))
    times = times[1:]  # the first loads libraries
    return {"p50_ms": statistics.median(times), "max_ms": max(times)}
