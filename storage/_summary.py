"""The summary that a run's rows leave: by default each key's last value, otherwise what `define_metric` asked for."""

from __future__ import annotations

import math
from typing import Any, Collection, Dict, List, Mapping, NamedTuple, Optional

from ._records import MetricDefinition

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
        missing = {}
        for key in row:
            rule = self._rule(key)
            step = rule.step_metric if rule is not None else None
            if step and step not in row and step in summary:
                missing[step] = summary[step]
        row.update(missing)

    def summarize(self, row: Mapping[str, Any], summary: Dict[str, Any]) -> None:
        """Bring `summary` up to date with a complete row."""
        if not self.definitions:
            summary.update(row)
            return
        for key, value in row.items():
            rule = self._rule(key)
            if rule is None or (not rule.aggregates and not rule.hidden_from_summary):
                summary[key] = value
            elif not rule.hidden_from_summary:
                self._aggregate(key, value, rule, summary)

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
        definition = self.definitions.get(key)
        if definition is None:
            globs = [name for name in self.definitions if name.endswith("*") and key.startswith(name[:-1])]
            if not globs:
                return None
            definition = self.definitions[max(globs, key=len)]
            if definition.step_metric == key:
                return None
        return _Rule(
            [name for name in definition.summary if name in _AGGREGATES],
            "none" in definition.summary,
            definition.goal or "",
            definition.step_metric if definition.step_sync and definition.step_metric != key else None,
        )

    def _aggregate(self, key: str, value: Any, rule: _Rule, summary: Dict[str, Any]) -> None:
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
                mean = self._means.setdefault(key, [0, 0.0])
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


def _merge(known: MetricDefinition, change: MetricDefinition) -> MetricDefinition:
    return MetricDefinition(
        name=known.name,
        step_metric=change.step_metric if change.step_metric is not None else known.step_metric,
        step_sync=change.step_sync or known.step_sync,
        hidden=change.hidden or known.hidden,
        summary=change.summary or known.summary,
        goal=change.goal if change.goal is not None else known.goal,
    )
