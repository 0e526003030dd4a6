"""Another run, or the same one, from a step of a run on: a new log, made at once and without a network.

A fork is a run of its own, and the run that it came from stays as it is. A run that goes back keeps its id: its new log
takes the place of the old one, and the uploader has the server forget the rows behind the step. Either way the branch
is a finished run, and `wandb.init(id=..., resume="must")` goes on with it. A branch of a run that a server holds is
made among the runs here.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Optional, Set

from wandb_storage import Exit, LogInUse, Reader, RunStart, boot_id

from ..errors import UsageError
from ._replay import Replay


def fork(
    run: Replay, step: int, run_id: Optional[str] = None, name: Optional[str] = None, directory: Optional[Path] = None
) -> Path:
    """Make a new run that begins with `run` up to `step`; return its folder.

    `directory` is where the runs here are, for a run of a server. Raises UsageError where the run has no such step, or
    there is a run with that id already, and OSError.
    """
    from ..sdk._names import new_run_id, new_run_name

    run_id = run_id or new_run_id()
    home = _home(run, directory)
    others = _others(home)
    if run_id in (*others, run.run_id):
        raise UsageError(f"there is a run {run_id} already; a fork needs an id of its own")
    return _branch(run, step, run_id, name or new_run_name(len(others) + 1), home)


def rewind(run: Replay, step: int, directory: Optional[Path] = None) -> Path:
    """Let a run go back to `step`: make a new log for it, which has no later row; return its folder.

    `directory` is as of `fork`. Raises LogInUse while the run is being written, UsageError where it has no such step,
    and OSError.
    """
    with Reader(run.folder) as reader:
        writer = reader.writer()
    if writer is not None:
        raise LogInUse(f"the run is being written by {writer}; stop it first, or fork it", run.folder)
    if run.origin and run.state == "running":
        raise LogInUse("the run goes on at its server; stop it first, or fork it", run.folder)
    return _branch(run, step, run.run_id, run.name, _home(run, directory))


def _home(run: Replay, directory: Optional[Path]) -> Path:
    """The directory of the branch. A copy of a server's run goes with its reader, and a branch must not."""
    from ._folders import wandb_directory

    return wandb_directory(directory) if run.origin else run.folder.parent


def _others(directory: Path) -> Set[str]:
    from .._run_folders import run_folders

    return {other.run_id for other in run_folders(directory)}


def _branch(run: Replay, step: int, run_id: str, name: Optional[str], home: Path) -> Path:
    from ..sdk._branch import Branch, copy_beginning, state_at
    from ..sdk._folders import link_latest, new_run_folder
    from ..sdk._live_log import bring_log_home, create_log
    from ..sdk.wandb_settings import merged

    branch = Branch(run.run_id, step)
    state_at(run.folder, branch)  # which raises, before anything is made
    start = _start(run, branch.run_id, step, run_id, name)
    settings = merged(("the branch", {"run_id": run_id}))
    offline = settings.mode == "offline" if run.origin else run.folder.name.startswith("offline-")
    home.mkdir(parents=True, exist_ok=True)
    folder = new_run_folder(home, run_id, offline)
    log = create_log(folder, settings)
    try:
        copy_beginning(run.folder, branch, log, start, folder / "files")
        log.append(start)
        log.append(Exit(code=0, time=start.time))
    finally:
        log.close()
    bring_log_home(folder)
    link_latest(folder)
    return folder


def _start(run: Replay, source_id: str, step: int, run_id: str, name: Optional[str]) -> RunStart:
    """The session that makes the branch."""
    from .. import __version__

    old = run.start
    return RunStart(
        run_id=run_id, entity=old.entity, project=old.project, name=name, notes=old.notes, tags=list(old.tags),
        group=old.group, job_type=old.job_type, time=time.time(), host=os.uname().nodename, pid=os.getpid(),
        boot_id=boot_id(), program="wandb replay", version=__version__, settings=old.settings,
        environment=old.environment, resumed=run_id == source_id, first_step=step + 1, branch_run=source_id,
        branch_step=step,
    )  # fmt: skip
