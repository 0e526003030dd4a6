"""From the official client's records to ours, one after the other, into a log.

Two things differ between the two kinds of log. There, each change of a summary is a record, those that follow from a
row included; here, rows and `define_metric` say that by themselves, and only what they don't say is written. And there
the end of a run stands before some of its last records; here it is last.
"""

from __future__ import annotations

import copy
import dataclasses
import math
from typing import Any, Callable, Dict, FrozenSet, List, Optional, Set, Tuple

from . import _official_records as official
from ._decode import Undecodable, parse_object
from ._errors import UnstorableValue
from ._format import SHAPES_MAX
from ._log import Log
from ._official_artifacts import ArtifactImport
from ._records import (
    ConfigChange,
    Console,
    Environment,
    Exit,
    Labels,
    Preempting,
    Record,
    Row,
    RowFlag,
    RunStart,
    SummaryChange,
    SystemMetrics,
    Telemetry,
    WriterLost,
)
from ._rows import dump_json
from ._state import RunState

_COMPLETE = int(RowFlag.EXPLICIT | RowFlag.COMMIT)
# Of a row: they are fields of our records, or follow from them.
_ROW_FIELDS = ("_step", "_timestamp", "_runtime")
# Of config and summary: the client's own bookkeeping, which every client does for itself.
_INTERNAL = "_wandb"
_DERIVED = frozenset((*_ROW_FIELDS, _INTERNAL))
_TIME_MAX = 1e11  # seconds: what is later was never a clock's


@dataclasses.dataclass
class Kept:
    """What became of the records."""

    records: int = 0  # of the official file, that could be read
    rows: int = 0
    unreadable: int = 0  # records and values that are not what the schema says, or above a limit of ours
    unknown: int = 0  # records of kinds that a later version has added
    ended: bool = False  # the file says how the run ended


