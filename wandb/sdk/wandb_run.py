"""A run: the object that scripts log to. Every change goes into the run's log before the call returns."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Callable, Dict, List, Mapping, NoReturn, Optional, Type, Union

from wandb_storage import (
    UNKNOWN_LAYOUT,
    ConfigChange,
    Console,
    Exit,
    Log,
    LogClosed,
    LogError,
    MetricDefinition,
    Record,
    RowFlag,
    Stream,
    SummaryChange,
    UnstorableValue,
    dump_json,
    merge_values,
)

from .._terminal import termwarn
from ..errors import DataError, Error, UsageError
from ._child import LaneToBe, leave, remember
from ._console._capture import ConsoleCapture
from ._history_sample import HistorySample
from ._metric_definition import metric_definition
from ._periodic import Periodic
from ._restored import Restored
from ._run_actions import RunActions
from ._step import whole_step
from ._stop_watch import stop_watch
from ._surroundings import Surroundings
from ._system_metrics import system_sampler
from ._values import storable_row
from .wandb_config import Config
from .wandb_settings import Settings
from .wandb_summary import Summary

if TYPE_CHECKING:
    from wandb_storage import MetricRules

    from ._console._logger_capture import LoggerCapture
    from ._console._redirect import RedirectedConsole
    from ._run_history import History
    from ._tensorboard._sync import TensorBoardSync

    Watcher = Union[ConsoleCapture, LoggerCapture, Periodic, RedirectedConsole, Surroundings, TensorBoardSync]

_COMMIT = int(RowFlag.COMMIT)
_EXPLICIT = int(RowFlag.EXPLICIT)
# Characters of a value that errors name as what makes a row too large.
_LARGE = 1 << 20


def _largest(row: Dict[str, Any]) -> str:
    """Which value makes a row too large, for an error; nothing where none does."""
    sizes = {key: len(str(value)) for key, value in row.items()}
    key = max(sizes, key=lambda key: sizes[key], default="")
    return f" (the largest value is that of {key})" if sizes.get(key, 0) > _LARGE else ""


class Run(RunActions):
    """One run. Made by `wandb.init`; safe between threads; usable as a context manager.

    >>> import wandb
    >>> with wandb.init(mode="disabled", config={"lr": 0.1}) as run:
    ...     for step in range(3):
    ...         run.log({"loss": 1 / (step + 1)})
    >>> run.step, run.summary["loss"] < 0.5
    (3, True)
    """

    def __init__(
        self,
        settings: Settings,
        folder: Path,
        log: Optional[Log],
        start: float,
        restored: Optional[Restored] = None,
        on_finish: Callable[[Run, bool, Optional[bool]], None] = lambda run, quiet, wait: None,
    ) -> None:
        restored = restored or Restored()
        super().__init__(settings, folder, start, restored)
        self._log: Union[Log, LaneToBe, None] = log
        self._on_finish = on_finish
        self._finished = False
        self._exit_code: Optional[int] = None
        self._metrics: Optional[MetricRules] = restored.metrics  # None while every key's summary is its last value
        self._latest = restored.summary
        self._history = HistorySample()
        self._config = Config(restored.config, self._config_changed, bool(settings.allow_val_change))
        self._summary = Summary(self._latest, self._summary_changed, self)
        self._watchers: List[Watcher] = []
        remember(self)

    def _watch_program(self) -> None:
        """Begin to record what the program prints and how the machine does."""
        files = self._folder / "files"
        if self._settings.console != "off":
            self._watchers.append(self._redirected() or ConsoleCapture(self._append_quietly, files / "output.log"))
        if not self._settings.x_disable_stats:
            self._watchers.append(system_sampler(self._append_quietly, self._settings))
        if not self.offline:
            stop = (self._settings.stop_fn,) if self._settings.stop_fn is not None else ()
            self._watchers.append(stop_watch(self._folder, self._settings.base_url, self._start, *stop))
        if self._settings.capture_loggers:
            from ._console._logger_capture import LoggerCapture

            self._watchers.append(LoggerCapture(self._print_quietly, self._settings.capture_loggers))
        if self._settings.sync_tensorboard or "wandb.tensorboard" in sys.modules:
            self._follow_tensorboard()
        self._watchers.append(Surroundings(self._append_quietly, files, self._settings, self._start))
        for watcher in self._watchers:
            watcher.start()

    def _redirected(self) -> Optional[RedirectedConsole]:
        """The capture of the descriptors, where it is wanted and can be had."""
        if self._settings.console != "redirect":
            return None
        from ._console._redirect import RedirectedConsole

        if not RedirectedConsole.is_possible():
            return None
        return RedirectedConsole(self._folder, self.id, self._settings.durability)

    def _follow_tensorboard(self) -> None:
        from . import _tensorboard

        request = _tensorboard.request
        if self._settings.sync_tensorboard or request is not None:
            from ._tensorboard._sync import TensorBoardSync

            self._watchers.append(TensorBoardSync(self, *(request or ())))

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
        progress = self._progress
        if progress.as_is and type(data) is dict and self._log_row(data, step, commit, now, True):
            return
        at = progress.step if step is None else self._explicit_step(step)
        row = storable_row(data, self, at)
        progress.as_is = row is data
        self._log_row(row, step, commit, now, False)

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
                self._refuse()
            try:
                if log.append_row(row, step, now, flags, known_only) == UNKNOWN_LAYOUT:
                    return False
            except UnstorableValue as error:
                raise DataError(f"{error}{_largest(row)}") from None
            except LogClosed as error:
                self._closed(error)
                return True
            progress.complete = flags & _COMMIT
            if step >= progress.step:
                progress.step = step + 1 if flags & _COMMIT else step
            else:
                self._count_late(step)
            if known_only and self._metrics is None:  # such a row has no dictionaries in it
                self._latest.update(row)
            else:
                self._summarize(row)
            self._history.add(row)
            if self._settings.strict and log.refusal is not None:
                raise Error(f"{log.refusal}; make room, or log without the setting strict")
        return True

    def _log_part(self, values: Dict[str, Any]) -> None:
        self._log_row(values, None, False, time.time(), False)

    def _explicit_step(self, step: Any) -> int:
        number = whole_step(step)
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

    def _take_row(self, lane: int, sequence: int, row: Dict[str, Any], moment: float) -> None:
        """Take over a row that the program has written elsewhere: `row_of_lane` in storage tells of the arguments."""
        from wandb_storage import row_of_lane

        self._complete_watched()
        values = storable_row(row, self, self._progress.step)
        self._append_quietly(row_of_lane(lane, sequence, values, moment))
        with self._lock:
            self._summarize(values)
            self._history.add(values)

    def _summarize(self, row: Mapping[str, Any]) -> None:
        if self._metrics is None:
            merge_values(self._latest, row)
        else:
            self._metrics.summarize(row, self._latest)

    def _print_quietly(self, text: str) -> None:
        self._append_quietly(Console(time=time.time(), stream=Stream.STDOUT, text=text))

    def define_metric(
        self,
        name: str,
        step_metric: Union[None, str, MetricDefinition] = None,
        step_sync: Optional[bool] = None,
        hidden: Optional[bool] = None,
        summary: Optional[str] = None,
        goal: Optional[str] = None,
        overwrite: Optional[bool] = None,
    ) -> MetricDefinition:
        """Say how a metric, or all that match a glob which ends in `*`, is summarized and drawn.

        `summary`: of min, max, mean, first, last, best, copy and none, separated by commas. A value in a dictionary is
        named by its keys, joined with dots: `val.loss`.
        """
        definition = metric_definition(name, step_metric, step_sync, hidden, summary, goal, overwrite)
        with self._lock:
            self._append(definition)
            if self._metrics is None:
                from wandb_storage import MetricRules

                self._metrics = MetricRules()
            self._metrics.define(definition)
        return definition

    @property
    def history(self) -> History:
        """The rows of the run, as callers of the client of 2020 know them."""
        from ._run_history import History

        return History(self)

    # --- in a notebook ------------------------------------------------------------------------------------------------

    def to_html(self, height: int = 420, hidden: bool = False) -> str:
        """The run's page as HTML for a notebook."""
        from ._run_display import run_html

        return run_html(self, height, hidden)

    def display(self, height: int = 420, hidden: bool = False) -> bool:
        """Show the run's page in the notebook that runs this; False where there is none."""
        from ._run_display import display

        return display(self, height, hidden)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> Dict[str, str]:
        from ._html import run_html

        return {"text/html": run_html(self)}

    # --- the log ------------------------------------------------------------------------------------------------------

    def _append(self, record: Record) -> None:
        if self._log is None or self._finished:
            self._refuse()
        try:
            self._log.append(record)
        except UnstorableValue as error:
            raise DataError(str(error)) from None
        except LogClosed as error:
            self._closed(error)

    def _sync_first(self, path: Path) -> None:
        if self._log is not None and not self._finished:
            self._log.sync_first(path)

    def _refuse(self) -> NoReturn:
        raise UsageError(
            f"the run {self.id} is finished, and nothing can be added to it; call wandb.init() to start another, "
            f'or wandb.init(id="{self.id}", resume="allow") to go on with it'
        )

    def _closed(self, error: LogClosed) -> None:
        termwarn(f"{error}. What this process logs to the run {self.id} is not kept", repeat=False)

    def _config_changed(self, changes: Dict[str, Any], removed: List[str]) -> None:
        self._append(ConfigChange(json=dump_json(changes), removed=removed, time=time.time()))

    def _summary_changed(self, changes: Dict[str, Any], removed: List[str]) -> None:
        self._append(SummaryChange(json=dump_json(changes), removed=removed, time=time.time()))

    def _last_record(self) -> int:
        return 0 if self._log is None else self._log.sequence

    def flush(self) -> None:
        """Return when everything logged so far survives a power loss. Raises UsageError where the disk refuses."""
        self._finish_artifacts()
        if self._log is not None:
            try:
                self._log.flush()
            except LogError as error:
                raise UsageError(f"the log can't be flushed: {error}") from error

    # --- the end ------------------------------------------------------------------------------------------------------

    def finish(
        self, exit_code: Optional[int] = None, quiet: Optional[bool] = None, wait: Optional[bool] = None
    ) -> None:
        """End the run: seal its log, and in online mode show the upload until it is done, stalls, or Ctrl-C.

        Idempotent. `exit_code` other than 0 marks the run as failed. `wait=False` leaves the upload to the background
        at once, `wait=True` stays until it is done; otherwise the setting `finish_timeout` decides. In a child it ends
        what that process logs.
        """
        if os.getpid() != self._pid:
            leave(self)
            return
        with self._lock:
            if self._finished:
                return
            self._exit_code = exit_code if exit_code is not None else 0
        # Outside the lock: a watcher that is about to append must be able to end.
        for watcher in self._watchers:
            watcher.stop()
        self.unwatch()
        if self._files is not None:
            self._files.finish()
        if self._media is not None:
            self._media.finish()
        self._finish_artifacts()
        if self._seal():
            self._on_finish(self, bool(quiet), wait)

    def join(self, exit_code: Optional[int] = None) -> None:
        """`finish`, as older callers call it."""
        self.finish(exit_code)

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
            runtime=self._runtime(now),
            exception=program_end.exception if failed else "",
            message=program_end.message if failed else "",
        )

    def _runtime(self, now: Optional[float] = None) -> float:
        """Seconds that the run has lasted, earlier sessions included."""
        return self._runtime_before + (time.time() if now is None else now) - self._start

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

    if not TYPE_CHECKING:  # which is to find an attribute that doesn't exist by itself

        def __setattr__(self, name: str, value: Any) -> None:
            if not name.startswith("_") and not isinstance(getattr(type(self), name, None), property):
                raise AttributeError(f"Attribute {name} is not supported on Run object.")
            object.__setattr__(self, name, value)
