"""The classes that boxes and masks are of."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, Dict, List, Mapping, Sequence

from ..errors import DataError
from ._base import Media
from ._sink import Json

if TYPE_CHECKING:
    from ._column_types import Type


class Classes(Media):
    """The classes of a data set: an id and a name each.

    >>> import wandb
    >>> wandb.Classes([{"id": 0, "name": "person"}, {"id": 1, "name": "car"}])
    Classes([{'id': 0, 'name': 'person'}, {'id': 1, 'name': 'car'}])

    Raises DataError for a class without id or name.
    """

    _log_type = "classes"

    def __init__(self, class_set: Sequence[Mapping[str, Any]]) -> None:
        super().__init__()
        for one in class_set:
            if not isinstance(one, Mapping) or "id" not in one or "name" not in one:
                raise DataError(f"Classes: each class is {{'id': ..., 'name': ...}}, not {one!r}")
        self._class_set: List[Dict[str, Any]] = [dict(one) for one in class_set]

    def to_json(self, run_or_artifact: Any) -> Json:
        """The JSON object: the classes themselves."""
        return {"_type": self._log_type, "class_set": self._class_set}

    @classmethod
    def from_json(cls, json_obj: Json, source_artifact: Any) -> Classes:
        """The classes again."""
        return cls(json_obj["class_set"])

    def get_type(self) -> Type:
        """The type of a table's column that holds their ids."""
        from ._media_types import ClassesIdType

        return ClassesIdType(self)

    def entry_name(self) -> str:
        """The name of the entry in an artifact that the images of it share."""
        digest = hashlib.md5(str(self._class_set).encode(), usedforsecurity=False).hexdigest()
        return f"media/classes/{digest}_cls"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Classes) and self._class_set == other._class_set

    __hash__ = None

    def __repr__(self) -> str:
        return f"Classes({self._class_set!r})"


def class_names(labels: Any, what: str) -> Dict[int, str]:
    """The names of classes by their number, from what a user passes. Raises DataError."""
    if not isinstance(labels, Mapping):
        raise DataError(f"{what}: class_labels is a dictionary from numbers to names, not {type(labels).__name__}")
    for number, name in labels.items():
        if isinstance(number, str) or not hasattr(number, "__index__") or not isinstance(name, str):
            raise DataError(f"{what}: class_labels is a dictionary from numbers to names; {number!r}: {name!r} is not")
    return dict(labels)
