"""An older path of `wandb.integration.tensorflow`."""

from .integration.tensorflow import WandbHook

__all__ = ["WandbHook"]
