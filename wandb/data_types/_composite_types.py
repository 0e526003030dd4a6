"""The types of table cells that are made of others: unions, lists, arrays and dictionaries; and the type a user means.

_column_types.py says what a type is.
"""

from __future__ import annotations

from typing import Any, Dict, List, Mapping, Optional, Sequence

from ._base import WBValue
from ._column_types import (
    INVALID,
    NONE,
    UNKNOWN,
    ConstType,
    InvalidType,
    Type,
    UnknownType,
    is_array,
    type_of,
    type_of_python_class,
)


class UnionType(Type):
    """One of several types."""

    name = "union"

    def __init__(self, allowed_types: Optional[Sequence[Any]] = None) -> None:
        flat: List[Type] = []
        for one in map(type_from_dtype, allowed_types or ()):
            flat += one.params["allowed_types"] if isinstance(one, UnionType) else [one]
        super().__init__(allowed_types=sorted(flat, key=str))

    def assign(self, obj: Any) -> Type:
        return self._with(lambda one: one.assign(obj))

    def assign_type(self, other: Type) -> Type:
        result: Type = self
        for added in other.params["allowed_types"] if isinstance(other, UnionType) else (other,):
            if not isinstance(result, UnionType):
                return INVALID
            result = result._with(lambda one, added=added: one.assign_type(added))
        return result

    def _with(self, assign: Any) -> Type:
        """The union in which the first type that can has taken it; an unknown one takes what no other does."""
        allowed = self.params["allowed_types"]
        unknown = [one for one in allowed if isinstance(one, UnknownType)]
        resolved: List[Type] = []
        taken = False
        for one in allowed:
            if isinstance(one, UnknownType):
                continue
            assigned = INVALID if taken else assign(one)
            if isinstance(assigned, InvalidType):
                resolved.append(one)
            elif assigned is one:
                return self
            else:
                taken = True
                resolved.append(assigned)
        if not taken:
            if not unknown:
                return INVALID
            assigned = assign(unknown.pop())
            if isinstance(assigned, InvalidType):
                return INVALID
            resolved.append(assigned)
        return UnionType([*resolved, *unknown])

    def explain(self, obj: Any, depth: int = 0) -> str:
        parts = [one.explain(obj, depth + 1) for one in self.params["allowed_types"]]
        joint = "\n" + "\t" * depth + "and\n"
        return f"{super().explain(obj, depth)}\n{joint.join(parts)}"

    def __repr__(self) -> str:
        return " or ".join(map(str, self.params["allowed_types"]))


def optional(dtype: Any) -> UnionType:
    """A type that may also be None."""
    return UnionType([type_from_dtype(dtype), NONE])


def optional_type(dtype: Type, may_be_none: bool) -> Type:
    """A type, or one that may also be None."""
    return optional(dtype) if may_be_none else dtype


class ListType(Type):
    """Lists whose elements are of one type; `length` is that of the last one."""

    name = "list"
    classes = (list, tuple, set, frozenset)

    def __init__(self, element_type: Any = None, length: Optional[int] = None) -> None:
        super().__init__(element_type=UNKNOWN if element_type is None else type_from_dtype(element_type), length=length)

    @classmethod
    def from_obj(cls, obj: Any) -> Type:
        element: Type = optional(UNKNOWN) if None in obj else UNKNOWN
        for item in obj:
            element = element.assign(item)
        return cls(element, len(obj))

    def assign(self, obj: Any) -> Type:
        if not hasattr(obj, "__iter__"):
            return INVALID
        items = list(obj)
        element = self.params["element_type"]
        for item in items:
            element = element.assign(item)
            if isinstance(element, InvalidType):
                return INVALID
        return ListType(element, len(items))

    def assign_type(self, other: Type) -> Type:
        if not isinstance(other, ListType):
            return INVALID
        element = self.params["element_type"].assign_type(other.params["element_type"])
        if isinstance(element, InvalidType):
            return INVALID
        length = self.params["length"]
        return ListType(element, length if length == other.params["length"] else None)

    def explain(self, obj: Any, depth: int = 0) -> str:
        reason = super().explain(obj, depth)
        element = self.params["element_type"]
        for index, item in enumerate(obj if isinstance(obj, (list, tuple, set, frozenset)) else ()):
            assigned = element.assign(item)
            if isinstance(assigned, InvalidType):
                gap = "\t" * depth
                return f"{reason}\n{gap}Index {index}:\n{element.explain(item, depth + 1)}"
            element = assigned
        return reason

    def __repr__(self) -> str:
        return f"{self.params['element_type']}[]"


