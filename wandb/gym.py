"""An older path of `wandb.integration.gym`."""

from .integration.gym import monitor

__all__ = ["monitor"]
