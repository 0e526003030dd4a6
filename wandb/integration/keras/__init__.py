"""Keras, on whatever backend it runs: metrics, checkpoints, tables of predictions.

    from wandb.integration.keras import WandbMetricsLogger, WandbModelCheckpoint

    with wandb.init(config={"epochs": 5}):
        model.fit(x, y, validation_split=0.2, callbacks=[WandbMetricsLogger(), WandbModelCheckpoint("best.keras")])

Keras 3 with TensorFlow, PyTorch or JAX, and the `tf.keras` of TensorFlow before 2.16 (`tf_keras`, where
TF_USE_LEGACY_KERAS asks for it). Only the backend's library is loaded. `WandbCallback` is the callback of older
programs, which does most things at once.
"""

from __future__ import annotations

from ._eval_callback import WandbEvalCallback
from ._metrics_logger import WandbMetricsLogger
from ._model_checkpoint import WandbModelCheckpoint
from ._wandb_callback import WandbCallback

__all__ = ["WandbCallback", "WandbEvalCallback", "WandbMetricsLogger", "WandbModelCheckpoint"]
