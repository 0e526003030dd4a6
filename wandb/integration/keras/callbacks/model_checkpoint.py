"""`WandbModelCheckpoint`, by the official client's path."""

from .._model_checkpoint import WandbModelCheckpoint

__all__ = ["WandbModelCheckpoint"]
