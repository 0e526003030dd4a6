"""A run in a child process: one that was forked, or started anew and given the run by pickling or by name.

The run's log belongs to the process that started the run. What a child logs goes into a lane of the child's own, which
is merged into the log and begins with the first thing that the child logs. Console and system metrics stay the
parent's, and so does the end of the run.
"""

from __future__ import annotations

import atexit
import json
import os
import threading
import time
import weakref
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable, Dict, Mapping, Optional, Tuple

from wandb_storage import Log, LogError, Record, RowFlag

from .._terminal import termwarn
from ..errors import Error, UsageError

if TYPE_CHECKING:
    from ._run_facts import RunFacts
    from .wandb_run import Run

# After a lane could not be made, so long nothing is tried.
_RETRY_SECONDS = 1.0

_runs: weakref.WeakSet[Run] = weakref.WeakSet()
# The runs of other processes that this one logs to, by folder: loading one again must not begin another lane.
_attached: Dict[Path, Run] = {}


class LaneToBe:
    """Stands for the log of a run in a child until something is logged; then a lane takes its place."""

    sequence = 0

    def __init__(self, run: Run) -> None:
        self.lost = 0  # records that could not be kept, since no lane could be made
        self.refusal: Optional[LogError] = None  # why not
        self._run = run
        self._lock = threading.Lock()
        self._retry_at = 0.0

    def append(self, record: Record) -> int:
        """As `Log.append`."""
        lane = self._lane()
        return lane.append(record) if lane is not None else self._lose()

    def append_row(self, row: Mapping[str, Any], step: int, time: float, flags: int, known_only: bool = False) -> int:
        """As `Log.append_row`."""
        lane = self._lane()
        return lane.append_row(row, step, time, flags, known_only) if lane is not None else self._lose()

    def sync_first(self, path: Path) -> None:
        """As `Log.sync_first`."""
        lane = self._lane()
        if lane is not None:
            lane.sync_first(path)

    def flush(self) -> None:
        """Nothing waits."""

    def close(self) -> None:
        """Nothing is open."""

    def _lose(self) -> int:
        self.lost += 1
        return 0

    def _lane(self) -> Optional[Log]:
        run = self._run
        with self._lock:
            if isinstance(run._log, Log):  # another thread was first
                return run._log
            if time.monotonic() < self._retry_at:
                return None
            from wandb_storage import create_lane  # which most processes never need

            try:
                lane = create_lane(run._folder, run.id, warn=termwarn, durability=run.settings.durability)
            except LogError as error:
                self.refusal, self._retry_at = error, time.monotonic() + _RETRY_SECONDS
                termwarn(f"{error}. What this process logs to the run {run.id} is not kept until then", repeat=False)
                return None
            run._log = lane
            # Not for children of `multiprocessing`, which end without it: a lane that nobody closed is brought in
            # order by the parent.
            atexit.register(leave, run)
            return lane


def leave(run: Run) -> None:
    """End a run in a child: its lane is sealed, and the run goes on."""
    from . import _globals

    if run._files is not None:
        run._files.finish()
    run._finish_artifacts()
    with run._lock:
        if run._finished:
            return
        if not run._progress.complete and isinstance(run._log, Log):
            run._log.append_row({}, run._progress.step, time.time(), RowFlag.COMMIT)
        run._finished = True
    run.unwatch()
    if run._log is not None:
        try:
            run._log.close()
        except LogError as error:
            termwarn(f"what this process logged could not be sealed ({error}); the next reader recovers it")
    _attached.pop(run._folder, None)
    _globals.clear_active(run)


# --- forked children --------------------------------------------------------------------------------------------------


def remember(run: Run) -> None:
    """Let the children that this process will fork log to a run."""
    _runs.add(run)


def _enter_all() -> None:
    """In a forked child: the parent's threads are gone, with whatever they held."""
    for run in list(_runs):
        run._lock = threading.RLock()
        for watcher in run._watchers:
            watcher.abandon()
        run._watchers = []
        run._files = None  # the files that the parent follows are the parent's
        run._media = None
        if run._watches is not None:
            run._watches.enter_child()
        if run._log is not None and not run._finished:
            _enter(run)


