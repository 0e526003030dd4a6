"""An older path of `wandb.integration.sb3`."""

from .integration.sb3 import WandbCallback

__all__ = ["WandbCallback"]
