"""Events of TensorBoard as values that can be logged: what TensorFlow, tensorboardX and PyTorch's writer write.

The numbers are those of the fields of `Event`, `Summary`, `SummaryMetadata`, `HistogramProto` and `TensorProto`.
"""

from __future__ import annotations

import struct
from typing import Any, Callable, Dict, Iterator, List, NamedTuple, Optional, Sequence, Tuple, Union

from wandb_storage import Undecodable, protobuf_fields

_WALL_TIME, _STEP, _SUMMARY = 1, 2, 5
_TAG, _SIMPLE_VALUE, _IMAGE, _HISTOGRAM, _TENSOR, _METADATA = 1, 2, 4, 5, 8, 9
_DTYPE, _SHAPE, _CONTENT, _STRINGS = 1, 2, 4, 8
# The types of a tensor's elements, and the fields in which those of few elements stand.
_FORMATS = {1: "f", 2: "d", 3: "i", 4: "B", 5: "h", 6: "b", 9: "q", 10: "?", 19: "e", 22: "I", 23: "Q"}
_PACKED = {5: "f", 6: "d"}
_VARINTS = (7, 10, 11)
_FLOAT, _STRING = 1, 7
# Buckets of a histogram beyond this are put together by twos: no chart shows them.
_BUCKETS_MAX = 512
_TEXT_CHARACTERS_MAX = 64 << 10

Message = Dict[int, List[Union[int, bytes]]]


class Pictures(NamedTuple):
    """Images as the writer encoded them: PNG, mostly."""

    encoded: Tuple[bytes, ...]


class Event(NamedTuple):
    """What one record says: values by tag, at a step, at a time in seconds since the epoch."""

    step: int
    time: float
    values: Dict[str, Any]


class EventReader:
    """Reads the events of one file, which says only once of which kind a tag's tensors are."""

    def __init__(self) -> None:
        self._plugins: Dict[str, str] = {}

    def read(self, payload: bytes) -> Event:
        """Raises Undecodable for what is no event. A value of a kind that can't be logged is left out."""
        message = _message(payload)
        time, step = message.get(_WALL_TIME), message.get(_STEP)
        values: Dict[str, Any] = {}
        for summary in message.get(_SUMMARY, ()):
            for tag, value in self.summary(_bytes(summary)):
                values[tag] = value
        number = _integer(step[-1]) if step else 0
        return Event(number - (1 << 64) if number >> 63 else number, _double(time[-1]) if time else 0.0, values)

    def summary(self, payload: bytes) -> Iterator[Tuple[str, Any]]:
        """The tags and values of a `Summary`. Raises Undecodable."""
        for entry in _message(payload).get(1, ()):
            value = _message(_bytes(entry))
            tag = _bytes(value.get(_TAG, [b""])[-1]).decode("utf-8", "replace")
            plugin = _plugin(value)
            if plugin:
                self._plugins[tag] = plugin
            read = self._value(value, self._plugins.get(tag, ""))
            if read is not None:
                yield tag, read

    def _value(self, value: Message, plugin: str) -> Any:
        if _SIMPLE_VALUE in value:
            return _as_written(_one("f", value[_SIMPLE_VALUE][-1]))
        if _HISTOGRAM in value:
            return _histogram(_message(_bytes(value[_HISTOGRAM][-1])))
        if _IMAGE in value:
            return Pictures((_bytes(_message(_bytes(value[_IMAGE][-1])).get(4, [b""])[-1]),))
        if _TENSOR in value:
            return _tensor(_message(_bytes(value[_TENSOR][-1])), plugin)
        return None


# --- kinds of values --------------------------------------------------------------------------------------------------


def _plugin(value: Message) -> str:
    for metadata in value.get(_METADATA, ()):
        for data in _message(_bytes(metadata)).get(1, ()):
            return _bytes(_message(_bytes(data)).get(1, [b""])[-1]).decode("utf-8", "replace")
    return ""


def _histogram(message: Message) -> Optional[Dict[str, Any]]:
    low, high = (_double(message[number][-1]) if number in message else 0.0 for number in (1, 2))
    limits, counts = (_doubles(message.get(number, ())) for number in (6, 7))
    if not counts or len(limits) != len(counts):
        return None
    # The first bucket has no lower limit and the last one may reach to infinity: the values end at `low` and `high`.
    return _buckets([low, *limits[:-1], high], counts)


