"""Every distribution of a parameter, as a way from the unit interval to values and back.

Drawing is `value_at` of an even draw; a search that learns works in the unit interval, where all parameters look alike.
"""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import Any, Callable, List, Mapping, NamedTuple, Sequence

from ._config import Parameter, SweepConfigError

Spec = Mapping[str, Any]
# Where a distribution has no end, the unit interval is cut off by this at both sides.
_EDGE = 1e-9


class _Shape(NamedTuple):
    """How far values are, from 0 to 1, and the other way round."""

    value_at: Callable[[Spec, float], float]
    place_of: Callable[[Spec, float], float]


def choices(parameter: Parameter) -> Sequence[Any]:
    """The values of a parameter that has only so many, in their order; empty for one that has not."""
    spec = parameter.spec
    if parameter.kind == "constant":
        return [spec["value"]]
    if parameter.kind in ("categorical", "categorical_w_probabilities"):
        return list(spec["values"])
    if parameter.kind == "int_uniform":
        return range(spec["min"], spec["max"] + 1)
    if parameter.kind == "q_uniform":
        return _Quantized(spec)
    return []


class _Quantized(Sequence[Any]):
    """The multiples of q from min to max, which may be too many to write down."""

    def __init__(self, spec: Spec) -> None:
        self._q: float = spec["q"]
        self._first = round(spec["min"] / self._q)
        self._count: int = round(spec["max"] / self._q) - self._first + 1

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: Any) -> Any:
        if not 0 <= index < self._count:
            raise IndexError(index)
        return quantized((self._first + index) * self._q, self._q)


def value_at(parameter: Parameter, place: float) -> Any:
    """The value below which `place`, 0 to 1, of the distribution lies.

    >>> value_at(Parameter(("lr",), "log_uniform_values", {"min": 0.001, "max": 0.1}), 0.5)
    0.01
    """
    spec, kind = parameter.spec, parameter.kind
    if kind == "categorical_w_probabilities":
        return spec["values"][_chosen(spec["probabilities"], place)]
    known = choices(parameter) if kind != "q_uniform" else []
    if known:
        return known[min(int(place * len(known)), len(known) - 1)]
    rounded = kind.startswith("q_")
    value = _SHAPES[kind[2:] if rounded else kind].value_at(spec, place)
    if rounded:
        return quantized(value, spec["q"])
    return float(f"{value:.12g}")  # what is beyond that is noise of exponents and logarithms


def place_of(parameter: Parameter, value: Any) -> float:
    """Where a value lies in its distribution, 0 to 1; 0.5 for a value that no distribution of numbers has."""
    spec, kind = parameter.spec, parameter.kind
    known = choices(parameter) if kind != "q_uniform" else []
    if known:
        try:
            return (known.index(value) + 0.5) / len(known)
        except ValueError:
            return 0.5
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return 0.5
    try:
        place = _SHAPES[kind[2:] if kind.startswith("q_") else kind].place_of(spec, float(value))
    except (ValueError, ZeroDivisionError, OverflowError):
        return 0.5
    return min(max(place, 0.0), 1.0)


def quantized(value: float, q: float) -> Any:
    """The multiple of q that is nearest; whole where q is."""
    steps = round(value / q)
    if float(q).is_integer():
        return int(steps * q)
    return float(f"{steps * q:.12g}")


def _chosen(shares: List[float], place: float) -> int:
    reached = 0.0
    for index, share in enumerate(shares):
        reached += share
        if place < reached:
            return index
    return max(index for index, share in enumerate(shares) if share > 0)


# --- shapes -----------------------------------------------------------------------------------------------------------


def _between(spec: Spec, place: float) -> float:
    return float(spec["min"] + place * (spec["max"] - spec["min"]))


def _share(spec: Spec, value: float) -> float:
    return float((value - spec["min"]) / (spec["max"] - spec["min"]))


def _logs(spec: Spec) -> Spec:
    return {"min": math.log(spec["min"]), "max": math.log(spec["max"])}


def _exponential(spec: Spec, place: float) -> float:
    return math.exp(_between(spec, place))


def _exponential_values(spec: Spec, place: float) -> float:
    return math.exp(_between(_logs(spec), place))


def _exponential_values_place(spec: Spec, value: float) -> float:
    return _share(_logs(spec), math.log(value))


def _cut(place: float) -> float:
    return min(max(place, _EDGE), 1 - _EDGE)


def _normal(spec: Spec, place: float) -> float:
    if not spec["sigma"]:
        return float(spec["mu"])
    return NormalDist(spec["mu"], spec["sigma"]).inv_cdf(_cut(place))


def _normal_place(spec: Spec, value: float) -> float:
    return NormalDist(spec["mu"], spec["sigma"]).cdf(value) if spec["sigma"] else 0.5


def _beta(spec: Spec, place: float) -> float:
    return float(_special().betaincinv(spec["a"] or _EDGE, spec["b"] or _EDGE, place))


def _beta_place(spec: Spec, value: float) -> float:
    return float(_special().betainc(spec["a"] or _EDGE, spec["b"] or _EDGE, value))


def _special() -> Any:
    """SciPy's special functions. Raises SweepConfigError where it isn't installed."""
    try:
        from scipy import special as functions
    except ImportError:
        problem = "a beta distribution needs SciPy; install it with: pip install 'wandb[sweeps]'"
        raise SweepConfigError(("parameters",), problem) from None
    return functions


_SHAPES: Mapping[str, _Shape] = {
    "uniform": _Shape(_between, _share),
    "log_uniform": _Shape(_exponential, lambda spec, value: _share(spec, math.log(value))),
    "log_uniform_values": _Shape(_exponential_values, _exponential_values_place),
    # The logarithm of 1/x is even between the limits, or between those of 1/x.
    "inv_log_uniform": _Shape(
        lambda spec, place: math.exp(-_between(spec, 1 - place)), lambda spec, value: 1 - _share(spec, -math.log(value))
    ),
    "inv_log_uniform_values": _Shape(_exponential_values, _exponential_values_place),
    "normal": _Shape(_normal, _normal_place),
    "log_normal": _Shape(
        lambda spec, place: math.exp(_normal(spec, place)), lambda spec, value: _normal_place(spec, math.log(value))
    ),
    "beta": _Shape(_beta, _beta_place),
}
