"""What a sweep's configuration may say: every rule is checked here, and each error names the path of what is wrong.

The rules are those of the official sweep configuration; the tests hold what is accepted and refused against its own
validator. Configurations come from people and over the network, so their size and depth are bounded.
"""

from __future__ import annotations

import copy
import math
import re
from typing import Any, Callable, Iterator, List, Mapping, NamedTuple, Optional, Tuple

METHODS = ("grid", "random", "bayes", "custom")
_ENGINES = {"wandb": ("grid", "random", "bayes"), "optuna": ("custom",), "ax": ("custom",)}
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
_NAME_RULE = "starts with a letter or _ and holds letters, digits, _, . and -"
PARAMETERS_MAX = 10_000
_DEPTH_MAX = 20
_UNKNOWN_MAX = 20

Path = Tuple[str, ...]


class SweepConfigError(ValueError):
    """A sweep's configuration that can't be used. The message names the place, and what would do."""

    def __init__(self, path: Path, problem: str) -> None:
        self.path = path
        super().__init__(f"sweep config, {'.'.join(path)}: {problem}" if path else f"sweep config: {problem}")


class UnknownKeyError(SweepConfigError):
    """A key that means nothing where it stands."""


class Kind(NamedTuple):
    """A distribution: the keys that it needs and those that it may have, with their defaults."""

    needs: Tuple[str, ...]
    defaults: Mapping[str, float] = {}
    positive_min: bool = False
    named: bool = True  # whether `distribution` has to be said


_RANGE = ("min", "max")
_NORMAL = {"mu": 0.0, "sigma": 1.0}
_Q = {"q": 1.0}
KINDS: Mapping[str, Kind] = {
    "constant": Kind(("value",), named=False),
    "categorical": Kind(("values",), named=False),
    "categorical_w_probabilities": Kind(("values", "probabilities"), named=False),
    "int_uniform": Kind(_RANGE, named=False),
    "uniform": Kind(_RANGE, named=False),
    "q_uniform": Kind(_RANGE, _Q),
    "log_uniform": Kind(_RANGE),
    "q_log_uniform": Kind(_RANGE, _Q),
    "inv_log_uniform": Kind(_RANGE),
    "log_uniform_values": Kind(_RANGE, positive_min=True),
    "q_log_uniform_values": Kind(_RANGE, _Q, positive_min=True),
    "inv_log_uniform_values": Kind(_RANGE, positive_min=True),
    "normal": Kind((), _NORMAL),
    "q_normal": Kind((), {**_NORMAL, **_Q}),
    "log_normal": Kind((), _NORMAL),
    "q_log_normal": Kind((), {**_NORMAL, **_Q}),
    "beta": Kind((), {"a": 1.0, "b": 1.0}),
    "q_beta": Kind((), {"a": 1.0, "b": 1.0, **_Q}),
}
# The limits of these are exponents, which nobody expects: the variants with `_values` take the values themselves.
_EXPONENTS = ("log_uniform", "q_log_uniform", "inv_log_uniform")


class Parameter(NamedTuple):
    """A leaf of the tree of parameters: where it is, how it is distributed, and by which numbers."""

    path: Path
    kind: str
    spec: Mapping[str, Any]

    @property
    def place(self) -> Path:
        """Its path in the configuration."""
        return tuple(part for name in self.path for part in ("parameters", name))


class Checked(NamedTuple):
    """A configuration that can be used."""

    method: str
    parameters: List[Parameter]
    metric: Optional[Mapping[str, Any]]
    early_terminate: Optional[Mapping[str, Any]]
    run_cap: Optional[int]
    local: bool  # a controller of the user's own decides what is tried
    warnings: List[str]  # what is accepted, but hardly meant