def _buckets(edges: Sequence[float], counts: Sequence[float]) -> Optional[Dict[str, Any]]:
    """A histogram without the empty buckets at its ends."""
    filled = [index for index, count in enumerate(counts) if count]
    if not filled:
        return None
    first, end = filled[0], filled[-1] + 1
    kept, bins = list(counts[first:end]), list(edges[first : end + 1])
    while len(kept) > _BUCKETS_MAX:
        kept = [sum(kept[index : index + 2]) for index in range(0, len(kept), 2)]
        bins = [*bins[:-1:2], bins[-1]]
    return {"_type": "histogram", "values": kept, "bins": bins}


def _tensor(message: Message, plugin: str) -> Any:
    kind = _integer(message.get(_DTYPE, [0])[-1])
    if kind == _STRING:
        texts = [_bytes(text) for text in message.get(_STRINGS, ())]
        if plugin == "images":  # width and height stand in front
            return Pictures(tuple(texts[2:])) if len(texts) > 2 else None
        if plugin in ("", "text"):
            return "\n".join(text.decode("utf-8", "replace") for text in texts)[:_TEXT_CHARACTERS_MAX]
        return None
    elements = _elements(message, kind)
    if plugin == "histograms":
        rows = [elements[index : index + 3] for index in range(0, len(elements) - 2, 3)]  # left, right, count
        return _buckets([rows[0][0], *(row[1] for row in rows)], [row[2] for row in rows]) if rows else None
    if len(elements) != 1 or plugin not in ("", "scalars"):
        return None
    return _as_written(elements[0]) if kind == _FLOAT else elements[0]


def _as_written(single: float) -> float:
    """A number that was kept in 32 bits, as whoever wrote it has most likely written it: the shortest number that is
    the same in 32 bits. 0.2 comes back as 0.2, and not as 0.20000000298023224."""
    for digits in (6, 7, 8, 9):
        short = float(f"{single:.{digits}g}")
        if struct.pack("<f", short) == struct.pack("<f", single):
            return short
    return single


def _elements(message: Message, kind: int) -> List[Any]:
    """The numbers of a tensor: packed as they are in memory, or in a field of their type."""
    form = _FORMATS.get(kind)
    if form is None:
        return []
    content = b"".join(_bytes(part) for part in message.get(_CONTENT, ()))
    if content:
        return _unpacked(form, content)
    found: List[Any] = []
    for number, packed in _PACKED.items():
        found += _unpacked(packed, b"".join(_bytes(part) for part in message.get(number, ())))
    for number in _VARINTS:
        for part in message.get(number, ()):
            found += [part] if isinstance(part, int) else _varints(part)
    if len(found) == 1 and found[0] == found[0]:
        # One number may stand for all elements of a shape.
        return found * min(_size(message), 1 << 20)
    return found


def _size(message: Message) -> int:
    size = 1
    for shape in message.get(_SHAPE, ()):
        for dimension in _message(_bytes(shape)).get(2, ()):
            size *= _integer(_message(_bytes(dimension)).get(1, [0])[-1])
    return size


# --- the wire ---------------------------------------------------------------------------------------------------------


def _message(raw: bytes) -> Message:
    found: Message = {}
    for number, value in protobuf_fields(raw):
        found.setdefault(number, []).append(value)
    return found


def _bytes(value: Union[int, bytes]) -> bytes:
    if isinstance(value, int):
        raise Undecodable("an integer where bytes are expected")
    return value


def _integer(value: Union[int, bytes]) -> int:
    if not isinstance(value, int):
        raise Undecodable("bytes where an integer is expected")
    return value


def _unpacked(form: str, raw: bytes) -> List[Any]:
    try:
        return [value for (value,) in struct.iter_unpack(f"<{form}", raw)]
    except struct.error:
        raise Undecodable("packed numbers of another size") from None


def _double(value: Union[int, bytes]) -> float:
    return _one("d", value)


def _one(form: str, value: Union[int, bytes]) -> float:
    found = _unpacked(form, _bytes(value))
    if len(found) != 1:
        raise Undecodable("not one number")
    return float(found[0])


def _doubles(parts: Sequence[Union[int, bytes]]) -> List[float]:
    return _unpacked("d", b"".join(map(_bytes, parts)))


def _varints(raw: bytes) -> List[int]:
    found, value, shift = [], 0, 0
    for byte in raw:
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            found.append(value - (1 << 64) if value >> 63 else value)
            value = shift = 0
    return found


def read_summary(summary: Any) -> Dict[str, Any]:
    """The values of a `Summary`, as bytes or as the object of TensorFlow. Raises Undecodable."""
    serialize: Optional[Callable[[], bytes]] = getattr(summary, "SerializeToString", None)
    payload = serialize() if serialize is not None else bytes(summary)
    return dict(EventReader().summary(payload))
