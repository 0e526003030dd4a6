"""An older path of `wandb.integration.xgboost`."""

from .integration.xgboost import WandbCallback, wandb_callback

__all__ = ["WandbCallback", "wandb_callback"]
