"""Going back to a step of a run: as another run (`fork_from`), or as the same one (`resume_from`).

Either way a new log begins with what the old one recorded up to that step, record by record, and a session that goes
on from there. The old log stays as it is. What had an effect outside of the log (saved files, artifacts, alerts) is not
repeated, but the media that the rows name come along.
"""

from __future__ import annotations

import dataclasses
import os
import re
import shutil
from pathlib import Path, PurePosixPath
from typing import Iterator, NamedTuple

from wandb_storage import (
    ConfigChange,
    Console,
    Exit,
    FileSaved,
    FromLane,
    Labels,
    Log,
    MetricDefinition,
    Reader,
    Record,
    Row,
    RowFlag,
    RunStart,
    RunState,
    SummaryChange,
    SystemMetrics,
    Telemetry,
    WriterLost,
    for_another_log,
)

from ..errors import UsageError

_REPEATED = (
    ConfigChange, Console, Exit, Labels, MetricDefinition, SummaryChange, SystemMetrics, Telemetry, WriterLost,
)  # fmt: skip


class Branch(NamedTuple):
    """A step of a run."""

    run_id: str
    step: int

    def __str__(self) -> str:
        return f"step {self.step} of the run {self.run_id}"


def parse_branch(text: str, argument: str) -> Branch:
    """What `fork_from` and `resume_from` say: `ID?_step=N`. Raises UsageError."""
    match = re.fullmatch(r"(?P<run_id>[^?/]+)\?_step=(?P<step>\d+)", text) if isinstance(text, str) else None
    if match is None:
        raise UsageError(f'{argument} names a run and a step of it, "ID?_step=100" say, not {text!r}')
    return Branch(match["run_id"], int(match["step"]))


def copy_beginning(source: Path, branch: Branch, log: Log, start: RunStart, files: Path) -> RunState:
    """Append to `log` what `source` recorded up to the branch; return what that adds up to.

    `start` says who the new log's run is, `files` is the folder of its files.
    """
    state = RunState()
    for record in _beginning(source, branch, state):
        if isinstance(record, Row):
            log.append_row(record.values, record.step, record.time, record.flags)
        elif isinstance(record, RunStart):
            log.append(_renamed(record, start, branch))
        elif isinstance(record, FromLane) and isinstance(record.record, (Row, *_REPEATED)):
            log.append(for_another_log(record))
        elif isinstance(record, _REPEATED):
            log.append(record)
        else:
            saved = record.record if isinstance(record, FromLane) else record
            if isinstance(saved, FileSaved) and _take_medium(source / "files", files, saved.path):
                place = files / saved.path
                while place != files.parent:  # the file, and the folders that have been made for it
                    log.sync_first(place)
                    place = place.parent
                log.append(saved)
    return state


def _take_medium(source: Path, target: Path, name: str) -> bool:
    """Let a file of media be the other run's too; whether it is one, and there."""
    path = PurePosixPath(name)
    if path.parts[:1] != ("media",) or ".." in path.parts:
        return False
    (target / path).parent.mkdir(0o700, parents=True, exist_ok=True)
    try:
        try:
            os.link(source / path, target / path)  # nobody changes it
        except FileExistsError:
            pass
        except FileNotFoundError:
            return False
        except OSError:
            shutil.copyfile(source / path, target / path)  # another file system, or one without links
    except OSError:
        return False
    return True


def state_at(source: Path, branch: Branch) -> RunState:
    """The run at the branch. Raises UsageError where it hasn't come to that step."""
    state = RunState()
    for _ in _beginning(source, branch, state):
        pass
    return state


def _beginning(source: Path, branch: Branch, state: RunState) -> Iterator[Record]:
    """The records up to the branch; `state` is what they add up to."""
    with Reader(source) as reader:
        if reader.first_sequence > 1:
            raise UsageError(
                f"the oldest records of the run {branch.run_id} have been removed from this disk (disk_budget), "
                "so no other log can begin with them"
            )
        for entry in reader.entries():
            record = entry.record
            if isinstance(record, Row):
                step = record.step if record.flags & RowFlag.EXPLICIT else max(record.step, state.step)
                if step > branch.step:
                    return
            if record is not None:
                state.apply(record)
                yield record
    last = state.step - (not state.row)
    if last < branch.step:
        end = f"it ends with step {last}" if last >= 0 else "it has logged nothing"
        raise UsageError(f"the run {branch.run_id} has no step {branch.step}: {end}")


def _renamed(record: RunStart, start: RunStart, branch: Branch) -> RunStart:
    """A session of the old run, as one of the new log's: whoever reads only the first record knows the branch."""
    return dataclasses.replace(
        record,
        run_id=start.run_id,
        entity=start.entity,
        project=start.project,
        settings=start.settings,
        branch_run=branch.run_id,
        branch_step=branch.step,
    )
