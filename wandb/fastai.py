"""An older path of `wandb.integration.fastai`."""

from .integration.fastai import WandbCallback

__all__ = ["WandbCallback"]
