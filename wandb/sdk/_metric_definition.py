"""What `define_metric` takes, as the log stores it."""

from __future__ import annotations

from typing import Any, Optional

from wandb_storage import MetricDefinition

from ..errors import UsageError

_SUMMARIES = frozenset({"min", "max", "mean", "first", "last", "best", "copy", "none"})
_GOALS = (None, "minimize", "maximize")


def metric_definition(
    name: str,
    step_metric: Any,
    step_sync: Optional[bool],
    hidden: Optional[bool],
    summary: Optional[str],
    goal: Optional[str],
    overwrite: Optional[bool],
) -> MetricDefinition:
    """Raises UsageError for what makes no sense."""
    if not isinstance(name, str) or not name:
        raise UsageError(f"define_metric: the name of a metric is text, not {name!r}")
    if "*" in name[:-1]:
        raise UsageError(f"define_metric({name!r}): a glob ends in its one *")
    # `define_metric` returns a definition, and that of a step metric may be given back here.
    step_name = step_metric.name if isinstance(step_metric, MetricDefinition) else step_metric
    if step_name is not None and (not isinstance(step_name, str) or "*" in step_name):
        raise UsageError(f"define_metric({name!r}): step_metric names one metric, not {step_metric!r}")
    kinds = [word.strip() for word in (summary or "").split(",") if word.strip()]
    unknown = sorted(set(kinds) - _SUMMARIES)
    if unknown:
        raise UsageError(f"define_metric({name!r}): {', '.join(unknown)} is none of {', '.join(sorted(_SUMMARIES))}")
    if goal not in _GOALS:
        raise UsageError(f"define_metric({name!r}): goal is minimize or maximize, not {goal!r}")
    return MetricDefinition(
        name=name,
        step_metric=step_name,
        step_sync=step_name is not None if step_sync is None else step_sync,
        hidden=bool(hidden),
        summary=kinds,
        goal=goal,
        overwrite=bool(overwrite),
    )
