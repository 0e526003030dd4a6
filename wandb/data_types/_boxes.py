"""Boxes around what is seen in an image."""

from __future__ import annotations

import numbers
from typing import Any, Dict, List, Mapping, Optional, Union

from ..errors import DataError
from ._base import media_home
from ._classes import class_names
from ._json_metadata import JSONMetadata
from ._limits import BOXES_MAX
from ._sink import RUN

_POSITIONS = (("minX", "maxX", "minY", "maxY"), ("width", "height"))
_POSITION = "a position of minX, maxX, minY and maxY, or of middle, width and height"


class BoundingBoxes2D(JSONMetadata):
    """A layer of boxes over an image.

    >>> import wandb
    >>> boxes = wandb.data_types.BoundingBoxes2D(
    ...     {
    ...         "box_data": [
    ...             {
    ...                 "position": {"minX": 0.1, "maxX": 0.2, "minY": 0.3, "maxY": 0.4},
    ...                 "class_id": 2,
    ...                 "box_caption": "a car",
    ...                 "scores": {"confidence": 0.9},
    ...             }
    ...         ],
    ...         "class_labels": {2: "car"},
    ...     },
    ...     "predictions",
    ... )
    >>> boxes.type_name()
    'boxes2D'

    box_data: a list of boxes. A position is {"minX", "maxX", "minY", "maxY"} or {"middle": [x, y], "width", "height"},
    in fractions of the image, or in pixels where the box says `"domain": "pixel"`. Optional are `class_id`, a whole
    number, `box_caption` and `scores`, numbers by name.
    class_labels: the names of the classes; without them they are class_0, class_1 and so on.

    Raises DataError that names the box and what it lacks.
    """

    _log_type = "bounding-boxes"

    def __init__(self, val: Dict[str, Any], key: str) -> None:
        if not isinstance(val, Mapping) or not isinstance(val.get("box_data"), list):
            raise DataError(f"boxes {key!r}: pass {{'box_data': [...], 'class_labels': {{...}}}}")
        super().__init__({**val, "box_data": _plain(val["box_data"])})
        self._boxes: List[Dict[str, Any]] = self._val["box_data"]
        self._key = key
        if "class_labels" in val:
            self._class_labels = class_names(val["class_labels"], f"boxes {key!r}")
        else:
            found = sorted({box["class_id"] for box in self._boxes if box.get("class_id") is not None})
            self._class_labels = {number: f"class_{number}" for number in found}

    @classmethod
    def type_name(cls) -> str:
        """What `_type` says in a run."""
        return "boxes2D"

    def validate(self, val: Dict[str, Any]) -> bool:
        """Whether all boxes are boxes. Raises DataError that names the one which isn't."""
        boxes = val["box_data"]
        if len(boxes) > BOXES_MAX:
            raise DataError(f"{len(boxes):,} boxes are above the limit of {BOXES_MAX:,} for a layer; keep the best")
        for index, box in enumerate(boxes):
            problem = _problem(box)
            if problem:
                raise DataError(f"box_data[{index}]: {problem}")
        return True

    def bind_to_run(
        self, run: Any, key: Union[int, str], step: Union[int, str], id_: Union[None, int, str] = None,
        ignore_copy_err: Optional[bool] = None,
    ) -> None:  # fmt: skip
        """Give file and names of classes to a run; `key` is that of the image."""
        super().bind_to_run(run, key, step, id_, ignore_copy_err)
        keep_class_labels(run, "bounding_box/class_labels", key, self._key, self._class_labels)

    def to_json(self, run_or_artifact: Any) -> Any:
        """In a run, the JSON object that names the file; in an artifact, the boxes themselves."""
        return super().to_json(run_or_artifact) if media_home(run_or_artifact) == RUN else self._boxes

    @classmethod
    def from_json(cls, json_obj: Any, source_artifact: Any) -> BoundingBoxes2D:
        """The boxes again."""
        return cls({"box_data": json_obj}, "")


def keep_class_labels(run: Any, kind: str, key: Union[int, str], layer: str, labels: Mapping[Any, str]) -> None:
    """Keep the names of a layer's classes in the run's config, once for all steps."""
    name = f"{key}_wandb_delimeter_{layer}"
    value = {str(number): text for number, text in labels.items()}
    run._keep_labels(kind, name, {"type": kind, "key": name, "value": value})


def _problem(box: Any) -> str:
    """What is wrong with a box, or ""."""
    position = box.get("position") if isinstance(box, Mapping) else None
    if not isinstance(position, Mapping):
        return f"a box needs {_POSITION}"
    middle = position.get("middle")
    centered = isinstance(middle, (list, tuple)) and len(middle) == 2 and all(map(_is_number, middle))
    corners, size = (all(_is_number(position.get(name)) for name in names) for names in _POSITIONS)
    if not corners and not (centered and size):
        return f"a box needs {_POSITION}"
    scores = box.get("scores")
    if scores is not None and not (
        isinstance(scores, Mapping) and all(isinstance(name, str) and _is_number(scores[name]) for name in scores)
    ):
        return "scores are numbers by name"
    if "class_id" in box and (not isinstance(box["class_id"], int) or isinstance(box["class_id"], bool)):
        return "class_id is a whole number"
    if "box_caption" in box and not isinstance(box["box_caption"], str):
        return "box_caption is a text"
    return ""


def _is_number(value: Any) -> bool:
    return isinstance(value, numbers.Number) and not isinstance(value, bool)


def _plain(value: Any) -> Any:
    """Tensors and NumPy's numbers as plain ones."""
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value.tolist() if hasattr(value, "tolist") else value
