"""`WandbMetricsLogger`: what Keras reports, epoch by epoch or batch by batch."""

from __future__ import annotations

from typing import Any, Dict, Mapping, Optional, Union

from ..._terminal import termerror
from ...errors import UsageError
from .._library import active_run
from ._backend import Callback


class WandbMetricsLogger(Callback):  # type: ignore[misc] # a class of a library that has no types
    """Log losses, metrics and the learning rate of `fit` to the active run.

    log_freq: "epoch", "batch", or a number of batches. initial_global_step: how many batches went before, where the
    training of an earlier program goes on with `initial_epoch`; a schedule of Keras 2 is computed for it.

    Keys begin with `epoch/` and are drawn over `epoch/epoch`, or with `batch/` over `batch/batch_step`.

    Raises Error where no run is active, and UsageError for another `log_freq`.
    """

    def __init__(
        self, log_freq: Union[str, int] = "epoch", initial_global_step: int = 0, *args: Any, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        run = active_run("WandbMetricsLogger()")
        every = 1 if log_freq == "batch" else None if log_freq == "epoch" else log_freq
        if every is not None and (not isinstance(every, int) or every < 1):
            raise UsageError(f'WandbMetricsLogger: log_freq is "epoch", "batch" or a number, not {log_freq!r}')
        self.logging_batch_wise = every is not None
        self.log_freq = every
        self.global_batch = 0
        self.global_step = initial_global_step
        # Metrics are drawn over what they are counted by.
        prefix, counter = ("batch", "batch_step") if self.logging_batch_wise else ("epoch", "epoch")
        run.define_metric(f"{prefix}/{counter}")
        run.define_metric(f"{prefix}/*", step_metric=f"{prefix}/{counter}")

    def on_epoch_end(self, epoch: int, logs: Optional[Mapping[str, Any]] = None) -> None:
        """Log what the epoch has come to."""
        self._log("epoch", logs, {"epoch/epoch": epoch})

    def on_train_batch_end(self, batch: int, logs: Optional[Mapping[str, Any]] = None) -> None:
        """Log a batch, where it is time."""
        self.global_step += 1
        if self.log_freq is not None and batch % self.log_freq == 0:
            self._log("batch", logs, {"batch/batch_step": self.global_batch})
            self.global_batch += self.log_freq

    def on_batch_end(self, batch: int, logs: Optional[Mapping[str, Any]] = None) -> None:
        """`on_train_batch_end`, as older versions of Keras call it."""
        self.on_train_batch_end(batch, logs)

    def _log(self, prefix: str, logs: Optional[Mapping[str, Any]], counted: Dict[str, Any]) -> None:
        row = {**{f"{prefix}/{name}": value for name, value in (logs or {}).items()}, **counted}
        rate = self._learning_rate()
        if rate is not None:
            row[f"{prefix}/learning_rate"] = rate
        active_run("fit()").log(row)

    def _learning_rate(self) -> Optional[float]:
        try:
            rate = self.model.optimizer.learning_rate
            if callable(rate) and not hasattr(rate, "shape"):
                rate = rate(self.global_step)
            return float(rate)
        except Exception as error:  # an optimizer of the user's own may have anything there, and the loss is there
            termerror(f"WandbMetricsLogger: the learning rate can't be read: {error}", repeat=False)
            return None
