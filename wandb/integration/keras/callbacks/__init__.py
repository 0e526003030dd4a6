"""The official client's paths to Keras's callbacks, which programs import, too."""

from __future__ import annotations

from .._eval_callback import WandbEvalCallback
from .._metrics_logger import WandbMetricsLogger
from .._model_checkpoint import WandbModelCheckpoint

__all__ = ["WandbEvalCallback", "WandbMetricsLogger", "WandbModelCheckpoint"]
