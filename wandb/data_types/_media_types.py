"""The types of columns that hold media, told by the class and, for images, by the layers that they have."""

from __future__ import annotations

from typing import Any, Dict, Mapping, Optional, Set
from typing import Type as Class

from ._base import WBValue
from ._column_types import INVALID, ConstType, PythonObjectType, Type, UnknownType
from ._composite_types import TypedDictType, UnionType


class AudioFileType(Type):
    """Sound."""

    name = "audio-file"


class VideoFileType(Type):
    """Videos."""

    name = "video-file"


class HtmlFileType(Type):
    """Pages."""

    name = "html-file"


class MoleculeFileType(Type):
    """Molecules."""

    name = "molecule-file"


class Object3DFileType(Type):
    """Point clouds."""

    name = "object3D-file"


class BokehFileType(Type):
    """Plots of Bokeh's."""

    name = "bokeh-file"


class TraceTreeType(Type):
    """Trace trees."""

    name = "wb_trace_tree"


class JoinedTableType(Type):
    """Joined tables."""

    name = "joined-table"


class PartitionedTableType(Type):
    """Partitioned tables."""

    name = "partitioned-table"


class ImageFileType(Type):
    """Images, with the classes of all the layers that they have."""

    name = "image-file"
    legacy_names = ("wandb.Image",)

    def __init__(
        self, box_layers: Any = None, box_score_keys: Any = None, mask_layers: Any = None, box_class_maps: Any = None,
        mask_class_maps: Any = None, class_map: Any = None, **later: Any,
    ) -> None:  # fmt: skip
        super().__init__(
            box_layers=ConstType({layer: set(ids) for layer, ids in _value(box_layers).items()}),
            box_score_keys=ConstType(set(_value(box_score_keys))),
            mask_layers=ConstType({layer: set(ids) for layer, ids in _value(mask_layers).items()}),
            box_class_maps=ConstType(_named(_value(box_class_maps))),
            mask_class_maps=ConstType(_named(_value(mask_class_maps))),
            class_map=ConstType(dict(_value(class_map))),
        )

    @classmethod
    def from_obj(cls, obj: Any) -> Type:
        boxes, masks = obj._boxes or {}, obj._masks or {}
        labels = {layer: mask._class_labels or {} for layer, mask in masks.items()}
        return cls(
            {str(layer): set(one._class_labels) for layer, one in boxes.items()},
            {name for one in boxes.values() for box in one._boxes for name in box.get("scores") or ()},
            {str(layer): set(names) for layer, names in labels.items()},
            {str(layer): one._class_labels for layer, one in boxes.items()},
            {layer: names for layer, names in labels.items() if masks[layer]._class_labels is not None},
            {str(one["id"]): one["name"] for one in obj._classes._class_set} if obj._classes else {},
        )

    def assign_type(self, other: Type) -> Type:
        if not isinstance(other, ImageFileType):
            return INVALID
        own, others = self._values(), other._values()
        if own == others:
            return self
        return ImageFileType(
            _layers(own["box_layers"], others["box_layers"]),
            own["box_score_keys"] | others["box_score_keys"],
            _layers(own["mask_layers"], others["mask_layers"]),
            _class_maps(own["box_class_maps"], others["box_class_maps"]),
            _class_maps(own["mask_class_maps"], others["mask_class_maps"]),
            {**others["class_map"], **own["class_map"]},
        )

    def _values(self) -> Dict[str, Any]:
        return {name: param.params["val"] for name, param in self.params.items()}


def _value(param: Any) -> Any:
    """A parameter as it is given, or as it is read back."""
    return (param.params["val"] if isinstance(param, ConstType) else param) or {}


def _named(maps: Mapping[Any, Mapping[Any, str]]) -> Dict[str, Dict[str, str]]:
    return {str(layer): {str(number): name for number, name in names.items()} for layer, names in maps.items()}


def _layers(own: Mapping[str, Set[Any]], others: Mapping[str, Set[Any]]) -> Dict[str, Set[Any]]:
    return {str(layer): set(own.get(layer, ())) | set(others.get(layer, ())) for layer in {**own, **others}}


def _class_maps(own: Mapping[str, Any], others: Mapping[str, Any]) -> Dict[str, Any]:
    return {layer: {**others.get(layer, {}), **own.get(layer, {})} for layer in {**own, **others}}


class ClassesIdType(Type):
    """The ids of a set of classes."""

    name = "classesId"
    legacy_names = ("wandb.Classes_id",)

    def __init__(self, classes_obj: Any = None, valid_ids: Any = None) -> None:
        if isinstance(valid_ids, list):
            valid_ids = UnionType([ConstType(one) for one in valid_ids])
        if classes_obj is not None:
            valid_ids = UnionType([ConstType(one["id"]) for one in classes_obj._class_set])
        super().__init__(valid_ids=valid_ids or UnionType())
        self.classes_obj = classes_obj

    @classmethod
    def from_obj(cls, obj: Any) -> Type:
        return cls(obj)

    def assign(self, obj: Any) -> Type:
        return self.assign_type(ConstType(obj))

    def assign_type(self, other: Type) -> Type:
        return INVALID if self.params["valid_ids"].assign_type(other) is INVALID else self

    def to_json(self, artifact: Any = None) -> Dict[str, Any]:
        result = super().to_json(artifact)
        if artifact is None:
            result["params"]["classes_obj"] = self.classes_obj.to_json(None)
        else:
            entry = artifact.add(self.classes_obj, "media/cls")
            result["params"]["classes_obj"] = {"type": "classes-file", "path": entry.path, "digest": entry.digest}
        return result

    @classmethod
    def from_json(cls, json_obj: Mapping[str, Any], artifact: Any = None) -> Type:
        from ._classes import Classes

        held = json_obj["params"]["classes_obj"]
        if held.get("type") == "classes-file":
            return cls(artifact.get(held["path"]))
        return cls(Classes.from_json(held, artifact))


class TableType(Type):
    """Tables with columns of these types."""

    name = "table"
    legacy_names = ("wandb.Table",)

    def __init__(self, column_types: Any = None) -> None:
        if isinstance(column_types, dict):
            column_types = TypedDictType(column_types)
        super().__init__(column_types=UnknownType() if column_types is None else column_types)

    @classmethod
    def from_obj(cls, obj: Any) -> Type:
        return cls(obj._column_types)

    def assign_type(self, other: Type) -> Type:
        if not isinstance(other, TableType):
            return INVALID
        columns = self.params["column_types"].assign_type(other.params["column_types"])
        return INVALID if columns is INVALID else TableType(columns)


_OF_MEDIA: Dict[str, Class[Type]] = {
    kind.name: kind
    for kind in (
        AudioFileType, VideoFileType, HtmlFileType, MoleculeFileType, Object3DFileType, BokehFileType, TraceTreeType,
        JoinedTableType, PartitionedTableType, ImageFileType, TableType,
    )
}  # fmt: skip


def type_of_medium(value: WBValue) -> Type:
    """The type of a value of this package, or of a subclass of one."""
    if value._log_type == "classes":
        return ClassesIdType.from_obj(value)
    found = _OF_MEDIA.get(str(value._log_type))
    return PythonObjectType.from_obj(value) if found is None else found.from_obj(value)


def type_of_class(kind: type) -> Optional[Type]:
    """The type of the values of a class; None for what is no medium."""
    found = _OF_MEDIA.get(str(kind._log_type)) if issubclass(kind, WBValue) else None
    return None if found is None else found()
