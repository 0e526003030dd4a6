"""What a sweep tries next: random, grid and Bayesian search over the parameters of its configuration.

The configuration is what clients document: ``method``, ``metric``, ``parameters`` with ``value``, ``values`` or a
``distribution``, nested by another ``parameters``.
"""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from ._sweep_bayes import most_promising

METHODS = ("grid", "random", "bayes")

# What a grid may hold, so that counting it ends.
_GRID_MAX = 1_000_000
_CANDIDATES = 200


class SweepConfigError(ValueError):
    """A sweep's configuration that can't be searched; the message names the part."""


class Parameter(NamedTuple):
    """A leaf of the tree of parameters."""

    path: tuple[str, ...]
    spec: Mapping[str, Any]


class Trial(NamedTuple):
    """A run of the sweep that has ended: what it tried, and what came out."""

    values: Mapping[tuple[str, ...], Any]
    loss: float


def parameters_of(config: Mapping[str, Any]) -> list[Parameter]:
    """Every parameter of a configuration, checked."""
    tree = config.get("parameters")
    if not isinstance(tree, Mapping) or not tree:
        raise SweepConfigError("a sweep needs 'parameters'")
    found = list(_leaves(tree, ()))
    for parameter in found:
        kind = distribution_of(parameter)
        if config["method"] == "grid" and kind not in ("constant", "categorical", "int_uniform"):
            raise SweepConfigError(
                f"a grid needs 'value', 'values' or whole numbers for {'.'.join(parameter.path)!r}, not {kind!r}"
            )
        # A value is drawn once, so that a broken specification is told to whoever makes the sweep.
        _draw(parameter, random.Random(0))
    return found


def _leaves(tree: Mapping[str, Any], path: tuple[str, ...]) -> Iterator[Parameter]:
    for name, spec in tree.items():
        if not isinstance(spec, Mapping):
            raise SweepConfigError(f"the parameter {name!r} must be an object such as {{'value': 1}}")
        inner = spec.get("parameters")
        if isinstance(inner, Mapping):
            yield from _leaves(inner, (*path, str(name)))
        else:
            yield Parameter((*path, str(name)), spec)


def distribution_of(parameter: Parameter) -> str:
    """The named distribution, or the one that the form of the specification implies."""
    spec = parameter.spec
    if "distribution" in spec:
        return str(spec["distribution"])
    if "value" in spec:
        return "constant"
    if "values" in spec:
        return "categorical"
    if "min" in spec and "max" in spec:
        return "int_uniform" if isinstance(spec["min"], int) and isinstance(spec["max"], int) else "uniform"
    if "mu" in spec or "sigma" in spec:
        return "normal"
    raise SweepConfigError(f"the parameter {'.'.join(parameter.path)!r} has no 'value', 'values' or range")


def nested(values: Mapping[tuple[str, ...], Any]) -> dict[str, Any]:
    """Values by path as the arguments of a run: ``{"lr": {"value": 0.1}}``, inner names inside of the value."""
    tree: dict[str, Any] = {}
    for path, value in values.items():
        node = tree
        for name in path[:-1]:
            node = node.setdefault(name, {})
        node[path[-1]] = value
    return {name: {"value": value} for name, value in tree.items()}


def grid_size(parameters: Sequence[Parameter]) -> int:
    size = math.prod(len(_choices(parameter)) for parameter in parameters)
    if size > _GRID_MAX:
        raise SweepConfigError(f"the grid has {size} points; the limit is {_GRID_MAX}")
    return size


def grid_point(parameters: Sequence[Parameter], number: int) -> dict[tuple[str, ...], Any] | None:
    """The values at a place of the grid; None behind its end."""
    if number >= grid_size(parameters):
        return None
    point = {}
    for parameter in reversed(parameters):
        choices = _choices(parameter)
        number, index = divmod(number, len(choices))
        point[parameter.path] = choices[index]
    return {parameter.path: point[parameter.path] for parameter in parameters}


def _choices(parameter: Parameter) -> Sequence[Any]:
    spec = parameter.spec
    kind = distribution_of(parameter)
    if kind == "constant":
        return [spec.get("value")]
    if kind == "int_uniform":
        return range(int(spec["min"]), int(spec["max"]) + 1)
    return list(spec["values"])


