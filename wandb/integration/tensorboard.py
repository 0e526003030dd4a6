"""TensorBoard: the functions of `wandb.tensorboard`, under the path that callers of the official client import."""

from __future__ import annotations

from ..tensorboard import _log as _log
from ..tensorboard import log, patch, unpatch

__all__ = ["log", "patch", "unpatch"]
