"""The records of the official client, as far as a log of ours has a place for them.

Field numbers are those of its public schema, and the same in every version from 0.16 to 0.31. Numbers that a later one
has added are passed over. Everything here takes bytes and raises Undecodable where they are not what they should be.
"""

from __future__ import annotations

import json
from datetime import datetime, timezone
from typing import Any, Callable, Dict, Iterable, List, NamedTuple, Optional, Tuple, Union

from ._decode import Undecodable
from ._protobuf import Field, double, signed, zigzag
from ._protobuf import protobuf_fields as fields
from ._records import Alert, Artifact, Console, FileSaved, MetricDefinition, Stream, SystemMetrics, Telemetry
from ._rows import dump_json

HISTORY, SUMMARY, OUTPUT, CONFIG, FILES, STATS, ARTIFACT, ALERT, TELEMETRY, METRIC, OUTPUT_RAW = (
    2, 3, 4, 5, 6, 7, 8, 10, 11, 12, 13,
)  # fmt: skip
RUN, EXIT, PREEMPTING, USE_ARTIFACT, ENVIRONMENT, OUTPUT_LINE = 17, 18, 23, 25, 26, 27
# TensorBoard's folder, header, footer, final, a link that nobody makes any more, requests: nothing of the run itself.
SILENT_KINDS = frozenset((9, 20, 21, 22, 24, 100))
_ENVELOPE = frozenset((1, 16, 19, 200))  # the number, and how the record came to the file

_POLICIES = ("now", "end", "live")
_SUMMARIES = {1: "min", 2: "max", 3: "mean", 4: "best", 5: "last", 6: "none", 7: "copy", 8: "first"}
_GOALS = {1: "minimize", 2: "maximize"}

Path = Tuple[str, ...]  # of keys, from the outermost

_scan: Callable[[str, int], Tuple[Any, int]] = json.JSONDecoder().scan_once  # type: ignore[attr-defined]


def record_kind(raw: bytes) -> Tuple[int, bytes]:
    """(kind, body) of a record; kind 0 where it has none."""
    for number, value in fields(raw):
        if number not in _ENVELOPE and isinstance(value, bytes):
            return number, value
    return 0, b""


# --- keys and values --------------------------------------------------------------------------------------------------


def parse_item(raw: bytes) -> Tuple[Path, Any]:
    """A key and its value, of a row, a config, a summary or a sample of the machine."""
    # Most items are a short key, plain (field 1) or as a path of one (field 2), and a short text of JSON (field 16).
    if len(raw) > 4 and raw[0] in (0x0A, 0x12) and raw[1] < 128:
        value_at = 2 + raw[1]
        if raw[value_at : value_at + 2] == b"\x82\x01" and raw[value_at + 2] + value_at + 3 == len(raw):
            return (text_of(raw[2:value_at]),), json_of(raw[value_at + 3 :])
    keys: List[str] = []
    value: Any = None
    known = False
    for number, field in fields(raw):
        if number in (1, 2) and isinstance(field, bytes):
            if field or number == 2:
                keys.append(text_of(field))
        elif number in _VALUES:
            value, known = _VALUES[number](field), True
    if not keys or not known:
        raise Undecodable("an item without a key or a value")
    return tuple(keys), value


def text_of(raw: Union[int, bytes]) -> str:
    if isinstance(raw, int):
        raise Undecodable("a number where a text should be")
    return raw.decode("utf-8", "replace")


def number_of(field: Union[int, bytes]) -> int:
    if isinstance(field, bytes):
        raise Undecodable("bytes where a number should be")
    return field


def json_of(raw: Union[int, bytes]) -> Any:
    text = text_of(raw)
    try:
        value, end = _scan(text, 0)
    except (StopIteration, ValueError, RecursionError):
        raise Undecodable("a value that is no JSON") from None
    if end != len(text):
        raise Undecodable("something behind a value")
    return value


_VALUES: Dict[int, Callable[[Union[int, bytes]], Any]] = {
    3: lambda field: None,
    4: bool,
    5: lambda field: zigzag(number_of(field)),
    6: lambda field: double(field) if isinstance(field, bytes) else float(field),
    7: text_of,
    8: json_of,
    16: json_of,
}


class Items(NamedTuple):
    """What a record sets, each item in its bytes, and what it removes."""

    updates: List[bytes]
    removed: List[Path]


