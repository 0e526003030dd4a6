"""An older path of `wandb.integration.sacred`."""

from .integration.sacred import WandbObserver

__all__ = ["WandbObserver"]