class OfficialFold:
    """Writes official records into a log as ours."""

    def __init__(self, log: Log, start: RunStart, kept: Kept, artifacts: ArtifactImport) -> None:
        self.state = RunState()
        self.kept = kept
        self._log = log
        self._artifacts = artifacts
        self._time = start.time
        self._exit: Optional[Tuple[int, float]] = None
        # A summary that follows from a row, kept until that row is there.
        self._derived: Optional[official.Items] = None
        self._run_seen = False
        self._orders: Dict[FrozenSet[str], List[str]] = {}
        self._append(start)

    def add(self, raw: bytes) -> None:
        """Take one record. What is wrong with it is counted, never raised."""
        try:
            kind, body = official.record_kind(raw)
            if kind in official.SILENT_KINDS or not kind:
                self.kept.records += 1
                return
            handler = _HANDLERS.get(kind)
            if handler is None:
                self.kept.unknown += 1
                return
            handler(self, body)
            self.kept.records += 1
        except (Undecodable, UnstorableValue, OverflowError):
            self.kept.unreadable += 1

    def end(self, lost: WriterLost) -> None:
        """The file has no more: say how the run ended, or with `lost` that nobody knows."""
        self._settle()
        if self._exit is None:
            lost.last_sequence = self._log.sequence
            lost.time = self._time
            self._append(lost)
            return
        code, runtime = self._exit
        self.kept.ended = True
        time = max(self._time, self.state.session_start + runtime)
        self._append(Exit(code=code, time=time, runtime=time - self.state.session_start))

    def _append(self, record: Record) -> None:
        self._log.append(record)
        self.state.apply(record)

    # --- rows ---------------------------------------------------------------------------------------------------------

    def _history(self, body: bytes) -> None:
        raw = official.row_items(body)
        row = self._values(raw)
        time = row.pop("_timestamp", None)
        row.pop("_runtime", None)
        step = row.pop("_step", None)
        if _is_time(time):
            self._time = float(time)
        flags = _COMPLETE
        if type(step) is not int or not 0 <= step < 1 << 62:
            step, flags = self.state.step, int(RowFlag.COMMIT)
        row = self._in_order(row)
        derived, self._derived = self._derived, None
        marks = set(raw)
        ours = derived is not None and not marks.isdisjoint(_steps(derived.updates))
        if derived is not None and not ours:
            self._change_summary(derived)  # its row got lost
        self._log.append_row(row, step, self._time, flags)
        self.state.apply(Row(step=step, time=self._time, flags=flags, values=row))
        self.kept.rows += 1
        if derived is not None and ours:
            self._change_summary(derived, marks)

    def _in_order(self, row: Dict[str, Any]) -> Dict[str, Any]:
        """The keys in the order of the first row that had them: the client writes them in any, and each order of keys
        would be a shape of its own in our log."""
        keys = frozenset(row)
        order = self._orders.get(keys)
        if order is None:
            if len(self._orders) >= SHAPES_MAX:
                self._orders.clear()
            self._orders[keys] = list(row)
            return row
        return {key: row[key] for key in order}

    def _values(self, raw: List[bytes]) -> Dict[str, Any]:
        row: Dict[str, Any] = {}
        for item in raw:
            try:
                path, value = official.parse_item(item)
            except Undecodable:
                self.kept.unreadable += 1
                continue
            if len(path) == 1:
                row[path[0]] = value
            else:
                official.put(row, path, value)
        return row

    # --- the summary --------------------------------------------------------------------------------------------------

    def _summary(self, body: bytes) -> None:
        change = official.items(body)
        self._settle()
        if any(_steps(change.updates)):
            self._derived = change
        else:
            self._change_summary(change)

    def _settle(self) -> None:
        """Write what waits for a row that doesn't come."""
        derived, self._derived = self._derived, None
        if derived is not None:
            self._change_summary(derived)

    def _change_summary(self, change: official.Items, known: Optional[Set[bytes]] = None) -> None:
        """Write what the summary doesn't hold yet. An item whose very bytes are in `known` stands in the row."""
        updates = change.updates if known is None else [item for item in change.updates if item not in known]
        values, removed = self._changes(updates, change.removed, self.state.summary)
        if values or removed:
            self._append(SummaryChange(json=dump_json(values), removed=removed, time=self._time))

    def _changes(
        self, updates: List[bytes], removals: List[official.Path], held: Dict[str, Any]
    ) -> Tuple[Dict[str, Any], List[str]]:
        """Items as whole values of the outermost keys, as far as they are not in `held`; and the keys that go."""
        values: Dict[str, Any] = {}
        removed: List[str] = []

        def root(key: str) -> Dict[str, Any]:
            if key not in values and isinstance(held.get(key), dict):
                values[key] = copy.deepcopy(held[key])
            return values

        for raw in updates:
            try:
                path, value = official.parse_item(raw)
            except Undecodable:
                self.kept.unreadable += 1
                continue
            if path[0] in _DERIVED:
                continue
            official.put(values if len(path) == 1 else root(path[0]), path, value)
        for path in removals:
            if len(path) == 1:
                values.pop(path[0], None)
                removed.append(path[0])
                continue
            inner: Any = root(path[0])
            for key in path[:-1]:
                inner = inner.get(key) if isinstance(inner, dict) else None
            if isinstance(inner, dict):
                inner.pop(path[-1], None)
        changed = {key: value for key, value in values.items() if key not in held or not _same(held[key], value)}
        return changed, [key for key in removed if key in held]

    # --- what is about the whole run ----------------------------------------------------------------------------------

    def _config(self, body: bytes) -> None:
        self._change_config(official.items(body))

    def _change_config(self, change: official.Items) -> None:
        values, removed = self._changes(change.updates, change.removed, self.state.config)
        if values or removed:
            self._append(ConfigChange(json=dump_json(values), removed=removed, time=self._time))

    def _run(self, body: bytes) -> None:
        run = official.run(body)
        self._change_config(run.config)
        if run.telemetry is not None and not self._run_seen:
            self._take_telemetry(run.telemetry)
        if not self._run_seen:
            self._run_seen = True
            self._change_summary(run.summary)
            return  # the rest stands in our first record
        start = self.state.start
        labels = {
            label: getattr(run, label)
            for label in ("name", "notes", "group", "job_type")
            if getattr(run, label) is not None and getattr(run, label) != getattr(start, label)
        }
        tags_changed = run.tags != list(start.tags)
        if labels or tags_changed:
            self._append(Labels(**labels, tags=run.tags, tags_changed=tags_changed, time=self._time))

    def _telemetry(self, body: bytes) -> None:
        self._take_telemetry(official.telemetry(body))

    def _take_telemetry(self, telemetry: Telemetry) -> None:
        held = self.state.telemetry
        if any(held.get(name) != value for name, value in parse_object(telemetry.json).items()):
            telemetry.time = self._time
            self._append(telemetry)

    def _exit_record(self, body: bytes) -> None:
        self._exit = official.exit_code(body)

    def _preempting(self, body: bytes) -> None:
        self._append(Preempting(time=self._time))

    def _environment(self, body: bytes) -> None:
        """What was known at first stands in our first record."""
        found = official.environment(body)
        known = parse_object(self.state.start.environment or "{}")
        if any(known.get(name) != value for name, value in found.items()):
            self._append(Environment(json=dump_json(found), time=self._time))

    def _metric(self, body: bytes) -> None:
        definition = official.metric(body)
        if definition is not None:
            self._append(definition)

    def _files(self, body: bytes) -> None:
        for saved in official.files(body, self._time):
            self._append(saved)

    def _artifact(self, body: bytes) -> None:
        self._append(self._artifacts.take(body, self._time))

    def _timed(self, decode: Callable[[bytes, float], Record], body: bytes) -> None:
        """A record of ours that has a time of its own, where theirs has none or another."""
        record = decode(body, self._time)
        if isinstance(record, (SystemMetrics, Console)):
            if not _is_time(record.time):
                record.time = self._time
            self._time = max(self._time, record.time)
        self._append(record)


