"""The values of PyTorch's tensors, wherever they live."""

from __future__ import annotations

from typing import Any


def is_tensor(value: Any) -> bool:
    """Whether a value is one, told by what it can do: PyTorch need not be there."""
    return hasattr(value, "detach") and hasattr(value, "cpu")


def array_of(tensor: Any) -> Any:
    """A NumPy array of a tensor's values, in its shape, whether it needs gradients, is sparse or lives on a device.

    Types that NumPy doesn't have, bfloat16 and those of eight bits, become float32, which holds all their numbers.
    """
    tensor = tensor.detach()
    tensor = (tensor.to_dense() if tensor.is_sparse else tensor).cpu()
    try:
        return tensor.numpy()
    except TypeError:
        return tensor.float().numpy()
