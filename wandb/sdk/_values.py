"""From what users pass to `log`, `config` and `summary` to what the log stores.

Stored are None, bool, int, float and str, and lists and string-keyed dictionaries of them. NumPy, PyTorch, JAX and
TensorFlow scalars become numbers and small arrays lists; dates become ISO text; anything else is refused at once, with
the path of its key and its type.
"""

from __future__ import annotations

import dataclasses
import datetime
import enum
import os
from typing import Any, Dict, Mapping, Optional, Set

from ..errors import DataError

# Nesting beyond this is a mistake, a structure that contains itself say, and no dashboard shows it.
DEPTH_MAX = 32
# Elements of one array or list. Larger ones belong into a histogram, a table or an artifact.
ELEMENTS_MAX = 100_000

_PLAIN = frozenset({float, int, bool, type(None)})
_PLAIN_OR_TEXT = frozenset({float, int, bool, type(None), str})


def storable_row(data: Any) -> Dict[str, Any]:
    """The dictionary of a `log` call as the log stores it: the same object where nothing needs converting.

    Raises DataError that names the key and the type.
    """
    if type(data) is dict:
        # The common case in two set operations: string keys and plain numbers.
        if _PLAIN.issuperset(map(type, data.values())) and _ONLY_TEXT.issuperset(map(type, data)):
            return data
    elif not isinstance(data, Mapping):
        raise DataError(
            f"wandb.log must be passed a dictionary, not {_name(data)}; for one value, wandb.log({{'name': value}})"
        )
    return storable_mapping(data, "log")


_ONLY_TEXT: Set[type] = {str}


def storable_mapping(data: Mapping[Any, Any], what: str) -> Dict[str, Any]:
    """A dictionary of storable values; top-level keys must be strings. Raises DataError."""
    result: Dict[str, Any] = {}
    for key, value in data.items():
        if not isinstance(key, str):
            raise DataError(f"{what}: the key {key!r} is {_name(key)}; keys must be strings")
        result[str(key)] = value if type(value) in _PLAIN_OR_TEXT else storable(value, key)
    return result


def storable(value: Any, path: str, depth: int = 0) -> Any:
    """A value as the log stores it. `path` names its key in errors. Raises DataError."""
    if type(value) in _PLAIN_OR_TEXT:
        return value
    if depth > DEPTH_MAX:
        raise DataError(f"{path}: nested more than {DEPTH_MAX} deep; does the value contain itself?")
    if isinstance(value, enum.Enum):
        return storable(value.value, path, depth + 1)
    for plain in (bool, int, float, str):
        if isinstance(value, plain):
            return plain(value)
    if isinstance(value, Mapping):
        return {_key(key, path): storable(item, f"{path}.{key}", depth + 1) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        _check_length(len(value), path)
        return [storable(item, f"{path}[{index}]", depth + 1) for index, item in enumerate(value)]
    if isinstance(value, (datetime.datetime, datetime.date, datetime.time)):
        return value.isoformat()
    if isinstance(value, datetime.timedelta):
        return value.total_seconds()
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, bytes):
        return _decoded(value, path)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
        return storable(fields, path, depth + 1)
    array = _array(value, path)
    if array is not None:
        return storable(array[0], path, depth + 1)
    raise DataError(
        f"{path}: a value of type {_name(value)} can't be stored; "
        "numbers, strings, booleans, None, arrays, and lists and dictionaries of them can"
    )


def _array(value: Any, path: str) -> Optional[tuple]:  # type: ignore[type-arg]
    """(the array or scalar as Python values,) for the array types of NumPy, PyTorch, JAX and TensorFlow, else None."""
    if hasattr(value, "detach"):  # a tensor that may need gradients or live on a device
        value = value.detach()
        if str(getattr(value, "dtype", "")) == "torch.bfloat16":
            value = value.float()  # NumPy has no such type
        value = value.cpu()
    elif not hasattr(value, "tolist") and hasattr(value, "numpy"):  # TensorFlow
        value = value.numpy()
    if not hasattr(value, "tolist"):
        return None
    size = getattr(value, "size", 1)
    size = size() if callable(size) else size
    count = 1
    for length in size if isinstance(size, tuple) else (size,):
        count *= int(length)
    _check_length(count, path)
    return (value.tolist(),) if count != 1 or not hasattr(value, "item") else (value.item(),)


def _check_length(count: int, path: str) -> None:
    if count > ELEMENTS_MAX:
        raise DataError(
            f"{path}: {count:,} elements are above the limit of {ELEMENTS_MAX:,} for one value; "
            "log a histogram of them, or save them as a file"
        )


def _key(key: Any, path: str) -> str:
    if isinstance(key, str):
        return str(key)
    if isinstance(key, (int, float)) or key is None:
        return str(key)  # as JSON writes such a key
    raise DataError(f"{path}: the key {key!r} is {_name(key)}; keys must be strings")


def _decoded(value: bytes, path: str) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise DataError(f"{path}: bytes that are not UTF-8 text can't be stored; save them as a file") from None


def _name(value: Any) -> str:
    kind = type(value)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