def _steps(items: List[bytes]) -> List[bytes]:
    """The items that give the step of a row, or look like it."""
    return [item for item in items if b"_step" in item]


def _is_time(value: Any) -> bool:
    return type(value) in (int, float) and 0 < value < _TIME_MAX


def _same(first: Any, second: Any) -> bool:
    """Equal as JSON: NaN is NaN, and true is not 1."""
    if isinstance(first, float) and isinstance(second, float) and math.isnan(first):
        return math.isnan(second)
    return isinstance(first, bool) is isinstance(second, bool) and bool(first == second)


def _at_time(decode: Callable[[bytes, float], Record]) -> Callable[[OfficialFold, bytes], None]:
    return lambda fold, body: fold._timed(decode, body)


_HANDLERS: Dict[int, Callable[[OfficialFold, bytes], None]] = {
    official.HISTORY: OfficialFold._history,
    official.SUMMARY: OfficialFold._summary,
    official.OUTPUT: _at_time(official.console),
    official.OUTPUT_RAW: _at_time(official.console),
    official.OUTPUT_LINE: _at_time(official.console_line),
    official.CONFIG: OfficialFold._config,
    official.FILES: OfficialFold._files,
    official.STATS: _at_time(official.system_metrics),
    official.ARTIFACT: OfficialFold._artifact,
    official.USE_ARTIFACT: _at_time(official.used_artifact),
    official.ALERT: _at_time(official.alert),
    official.TELEMETRY: OfficialFold._telemetry,
    official.METRIC: OfficialFold._metric,
    official.RUN: OfficialFold._run,
    official.EXIT: OfficialFold._exit_record,
    official.PREEMPTING: OfficialFold._preempting,
    official.ENVIRONMENT: OfficialFold._environment,
}
