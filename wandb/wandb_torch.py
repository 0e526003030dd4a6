"""An older path of `wandb.integration.torch.wandb_torch`."""

from .integration.torch.wandb_torch import TorchGraph, TorchHistory, nested_shape, torch

__all__ = ["TorchGraph", "TorchHistory", "nested_shape", "torch"]