def check_config(config: object) -> Checked:
    """Check a whole configuration.

    Raises SweepConfigError for the first thing that is wrong.

    >>> check_config({"method": "grid", "parameters": {"lr": {"values": [0.1, 0.01]}}}).parameters[0].kind
    'categorical'
    """
    table = _mapping(config, ())
    _known(table, _TOP, ())
    if "method" not in table:
        raise SweepConfigError(("method",), f"is missing; choose one of {', '.join(METHODS)}")
    method = _choice(table["method"], METHODS, ("method",))
    for key, check in _TOP.items():
        if key in table and check is not None:
            check(table[key], (key,))
    _check_together(table, method)
    parameters = list(_leaves(_mapping(table.get("parameters", {}), ("parameters",)), ("parameters",)))
    if len(parameters) > PARAMETERS_MAX:
        raise SweepConfigError(("parameters",), f"more than {PARAMETERS_MAX:,} parameters")
    _check_method(method, parameters, table)
    metric = table.get("metric")
    return Checked(
        method,
        parameters,
        None if metric is None else {"goal": "minimize", "impute": "worst", **metric},
        table.get("early_terminate"),
        table.get("run_cap"),
        table.get("controller", {}).get("type") == "local",
        [_exponents(parameter) for parameter in parameters if parameter.kind in _EXPONENTS],
    )


def check_leniently(config: Any) -> Checked:
    """As a server checks what any client sends: keys that it doesn't know are left out, with a warning.

    Raises SweepConfigError.
    """
    config = copy.deepcopy(config)
    told: List[str] = []
    while True:
        try:
            checked = check_config(config)
            return checked._replace(warnings=[*told, *checked.warnings])
        except UnknownKeyError as error:
            node = config
            for name in error.path[:-1]:
                node = node[int(name) if isinstance(node, list) else name]
            if len(told) == _UNKNOWN_MAX or error.path[-1] not in node:
                raise
            del node[error.path[-1]]
            told.append(f"{error}; it is left out")


def _exponents(parameter: Parameter) -> str:
    low, high = parameter.spec["min"], parameter.spec["max"]
    return (
        f"parameters.{'.'.join(parameter.path)}: 'min' and 'max' of {parameter.kind!r} are exponents of e "
        f"(e^{low} to e^{high}); {parameter.kind + '_values'!r} takes the values themselves"
    )


# --- the parts --------------------------------------------------------------------------------------------------------


def _leaves(tree: Mapping[str, Any], path: Path) -> Iterator[Parameter]:
    if not tree and path != ("parameters",):
        raise SweepConfigError(path, "needs at least one parameter")
    if len(path) > 2 * _DEPTH_MAX:
        raise SweepConfigError(path, f"parameters are nested deeper than {_DEPTH_MAX}")
    for name, spec in tree.items():
        here = (*path, str(name))
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise SweepConfigError(here, f"is no name of a parameter: one {_NAME_RULE}")
        table = _mapping(spec, here, "such as {'value': 1} or {'values': [1, 2]}")
        if "parameters" in table:
            _known(table, {"parameters": None}, here)
            yield from _leaves(_mapping(table["parameters"], here), (*here, "parameters"))
        else:
            kind = _kind_of(table, here)
            _check_spec(table, kind, here)
            yield Parameter(here[1::2], kind, {**KINDS[kind].defaults, **table})


def _kind_of(spec: Mapping[str, Any], path: Path) -> str:
    if "distribution" in spec:
        return _choice(spec["distribution"], tuple(KINDS), (*path, "distribution"))
    if "value" in spec:
        return "constant"
    if "values" in spec:
        return "categorical_w_probabilities" if "probabilities" in spec else "categorical"
    if "min" in spec and "max" in spec:
        whole = all(isinstance(spec[key], int) for key in _RANGE)
        return "int_uniform" if whole else "uniform"
    raise SweepConfigError(path, "needs 'value', 'values', 'min' and 'max', or a 'distribution'")


def _check_spec(spec: Mapping[str, Any], kind: str, path: Path) -> None:
    rule = KINDS[kind]
    _known(spec, dict.fromkeys((*rule.needs, *rule.defaults, "distribution")), path)
    for key in rule.needs:
        if key not in spec:
            raise SweepConfigError((*path, key), f"is missing; {kind!r} needs it")
    if "values" in rule.needs:
        _check_values(spec, path)
    number = _whole if kind == "int_uniform" else _number
    for key in ("min", "max", *rule.defaults):
        if key in spec:
            number(spec[key], (*path, key))
    for key in ("sigma", "a", "b"):
        if spec.get(key, 0) < 0:
            raise SweepConfigError((*path, key), f"is {spec[key]}; it can't be negative")
    if spec.get("q", 1) <= 0:
        raise SweepConfigError((*path, "q"), f"is {spec['q']}; it must be above 0")
    if rule.positive_min and spec["min"] <= 0:
        raise SweepConfigError((*path, "min"), f"is {spec['min']}; a logarithm needs it to be above 0")
    if "min" in rule.needs and spec["min"] >= spec["max"]:
        raise SweepConfigError((*path, "min"), f"is {spec['min']}, not less than max, {spec['max']}")


