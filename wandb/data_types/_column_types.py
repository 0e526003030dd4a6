"""The types of a table's columns: what a cell is, and what a column becomes when a cell is put into it.

    Type
    ├── invalid     what an assignment that isn't allowed gives
    ├── any, unknown, none
    ├── string, number, boolean, timestamp, pythonObject
    ├── const       one value, or one of a set
    ├── list, ndarray, typedDict, union: those made of others, in _composite_types.py
    └── the media, keys and indexes of tables: each beside its class

`assign` puts a value into a type and gives the type that holds both, or `INVALID`. Types are never changed.
Their JSON is W&B's: an artifact's table says by it how its cells are read.
"""

from __future__ import annotations

import datetime
import math
from typing import Any, ClassVar, Dict, List, Mapping, Tuple, Union
from typing import Type as Class

from ._base import WBValue

Params = Dict[str, Any]


class Type:
    """A type of cells. `name` is what its JSON says; `classes` the Python types whose values are of it."""

    name: ClassVar[str] = ""
    legacy_names: ClassVar[Tuple[str, ...]] = ()
    classes: ClassVar[Tuple[type, ...]] = ()

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        for name in (cls.name, *cls.legacy_names):
            _BY_NAME[name] = cls
        for kind in cls.__dict__.get("classes", ()):
            _BY_CLASS[kind] = cls

    def __init__(self, **params: Any) -> None:
        self.params: Params = params

    @classmethod
    def from_obj(cls, obj: Any) -> Type:
        """The type of a value."""
        return cls()

    def assign(self, obj: Any) -> Type:
        """The type that holds the values so far and this one."""
        return self.assign_type(type_of(obj))

    def assign_type(self, other: Type) -> Type:
        """The type that holds the values of both."""
        return self if type(other) is type(self) and self.params == other.params else INVALID

    def to_json(self, artifact: Any = None) -> Dict[str, Any]:
        """The JSON object; tables that it refers to go into the artifact."""
        params = _params_to_json(self.params, artifact)
        return {"wb_type": self.name, "params": params} if params else {"wb_type": self.name}

    @classmethod
    def from_json(cls, json_obj: Mapping[str, Any], artifact: Any = None) -> Type:
        """The type again."""
        return cls(**_params_from_json(json_obj.get("params", {}), artifact))

    def explain(self, obj: Any, depth: int = 0) -> str:
        """Why a value can't be assigned."""
        gap = "\t" * depth
        subject = f"{gap}{type_of(obj)}" if depth else f"{gap}{obj!r} of type {type_of(obj)}"
        return f"{subject} {'' if depth else 'is '}not assignable to {self}"

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, Type) and self.name == other.name and self.params == other.params)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        if not self.params:
            return self.name.capitalize()
        return f"{self.name.capitalize()}({', '.join(f'{key}:{value}' for key, value in self.params.items())})"


# Filled by the classes as they are defined.
_BY_NAME: Dict[str, Class[Type]] = {}
_BY_CLASS: Dict[type, Class[Type]] = {}


class InvalidType(Type):
    """What an assignment that isn't allowed gives."""

    name = "invalid"

    def assign_type(self, other: Type) -> Type:
        return self


class AnyType(Type):
    """Every value but None."""

    name = "any"

    def assign_type(self, other: Type) -> Type:
        return INVALID if isinstance(other, (NoneType, InvalidType)) else self


class UnknownType(Type):
    """Nothing has been assigned yet: the first value says what it is."""

    name = "unknown"

    def assign_type(self, other: Type) -> Type:
        return INVALID if isinstance(other, NoneType) else other


class NoneType(Type):
    """None, and NaN in a column that isn't of numbers."""

    name = "none"
    classes = (type(None),)


class StringType(Type):
    """Texts."""

    name = "string"
    classes = (str,)


class NumberType(Type):
    """Numbers, those of NumPy included."""

    name = "number"
    classes = (int, float)


class TimestampType(Type):
    """Times and days."""

    name = "timestamp"
    classes = (datetime.datetime, datetime.date)


class BooleanType(Type):
    """True and False."""

    name = "boolean"
    classes = (bool,)


