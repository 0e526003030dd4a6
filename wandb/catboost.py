"""An older path of `wandb.integration.catboost`."""

from .integration.catboost import WandbCallback, log_summary

__all__ = ["WandbCallback", "log_summary"]