def _check_values(spec: Mapping[str, Any], path: Path) -> None:
    values = _list(spec["values"], (*path, "values"))
    if "probabilities" in spec:
        shares = _list(spec["probabilities"], (*path, "probabilities"))
        for index, share in enumerate(shares):
            if _number(share, (*path, "probabilities", str(index))) < 0:
                raise SweepConfigError((*path, "probabilities", str(index)), f"is {share}; it can't be negative")
        if len(shares) != len(values):
            raise SweepConfigError((*path, "probabilities"), f"has {len(shares)} items for {len(values)} values")
        if not math.isclose(sum(shares), 1.0, rel_tol=1e-5, abs_tol=1e-8):
            raise SweepConfigError((*path, "probabilities"), f"adds up to {sum(shares):g}, not to 1")


def _check_metric(metric: object, path: Path) -> None:
    table = _mapping(metric, path)
    _known(table, _METRIC, path)
    if "name" not in table:
        raise SweepConfigError((*path, "name"), "is missing: the metric that the sweep is about")
    for key, check in _METRIC.items():
        if key in table:
            check(table[key], (*path, key))


def _check_early_terminate(rule: object, path: Path) -> None:
    table = _mapping(rule, path)
    kind = _choice(table.get("type"), ("hyperband", "envelope"), (*path, "type"))
    known = _HYPERBAND if kind == "hyperband" else _ENVELOPE
    _known(table, known, path)
    for key, check in known.items():
        if key in table:
            check(table[key], (*path, key))
    if kind == "hyperband":
        if "min_iter" not in table and not ("max_iter" in table and "s" in table):
            raise SweepConfigError(path, "needs 'min_iter', or 'max_iter' and 's'")
        if table.get("min_iter", 1) < 1:
            raise SweepConfigError((*path, "min_iter"), f"is {table['min_iter']}; it must be at least 1")
        if table.get("eta", 3) <= 1:
            raise SweepConfigError((*path, "eta"), f"is {table['eta']}; it must be above 1")
    elif not 0 < table.get("fraction", 1) <= 1:
        raise SweepConfigError((*path, "fraction"), f"is {table['fraction']}; it must be above 0, and at most 1")
    elif table.get("min_runs", 1) < 1:
        raise SweepConfigError((*path, "min_runs"), f"is {table['min_runs']}; it must be at least 1")


def _check_scheduler(scheduler: object, path: Path) -> None:
    table = _mapping(scheduler, path)
    _known(table, _SCHEDULER, path)
    _choice(table.get("engine"), tuple(_ENGINES), (*path, "engine"))
    for key in ("source", "optimizer", "search_space"):
        if key in table:
            _text(table[key], (*path, key))
            if "source" not in table:
                raise SweepConfigError((*path, key), "needs 'source', the file that it is in")


def _check_controller(controller: object, path: Path) -> None:
    table = _mapping(controller, path)
    _choice(table.get("type"), ("local", "cloud"), (*path, "type"))


def _check_metrics(metrics: object, path: Path) -> None:
    found = _list(metrics, path)
    if len(found) < 2:
        raise SweepConfigError(path, "needs at least two metrics; one alone is a 'metric'")
    for index, metric in enumerate(found):
        _check_metric(metric, (*path, str(index)))


def _check_together(table: Mapping[str, Any], method: str) -> None:
    """What excludes or needs each other."""
    scheduler = table.get("scheduler")
    if "parameters" not in table and not (scheduler and scheduler.get("search_space")):
        raise SweepConfigError(("parameters",), "is missing: what the sweep searches over")
    if "metrics" in table:
        if "metric" in table:
            raise SweepConfigError(("metrics",), "can't stand beside 'metric'")
        if method != "custom":
            raise SweepConfigError(("metrics",), f"needs method 'custom', not {method!r}")
    if scheduler is not None:
        for key in ("controller", "early_terminate"):
            if key in table and (key != "controller" or table[key].get("type") == "local"):
                raise SweepConfigError((key,), "can't stand beside 'scheduler', which decides this itself")
        methods = _ENGINES[scheduler["engine"]]
        if method not in methods:
            raise SweepConfigError(("scheduler", "engine"), f"{scheduler['engine']!r} needs method {_or(methods)}")