class PythonObjectType(Type):
    """Objects of a class that no other type knows."""

    name = "pythonObject"
    legacy_names = ("object",)

    def __init__(self, class_name: str) -> None:
        super().__init__(class_name=class_name)

    @classmethod
    def from_obj(cls, obj: Any) -> Type:
        return cls(type(obj).__name__)


class ConstType(Type):
    """One value, or one of a set."""

    name = "const"

    def __init__(self, val: Any = None, is_set: bool = False) -> None:
        is_set = is_set or isinstance(val, set)
        super().__init__(val=set(val) if is_set else val, is_set=is_set)

    def assign(self, obj: Any) -> Type:
        return self.assign_type(ConstType(obj))

    def __repr__(self) -> str:
        return str(self.params["val"])


INVALID, UNKNOWN, NONE, NUMBER, STRING = InvalidType(), UnknownType(), NoneType(), NumberType(), StringType()
_BOOLEAN, _TIMESTAMP = BooleanType(), TimestampType()
# Types without parameters: one object for all their values.
_SINGLE: Dict[type, Type] = {
    int: NUMBER, float: NUMBER, str: STRING, bool: _BOOLEAN, type(None): NONE, datetime.datetime: _TIMESTAMP,
    datetime.date: _TIMESTAMP,
}  # fmt: skip
_BY_KIND: Dict[str, Type] = {
    "i": NUMBER, "u": NUMBER, "f": NUMBER, "c": NUMBER, "b": _BOOLEAN, "M": _TIMESTAMP, "U": STRING, "S": STRING,
}  # fmt: skip


def type_of(obj: Any) -> Type:
    """The type of a value."""
    kind = type(obj)
    single = _SINGLE.get(kind)
    if single is not None:
        return NONE if kind is float and math.isnan(obj) else single
    known = _BY_CLASS.get(kind)
    if known is not None:
        return known.from_obj(obj)
    if isinstance(obj, WBValue):
        return _type_of_medium(obj)
    if is_array(obj):
        from ._composite_types import NDArrayType

        return NDArrayType.from_obj(obj)
    if hasattr(obj, "dtype") and hasattr(obj, "item"):  # one of NumPy's numbers, texts or times
        return _BY_KIND.get(getattr(obj.dtype, "kind", "")) or PythonObjectType.from_obj(obj)
    if isinstance(obj, datetime.date):
        return _TIMESTAMP if obj == obj else NONE  # pandas has a time that is none
    return PythonObjectType.from_obj(obj)


def type_of_python_class(kind: type) -> Type:
    """The type of a Python class's values, before there is one."""
    return _BY_CLASS[kind]() if kind in _BY_CLASS else PythonObjectType(kind.__name__)


def _type_of_medium(value: WBValue) -> Type:
    from . import _media_types

    return _media_types.type_of_medium(value)


def is_array(obj: Any) -> bool:
    """Whether this is an array of NumPy's."""
    return hasattr(obj, "__array_interface__") and hasattr(obj, "ndim") and type(obj).__name__ == "ndarray"


def type_from_json(json_obj: Mapping[str, Any], artifact: Any = None) -> Type:
    """The type that a JSON object describes; any, where it is one that another client knows alone."""
    from . import _media_types  # noqa: F401  which makes the types of media known

    kind = _BY_NAME.get(str(json_obj.get("wb_type")))
    return AnyType() if kind is None else kind.from_json(json_obj, artifact)


def _params_to_json(value: Any, artifact: Any) -> Any:
    if isinstance(value, Type):
        return value.to_json(artifact)
    if isinstance(value, dict):
        return {key: _params_to_json(item, artifact) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_params_to_json(item, artifact) for item in value]
    if isinstance(value, (set, frozenset)):
        return [_params_to_json(item, artifact) for item in _in_order(value)]
    return value


def _in_order(values: Union[set, frozenset]) -> List[Any]:  # type: ignore[type-arg]
    """The same set is the same JSON."""
    return sorted(values, key=lambda value: (type(value).__name__, value))


def _params_from_json(value: Any, artifact: Any) -> Any:
    if isinstance(value, dict):
        if "wb_type" in value:
            return type_from_json(value, artifact)
        return {key: _params_from_json(item, artifact) for key, item in value.items()}
    return [_params_from_json(item, artifact) for item in value] if isinstance(value, list) else value
