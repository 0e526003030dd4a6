"""A run: the object that scripts log to. Every change goes into the run's log before the call returns."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Callable, Dict, List, Mapping, NoReturn, Optional, Sequence, Tuple, Type, Union

from wandb_storage import (
    UNKNOWN_LAYOUT,
    Alert,
    ConfigChange,
    Exit,
    Labels,
    Log,
    LogClosed,
    LogError,
    MetricDefinition,
    MetricRules,
    Preempting,
    Record,
    RowFlag,
    SummaryChange,
    UnstorableValue,
    dump_json,
)

from ..errors import DataError, Error, UsageError
from ._console_capture import ConsoleCapture
from ._history_sample import HistorySample
from ._periodic import Periodic
from ._restored import Restored
from ._stop_watch import stop_watch
from ._system_metrics import system_sampler
from ._terminal import termwarn
from ._upload import upload_status
from ._values import storable_row
from .wandb_config import Config
from .wandb_settings import Settings
from .wandb_summary import Summary

_COMMIT = int(RowFlag.COMMIT)
_EXPLICIT = int(RowFlag.EXPLICIT)
_ALERT_LEVELS = ("INFO", "WARN", "ERROR")


class _Progress:
    """What every `log` call changes: kept apart, since setting an attribute of a Run is checked."""

    __slots__ = ("late_rows", "step")

    def __init__(self, step: int) -> None:
        self.step = step
        self.late_rows = 0


class Run:
    """One run. Made by `wandb.init`; safe between threads; usable as a context manager."""

    def __init__(
        self,
        settings: Settings,
        folder: Path,
        log: Optional[Log],
        start: float,
        restored: Optional[Restored] = None,
        on_finish: Callable[[Run, bool], None] = lambda run, quiet: None,
    ) -> None:
        restored = restored or Restored()
        self._settings = settings
        self._folder = folder
        self._log = log
        self._on_finish = on_finish
        self._start = start
        self._pid = os.getpid()
        self._lock = threading.RLock()
        self._progress = _Progress(restored.step)
        self._starting_step = restored.step
        self._runtime_before = restored.runtime
        self._resumed = restored.sessions > 0
        self._finished = False
        self._exit_code: Optional[int] = None
        self._labels = Labels(
            name=settings.run_name,
            notes=settings.run_notes,
            tags=list(settings.run_tags or ()),
            group=settings.run_group,
            job_type=settings.run_job_type,
        )
        self._metrics: Optional[MetricRules] = restored.metrics  # None while every key's summary is its last value
        self._latest = restored.summary
        self._history = HistorySample()
        self._config = Config(restored.config, self._config_changed)
        self._summary = Summary(self._latest, self._summary_changed)
        self._watchers: List[Union[ConsoleCapture, Periodic]] = []

    def _watch_program(self) -> None:
        """Begin to record what the program prints and how the machine does."""
        if self._settings.console != "off":
            self._watchers.append(ConsoleCapture(self._append_quietly))
        if not self._settings.x_disable_stats:
            self._watchers.append(system_sampler(self._append_quietly, self._settings.x_stats_sampling_interval))
        if not self.offline:
            self._watchers.append(stop_watch(self._folder, self._settings.base_url, self._start))
        for watcher in self._watchers:
            watcher.start()

    def _append_quietly(self, record: Record) -> None:
        """Append for a watcher, to which the end of the run is no error."""
        if self._log is not None and os.getpid() == self._pid:
            with contextlib.suppress(LogClosed):
                self._log.append(record)

    # --- logging ------------------------------------------------------------------------------------------------------

    def log(
        self,
        data: Mapping[str, Any],
        step: Optional[int] = None,
        commit: Optional[bool] = None,
        sync: Optional[bool] = None,
    ) -> None:
        """Log a row, or a part of one.

        Without `step` and `commit` the call is a row of its own. With `commit=False`, or with a `step`, calls add up
        to one row, which is complete when a call commits it or names a later step. When this returns, the data
        survives the death of the process.

        Raises DataError for a value that can't be stored; never for trouble with network or server, and for trouble
        with the disk only with the setting `strict`.
        """
        now = time.time()
        # Most rows are like one before, in keys and types: then they are known to be storable without another look.
        if type(data) is not dict or not self._log_row(data, step, commit, now, True):
            self._log_row(storable_row(data), step, commit, now, False)

    def _log_row(
        self, row: Dict[str, Any], step: Optional[int], commit: Optional[bool], now: float, known_only: bool
    ) -> bool:
        """Append a row; False where `known_only` forbids a layout that is new."""
        with self._lock:
            progress = self._progress
            if step is None:
                step = progress.step
                flags = 0 if commit is False else _COMMIT
            else:
                step, flags = self._explicit_step(step), _EXPLICIT | _COMMIT if commit else _EXPLICIT
            log = self._log
            if log is None or self._finished:
                self._refuse("log")
            try:
                if log.append_row(row, step, now, flags, known_only) == UNKNOWN_LAYOUT:
                    return False
            except UnstorableValue as error:
                raise DataError(str(error)) from None
            except LogClosed as error:
                self._closed(error)
                return True
            if step >= progress.step:
                progress.step = step + 1 if flags & _COMMIT else step
            else:
                self._count_late(step)
            if self._metrics is None:
                self._latest.update(row)
            else:
                self._metrics.summarize(row, self._latest)
            self._history.add(row)
            if self._settings.strict and log.refusal is not None:
                raise Error(f"{log.refusal}; make room, or log without the setting strict")
        return True

    def _explicit_step(self, step: Any) -> int:
        try:
            number = int(step)
        except (TypeError, ValueError):
            raise DataError(f"step must be a whole number, not {step!r}") from None
        if number < 0:
            raise DataError(f"step must be 0 or more, not {number}")
        if number < self._progress.step and self._settings.strict:
            raise UsageError(self._late(number))
        return number

    def _late(self, step: int) -> str:
        return (
            f"Tried to log to step {step} that is less than the current step {self._progress.step}. "
            "Steps should increase"
        )

    def _count_late(self, step: int) -> None:
        self._progress.late_rows += 1
        if self._progress.late_rows == 1:
            termwarn(f"{self._late(step)}; the row is kept under its own step. Later late rows are only counted")

    def define_metric(
        self,
        name: str,
        step_metric: Optional[str] = None,
        step_sync: Optional[bool] = None,
        hidden: Optional[bool] = None,
        summary: Optional[str] = None,
        goal: Optional[str] = None,
        overwrite: Optional[bool] = None,
    ) -> MetricDefinition:
        """Say how a metric, or all that match a glob which ends in `*`, is summarized and drawn.

        `summary`: of min, max, mean, first, last, best, copy and none, separated by commas.
        """
        kinds = [word.strip() for word in (summary or "").split(",") if word.strip()]
        unknown = set(kinds) - {"min", "max", "mean", "first", "last", "best", "copy", "none"}
        if unknown or (goal is not None and goal not in ("minimize", "maximize")):
            raise UsageError(f"define_metric({name!r}): {unknown or goal} is no kind of summary or goal")
        if "*" in name[:-1]:
            raise UsageError(f"define_metric({name!r}): a glob ends in its one *")
        definition = MetricDefinition(
            name=name,
            step_metric=step_metric,
            step_sync=step_metric is not None if step_sync is None else step_sync,
            hidden=bool(hidden),
            summary=kinds,
            goal=goal,
            overwrite=bool(overwrite),
        )
        with self._lock:
            self._append(definition)
            if self._metrics is None:
                self._metrics = MetricRules()
            self._metrics.define(definition)
        return definition

    def alert(self, title: str, text: str = "", level: Any = None, wait_duration: Any = None) -> None:
        """Send the run's owner a message. `wait_duration` (seconds or a timedelta): say it at most that often."""
        word = str(getattr(level, "value", level) or "INFO").upper()
        if word not in _ALERT_LEVELS:
            raise UsageError(f"alert: level is one of {', '.join(_ALERT_LEVELS)}, not {level!r}")
        seconds = wait_duration.total_seconds() if hasattr(wait_duration, "total_seconds") else wait_duration or 0
        self._append(Alert(title=str(title), text=str(text), level=word, wait_seconds=float(seconds), time=time.time()))

    def mark_preempting(self) -> None:
        """Record that the scheduler is about to take the machine."""
        self._append(Preempting(time=time.time()))

    # --- the log ------------------------------------------------------------------------------------------------------

    def _append(self, record: Record) -> None:
        if self._log is None or self._finished:
            self._refuse(type(record).__name__)
        try:
            self._log.append(record)
        except UnstorableValue as error:
            raise DataError(str(error)) from None
        except LogClosed as error:
            self._closed(error)

    def _refuse(self, what: str) -> NoReturn:
        raise UsageError(
            f"the run {self.id} is finished, and {what} comes too late; call wandb.init() to start another, "
            f'or wandb.init(id="{self.id}", resume="allow") to go on with it'
        )

    def _closed(self, error: LogClosed) -> None:
        termwarn(f"{error}. What this process logs to the run {self.id} is not kept", repeat=False)

    def _config_changed(self, changes: Dict[str, Any], removed: List[str]) -> None:
        self._append(ConfigChange(json=dump_json(changes), removed=removed, time=time.time()))

    def _summary_changed(self, changes: Dict[str, Any], removed: List[str]) -> None:
        self._append(SummaryChange(json=dump_json(changes), removed=removed, time=time.time()))

    def flush(self) -> None:
        """Return when everything logged so far survives a power loss. Raises UsageError where the disk refuses."""
        if self._log is not None:
            try:
                self._log.flush()
            except LogError as error:
                raise UsageError(f"the log can't be flushed: {error}") from error

    # --- the end ------------------------------------------------------------------------------------------------------

    def finish(self, exit_code: Optional[int] = None, quiet: Optional[bool] = None) -> None:
        """End the run: seal its log, and in online mode show the upload until it is done, stalls, or Ctrl-C.

        Idempotent. `exit_code` other than 0 marks the run as failed.
        """
        with self._lock:
            if self._finished or os.getpid() != self._pid:
                return
            self._exit_code = exit_code if exit_code is not None else 0
        # Outside the lock: a watcher that is about to append must be able to end.
        for watcher in self._watchers:
            watcher.stop()
        if self._seal():
            self._on_finish(self, bool(quiet))

    def _seal(self) -> bool:
        """Append the last record and close the log; False where another thread was first."""
        with self._lock:
            if self._finished:
                return False
            self._append(self._exit_record())
            self._finished = True
        if self._log is not None:
            try:
                self._log.close()
            except LogError as error:
                termwarn(f"the run's log could not be sealed ({error}); the next reader recovers it")
        return True

    def _exit_record(self) -> Exit:
        from ._exit import program_end

        now = time.time()
        failed = bool(self._exit_code)
        return Exit(
            code=self._exit_code or 0,
            time=now,
            runtime=self._runtime_before + now - self._start,
            exception=program_end.exception if failed else "",
            message=program_end.message if failed else "",
        )

    def __enter__(self) -> Run:
        return self

    def __exit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], traceback: Optional[TracebackType]
    ) -> None:
        from ._exit import ProgramEnd, program_end

        end = ProgramEnd()
        end.note(kind, error)
        program_end.exception, program_end.message = end.exception, end.message
        self.finish(exit_code=end.code)

    # --- what the run is ----------------------------------------------------------------------------------------------

    @property
    def id(self) -> str:
        """The run's id, unique in its project."""
        assert self._settings.run_id is not None
        return self._settings.run_id

    @property
    def name(self) -> Optional[str]:
        """The run's name on the page."""
        return self._labels.name

    @name.setter
    def name(self, name: str) -> None:
        self._relabel(name=str(name))

    @property
    def notes(self) -> Optional[str]:
        """What is special about the run."""
        return self._labels.notes

    @notes.setter
    def notes(self, notes: str) -> None:
        self._relabel(notes=str(notes))

    @property
    def tags(self) -> Tuple[str, ...]:
        """The run's tags."""
        return tuple(self._labels.tags)

    @tags.setter
    def tags(self, tags: Sequence[str]) -> None:
        if isinstance(tags, str):
            raise UsageError("tags is a list of strings, not one string")
        self._relabel(tags=[str(tag) for tag in tags], tags_changed=True)

    def _relabel(self, **labels: Any) -> None:
        self._append(Labels(**labels, time=time.time()))
        for label, value in labels.items():
            setattr(self._labels, label, value)

    @property
    def group(self) -> Optional[str]:
        """The group that the run belongs to."""
        return self._settings.run_group

    @property
    def job_type(self) -> Optional[str]:
        """What kind of run it is: train, eval, …"""
        return self._settings.run_job_type

    @property
    def project(self) -> Optional[str]:
        """The project."""
        return self._settings.project

    @property
    def entity(self) -> Optional[str]:
        """The user or team that owns the run; None until the server has said so, where nobody named one."""
        return self._settings.entity

    @property
    def config(self) -> Config:
        """The run's configuration."""
        return self._config

    @property
    def summary(self) -> Summary:
        """One value a key: what the rows add up to."""
        return self._summary

    @property
    def settings(self) -> Settings:
        """The settings that the run was made with."""
        return self._settings

    @property
    def step(self) -> int:
        """The step of the row that the next call to `log` belongs to."""
        return self._progress.step

    @property
    def starting_step(self) -> int:
        """The first step of this session."""
        return self._starting_step

    @property
    def start_time(self) -> float:
        """When this session began, in seconds since the epoch."""
        return self._start

    @property
    def resumed(self) -> bool:
        """Whether the run goes on with an earlier session's log."""
        return self._resumed

    @property
    def disabled(self) -> bool:
        """Whether nothing is recorded."""
        return False

    @property
    def offline(self) -> bool:
        """Whether nothing is uploaded while the run lasts."""
        return self._settings.mode == "offline"

    @property
    def dir(self) -> str:
        """The folder of the run's files."""
        return str(self._folder / "files")

    @property
    def sync_dir(self) -> str:
        """The run's folder."""
        return str(self._folder)

    @property
    def url(self) -> Optional[str]:
        """The run's page; None offline, and until the server has said who owns the run."""
        status = None if self.offline else upload_status(self._folder, self._settings.base_url)
        return status.url or None if status is not None else None

    def __setattr__(self, name: str, value: Any) -> None:
        if not name.startswith("_") and not isinstance(getattr(type(self), name, None), property):
            raise AttributeError(f"Attribute {name} is not supported on Run object.")
        object.__setattr__(self, name, value)

    def __repr__(self) -> str:
        return f"<wandb.Run {self.id} in {self._folder}>"
