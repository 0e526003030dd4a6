"""From what users pass to `log`, `config` and `summary` to what the log stores.

Stored are None, bool, int, float and str, and lists and string-keyed dictionaries of them. What else is understood:

| passed                                          | stored                                                            |
|-------------------------------------------------|-------------------------------------------------------------------|
| scalars of NumPy, PyTorch, JAX and TensorFlow   | numbers; arrays of one element too                                |
| arrays of them, up to 32 elements               | lists                                                             |
| larger ones                                     | histograms; in the config lists                                   |
| dataclasses, pydantic and attrs objects         | dictionaries of their fields; Namespaces too                      |
| dates, enums, paths, durations, decimals, bytes | ISO text, the member's value, text, seconds, numbers, UTF-8 text  |
| tuples, sets, other sequences                   | lists, those of sets sorted                                       |

Anything else is refused at once, with the path of its key and its type; in the config it is kept as its text, since
no experiment should end over a parameter that is an object. How a type is stored is found out once a type, by what it
has and not by importing whose it is.
"""

from __future__ import annotations

import collections.abc
import contextlib
import dataclasses
import datetime
import enum
import os
import types
from typing import TYPE_CHECKING, Any, Callable, Dict, Mapping, NoReturn, Optional, Set, Union

from .._histogram import ARRAY_BINS, histogram
from .._tensors import array_of
from .._terminal import termwarn
from ..errors import DataError

if TYPE_CHECKING:
    from ..data_types._logged import LoggedMedia

# Nesting beyond this is a mistake, a structure that contains itself say, and no dashboard shows it.
DEPTH_MAX = 32
# Elements of one value, all its lists and dictionaries together. More of them belong into a histogram, a table or an
# artifact.
ELEMENTS_MAX = 100_000
# Up to this size an array is logged number by number.
LISTED_MAX = 32
# Of a parameter that is no data, this much of its text is kept.
_TEXT_MAX = 1000
# Libraries whose figures become media; those of pandas are its frames.
_FIGURES = frozenset({"PIL", "bokeh", "matplotlib", "plotly"})
# A program that makes types in a loop must not fill the memory with how they are stored.
_KNOWN_TYPES_MAX = 1000

_NUMPY_SCALARS: Dict[str, Callable[[Any], Any]] = {
    **dict.fromkeys(("float16", "float32"), float),
    **dict.fromkeys((f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)), int),
    **dict.fromkeys(("bool", "bool_"), bool),
}

# Tensors of these types are counted where they live; of others 32 bits don't hold all values.
_COUNTED_ON_DEVICES = frozenset({"torch.float32", "torch.float16", "torch.bfloat16"})

# Dictionaries of so many keys, and in one another so often, with lists of so many elements at each of these depths, are
# below the limits above whatever they hold.
_QUICK_DEPTH, _QUICK_KEYS = 3, 40
_QUICK_LISTS = (0, 0, 60, 1000)

_PLAIN = frozenset({float, int, bool, type(None)})
_PLAIN_OR_TEXT = frozenset({float, int, bool, type(None), str})
_ONLY_TEXT: Set[type] = {str}


def storable_row(data: Any, run: Any = None, step: Union[int, str] = "") -> Dict[str, Any]:
    """The dictionary of a `log` call as the log stores it: the same object where nothing needs converting. `run` keeps
    the media in it, in files that `step` names.

    Raises DataError that names the key and the type.
    """
    if type(data) is dict:
        # The common case in two set operations: string keys, plain numbers and texts.
        if _PLAIN_OR_TEXT.issuperset(map(type, data.values())) and _ONLY_TEXT.issuperset(map(type, data)):
            return data
    elif not isinstance(data, Mapping):
        raise DataError(
            f"wandb.log must be passed a dictionary, not {_name(type(data))}; "
            "for one value, wandb.log({'name': value})"
        )
    return storable_mapping(data, "log", run, step)


def storable_mapping(data: Mapping[Any, Any], what: str, run: Any = None, step: Union[int, str] = "") -> Dict[str, Any]:
    """A dictionary of storable values; top-level keys must be strings. `what`: log, config or summary.

    Raises DataError.
    """
    result: Dict[str, Any] = {}
    for key, value in data.items():
        if type(key) is not str:
            if not isinstance(key, str):
                raise DataError(f"{what}: the key {key!r} is {_name(type(key))}; keys must be strings")
            key = str(key)
        kind = type(value)
        if kind in _PLAIN_OR_TEXT:
            result[key] = value
            continue
        number = _numbers.get(kind)
        if number is not None:
            quick = number(value)
            if type(quick) in _PLAIN:
                result[key] = quick
                continue
        copy = _copied(value, _QUICK_DEPTH) if kind is dict else None
        if copy is not None:
            result[key] = copy
            continue
        walk = _Walk(what == "config", run, step)
        stored = _convert_item(value, key, key, walk)
        if stored is not MOVED:
            result[key] = stored
        if walk.logged is not None:
            result.update(walk.logged.moved)
    return result