def _check_method(method: str, parameters: List[Parameter], table: Mapping[str, Any]) -> None:
    if "parameters" in table and not table["parameters"]:
        raise SweepConfigError(("parameters",), "needs at least one parameter")
    if table.get("run_cap", 1) < 1:
        raise SweepConfigError(("run_cap",), f"is {table['run_cap']}; it must be at least 1")


# --- single values ----------------------------------------------------------------------------------------------------


def _mapping(value: object, path: Path, example: str = "") -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise SweepConfigError(path, f"must be an object {example or 'with keys'}, not {type(value).__name__}")
    return value


def _list(value: object, path: Path) -> List[Any]:
    if not isinstance(value, (list, tuple)):
        raise SweepConfigError(path, f"must be a list, not {type(value).__name__}")
    if not value:
        raise SweepConfigError(path, "must not be empty")
    return list(value)


def _known(table: Mapping[str, Any], known: Mapping[str, object], path: Path) -> None:
    for key in table:
        if key not in known:
            import difflib

            near = difflib.get_close_matches(str(key), list(known), 1)
            hint = f"did you mean {near[0]!r}?" if near else f"known here: {', '.join(known)}"
            raise UnknownKeyError((*path, str(key)), f"is not known; {hint}")


def _choice(value: object, choices: Tuple[str, ...], path: Path) -> str:
    if value not in choices:
        raise SweepConfigError(path, f"{'is missing' if value is None else f'is {value!r}'}; choose {_or(choices)}")
    return str(value)


def _or(choices: Tuple[str, ...]) -> str:
    return " or ".join(filter(None, (", ".join(map(repr, choices[:-1])), repr(choices[-1]))))


def _text(value: object, path: Path) -> str:
    if not isinstance(value, str):
        raise SweepConfigError(path, f"must be text, not {type(value).__name__}")
    return value


def _number(value: object, path: Path) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise SweepConfigError(path, f"must be a number, not {type(value).__name__}")
    if not math.isfinite(value):
        raise SweepConfigError(path, f"must be a finite number, not {value}")
    return value


def _whole(value: object, path: Path) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise SweepConfigError(path, f"must be a whole number, not {value!r}")
    return value


def _truth(value: object, path: Path) -> bool:
    if not isinstance(value, bool):
        raise SweepConfigError(path, f"must be true or false, not {value!r}")
    return value


def _one_of(*choices: str) -> Callable[[object, Path], object]:
    return lambda value, path: _choice(value, choices, path)


def _whole_at_heart(value: object, path: Path) -> int:
    """As JSON schema has it: 3.0 is a whole number too."""
    return _whole(int(value) if isinstance(value, float) and value.is_integer() else value, path)


_Check = Callable[[object, Path], object]
_TOP: Mapping[str, Optional[_Check]] = {
    "method": None,
    "parameters": None,
    "metric": _check_metric,
    "metrics": _check_metrics,
    "early_terminate": _check_early_terminate,
    "run_cap": _whole_at_heart,
    "name": _text,
    "description": _text,
    "program": _text,
    "command": lambda value, path: value if value == [] else _list(value, path),
    "project": _text,
    "entity": _text,
    "controller": _check_controller,
    "scheduler": _check_scheduler,
    "apiVersion": _text,
    "kind": _one_of("sweep"),
    "job": _text,
    "image_uri": _text,
}
_METRIC: Mapping[str, _Check] = {
    "name": _text,
    "goal": _one_of("minimize", "maximize"),
    "target": _number,
    "impute": _one_of("latest", "best", "worst"),
    "impute_while_running": _one_of("latest", "best", "worst", "false"),
}
_HYPERBAND: Mapping[str, _Check] = {
    "type": _text,
    "max_iter": _whole_at_heart,
    "min_iter": _whole_at_heart,
    "s": _number,
    "eta": _number,
    "strict": _truth,
}
_ENVELOPE: Mapping[str, _Check] = {
    "type": _text,
    "fraction": _number,
    "min_runs": _whole_at_heart,
    "start_iter": _whole_at_heart,
}
_SCHEDULER: Mapping[str, None] = {"engine": None, "source": None, "optimizer": None, "search_space": None}
