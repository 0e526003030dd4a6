"""Masks over images: a class for each pixel."""

from __future__ import annotations

from typing import Any, Dict, Mapping, Optional, Union

from .._tensors import array_of, is_tensor
from ..errors import DataError
from ._base import Media
from ._boxes import keep_class_labels
from ._classes import class_names
from ._content import Content
from ._optional import load
from ._pixels import check_size
from ._png import encode_png
from ._sink import Json


class ImageMask(Media):
    """A layer over an image that says for each pixel which class it is of.

    >>> import numpy as np, wandb
    >>> mask = wandb.data_types.ImageMask(
    ...     {"mask_data": np.array([[0, 1], [1, 2]]), "class_labels": {0: "road", 1: "car", 2: "tree"}}, "predictions"
    ... )
    >>> mask.type_name(), mask.get_media_subdir()
    ('mask', 'media/images/mask')

    mask_data: an array of whole numbers from 0 to 255, (height, width).
    path: instead of that, an image file whose grey values are the numbers.
    class_labels: the names of the classes; without them they are class_0, class_1 and so on.

    Raises DataError.
    """

    _log_type = "mask"
    _folder = "media/images/mask"

    def __init__(self, val: Dict[str, Any], key: str) -> None:
        super().__init__()
        self._key = key
        self._class_labels: Optional[Dict[int, str]] = None
        if not isinstance(val, Mapping) or ("path" not in val and "mask_data" not in val):
            raise DataError(f"mask {key!r}: pass {{'mask_data': a 2D array, 'class_labels': {{...}}}}")
        if "class_labels" in val:
            self._class_labels = class_names(val["class_labels"], f"mask {key!r}")
        if "path" in val:
            self._content = Content.of_file(val["path"])
            return
        self.validate(val)
        pixels = _pixels(val["mask_data"], f"mask {key!r}")
        if self._class_labels is None:
            self._class_labels = {int(number): f"class_{number}" for number in set(pixels.ravel().tolist())}
        self._content = Content.of_bytes(encode_png(pixels), ".mask.png")

    @classmethod
    def type_name(cls) -> str:
        """What `_type` says."""
        return "mask"

    def validate(self, val: Dict[str, Any]) -> bool:
        """Whether this makes a mask. Raises DataError that says what doesn't."""
        if "mask_data" not in val:
            raise DataError(f"mask {self._key!r}: mask_data is missing, a 2D array with a class for each pixel")
        if "class_labels" in val:
            class_names(val["class_labels"], f"mask {self._key!r}")
        return True

    def bind_to_run(
        self, run: Any, key: Union[int, str], step: Union[int, str], id_: Union[None, int, str] = None,
        ignore_copy_err: Optional[bool] = None,
    ) -> None:  # fmt: skip
        """Give file and names of classes to a run; `key` is that of the image."""
        super().bind_to_run(run, key, step, id_, ignore_copy_err)
        if self._class_labels is not None:
            keep_class_labels(run, "mask/class_labels", key, self._key, self._class_labels)

    @classmethod
    def from_json(cls, json_obj: Json, source_artifact: Any) -> ImageMask:
        """The mask again."""
        mask = cls({"path": source_artifact.get_entry(json_obj["path"]).download()}, "")
        mask._entry = json_obj["path"]
        return mask


def _pixels(data: Any, what: str) -> Any:
    numpy = load("numpy", "numpy", "a mask of an array")
    if is_tensor(data):
        data = array_of(data)
    array = numpy.asarray(data)
    if array.ndim != 2 or not array.size:
        raise DataError(f"{what}: mask_data is a 2D array, not one of shape {tuple(array.shape)}")
    if array.dtype.kind not in "biuf" or array.min() < 0 or array.max() > 255:
        raise DataError(f"{what}: mask_data is whole numbers from 0 to 255")
    check_size(array.shape[1], array.shape[0])
    return array.astype(numpy.uint8)