class NDArrayType(Type):
    """Arrays of one shape. In an artifact their numbers are in a file of their own, `place` says where."""

    name = "ndarray"

    def __init__(self, shape: Sequence[int], serialization_path: Optional[Dict[str, str]] = None) -> None:
        super().__init__(shape=list(shape))
        self.place = serialization_path

    @classmethod
    def from_obj(cls, obj: Any) -> Type:
        return cls(obj.shape)

    def assign(self, obj: Any) -> Type:
        return self.assign_type(NDArrayType(_shape_of(obj))) if is_array(obj) or isinstance(obj, list) else INVALID

    def assign_type(self, other: Type) -> Type:
        same = isinstance(other, NDArrayType) and self.params["shape"] == other.params["shape"]
        return self if same or isinstance(other, ListType) else INVALID

    def to_json(self, artifact: Any = None) -> Dict[str, Any]:
        return {"wb_type": self.name, "params": {"shape": self.params["shape"], "serialization_path": self.place}}


class TypedDictType(Type):
    """Dictionaries that have these keys, each with a type of its own."""

    name = "typedDict"
    legacy_names = ("dictionary",)
    classes = (dict,)

    def __init__(self, type_map: Optional[Mapping[Any, Any]] = None) -> None:
        super().__init__(type_map={key: type_from_dtype(dtype) for key, dtype in (type_map or {}).items()})

    @classmethod
    def from_obj(cls, obj: Any) -> Type:
        return cls({key: type_of(value) for key, value in obj.items()})

    def assign(self, obj: Any) -> Type:
        return self._with(obj, lambda one, key: one.assign(obj.get(key))) if isinstance(obj, dict) else INVALID

    def assign_type(self, other: Type) -> Type:
        if not isinstance(other, TypedDictType):
            return INVALID
        types = other.params["type_map"]
        return self._with(types, lambda one, key: one.assign_type(types.get(key, UNKNOWN)))

    def _with(self, keys: Mapping[Any, Any], assign: Any) -> Type:
        own = self.params["type_map"]
        if any(key not in own for key in keys):
            return INVALID
        assigned = {key: assign(one, key) for key, one in own.items()}
        return INVALID if any(isinstance(one, InvalidType) for one in assigned.values()) else TypedDictType(assigned)

    def explain(self, obj: Any, depth: int = 0) -> str:
        reason, gap = super().explain(obj, depth), "\t" * depth
        if not isinstance(obj, dict):
            return reason
        own = self.params["type_map"]
        extra = [str(key) for key in obj if key not in own]
        if extra:
            reason += f"\n{gap}Found extra keys: {','.join(extra)}"
        for key, one in own.items():
            if isinstance(one.assign(obj.get(key)), InvalidType):
                reason += f"\n{gap}Key '{key}':\n{one.explain(obj.get(key), depth + 1)}"
        return reason

    def __repr__(self) -> str:
        return str(self.params["type_map"])


def type_from_dtype(dtype: Any) -> Type:
    """The type that a user means by a Python type, a value, or lists and dictionaries of them."""
    if isinstance(dtype, Type):
        return dtype
    if isinstance(dtype, type):
        if issubclass(dtype, Type):
            return dtype()
        from . import _media_types

        found = _media_types.type_of_class(dtype)
        if found is not None:
            return found
        return type_of_python_class(dtype)
    if isinstance(dtype, list):
        return ListType(dtype[0] if dtype else None) if len(dtype) < 2 else UnionType(dtype)
    if isinstance(dtype, dict):
        return TypedDictType(dtype)
    if isinstance(dtype, WBValue):
        return type_of(dtype)
    return ConstType(dtype)


def _shape_of(obj: Any) -> List[int]:
    if not isinstance(obj, list):
        return list(obj.shape)
    shape: List[int] = []
    while isinstance(obj, list):
        shape.append(len(obj))
        if not obj:
            break
        obj = obj[0]
    return shape