def _copied(value: Dict[Any, Any], depth: int) -> Optional[Dict[str, Any]]:
    """A copy of a dictionary of numbers, texts, lists of them and such dictionaries; None for one that takes a closer
    look."""
    if not depth or len(value) > _QUICK_KEYS or not _ONLY_TEXT.issuperset(map(type, value)):
        return None
    copy: Dict[str, Any] = value.copy()
    for key, item in value.items():
        kind = type(item)
        if kind in _PLAIN_OR_TEXT:
            continue
        inner: Any = None
        if kind is dict:
            inner = _copied(item, depth - 1)
        elif kind is list and len(item) <= _QUICK_LISTS[depth] and _PLAIN_OR_TEXT.issuperset(map(type, item)):
            inner = item.copy()
        if inner is None:
            return None
        copy[key] = inner
    return copy


def storable(value: Any, path: str, for_config: bool = False, run: Any = None, step: Union[int, str] = "") -> Any:
    """A value as the log stores it. `path` names its key in errors. Raises DataError."""
    return _convert_item(value, path, path.rpartition(".")[2], _Walk(for_config, run, step))


# Stands for a chart, which is stored as a table under another key.
MOVED = object()


class _Walk:
    """The way through one value: how deep it has come, how many elements it may still take, for whom, and which run
    keeps the media, under which key."""

    __slots__ = ("depth", "for_config", "key", "left", "logged", "run", "step")

    def __init__(self, for_config: bool, run: Any = None, step: Union[int, str] = "") -> None:
        self.depth = 0
        self.left = ELEMENTS_MAX
        self.for_config = for_config
        self.run, self.step, self.key = run, step, ""
        self.logged: Optional[LoggedMedia] = None

    def media(self) -> LoggedMedia:
        """What keeps the media."""
        if self.logged is None:
            from ..data_types._logged import LoggedMedia

            self.logged = LoggedMedia(self.run, self.step, MOVED)
        return self.logged

    def enter(self, count: int, path: str) -> None:
        """Go down into a container of so many elements."""
        self.depth += 1
        self.left -= count
        if self.depth > DEPTH_MAX:
            raise DataError(f"{path}: nested more than {DEPTH_MAX} deep; does the value contain itself?")
        if self.left < 0:
            raise DataError(
                f"{path}: it brings the value above the limit of {ELEMENTS_MAX:,} elements; "
                "log a histogram of them, or save them as a file"
            )


_Store = Callable[[Any, str, _Walk], Any]


def _convert(value: Any, path: str, walk: _Walk) -> Any:
    kind = type(value)
    return value if kind in _PLAIN_OR_TEXT else _store_of(kind)(value, path, walk)


def _store_of(kind: type) -> _Store:
    store = _stores.get(kind)
    if store is None:
        if len(_stores) >= _KNOWN_TYPES_MAX:
            _stores.clear()
            _numbers.clear()
        store = _stores[kind] = _find_store(kind)
    return store


def _convert_item(value: Any, path: str, key: str, walk: _Walk) -> Any:
    """A value that stands under a key, by which media in it are named."""
    before, walk.key = walk.key, key
    result = _convert(value, path, walk)
    walk.key = before
    return result


_stores: Dict[type, _Store] = {}
# Types of numbers that Python's own say exactly, and how, once they have been met: NumPy's, and tensors, of which those
# that are no number come back as they are.
_numbers: Dict[type, Callable[[Any], Any]] = {}


