"""PyTorch: histograms of gradients and parameters, and the graph of a model.

    import wandb

    with wandb.init() as run:
        run.watch(model, log="all", log_freq=100, log_graph=True)

`run.watch` is all that a program needs. `TorchGraph` and `TorchHistory` are what it is made of, by the names that
callers of older clients know; they are in `wandb_torch` too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..._of_the_active_run import unwatch, watch

if TYPE_CHECKING:
    from .wandb_torch import TorchGraph, TorchHistory

__all__ = ["TorchGraph", "TorchHistory", "unwatch", "watch"]

if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from . import wandb_torch  # which needs PyTorch

        return getattr(wandb_torch, name)
