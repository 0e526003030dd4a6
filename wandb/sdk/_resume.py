"""Which log a run writes into: a new one, that of its earlier sessions, or one that begins with another's rows.

The local log is the truth about a run. A server is asked only for a run that isn't here (`_at_server`).
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from pathlib import Path
from typing import Dict, NamedTuple, Optional

from wandb_storage import Log, LogElsewhere, LogInUse, Reader, RunState, beginning

from .._run_folders import run_folders
from .._terminal import termlog
from ..errors import UsageError
from ._at_server import branch_at_server, fill, resume_from_server
from ._branch import Branch, parse_branch, state_at
from ._live_log import open_log
from ._restored import Restored, restored_from
from .wandb_settings import Settings

# An uploader that brings a killed run's log in order holds it for an instant; a resuming run waits that long.
_IN_USE_SECONDS = 10.0
_IN_USE_PAUSE_SECONDS = 0.05
_RESUME_FILE = "wandb-resume.json"


class Origin(NamedTuple):
    """What a run goes on from."""

    folder: Optional[Path] = None  # of the log to go on with, or of the one to branch off
    branch: Optional[Branch] = None
    restored: Optional[Restored] = None  # where the sessions before are the server's to know
    state: Optional[RunState] = None  # of the run to branch off, at the branch


def find_origin(settings: Settings, folder: Path) -> Origin:
    """What the arguments of `init` ask for. Raises UsageError where that isn't to be had."""
    if settings.fork_from is not None or settings.resume_from is not None:
        return _find_branch(settings, folder)
    resume = settings.resume
    if settings.shared:
        # The logs of the run that are here belong to other writers, who may be alive.
        if resume is None or settings.mode == "offline":
            return Origin()
        return Origin(restored=resume_from_server(settings))
    if resume == "auto" and settings.run_id is None:
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            settings.update({"run_id": json.loads((folder / _RESUME_FILE).read_text())["run_id"]}, _RESUME_FILE)
    if resume is None or settings.run_id is None:
        if resume == "must":
            raise UsageError('resume="must" needs the id of the run: wandb.init(id=..., resume="must")')
        return Origin()
    local = find_local(folder, settings.run_id)
    if local is not None:
        if resume == "never":
            raise UsageError(f'the run {settings.run_id} exists in {local}, and resume="never"')
        return Origin(local)
    if settings.mode == "offline":
        if resume == "must":
            raise UsageError(
                f'there is no log of the run {settings.run_id} in {folder}, and resume="must"; '
                "start in the folder where the run was made, or use another dir="
            )
        return Origin()
    return Origin(restored=resume_from_server(settings))


def find_local(folder: Path, run_id: str) -> Optional[Path]:
    """The newest log of a run in a wandb folder."""
    found = [run.path for run in run_folders(folder) if run.run_id == run_id]
    return found[-1] if found else None


def _find_branch(settings: Settings, folder: Path) -> Origin:
    fork_from, resume_from = settings.fork_from, settings.resume_from
    if fork_from is not None and resume_from is not None:
        raise UsageError("fork_from and resume_from exclude each other: another run, or the same one")
    argument, text = ("fork_from", fork_from) if fork_from is not None else ("resume_from", resume_from)
    assert text is not None
    branch = parse_branch(text, argument)
    if settings.resume is not None:
        raise UsageError(f"{argument} and resume exclude each other")
    if resume_from is not None and settings.run_id not in (None, branch.run_id):
        raise UsageError(f"resume_from names the run {branch.run_id}, and id {settings.run_id}; for another, fork_from")
    if fork_from is not None and settings.run_id == branch.run_id:
        raise UsageError(f"a fork of the run {branch.run_id} needs an id of its own; for the same one, resume_from")
    source = find_local(folder, branch.run_id)
    if source is None and settings.mode != "offline":
        return Origin(restored=branch_at_server(settings, branch, argument))
    if source is None:
        raise UsageError(
            f"{argument}: there is no log of the run {branch.run_id} in {folder}; start in the folder where the run "
            "was made, use another dir=, or log online, where the server has it"
        )
    return Origin(source, branch, state=state_at(source, branch))


# --- in the log -------------------------------------------------------------------------------------------------------


def open_again(path: Path, settings: Settings) -> Log:
    """Open an earlier session's log. Raises UsageError where another run of this machine writes it."""
    deadline = time.monotonic() + _IN_USE_SECONDS
    while True:
        try:
            return open_log(path, settings)
        except LogElsewhere as error:
            raise UsageError(f"the run can't be resumed here: {error}") from None
        except LogInUse as error:
            # The lock may be the uploader's, which is bringing the log of the killed session in order.
            if _held_by_a_run(path):
                raise UsageError(f"the run can't be resumed: {error}") from None
            if time.monotonic() >= deadline:
                raise
            time.sleep(_IN_USE_PAUSE_SECONDS)


def _held_by_a_run(path: Path) -> bool:
    """Whether the log's writer is a process of this machine that is alive: then waiting doesn't help."""
    with Reader(path) as reader:
        writer = reader.writer()
    if writer is None or writer.host != os.uname().nodename or not writer.pid:
        return False
    try:
        os.kill(writer.pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def restore(path: Path, settings: Settings) -> Restored:
    """Fold the earlier sessions; their labels hold where nobody says otherwise."""
    with Reader(path) as reader:
        before, state = beginning(reader)
        for entry in reader.entries(before + 1):
            state.apply(entry.record)
    take_labels_of_log(settings, state)
    return restored_from(state)


def take_labels_of_log(settings: Settings, state: RunState, name: bool = True) -> None:
    """What the log calls the run; its own `name` and notes are not those of a fork."""
    start = state.start
    known: Dict[str, object] = {
        "entity": start.entity, "project": start.project, "run_tags": start.tags, "run_group": start.group,
        "run_job_type": start.job_type,
    }  # fmt: skip
    if name:
        known.update(run_name=start.name, run_notes=start.notes)
    fill(settings, known)


def say_branched(settings: Settings, source: Path, branch: Branch, rewound: bool) -> None:
    """Tell the user where the run goes on from."""
    if rewound:
        termlog(f"The run goes back to {branch}, and on with step {branch.step + 1}. Its log so far stays in {source}")
    else:
        termlog(f"The run {settings.run_id} is a fork of {branch}, and goes on with step {branch.step + 1}")


def say_recovered(log: Log) -> None:
    """Tell the user how the last session ended, if it was cut off."""
    lost = log.recovered.writer_lost if log.recovered is not None else None
    if lost is not None:
        termlog(f"The last session of this run was cut off ({lost.evidence}). Everything it logged is kept.")


# --- resume="auto" ----------------------------------------------------------------------------------------------------


def remember(settings: Settings, folder: Path) -> None:
    """Note which run `resume="auto"` goes on with, if this one ends badly."""
    (folder / _RESUME_FILE).write_text(json.dumps({"run_id": settings.run_id}))


def forget(folder: Path) -> None:
    """The run has ended well."""
    with contextlib.suppress(OSError):
        (folder / _RESUME_FILE).unlink()
