"""The records of a run's log, as typed Python values.

One class a table of `record.fbs`, one field a slot, in the same order: a test holds the two against each other. The
helper functions below give a field its type on the wire. `None` means that the field is absent.
"""

# ruff: noqa: RUF009 -- the helpers below return dataclasses.field(), which is what the rule asks for

from __future__ import annotations

import dataclasses
from enum import IntEnum
from typing import Any, ClassVar, Dict, List, Optional, Type

WIRE = "wire"  # the metadata key of a field's type on the wire


def _wire(kind: str, default: Any) -> Any:
    return dataclasses.field(default=default, metadata={WIRE: kind})


def _ubyte() -> Any:
    return _wire("B", 0)


def _bool() -> Any:
    return _wire("?", False)


def _int() -> Any:
    return _wire("i", 0)


def _uint() -> Any:
    return _wire("I", 0)


def _long() -> Any:
    return _wire("q", 0)


def _ulong() -> Any:
    return _wire("Q", 0)


def _double() -> Any:
    return _wire("d", 0.0)


def _text() -> Any:
    return _wire("text", "")


def _optional_text() -> Any:
    return _wire("text", None)


def _texts() -> Any:
    return dataclasses.field(default_factory=list, metadata={WIRE: "texts"})


def _bytes() -> Any:
    return _wire("bytes", b"")


def _vector(kind: str) -> Any:
    return dataclasses.field(default_factory=list, metadata={WIRE: f"[{kind}]"})


class Scalar(IntEnum):
    """How a shape stores the value of a key."""

    DOUBLE = 0
    INTEGER = 1
    BOOLEAN = 2
    NULL = 3


class Stream(IntEnum):
    """Where a piece of console output went."""

    STDOUT = 0
    STDERR = 1


class RowFlag(IntEnum):
    """Bits of `Row.flags`."""

    EXPLICIT = 1  # the caller named the step
    COMMIT = 2  # the row is complete with this call


@dataclasses.dataclass(eq=False, repr=False)
class Record:
    """What all records have in common: a number for their kind, and how they are compared and shown.

    Both are written here once: methods of its own for each class would cost every run's start three milliseconds.
    """

    kind: ClassVar[int] = 0

    def __eq__(self, other: object) -> bool:
        return vars(self) == vars(other) if type(other) is type(self) else NotImplemented

    __hash__ = None  # type: ignore[assignment]  # they change

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in vars(self).items())})"


@dataclasses.dataclass(eq=False, repr=False)
class Shape(Record):
    """The keys of rows that share a layout."""

    kind: ClassVar[int] = 1
    keys: List[str] = _texts()
    scalars: List[int] = _vector("B")


@dataclasses.dataclass(eq=False, repr=False)
class Row(Record):
    """One `log` call. `values` is not on the wire: the reader puts the decoded values there, in the order logged."""

    kind: ClassVar[int] = 2
    shape: int = _ulong()
    step: int = _long()
    time: float = _double()
    flags: int = _ubyte()
    doubles: List[float] = _vector("d")
    integers: List[int] = _vector("q")
    json: Optional[str] = _optional_text()
    values: Dict[str, Any] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(eq=False, repr=False)
class RunStart(Record):
    """The first record of every session of a run."""

    kind: ClassVar[int] = 3
    run_id: str = _text()
    entity: Optional[str] = _optional_text()
    project: Optional[str] = _optional_text()
    name: Optional[str] = _optional_text()
    notes: Optional[str] = _optional_text()
    tags: List[str] = _texts()
    group: Optional[str] = _optional_text()
    job_type: Optional[str] = _optional_text()
    sweep_id: Optional[str] = _optional_text()
    time: float = _double()
    host: str = _text()
    pid: int = _uint()
    boot_id: str = _text()
    program: str = _text()
    version: str = _text()
    settings: str = _text()
    environment: str = _text()
    resumed: bool = _bool()
    first_step: int = _long()
    branch_run: Optional[str] = _optional_text()
    branch_step: int = _long()
    runtime_before: float = _double()


@dataclasses.dataclass(eq=False, repr=False)
class ConfigChange(Record):
    """Top-level config keys that were set (a JSON object of whole values) or removed."""

    kind: ClassVar[int] = 4
    json: str = _text()
    removed: List[str] = _texts()
    time: float = _double()


@dataclasses.dataclass(eq=False, repr=False)
class SummaryChange(Record):
    """Top-level summary keys that were set by the user (a JSON object of whole values) or removed."""

    kind: ClassVar[int] = 5
    json: str = _text()
    removed: List[str] = _texts()
    time: float = _double()