def _enter(run: Run) -> None:
    run._progress.complete = True
    run._log = LaneToBe(run)


os.register_at_fork(after_in_child=_enter_all)


# --- other children ---------------------------------------------------------------------------------------------------


def pickled(run: RunFacts) -> Tuple[Callable[[Dict[str, Any]], Run], Tuple[Dict[str, Any]]]:
    """What `Run.__reduce__` says: enough to log to the run from another process, and no secrets."""
    fields = {
        "folder": os.fspath(run._folder),
        "disabled": run.disabled,
        "settings": run.settings.portable(),
        "config": run.config.as_dict(),
        "start": run.start_time,
        "step": run.step,
    }
    return unpickled, (fields,)


def unpickled(fields: Dict[str, Any]) -> Run:
    """The run, where this process or its parent started it; otherwise a run that logs into a lane."""
    from ._restored import Restored
    from .lib.disabled import RunDisabled
    from .wandb_run import Run
    from .wandb_settings import Settings

    folder = Path(fields["folder"])
    known = _find(folder, fields["settings"].get("run_id"))
    if known is not None:
        return known
    settings = Settings(**fields["settings"])
    run_type = RunDisabled if fields["disabled"] else Run
    restored = Restored(step=fields["step"], config=fields["config"])
    run = run_type(settings, folder, None, fields["start"], restored)
    run._pid = 0  # no child of this process takes it for its own
    if not fields["disabled"]:
        _enter(run)
        _attached[folder] = run
    return run


def _find(folder: Path, run_id: Optional[str]) -> Optional[Run]:
    return next((run for run in _runs if run._folder == folder and run.id == run_id and not run._finished), None)


def attach(attach_id: Optional[str] = None, run_id: Optional[str] = None, *, run: Optional[Run] = None) -> Run:
    """Log to a run that another process has started: named by its id, by what its `_attach_id` says, or by a `run`.

    >>> import wandb
    >>> with wandb.init(mode="offline") as run:
    ...     wandb.attach(run.id) is run
    True

    Raises UsageError where there is no such run in this directory, Error where its log can't be read.
    """
    from . import _globals

    name = attach_id or run_id or (run._attach_id if run is not None else None)
    if not name:
        raise UsageError("attach() needs the id of a run")
    attached = next((run for run in _runs if name in (run.id, run._attach_id) and not run._finished), None)
    if attached is None:
        folder = Path(name) if os.path.isabs(name) else _folder_of(name)
        try:
            attached = unpickled(_read_fields(folder))
        except LogError as error:
            raise Error(f"the run {name} can't be attached to: {error}") from error
    if _globals.active_run() is None:
        _globals.set_active(attached)
    return attached


_attach = attach  # as loggers of other packages call it


def _folder_of(run_id: str) -> Path:
    from .._run_folders import run_folders
    from ._folders import wandb_folder
    from .wandb_settings import merged

    directory = wandb_folder(merged().root_dir)
    found = [run.path for run in run_folders(directory) if run.run_id == run_id]
    if not found:
        raise UsageError(f"there is no run {run_id} in {directory}; attach where it was started, or set WANDB_DIR")
    return found[-1]


def _read_fields(folder: Path) -> Dict[str, Any]:
    """What `pickled` would say, from the beginning of the run's log: `init` puts identity and config there."""
    from wandb_storage import Reader, RunState

    from .wandb_settings import Settings

    state = RunState()
    with Reader(folder) as reader:
        for entry in reader.read(reader.first_sequence):
            state.apply(entry.record)
        run_id = reader.run_id
    start = state.start
    settings = {
        "run_id": run_id, "entity": start.entity, "project": start.project, "run_name": start.name,
        "run_notes": start.notes, "run_tags": start.tags or None, "run_group": start.group,
        "run_job_type": start.job_type,
        **{name: value for name, value in json.loads(start.settings or "{}").items() if name in Settings._fields},
    }  # fmt: skip
    return {
        "folder": os.fspath(folder), "disabled": False, "settings": settings, "config": state.config,
        "start": state.session_start, "step": state.step,
    }  # fmt: skip