def items(body: bytes) -> Items:
    """Of a config or a summary record, or a row."""
    updates: List[bytes] = []
    removed: List[Path] = []
    for number, value in fields(body):
        if number == 1 and isinstance(value, bytes):
            updates.append(value)
        elif number == 2 and isinstance(value, bytes):
            removed.append(tuple(text_of(key) for tag, key in fields(value) if tag in (1, 2) and key))
    return Items(updates, [path for path in removed if path])


def put(into: Dict[str, Any], path: Path, value: Any) -> None:
    """Set what a path of keys leads to; a value on the way that is no object gives way to one."""
    for key in path[:-1]:
        inner = into.get(key)
        if not isinstance(inner, dict):
            inner = into[key] = {}
        into = inner
    into[path[-1]] = value


def row_items(body: bytes) -> List[bytes]:
    return [value for number, value in fields(body) if number == 1 and isinstance(value, bytes)]


# --- records that stand for themselves --------------------------------------------------------------------------------


def timestamp(raw: Union[int, bytes]) -> float:
    parts = dict(fields_of(raw))
    return signed(number_of(parts.get(1, 0))) + signed(number_of(parts.get(2, 0))) / 1e9


def metric(body: bytes) -> Optional[MetricDefinition]:
    """None for what the client has only derived from a pattern: the pattern is in the log too."""
    found = dict(fields(body))
    if found.get(10):
        return None
    options = dict(fields_of(found.get(6, b"")))
    summaries = {number for number, value in fields_of(found.get(7, b"")) if value}
    name = text_of(found.get(2, b"")) or text_of(found.get(1, b""))
    if not name:
        raise Undecodable("a metric without a name")
    return MetricDefinition(
        name=name,
        step_metric=text_of(found[4]) if found.get(4) else None,
        step_sync=bool(options.get(1)),
        hidden=bool(options.get(2)),
        summary=[title for number, title in _SUMMARIES.items() if number in summaries],
        goal=_GOALS.get(number_of(found.get(8, 0))),
        overwrite=bool(dict(fields_of(found.get(9, b""))).get(1)),
    )


def system_metrics(body: bytes, time: float) -> SystemMetrics:
    values: Dict[str, Any] = {}
    for number, value in fields(body):
        if number == 2:
            time = timestamp(value)
        elif number == 3 and isinstance(value, bytes):
            path, values[".".join(path)] = parse_item(value)
    return SystemMetrics(time=time, json=dump_json(values))


def console(body: bytes, time: float) -> Console:
    found = dict(fields(body))
    stream = Stream.STDOUT if found.get(1) == 1 else Stream.STDERR
    return Console(time=timestamp(found[2]) if 2 in found else time, stream=stream, text=text_of(found.get(3, b"")))


def console_line(body: bytes, time: float) -> Console:
    """What the program gave to the console's log without writing it to the terminal."""
    return Console(time=time, stream=Stream.STDOUT, text=text_of(dict(fields(body)).get(1, b"")).rstrip("\n") + "\n")


def files(body: bytes, time: float) -> List[FileSaved]:
    saved = []
    for number, value in fields(body):
        if number == 1:
            found = dict(fields_of(value))
            policy = number_of(found.get(2, 0))
            if found.get(1):
                saved.append(
                    FileSaved(text_of(found[1]), _POLICIES[policy] if policy < len(_POLICIES) else "end", time)
                )
    return saved


def alert(body: bytes, time: float) -> Alert:
    found = dict(fields(body))
    wait = signed(number_of(found.get(4, 0))) / 1000  # milliseconds
    return Alert(
        text_of(found.get(1, b"")), text_of(found.get(2, b"")), text_of(found.get(3, b"")) or "INFO", wait, time
    )


def exit_code(body: bytes) -> Tuple[int, float]:
    """The code, and the seconds that the run lasted."""
    found = dict(fields(body))
    code = signed(number_of(found.get(1, 0)))
    return max(-(1 << 31), min(code, (1 << 31) - 1)), float(signed(number_of(found.get(2, 0))))


def telemetry(body: bytes) -> Telemetry:
    """Under the server's numbers: a list of what is on, or a text."""
    found: Dict[str, Any] = {}
    for number, value in fields(body):
        if number in (1, 2, 3, 8, 10):
            found[str(number)] = [inner for inner, on in fields_of(value) if on and isinstance(on, int)]
        elif number in (4, 5, 6, 12, 13):
            found[str(number)] = text_of(value)
    return Telemetry(json=dump_json(found))


