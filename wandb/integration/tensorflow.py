"""TensorFlow's estimators: summaries of a session that is monitored. Keras is in `wandb.integration.keras`.

from wandb.integration.tensorflow import WandbHook

with wandb.init():
    with tf.compat.v1.train.MonitoredTrainingSession(hooks=[WandbHook(steps_per_log=10)]) as session:
        ...
"""

from __future__ import annotations

from typing import Any

from ..tensorboard import log
from ._library import active_run, library

_v1: Any = library("tensorflow.compat.v1", "tensorflow")
_SessionRunHook: Any = _v1.train.SessionRunHook

__all__ = ["WandbHook"]


class WandbHook(_SessionRunHook):  # type: ignore[misc] # a class of a library that has no types
    """Log a session's summaries every so many steps.

    summary_op: what to run for them; without it all summaries of the graph. `history` is accepted for callers of other
    clients.

    Raises Error where no run is active when the session begins.
    """

    def __init__(self, summary_op: Any = None, steps_per_log: int = 1000, history: Any = None) -> None:
        self._summary_op, self._steps_per_log = summary_op, steps_per_log

    def begin(self) -> None:
        """Find the summaries of the graph."""
        active_run("a session with WandbHook()")
        if self._summary_op is None:
            self._summary_op = _v1.summary.merge_all()

    def before_run(self, run_context: Any) -> Any:
        """Ask for the summaries and the step."""
        return _v1.train.SessionRunArgs({"summary": self._summary_op, "global_step": _v1.train.get_global_step()})

    def after_run(self, run_context: Any, run_values: Any) -> None:
        """Log them where it is time."""
        step = int(run_values.results["global_step"])
        if step % self._steps_per_log == 0:
            log(run_values.results["summary"], step=step)
