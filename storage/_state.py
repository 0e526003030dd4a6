"""Run state: what a log's records add up to.

`RunState.apply` is the one fold of the project. The uploader, `wandb replay`, a resuming run and the offline Api all
use it, and folding up to a record gives the state as it was then. What a record completes (history rows, system rows,
console lines) is returned and not kept, so the state of a run of any length stays small.

History rows come from `log` calls like this: calls that name the same step, or that come with `commit=False`, add up to
one row. A row is complete when a call commits it, when a call names a later step, or when the session ends. A call that
names a step before the current one becomes a row of its own: late, counted, and kept.

What comes from lanes counts like everything else, but never disturbs the run's own rows: a lane's calls add up to rows
of the lane's own. Such a row keeps the step that it names; one that names none gets the step at which the run is when
the row comes, or the next one that no lane has. How a lane's writer ended doesn't end the run.
"""

from __future__ import annotations

import dataclasses
import json
import operator
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Sequence, Tuple, Type

from ._console import ConsoleLine, ConsoleLines
from ._decode import Undecodable, parse_object
from ._errors import LogDamaged
from ._records import (
    Alert,
    Artifact,
    ConfigChange,
    Console,
    Environment,
    Exit,
    FileSaved,
    FromLane,
    Labels,
    MetricDefinition,
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
from ._rows import merge_values
from ._summary import MetricRules


class Completed(NamedTuple):
    """What one record completes."""

    rows: Sequence[Dict[str, Any]] = ()
    system: Sequence[Dict[str, Any]] = ()
    console: Sequence[ConsoleLine] = ()


NOTHING = Completed()


# A run that is resumed without end must not grow its config without end.
SESSIONS_TOLD_MAX = 100


@dataclasses.dataclass
class RunState:
    """A run after some of its records. All times are seconds since the epoch, `runtime` seconds."""

    start: RunStart = dataclasses.field(default_factory=RunStart)  # of the first session, with later labels
    sessions: int = 0
    session_start: float = 0.0
    config: Dict[str, Any] = dataclasses.field(default_factory=dict)
    summary: Dict[str, Any] = dataclasses.field(default_factory=dict)
    metrics: MetricRules = dataclasses.field(default_factory=MetricRules)
    step: int = 0  # of the row that is being put together, or of the next one
    row: Dict[str, Any] = dataclasses.field(default_factory=dict)  # the incomplete row, empty where there is none
    row_time: float = 0.0
    # lane -> (step, time, values) of the row that it is putting together
    lane_rows: Dict[str, Tuple[int, float, Dict[str, Any]]] = dataclasses.field(default_factory=dict)
    lane_step: int = 0  # the next that no lane has
    rows: int = 0  # complete ones
    late_rows: int = 0  # among them
    system_rows: int = 0
    console: ConsoleLines = dataclasses.field(default_factory=ConsoleLines)
    files: Dict[str, str] = dataclasses.field(default_factory=dict)  # path -> policy
    artifacts: List[Artifact] = dataclasses.field(default_factory=list)
    alerts: List[Alert] = dataclasses.field(default_factory=list)
    telemetry: Dict[str, Any] = dataclasses.field(default_factory=dict)
    preempting: bool = False
    exit: Optional[Exit] = None  # of the last session
    writer_lost: Optional[WriterLost] = None  # of the last session
    crashes: int = 0  # sessions that ended without closing their log
    # Of each session its start, and how it ended where that is known: the newest `SESSIONS_TOLD_MAX`.
    story: List[Dict[str, Any]] = dataclasses.field(default_factory=list)
    lost_records: int = 0
    last_time: float = 0.0
    runtime_before: float = 0.0  # of the sessions before this one
    label_changes: int = 0  # grows with each change of config, labels or metrics: what UpsertBucket carries

    # --- the fold -----------------------------------------------------------------------------------------------------

    def apply(self, record: Optional[Record]) -> Completed:
        """Take the next record; return what it completes."""
        if type(record) is Row:
            return self._row(record)
        handler = _HANDLERS.get(type(record)) if record is not None else None
        return NOTHING if handler is None else handler(self, record) or NOTHING

    def complete_row(self) -> List[Dict[str, Any]]:
        """End the rows that are being put together. Only for a state that no more records follow."""
        rows = self._complete_own_row()
        for lane in list(self.lane_rows):
            rows += self._complete_lane_row(lane)
        return rows

    def _complete_own_row(self) -> List[Dict[str, Any]]:
        if not self.row:
            return []
        row, self.row = self.row, {}
        step, self.step = self.step, self.step + 1
        return [self._finish_row(row, step, self.row_time)]

    def _row(self, call: Row) -> Completed:
        self.last_time = call.time
        step = call.step
        if step < self.step:
            if call.flags & RowFlag.EXPLICIT:
                self.late_rows += 1
                return Completed([self._finish_row(dict(call.values), step, call.time)])
            step = self.step  # two threads took the same number: the order of their records decides
        rows = self._complete_own_row() if step > self.step else []
        self.step = step
        if call.flags & RowFlag.COMMIT:
            values = dict(call.values)
            if self.row:
                merge_values(self.row, values)
                values = self.row
                self.row = {}
            self.step += 1
            rows.append(self._finish_row(values, step, call.time))
        else:
            merge_values(self.row, call.values)
            self.row_time = call.time
        return Completed(rows) if rows else NOTHING

    def apply_rows(
        self, steps: Sequence[int], times: Sequence[float], explicit: Sequence[int]
    ) -> Tuple[List[int], List[float]]:
        """Take consecutive rows without their values; return their steps and runtimes.

        As `apply` for each, where one call committed each, no row is being put together and `metrics` leave them
        alone. The summary is the caller's to bring up to date.
        """
        assert not self.row
        finished = list(steps)
        if finished[0] < self.step or not all(map(operator.lt, finished, finished[1:])):
            for index, step in enumerate(finished):
                if step < self.step:
                    if explicit[index]:
                        self.late_rows += 1
                        continue
                    finished[index] = step = self.step
                self.step = step + 1
        else:
            self.step = finished[-1] + 1
        self.rows += len(finished)
        self.last_time = times[-1]
        before, start = self.runtime_before, self.session_start
        return finished, [before + max(0.0, time - start) for time in times]

    def _finish_row(self, row: Dict[str, Any], step: int, time: float) -> Dict[str, Any]:
        self.rows += 1
        self.metrics.add_steps(row, self.summary)
        row["_step"] = step
        row["_timestamp"] = time
        row["_runtime"] = self._runtime(time)
        self.metrics.summarize(row, self.summary)
        return row

    def _runtime(self, time: float) -> float:
        return self.runtime_before + max(0.0, time - self.session_start)

    def _start(self, record: RunStart) -> Completed:
        rows = self._complete_own_row()
        if self.sessions:
            self.runtime_before = self.runtime
            for label in ("entity", "project", "name", "notes", "group", "job_type", "sweep_id"):
                if getattr(record, label) is not None:
                    setattr(self.start, label, getattr(record, label))
            self.start.tags = record.tags or self.start.tags
            self.start.host, self.start.pid = record.host, record.pid
            self.start.program, self.start.environment = record.program, record.environment
            if record.branch_run:
                self.start.branch_run, self.start.branch_step = record.branch_run, record.branch_step
        else:
            self.start = dataclasses.replace(record)
            self.runtime_before = record.runtime_before
        self.sessions += 1
        told = {"number": self.sessions, "time": record.time, "host": record.host, "pid": record.pid}
        self.session_start = self.last_time = record.time
        self.step = max(self.step, record.first_step)
        self.story = [*self.story, {**told, "step": self.step}][-SESSIONS_TOLD_MAX:]
        self.exit = self.writer_lost = None
        self.preempting = False
        self.label_changes += 1
        return Completed(rows)

    def _config(self, record: ConfigChange) -> None:
        self.config.update(_object(record.json))
        for key in record.removed:
            self.config.pop(key, None)
        self.label_changes += 1

    def _summary(self, record: SummaryChange) -> None:
        self.summary.update(_object(record.json))
        for key in record.removed:
            self.summary.pop(key, None)

    def _metric(self, record: MetricDefinition) -> None:
        self.metrics.define(record)
        self.label_changes += 1

    def _system(self, record: SystemMetrics) -> Completed:
        self.last_time = record.time
        self.system_rows += 1
        row = {f"system.{name}": value for name, value in _object(record.json).items()}
        row.update(_wandb=True, _timestamp=record.time, _runtime=self._runtime(record.time))
        return Completed(system=[row])

    def _console(self, record: Console) -> Completed:
        return Completed(console=self.console.write(record.time, record.stream, record.text))

    def _file(self, record: FileSaved) -> None:
        self.files[record.path] = record.policy

    def _artifact(self, record: Artifact) -> None:
        self.artifacts.append(record)

    def _labels(self, record: Labels) -> None:
        for label in ("name", "notes", "group", "job_type"):
            if getattr(record, label) is not None:
                setattr(self.start, label, getattr(record, label))
        if record.tags_changed:
            self.start.tags = record.tags
        self.label_changes += 1

    def _alert(self, record: Alert) -> None:
        self.alerts.append(record)

    def _preempting(self, record: Preempting) -> None:
        self.preempting = True

    def _telemetry(self, record: Telemetry) -> None:
        self.telemetry.update(_object(record.json))
        self.label_changes += 1

    def _environment(self, record: Environment) -> None:
        known = _object(self.start.environment) if self.start.environment else {}
        known.update(_object(record.json))
        self.start.environment = json.dumps(known)
        self.label_changes += 1

    def _exit(self, record: Exit) -> Completed:
        rows = self._complete_own_row()
        self.exit = record
        self.last_time = record.time
        self._tell("exit", {"code": record.code, "time": record.time})
        return Completed(rows)

    def _lost(self, record: WriterLost) -> Completed:
        rows = self._complete_own_row()
        self.writer_lost = record
        self.crashes += 1
        self.lost_records += record.lost_records
        evidence = {"cause": record.cause, "evidence": record.evidence, "lost_records": record.lost_records}
        self._tell("lost", {"time": record.time, **evidence})
        self.label_changes += 1
        return Completed(rows)

    def _tell(self, name: str, what: Dict[str, Any]) -> None:
        if self.story:
            self.story[-1] = {**self.story[-1], name: what}

    # --- lanes --------------------------------------------------------------------------------------------------------

    def _from_lane(self, wrapped: FromLane) -> Optional[Completed]:
        lane, record = str(wrapped.lane), wrapped.record
        if isinstance(record, Row):
            return self._lane_row(lane, record)
        if isinstance(record, WriterLost):
            self.lost_records += record.lost_records
            return Completed(self._complete_lane_row(lane))
        if record is None or isinstance(record, (RunStart, Exit)):  # these are not a lane's to say
            return None
        before = self.last_time
        completed = self.apply(record)
        self.last_time = max(before, self.last_time)
        return completed

    def _lane_row(self, lane: str, call: Row) -> Completed:
        self.last_time = max(self.last_time, call.time)
        open_row = self.lane_rows.get(lane)
        if call.flags & RowFlag.EXPLICIT:
            step = call.step
        elif open_row is not None:
            step = open_row[0]
        else:
            step = max(self.step + bool(self.row), self.lane_step)
            self.lane_step = step + 1
        rows = self._complete_lane_row(lane) if open_row is not None and open_row[0] != step else []
        _, _, values = self.lane_rows.pop(lane, (step, 0.0, {}))
        merge_values(values, call.values)
        if call.flags & RowFlag.COMMIT:
            rows.append(self._finish_row(values, step, call.time))
        else:
            self.lane_rows[lane] = (step, call.time, values)
        return Completed(rows)

    def _complete_lane_row(self, lane: str) -> List[Dict[str, Any]]:
        if lane not in self.lane_rows:
            return []
        step, time, values = self.lane_rows.pop(lane)
        return [self._finish_row(values, step, time)]

    # --- what it adds up to -------------------------------------------------------------------------------------------

    @property
    def runtime(self) -> float:
        """Seconds that the run has lasted, all sessions together, up to its last record."""
        return self._runtime(self.last_time)

    @property
    def status(self) -> str:
        """running (as far as the log tells), finished, failed or crashed."""
        if self.exit is not None:
            return "finished" if self.exit.code == 0 else "failed"
        return "crashed" if self.writer_lost is not None else "running"

    # --- checkpoints --------------------------------------------------------------------------------------------------

    def snapshot(self) -> Dict[str, Any]:
        """The state as JSON values, for a reader that goes on from here later."""
        fields = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        for name in ("start", "exit", "writer_lost"):
            fields[name] = None if fields[name] is None else vars(fields[name])
        for name in ("artifacts", "alerts"):
            fields[name] = [vars(record) for record in fields[name]]
        for name in ("metrics", "console"):
            fields[name] = fields[name].snapshot()
        result: Dict[str, Any] = json.loads(json.dumps(fields))
        return result

    @classmethod
    def restore(cls, snapshot: Dict[str, Any]) -> RunState:
        fields = dict(snapshot)
        fields["start"] = RunStart(**fields["start"])
        fields["exit"] = Exit(**fields["exit"]) if fields["exit"] else None
        fields["writer_lost"] = WriterLost(**fields["writer_lost"]) if fields["writer_lost"] else None
        fields["artifacts"] = [Artifact(**record) for record in fields["artifacts"]]
        fields["alerts"] = [Alert(**record) for record in fields["alerts"]]
        fields["metrics"] = MetricRules.restore(fields["metrics"])
        fields["console"] = ConsoleLines.restore(fields["console"])
        return cls(**fields)


def _object(text: str) -> Dict[str, Any]:
    try:
        return parse_object(text)
    except Undecodable as error:
        raise LogDamaged(str(error)) from error


_HANDLERS: Dict[Type[Record], Callable[[RunState, Any], Optional[Completed]]] = {
    RunStart: RunState._start,
    ConfigChange: RunState._config,
    SummaryChange: RunState._summary,
    MetricDefinition: RunState._metric,
    SystemMetrics: RunState._system,
    Console: RunState._console,
    FileSaved: RunState._file,
    Artifact: RunState._artifact,
    Labels: RunState._labels,
    Alert: RunState._alert,
    Preempting: RunState._preempting,
    Telemetry: RunState._telemetry,
    Environment: RunState._environment,
    Exit: RunState._exit,
    WriterLost: RunState._lost,
    FromLane: RunState._from_lane,
}
