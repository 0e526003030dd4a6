"""From arrays and tensors, whoever's they are, to the bytes of an image's pixels."""

from __future__ import annotations

from typing import Any, Optional

from .._tensors import array_of, is_tensor
from .._terminal import termwarn
from ..errors import DataError
from ._limits import PIXELS_MAX, SIDE_MAX
from ._optional import load

MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}


def pixels_of(data: Any, normalize: Optional[bool]) -> Any:
    """A NumPy array of bytes, (height, width) or (height, width, channels).

    PyTorch's tensors have their channels first, all others last. `normalize`: see `wandb.Image`. Raises DataError.
    """
    numpy = load("numpy", "numpy", "wandb.Image of an array")
    if is_tensor(data):
        array = _of_tensor(data, numpy)
    else:
        array = data.numpy() if hasattr(data, "numpy") and not hasattr(data, "__array_interface__") else data
        array = numpy.asarray(array)
    if array.ndim > 2:
        array = array.squeeze()
        if array.ndim == 1:  # a single row or column
            array = array.reshape(1, -1)
    if array.ndim == 4:
        raise DataError(
            f"wandb.Image: an array of shape {tuple(array.shape)} is a batch; log a list, "
            "[wandb.Image(one) for one in batch]"
        )
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in MODES) or not array.size:
        raise DataError(
            f"wandb.Image: Un-supported shape for image conversion {list(array.shape)}; (height, width) or (height, "
            "width, channels) with 1, 3 or 4 channels is one, of PyTorch's tensors (channels, height, width)"
        )
    check_size(array.shape[1], array.shape[0])
    return _as_bytes(array, normalize, numpy)


def check_size(width: int, height: int) -> None:
    """Raise DataError for an image that is too large to be logged, or to be decoded."""
    if width * height > PIXELS_MAX or max(width, height) > SIDE_MAX:
        raise DataError(
            f"wandb.Image: {width:,} x {height:,} pixels are above the limit of {PIXELS_MAX:,} pixels and {SIDE_MAX:,} "
            "a side; log a smaller version, or the file in an artifact"
        )


def _of_tensor(data: Any, numpy: Any) -> Any:
    tensor = data.detach()
    if tensor.ndim == 3:
        tensor = tensor.permute(1, 2, 0)
    elif tensor.ndim == 4 and tensor.shape[0] == 1:
        tensor = tensor[0].permute(1, 2, 0)
    array = array_of(tensor)
    return array.astype(numpy.float32) if array.dtype == numpy.float16 else array


def _as_bytes(array: Any, normalize: Optional[bool], numpy: Any) -> Any:
    kind = array.dtype.kind
    if kind not in "biuf":
        raise DataError(f"wandb.Image: an array of type {array.dtype} has no pixels; numbers from 0 to 255 are")
    if normalize is not True:
        if array.dtype == numpy.uint8:
            return array
        if normalize is None and kind == "b":
            return array.astype(numpy.uint8) * numpy.uint8(255)
    low, high = array.min(), array.max()
    if kind == "f" and not (numpy.isfinite(low) and numpy.isfinite(high)):
        array = numpy.nan_to_num(array, nan=0.0, posinf=255.0, neginf=0.0)
        low, high = array.min(), array.max()
    if normalize is True or (normalize is None and kind == "f"):
        if low >= 0 and high <= 1:
            return (array * 255).astype(numpy.uint8)
        if low >= -1 and high <= 1:
            return (127.5 * (array + 1)).astype(numpy.uint8)
    if low < 0 or high > 255:
        termwarn(
            f"wandb.Image: pixels are numbers from 0 to 255; those from {low:.4g} to {high:.4g} are cut off there",
            repeat=False,
        )
        array = array.clip(0, 255)
    return array.astype(numpy.uint8)
