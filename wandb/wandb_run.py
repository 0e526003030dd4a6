"""Where older libraries import `Run` from."""

from .sdk.wandb_run import Run

__all__ = ["Run"]
