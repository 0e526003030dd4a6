"""The summary that a run's rows leave: by default each key's last value, otherwise what `define_metric` asked for.

The value in {"val": {"loss": 1}} is the metric val.loss. Where a key itself holds a dot, a definition may write `\\.`.
"""

from __future__ import annotations

import math
from typing import Any, Collection, Dict, Iterator, List, Mapping, NamedTuple, Optional

from ._records import MetricDefinition
from ._rows import MEDIA_TYPE, merge_values

_AGGREGATES = ("min", "max", "mean", "first", "last", "best")


class _Rule(NamedTuple):
    aggregates: List[str]
    hidden_from_summary: bool
    goal: str
    step_metric: Optional[str]


class MetricRules:
    """The metric definitions of a run, and what they make of its rows."""

    def __init__(self) -> None:
        self.definitions: Dict[str, MetricDefinition] = {}
        self._rules: Dict[str, Optional[_Rule]] = {}
        self._means: Dict[str, List[float]] = {}  # key -> [count, sum]

    def define(self, definition: MetricDefinition) -> None:
        known = self.definitions.get(definition.name)
        if known is not None and not definition.overwrite:
            definition = _merge(known, definition)
        self.definitions[definition.name] = definition
        self._rules.clear()

    def add_steps(self, row: Dict[str, Any], summary: Mapping[str, Any]) -> None:
        """Give a row the current value of the step metrics that its metrics are bound to, where it lacks them."""
        if not self.definitions:
            return
        for path in list(_paths(row)):
            rule = self._rule(path)
            step = rule.step_metric if rule is not None else None
            if step and _part(row, step) is None:
                merge_values(row, _part(summary, step) or {})

    def summarize(self, row: Mapping[str, Any], summary: Dict[str, Any]) -> None:
        """Bring `summary` up to date with a complete row."""
        if not self.definitions:
            merge_values(summary, row)
            return
        for key, value in row.items():
            self._take(key, key, value, summary)

    def _take(self, path: str, key: str, value: Any, summary: Dict[str, Any]) -> None:
        """Take the value of a metric, which is `key` in this part of the summary."""
        rule = self._rule(path)
        if rule is not None and rule.hidden_from_summary:
            return
        if type(value) is dict and MEDIA_TYPE not in value:
            held = summary.get(key)
            inner = dict(held) if isinstance(held, dict) and MEDIA_TYPE not in held else {}
            for name, item in value.items():
                self._take(f"{path}.{name}", name, item, inner)
            if inner or not value:
                summary[key] = inner
        elif rule is None or not rule.aggregates:
            summary[key] = value
        else:
            self._aggregate(path, key, value, rule, summary)

    def leave_alone(self, keys: Collection[str]) -> bool:
        """Whether rows of these keys stay as they are, and the summary gets the last value of each."""
        if not self.definitions:
            return True
        rules = [rule for rule in map(self._rule, keys) if rule is not None]
        steps = [rule.step_metric for rule in rules if rule.step_metric]
        return not any(rule.aggregates or rule.hidden_from_summary for rule in rules) and all(
            step in keys for step in steps
        )

    def _rule(self, key: str) -> Optional[_Rule]:
        if key not in self._rules:
            self._rules[key] = self._find(key)
        return self._rules[key]

    def _find(self, key: str) -> Optional[_Rule]:
        if key.startswith("_"):
            return None
        definitions = {_unescaped(name): definition for name, definition in self.definitions.items()}
        definition = definitions.get(key)
        globs = [name for name in definitions if name.endswith("*") and key.startswith(name[:-1])]
        if definition is None and globs:
            definition = definitions[max(globs, key=len)]
            if _unescaped(definition.step_metric) == key:
                return None
        if definition is None:
            return None
        step = _unescaped(definition.step_metric)
        return _Rule(
            [name for name in definition.summary if name in _AGGREGATES],
            "none" in definition.summary,
            definition.goal or "",
            step if definition.step_sync and step != key else None,
        )

    def _aggregate(self, path: str, key: str, value: Any, rule: _Rule, summary: Dict[str, Any]) -> None:
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            summary[key] = value
            return
        held = summary.get(key)
        result: Dict[str, Any] = dict(held) if isinstance(held, dict) else {}
        for name in rule.aggregates:
            if name == "last":
                result[name] = value
            elif name == "first":
                result.setdefault(name, value)
            elif math.isnan(value):
                continue  # one NaN must not hide every minimum that comes after it
            elif name == "mean":
                mean = self._means.setdefault(path, [0, 0.0])
                mean[0] += 1
                mean[1] += value
                result[name] = mean[1] / mean[0]
            else:
                larger = name == "max" or (name == "best" and rule.goal.startswith("max"))
                known = result.get(name)
                result[name] = value if known is None else max(known, value) if larger else min(known, value)
        summary[key] = result

    def snapshot(self) -> Dict[str, Any]:
        return {"definitions": [vars(one) for one in self.definitions.values()], "means": self._means}

    @classmethod
    def restore(cls, snapshot: Dict[str, Any]) -> MetricRules:
        rules = cls()
        rules.definitions = {fields["name"]: MetricDefinition(**fields) for fields in snapshot["definitions"]}
        rules._means = snapshot["means"]
        return rules


def _paths(values: Mapping[str, Any], before: str = "") -> Iterator[str]:
    """The metrics of a row."""
    for key, value in values.items():
        yield f"{before}{key}"
        if type(value) is dict and MEDIA_TYPE not in value:
            yield from _paths(value, f"{before}{key}.")


def _part(values: Mapping[str, Any], path: str) -> Optional[Dict[str, Any]]:
    """As much of the values as holds that metric; None where it isn't there."""
    if path in values:
        return {path: values[path]}
    for at, character in enumerate(path):
        inner = values.get(path[:at]) if character == "." else None
        found = _part(inner, path[at + 1 :]) if isinstance(inner, dict) else None
        if found is not None:
            return {path[:at]: found}
    return None


def _unescaped(name: Any) -> Any:
    return name.replace("\\.", ".") if name else name


def _merge(known: MetricDefinition, change: MetricDefinition) -> MetricDefinition:
    return MetricDefinition(
        name=known.name,
        step_metric=change.step_metric if change.step_metric is not None else known.step_metric,
        step_sync=change.step_sync or known.step_sync,
        hidden=change.hidden or known.hidden,
        summary=change.summary or known.summary,
        goal=change.goal if change.goal is not None else known.goal,
    )
