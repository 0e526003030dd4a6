"""What a sweep tries next.

Everything is derived from the sweep's id, its configuration and the runs that there are: nothing is remembered between
two proposals. A controller that was restarted goes on where it was, and two of them propose the same.
"""

from __future__ import annotations

import hashlib
import json
import math
import random
from typing import Any, Dict, Iterator, List, Mapping, NamedTuple, Optional, Sequence

from ._config import Checked, Parameter, Path, SweepConfigError
from ._distributions import choices, value_at

# A grid that is larger can't be tried anyway; counting it must end.
GRID_MAX = 1 << 53
ENDED = frozenset({"finished", "failed", "crashed", "killed"})
Values = Mapping[Path, Any]


class Trial(NamedTuple):
    """A run of the sweep: what it tries, how it is, and the values of the sweep's metric, the oldest first."""

    values: Values
    state: str
    metric: Sequence[float] = ()

    @property
    def ended(self) -> bool:
        return self.state in ENDED


def next_values(sweep_id: str, config: Checked, trials: Sequence[Trial]) -> Optional[Dict[Path, Any]]:
    """The values of the next run; None where the sweep is over.

    Raises SweepConfigError where the method can't search over these parameters, or is not to be had.

    >>> from wandb.sweeps import check_config
    >>> config = check_config({"method": "grid", "parameters": {"lr": {"values": [0.1, 0.01]}}})
    >>> next_values("sweep", config, [Trial({("lr",): 0.1}, "finished", [0.5])])
    {('lr',): 0.01}
    """
    if config.run_cap is not None and len(trials) >= config.run_cap:
        return None
    if _target_reached(config, trials):
        return None
    if config.method == "grid":
        return _next_of_grid(config.parameters, trials)
    source = random.Random(f"{sweep_id} {len(trials)}")
    if config.method == "random":
        return random_values(config.parameters, source)
    if config.method == "bayes":
        from ._bayes import promising_values  # which brings scikit-learn

        return promising_values(sweep_id, config, trials, source)
    raise SweepConfigError(("method",), f"{config.method!r} is decided by a scheduler of your own; see `controller`")


def upcoming(sweep_id: str, config: Checked, trials: Sequence[Trial], count: int) -> List[Dict[Path, Any]]:
    """What the next runs would try, so many at most, if all of them began now. Raises SweepConfigError."""
    known, found = list(trials), []
    for _ in range(count):
        values = next_values(sweep_id, config, known)
        if values is None:
            break
        found.append(values)
        known.append(Trial(values, "running"))
    return found


def check_searchable(config: Checked) -> None:
    """Raises SweepConfigError where the method can't search over these parameters."""
    if config.method == "grid":
        grid_size(config.parameters)
    elif config.method == "bayes" and config.metric is None:
        raise SweepConfigError(("metric",), "is missing; 'bayes' needs to know what to optimize")


def random_values(parameters: Sequence[Parameter], source: random.Random) -> Dict[Path, Any]:
    """One draw of each parameter."""
    return {parameter.path: value_at(parameter, source.random()) for parameter in parameters}


def runs_expected(config: Checked) -> Optional[int]:
    """How many runs a sweep will have; None where it goes on until it is stopped."""
    known = [config.run_cap] if config.run_cap is not None else []
    if config.method == "grid":
        known.append(grid_size(config.parameters))
    return min(known) if known else None


def nested(values: Values) -> Dict[str, Any]:
    """Values as the `args` of a run: each top name with its value, inner names inside of it.

    >>> nested({("lr",): 0.1, ("optimizer", "name"): "sgd"})
    {'lr': {'value': 0.1}, 'optimizer': {'value': {'name': 'sgd'}}}
    """
    tree: Dict[str, Any] = {}
    for path, value in values.items():
        node = tree
        for name in path[:-1]:
            node = node.setdefault(name, {})
        node[path[-1]] = value
    return {name: {"value": value} for name, value in tree.items()}


def values_of(parameters: Sequence[Parameter], arguments: Mapping[str, Any]) -> Dict[Path, Any]:
    """The other way round: from the `args` or the config of a run, each value wrapped or not."""
    found: Dict[Path, Any] = {}
    for parameter in parameters:
        node: Any = arguments.get(parameter.path[0])
        if isinstance(node, Mapping) and "value" in node:
            node = node["value"]
        for name in parameter.path[1:]:
            node = node.get(name) if isinstance(node, Mapping) else None
        found[parameter.path] = node
    return found


def losses(config: Checked, trials: Sequence[Trial]) -> List[Optional[float]]:
    """For each trial what is to be made small; None for one that says nothing."""
    sign = sign_of(config)
    return [sign * trial.metric[-1] if trial.metric and math.isfinite(trial.metric[-1]) else None for trial in trials]


def _target_reached(config: Checked, trials: Sequence[Trial]) -> bool:
    if config.metric is None or "target" not in config.metric:
        return False
    sign = sign_of(config)
    values = [sign * value for trial in trials for value in trial.metric if math.isfinite(value)]
    return bool(values) and min(values) <= sign * config.metric["target"]


def sign_of(config: Checked) -> int:
    """By what values of the metric are to be multiplied so that less is better."""
    return -1 if config.metric is not None and config.metric["goal"] == "maximize" else 1


# --- grids ------------------------------------------------------------------------------------------------------------


def grid_size(parameters: Sequence[Parameter]) -> int:
    """How many points a grid has. Raises SweepConfigError for a parameter without end."""
    size = 1
    for parameter in parameters:
        known = choices(parameter)
        if not known:
            raise SweepConfigError(
                parameter.place, f"a grid needs 'value', 'values' or whole numbers, not {parameter.kind!r}"
            )
        size *= len(known)
    if size > GRID_MAX:
        raise SweepConfigError(("parameters",), "the grid has more points than can be counted; leave some out")
    return size


def _next_of_grid(parameters: Sequence[Parameter], trials: Sequence[Trial]) -> Optional[Dict[Path, Any]]:
    """The first point in the grid's order that no run has tried: the last parameter changes the fastest."""
    size = grid_size(parameters)
    tried = {_key(trial.values) for trial in trials}
    # Each run rules out one point, so one of the first points that are one more is free.
    for number in range(min(size, len(tried) + 1)):
        point = _grid_point(parameters, number)
        if _key(point) not in tried:
            return point
    return None


def _grid_point(parameters: Sequence[Parameter], number: int) -> Dict[Path, Any]:
    point: Dict[Path, Any] = {}
    for parameter in reversed(parameters):
        known = choices(parameter)
        number, index = divmod(number, len(known))
        point[parameter.path] = known[index]
    return {parameter.path: point[parameter.path] for parameter in parameters}


def _key(values: Values) -> bytes:
    """What tells points apart, the same for 1 and 1.0, whatever the order of keys in a value."""
    return hashlib.sha256("\n".join(_parts(values)).encode()).digest()


def _parts(values: Values) -> Iterator[str]:
    for path, value in sorted(values.items()):
        plain = float(value) if isinstance(value, int) and not isinstance(value, bool) else value
        yield f"{path} {json.dumps(plain, sort_keys=True, default=repr)}"