def random_point(parameters: Sequence[Parameter], source: random.Random) -> dict[tuple[str, ...], Any]:
    return {parameter.path: _draw(parameter, source) for parameter in parameters}


def promising_point(
    parameters: Sequence[Parameter], trials: Sequence[Trial], source: random.Random
) -> dict[tuple[str, ...], Any]:
    """Of many random points the one that the trials so far promise most of."""
    candidates = [random_point(parameters, source) for _ in range(_CANDIDATES)]
    searched = [parameter for parameter in parameters if distribution_of(parameter) != "constant"]
    if len(trials) < 2 or not searched:
        return candidates[0]
    known = [_coordinates(searched, trial.values) for trial in trials]
    rows = [_coordinates(searched, candidate) for candidate in candidates]
    for column in range(len(searched)):
        values = [row[column] for row in itertools.chain(known, rows)]
        low, high = min(values), max(values)
        for row in itertools.chain(known, rows):
            row[column] = (row[column] - low) / (high - low) if high > low else 0.0
    return candidates[most_promising(known, [trial.loss for trial in trials], rows)]


def _coordinates(parameters: Sequence[Parameter], values: Mapping[tuple[str, ...], Any]) -> list[float]:
    """A point as numbers: choices by their place in the list, ranges over magnitudes by their logarithm."""
    row = []
    for parameter in parameters:
        value = values.get(parameter.path)
        if distribution_of(parameter) == "categorical":
            choices = list(parameter.spec["values"])
            row.append(float(choices.index(value)) if value in choices else 0.0)
        elif isinstance(value, bool) or not isinstance(value, (int, float)):
            row.append(0.0)
        elif "log" in distribution_of(parameter) and value > 0:
            row.append(math.log(value))
        else:
            row.append(float(value))
    return row


def _draw(parameter: Parameter, source: random.Random) -> Any:
    name = ".".join(parameter.path)
    kind = distribution_of(parameter)
    rounded = kind.startswith("q_")
    draw = _DISTRIBUTIONS.get(kind[2:] if rounded else kind)
    if draw is None:
        raise SweepConfigError(f"the parameter {name!r} has the distribution {kind!r}, which is not known")
    try:
        value = draw(parameter.spec, source)
        if not rounded:
            return value
        step = float(parameter.spec.get("q", 1))
        value = round(value / step) * step
        return int(value) if step.is_integer() else value
    except KeyError as missing:
        raise SweepConfigError(f"the parameter {name!r} needs {missing}") from None
    except (TypeError, ValueError, IndexError, OverflowError, ZeroDivisionError) as error:
        raise SweepConfigError(f"the parameter {name!r} can't be drawn from: {error}") from None


Spec = Mapping[str, Any]


def _between(spec: Spec, source: random.Random) -> float:
    return source.uniform(float(spec["min"]), float(spec["max"]))


def _mirrored(spec: Spec, source: random.Random) -> float:
    return float(spec["min"]) + float(spec["max"]) - _between(spec, source)


def _logarithms(spec: Spec) -> Spec:
    return {"min": math.log(spec["min"]), "max": math.log(spec["max"])}


_DISTRIBUTIONS: Mapping[str, Callable[[Spec, random.Random], Any]] = {
    "constant": lambda spec, source: spec["value"],
    "categorical": lambda spec, source: source.choices(list(spec["values"]), spec.get("probabilities"))[0],
    "int_uniform": lambda spec, source: source.randint(int(spec["min"]), int(spec["max"])),
    "uniform": _between,
    "log_uniform": lambda spec, source: math.exp(_between(spec, source)),
    "log_uniform_values": lambda spec, source: math.exp(_between(_logarithms(spec), source)),
    "inv_log_uniform": lambda spec, source: math.exp(_mirrored(spec, source)),
    "inv_log_uniform_values": lambda spec, source: math.exp(_mirrored(_logarithms(spec), source)),
    "normal": lambda spec, source: source.gauss(float(spec.get("mu", 0)), float(spec.get("sigma", 1))),
    "log_normal": lambda spec, source: source.lognormvariate(float(spec.get("mu", 0)), float(spec.get("sigma", 1))),
    "beta": lambda spec, source: source.betavariate(float(spec["a"]), float(spec["b"])),
}
