"""Which runs of a sweep won't come to anything: successive halving as in Hyperband, and an envelope around the best.

Both stop what the official client's stop: the envelope is that of its releases before 0.11, which had it.
Iterations are the values that a run has logged of the sweep's metric.
"""

from __future__ import annotations

import math
from typing import List, NamedTuple, Optional, Sequence

from ._config import Checked
from ._search import Trial, sign_of

# Brackets grow by eta each, so this many reach beyond any run.
_BRACKETS_MAX = 100
_ENVELOPE_FRACTION, _ENVELOPE_RUNS_MIN, _ENVELOPE_START_ITER = 0.3, 3, 3


class Stop(NamedTuple):
    """A run that is to be stopped: its place among the trials, and why, in words for people."""

    trial: int
    reason: str


def runs_to_stop(config: Checked, trials: Sequence[Trial]) -> List[Stop]:
    """The running trials that `early_terminate` of the configuration says to stop.

    >>> from wandb.sweeps import check_config
    >>> config = check_config({
    ...     "method": "random", "metric": {"name": "loss"}, "parameters": {"lr": {"min": 0.0, "max": 1.0}},
    ...     "early_terminate": {"type": "hyperband", "min_iter": 2, "eta": 2},
    ... })
    >>> good, bad = Trial({}, "running", [3, 1]), Trial({}, "running", [3, 2])
    >>> [stop.trial for stop in runs_to_stop(config, [good, bad, good])]
    [1]
    """
    rule = config.early_terminate
    if rule is None or config.metric is None:
        return []
    sign = sign_of(config)
    histories = [[sign * value for value in trial.metric if math.isfinite(value)] for trial in trials]
    judge, others = _hyperband, histories
    if rule["type"] == "envelope":
        judge = _envelope
        others = [history for history, trial in zip(histories, trials) if trial.state == "finished" and history]
    stops = []
    for number, trial in enumerate(trials):
        if trial.state == "running" and histories[number]:
            reason = judge(config, histories[number], others)
            if reason is not None:
                stops.append(Stop(number, reason))
    return stops


def brackets(config: Checked) -> List[int]:
    """The iterations at which runs are compared, the first one first."""
    rule = config.early_terminate or {}
    eta = float(rule.get("eta", 3))
    if "max_iter" in rule:
        found, at = [], float(rule["max_iter"])
        for _ in range(min(int(rule["s"]), _BRACKETS_MAX)):
            at /= eta
            if at < 1:
                break
            found.append(int(at))
        return found[::-1]
    return [int(rule["min_iter"] * eta**power) for power in range(_BRACKETS_MAX) if eta**power < 1e15]


def _hyperband(config: Checked, history: Sequence[float], histories: Sequence[Sequence[float]]) -> Optional[str]:
    rule = config.early_terminate or {}
    passed = [bracket for bracket in brackets(config) if bracket <= len(history)]
    if not passed:
        return None
    bracket = passed[-1]
    there = sorted(other[bracket - 1] for other in histories if len(other) >= bracket)
    limit = there[min(int(1.0 / float(rule.get("eta", 3)) * len(there)), len(there) - 1)]
    # The strict rule judges the run by where it was at the bracket, the other one by the best that it has ever had.
    mine = history[bracket - 1] if rule.get("strict", True) else min(history)
    if mine <= limit:
        return None
    return f"after {bracket} iterations it was not among the best 1/{rule.get('eta', 3)} of {len(there)} runs"


def _envelope(config: Checked, history: Sequence[float], histories: Sequence[Sequence[float]]) -> Optional[str]:
    """Whether the run has never come as low as the worst of the best runs had by then.

    histories: those of the runs that have finished.
    """
    rule = config.early_terminate or {}
    runs_min = int(rule.get("min_runs", _ENVELOPE_RUNS_MIN))
    if len(histories) < runs_min or len(history) <= rule.get("start_iter", _ENVELOPE_START_ITER):
        return None
    count = max(math.ceil(rule.get("fraction", _ENVELOPE_FRACTION) * len(histories)), runs_min)
    best = sorted(histories, key=min)[:count]
    limit = max(min(other[: len(history)]) for other in best)
    if min(history) < limit:
        return None
    return (
        f"after {len(history)} iterations it is no better than the best {count} of {len(histories)} runs were by then"
    )