@dataclasses.dataclass(eq=False, repr=False)
class MetricDefinition(Record):
    """One `define_metric` call."""

    kind: ClassVar[int] = 6
    name: str = _text()
    step_metric: Optional[str] = _optional_text()
    step_sync: bool = _bool()
    hidden: bool = _bool()
    summary: List[str] = _texts()
    goal: Optional[str] = _optional_text()
    overwrite: bool = _bool()


@dataclasses.dataclass(eq=False, repr=False)
class SystemMetrics(Record):
    """One sample of the machine and the process: a JSON object of numbers."""

    kind: ClassVar[int] = 7
    time: float = _double()
    json: str = _text()


@dataclasses.dataclass(eq=False, repr=False)
class Console(Record):
    """Text that the program wrote to the terminal."""

    kind: ClassVar[int] = 8
    time: float = _double()
    stream: int = _ubyte()
    text: str = _text()


@dataclasses.dataclass(eq=False, repr=False)
class FileSaved(Record):
    """A file of the run that belongs on the server."""

    kind: ClassVar[int] = 9
    path: str = _text()
    policy: str = _text()
    time: float = _double()


@dataclasses.dataclass(eq=False, repr=False)
class Artifact(Record):
    """An artifact that the run logged or used."""

    kind: ClassVar[int] = 10
    used: bool = _bool()
    name: str = _text()
    type: str = _text()
    digest: str = _text()
    aliases: List[str] = _texts()
    json: str = _text()
    time: float = _double()


@dataclasses.dataclass(eq=False, repr=False)
class Labels(Record):
    """A change of name, notes, tags, group or job type; `None` leaves a label as it is."""

    kind: ClassVar[int] = 11
    name: Optional[str] = _optional_text()
    notes: Optional[str] = _optional_text()
    tags: List[str] = _texts()
    tags_changed: bool = _bool()
    group: Optional[str] = _optional_text()
    job_type: Optional[str] = _optional_text()
    time: float = _double()


@dataclasses.dataclass(eq=False, repr=False)
class Alert(Record):
    """A message that the run sends to its owner."""

    kind: ClassVar[int] = 12
    title: str = _text()
    text: str = _text()
    level: str = _text()
    wait_seconds: float = _double()
    time: float = _double()


@dataclasses.dataclass(eq=False, repr=False)
class Preempting(Record):
    """The scheduler is about to take the machine."""

    kind: ClassVar[int] = 13
    time: float = _double()


@dataclasses.dataclass(eq=False, repr=False)
class Telemetry(Record):
    """Which features the run used: a JSON object."""

    kind: ClassVar[int] = 14
    json: str = _text()
    time: float = _double()


@dataclasses.dataclass(eq=False, repr=False)
class Exit(Record):
    """How the program ended, by its own account."""

    kind: ClassVar[int] = 15
    code: int = _int()
    time: float = _double()
    runtime: float = _double()
    exception: str = _text()
    message: str = _text()


@dataclasses.dataclass(eq=False, repr=False)
class WriterLost(Record):
    """How the writer ended, by the evidence that the process which recovered its log found."""

    kind: ClassVar[int] = 16
    time: float = _double()
    host: str = _text()
    pid: int = _uint()
    boot_id: str = _text()
    cause: str = _text()
    evidence: str = _text()
    last_sequence: int = _ulong()
    torn_bytes: int = _ulong()
    lost_records: int = _ulong()


@dataclasses.dataclass(eq=False, repr=False)
class FromLane(Record):
    """A record of a lane. `record` is not on the wire: the reader puts the decoded payload there, None for a kind that
    it doesn't know."""

    kind: ClassVar[int] = 17
    lane: int = _ulong()
    sequence: int = _ulong()
    record_kind: int = _ubyte()
    payload: bytes = _bytes()
    record: Optional[Record] = None


@dataclasses.dataclass(eq=False, repr=False)
class Environment(Record):
    """What has become known of the program and the machine since the session began: a JSON object, whose values replace
    those of `RunStart.environment`."""

    kind: ClassVar[int] = 18
    json: str = _text()
    time: float = _double()


RECORD_TYPES: Dict[int, Type[Record]] = {
    record_type.kind: record_type
    for record_type in (
        Shape, Row, RunStart, ConfigChange, SummaryChange, MetricDefinition, SystemMetrics, Console, FileSaved,
        Artifact, Labels, Alert, Preempting, Telemetry, Exit, WriterLost, FromLane, Environment,
    )
}  # fmt: skip