def _find_store(kind: type) -> _Store:
    if _is_media(kind):
        return _media
    for parent, store in _STORES.items():
        if issubclass(kind, parent):
            return store
    if dataclasses.is_dataclass(kind):
        return _dataclass
    if any((parent.__module__, parent.__name__) == ("decimal", "Decimal") for parent in kind.__mro__):
        return lambda value, path, walk: float(value)
    if (kind.__module__, kind.__name__) == ("argparse", "Namespace"):
        return _attributes
    if hasattr(kind, "model_dump"):  # pydantic
        return lambda value, path, walk: _mapping(value.model_dump(), path, walk)
    if hasattr(kind, "__attrs_attrs__"):
        return _attrs
    if hasattr(kind, "detach") and hasattr(kind, "cpu"):
        _numbers[kind] = _number_in
        return _tensor
    if hasattr(kind, "tolist"):  # NumPy and JAX, and what behaves like them
        if kind.__module__ == "numpy" and kind.__name__ in _NUMPY_SCALARS:
            _numbers[kind] = _NUMPY_SCALARS[kind.__name__]
        return _array
    if hasattr(kind, "numpy"):  # TensorFlow
        return lambda value, path, walk: _convert(_called(value.numpy, path), path, walk)
    if issubclass(kind, collections.abc.Sequence):
        return _sequence
    return _refuse


def _is_media(kind: type) -> bool:
    """Whether values of a type are kept in files: the types of `wandb.data_types`, and what becomes one of them."""
    if hasattr(kind, "_log_type") or hasattr(kind, "_log_chart"):
        return True
    library = kind.__module__.partition(".")[0]
    return library in _FIGURES or (library == "pandas" and kind.__name__ == "DataFrame")


# --- containers -------------------------------------------------------------------------------------------------------


def _mapping(value: Mapping[Any, Any], path: str, walk: _Walk) -> Dict[str, Any]:
    walk.enter(len(value), path)
    result = {
        key if type(key) is str else _key(key, path): item
        if type(item) in _PLAIN_OR_TEXT
        else _convert_item(item, f"{path}.{key}", key, walk)
        for key, item in value.items()
    }
    walk.depth -= 1
    if walk.logged is not None and walk.logged.moved:
        return {key: item for key, item in result.items() if item is not MOVED}
    return result


def _sequence(value: Any, path: str, walk: _Walk) -> Any:
    walk.enter(len(value), path)
    if walk.run is not None and len(value) and _store_of(type(value[0])) is _media:
        walk.depth -= 1
        return walk.media().batch(value, path, walk.key)
    result = [
        item if type(item) in _PLAIN_OR_TEXT else _convert(item, f"{path}[{index}]", walk)
        for index, item in enumerate(value)
    ]
    walk.depth -= 1
    return result


def _set(value: Any, path: str, walk: _Walk) -> Any:
    try:
        ordered = sorted(value)
    except TypeError:
        ordered = sorted(value, key=repr)
    return _sequence(ordered, path, walk)


def _dataclass(value: Any, path: str, walk: _Walk) -> Any:
    return _mapping({field.name: getattr(value, field.name) for field in dataclasses.fields(value)}, path, walk)


def _attributes(value: Any, path: str, walk: _Walk) -> Any:
    return _mapping(vars(value), path, walk)


def _attrs(value: Any, path: str, walk: _Walk) -> Any:
    return _mapping({field.name: getattr(value, field.name) for field in value.__attrs_attrs__}, path, walk)


def _key(key: Any, path: str) -> str:
    if isinstance(key, str):
        return str(key)
    if isinstance(key, (int, float)) or key is None:
        return str(key)  # as JSON writes such a key
    raise DataError(f"{path}: the key {key!r} is {_name(type(key))}; keys must be strings")


# --- arrays -----------------------------------------------------------------------------------------------------------


def _number_in(tensor: Any) -> Any:
    """The number that a tensor of one element holds; otherwise the tensor."""
    try:
        return tensor.item() if tensor.numel() == 1 else tensor
    except Exception:
        return tensor  # whoever looks closer says what is wrong with it


def _tensor(value: Any, path: str, walk: _Walk) -> Any:
    """A PyTorch tensor: it may need gradients, live on a device, and be of a type that NumPy doesn't have."""
    count = int(value.numel())
    if count == 1:
        return _convert(_called(value.item, path), path, walk)
    if count <= LISTED_MAX or walk.for_config:
        return _list(_called(value.detach().tolist, path) if count <= ELEMENTS_MAX else (), count, path, walk)
    device = getattr(value, "device", None)  # what behaves like a tensor may know nothing of devices
    if getattr(device, "type", "cpu") != "cpu" and str(value.dtype) in _COUNTED_ON_DEVICES:
        counted = _counted_on_device(value, count)
        if counted is not None:
            return counted
    return histogram(_called(lambda: array_of(value), path), path)