def used_artifact(body: bytes, time: float) -> Artifact:
    found = dict(fields(body))
    about = {"id": text_of(found[1])} if found.get(1) else {}
    return Artifact(True, text_of(found.get(3, b"")), text_of(found.get(2, b"")), "", [], dump_json(about), time)


# --- the run ----------------------------------------------------------------------------------------------------------


class OfficialRun(NamedTuple):
    """Who a run is, as one record of it says: the first one at its start, later ones after a change."""

    run_id: str
    entity: Optional[str]
    project: Optional[str]
    name: Optional[str]
    notes: Optional[str]
    tags: List[str]
    group: Optional[str]
    job_type: Optional[str]
    sweep_id: Optional[str]
    host: str
    start_time: float  # 0 where it doesn't say
    first_step: int
    resumed: bool
    version: str
    commit: str
    remote: str
    config: Items
    summary: Items
    telemetry: Optional[Telemetry]


def run(body: bytes) -> OfficialRun:
    listed = fields(body)
    found = dict(listed)

    def text(number: int) -> Optional[str]:
        return text_of(found[number]) if found.get(number) else None

    nothing = Items([], [])
    used = fields_of(found.get(19, b""))
    git = dict(fields_of(found.get(21, b"")))
    return OfficialRun(
        text(1) or "", text(2), text(3), text(8), text(9), [text_of(value) for number, value in listed if number == 10],
        text(6), text(7), text(12), text(13) or "", timestamp(found[17]) if 17 in found else 0.0,
        signed(number_of(found.get(14, 0))), bool(found.get(18)),
        next((text_of(value) for number, value in used if number == 5), ""),
        text_of(git.get(2, b"")), text_of(git.get(1, b"")),
        items(_bytes(found[4])) if 4 in found else nothing, items(_bytes(found[5])) if 5 in found else nothing,
        telemetry(_bytes(found[19])) if 19 in found else None,
    )  # fmt: skip


def environment(body: bytes) -> Dict[str, Any]:
    """What `wandb-metadata.json` says of the machine and the program, as far as this record knows it."""
    found: Dict[str, Any] = {}
    for number, value in fields(body):
        if number in _ENVIRONMENT_TEXTS:
            found[_ENVIRONMENT_TEXTS[number]] = text_of(value)
        elif number in _ENVIRONMENT_NUMBERS:
            found[_ENVIRONMENT_NUMBERS[number]] = number_of(value)
        elif number == 3:
            found["startedAt"] = datetime.fromtimestamp(timestamp(value), timezone.utc).isoformat()
        elif number == 5:
            found.setdefault("args", []).append(text_of(value))
        elif number == 9:
            git = dict(fields_of(value))
            found["git"] = {"remote": text_of(git.get(1, b"")), "commit": text_of(git.get(2, b""))}
        elif number == 20:
            entry = dict(fields_of(value))
            disk = dict(fields_of(entry.get(2, b"")))
            # In that file sizes are texts: a 64-bit number is more than JSON readers agree on.
            sizes = {"total": str(number_of(disk.get(1, 0))), "used": str(number_of(disk.get(2, 0)))}
            found.setdefault("disk", {})[text_of(entry.get(1, b""))] = sizes
        elif number == 21:
            found["memory"] = {"total": str(number_of(dict(fields_of(value)).get(1, 0)))}
        elif number == 22:
            found["cpu"] = {"model": text_of(dict(fields_of(value)).get(3, b""))}
        elif number == 24:
            gpu = dict(fields_of(value))
            known = {"name": text_of(gpu.get(1, b"")), "memoryTotal": str(number_of(gpu.get(2, 0)))}
            found.setdefault("gpu_nvidia", []).append(known)
        elif number == 27:
            entry = dict(fields_of(value))
            found.setdefault("slurm", {})[text_of(entry.get(1, b""))] = text_of(entry.get(2, b""))
    return found


_ENVIRONMENT_TEXTS = {
    1: "os", 2: "python", 4: "docker", 6: "program", 7: "codePath", 8: "codePathLocal", 10: "email", 11: "root",
    12: "host", 13: "username", 14: "executable", 15: "colab", 18: "gpu", 25: "cudaVersion", 199: "writerId",
}  # fmt: skip
_ENVIRONMENT_NUMBERS = {16: "cpu_count", 17: "cpu_count_logical", 19: "gpu_count"}


def _bytes(value: Union[int, bytes]) -> bytes:
    if isinstance(value, int):
        raise Undecodable("a number where a message should be")
    return value


def fields_of(value: Union[int, bytes]) -> Iterable[Field]:
    return fields(_bytes(value))