def _counted_on_device(tensor: Any, count: int) -> Optional[Dict[str, Any]]:
    """The histogram of a tensor that lives on a device; None where the device can't make it, or NumPy's differs."""
    from .._device_histogram import COUNT_MAX, count_on_device

    counted = None
    if count <= COUNT_MAX:
        with contextlib.suppress(Exception):  # not every device can count, and PyTorch's settings may forbid it
            (counted,) = count_on_device([tensor.detach().reshape(-1)], ARRAY_BINS)
    return counted.as_histogram() if counted is not None and counted.low != counted.high else None


def _array(value: Any, path: str, walk: _Walk) -> Any:
    size = getattr(value, "size", None)
    if not isinstance(size, int):
        return _convert(_called(value.tolist, path), path, walk)  # not one of the four, but it knows its elements
    if size == 1:
        return _convert(_called(value.item, path), path, walk)
    dtype = getattr(value, "dtype", None)
    kind = getattr(dtype, "kind", "O")
    if kind == "V" and "float" in str(dtype):  # bfloat16 and smaller ones, which NumPy has from another library
        import numpy

        value, kind = numpy.asarray(value).astype(numpy.float32), "f"
    if size <= LISTED_MAX or walk.for_config or kind not in "biuf":
        return _list(_called(value.tolist, path) if size <= ELEMENTS_MAX else (), size, path, walk)
    import numpy

    return histogram(_called(lambda: numpy.asarray(value), path), path)


def _list(elements: Any, count: int, path: str, walk: _Walk) -> Any:
    walk.enter(count, path)
    walk.left += count  # each of them is counted where it stands
    result = _sequence(elements, path, walk)
    walk.depth -= 1
    return result


def _called(read: Callable[[], Any], path: str) -> Any:
    """The result of somebody else's code, whose errors become ours."""
    try:
        return read()
    except Exception as error:
        raise DataError(f"{path}: the value can't be read: {type(error).__name__}: {error}") from error


# --- single values ----------------------------------------------------------------------------------------------------


def _bytes(value: bytes, path: str, walk: _Walk) -> str:
    try:
        return bytes(value).decode()
    except UnicodeDecodeError:
        raise DataError(f"{path}: bytes that are not UTF-8 text can't be stored; save them as a file") from None


def _enum(value: enum.Enum, path: str, walk: _Walk) -> Any:
    walk.enter(1, path)
    result = _convert(value.value, path, walk)
    walk.depth -= 1
    return result


def _module(value: types.ModuleType, path: str, walk: _Walk) -> Any:
    """`pyplot` stands for its current figure."""
    if value.__name__ == "matplotlib.pyplot":
        return _media(value, path, walk)
    return _refuse(value, path, walk)


def _media(value: Any, path: str, walk: _Walk) -> Any:
    if walk.run is None:
        return _refuse(value, path, walk)
    return walk.media().stored(value, path, walk.key)


def _refuse(value: Any, path: str, walk: _Walk) -> Any:
    if not walk.for_config:
        _raise_refused(value, path)
    if isinstance(value, (type, types.FunctionType, types.BuiltinFunctionType, types.ModuleType)):
        return _name(value) if hasattr(value, "__qualname__") else value.__name__
    termwarn(f"config: {path} is of type {_name(type(value))}, which is no data; its text is kept", repeat=False)
    return str(_called(lambda: str(value), path))[:_TEXT_MAX]


def _raise_refused(value: Any, path: str) -> NoReturn:
    raise DataError(
        f"{path}: a value of type {_name(type(value))} can't be stored (Object of type {type(value).__name__} is not "
        "JSON serializable); numbers, strings, booleans, None, arrays, and lists and dictionaries of them can"
    )


# In the order in which they are tried: an IntEnum is an int, and a datetime is a date.
_STORES: Dict[type, _Store] = {
    enum.Enum: _enum,
    bool: lambda value, path, walk: bool(value),
    int: lambda value, path, walk: int(value),
    float: lambda value, path, walk: float(value),
    str: lambda value, path, walk: str.__str__(value),
    collections.abc.Mapping: _mapping,
    list: _sequence,
    tuple: _sequence,
    collections.abc.Set: _set,
    datetime.date: lambda value, path, walk: value.isoformat(),
    datetime.time: lambda value, path, walk: value.isoformat(),
    datetime.timedelta: lambda value, path, walk: value.total_seconds(),
    os.PathLike: lambda value, path, walk: _convert(os.fspath(value), path, walk),
    bytes: _bytes,
    bytearray: _bytes,
    types.SimpleNamespace: _attributes,
    types.ModuleType: lambda value, path, walk: _module(value, path, walk),
}


def _name(kind: Any) -> str:
    return str(kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}")
