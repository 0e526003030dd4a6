"""`wandb status`: the runs of a directory, what has been uploaded of them, what waits and why."""

from __future__ import annotations

import dataclasses
import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, Iterator, List, Mapping, NamedTuple, Optional, Sequence, Tuple

import click

from . import fail
from ._table import Table

if TYPE_CHECKING:
    from wandb.replay._glance import Glance
    from wandb_storage import RetentionReport
    from wandb_uploader import RunStatus

_EXAMPLES = """\b
Examples:
  wandb status
  wandb status --json | jq '.runs[] | select(.waiting > 0) | .id'
  wandb status /scratch/experiments
  wandb status --settings
"""
# Of runs whose logs stay though the directory is over its budget.
_KEPT_MAX = 5
STATE_STYLES = {
    "running": "blue", "finished": "green", "failed": "red", "crashed": "red", "unreadable": "red", "damaged": "red",
}  # fmt: skip
# A living uploader takes no longer to come to what is due.
_OVERDUE_SECONDS = 60.0
_TITLES = ("RUN", "NAME", "STATE", "ROWS", "RECORDS", "UPLOADED", "DISK")
_RIGHT = {"ROWS", "RECORDS", "DISK"}


class Listed(NamedTuple):
    """A run and how far each server has it."""

    glance: Glance
    uploads: List[RunStatus]

    @property
    def acknowledged(self) -> int:
        """The last record that a server has: of several servers the one that is furthest."""
        return max((upload.sequence_acked for upload in self.uploads if not upload.redirected), default=0)

    @property
    def waiting(self) -> int:
        """Records that no server has yet."""
        return max(0, self.glance.records - self.acknowledged)


class Disk(NamedTuple):
    """What a directory takes, what it may take, and what would go."""

    log_bytes: int
    total_bytes: int
    budget: Optional[int]
    room: Optional[RetentionReport]  # with a budget


@click.command("status", epilog=_EXAMPLES)
@click.argument("directory", required=False, type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="One JSON document with every figure.")
@click.option("--settings/--no-settings", "settings", help="The settings, and where each comes from, instead of runs.")
def status(directory: Optional[Path], as_json: bool, settings: bool) -> None:
    """List the runs in DIRECTORY (by default ./wandb): state, rows, what is uploaded, what waits and why.

    A run is `running` while a living process holds its log, and `crashed` when its process ended without a word.
    """
    if settings:
        from ._settings_table import show_settings

        show_settings(as_json)
        return
    from wandb.replay import wandb_directory

    if directory is not None and not directory.is_dir():
        raise click.BadParameter(f"{directory} is no folder", param_hint="DIRECTORY")
    home = wandb_directory(directory)
    runs = list_runs(home)
    disk = _disk(home, runs)
    if as_json:
        fields = {"directory": str(home.absolute()), "disk": _disk_fields(disk), "runs": [_fields(run) for run in runs]}
        click.echo(json.dumps(fields, indent=2))
    elif not runs:
        click.echo(f"There are no runs in {home}.")
    else:
        _show(home, runs, disk)


def list_runs(home: Path) -> List[Listed]:
    """All runs of a directory, oldest first."""
    return list(newest_runs(home))[::-1]


def newest_runs(home: Path) -> Iterator[Listed]:
    """The runs of a directory, newest first, each looked at when it is asked for."""
    import wandb_uploader
    from wandb.replay import run_folders
    from wandb.replay._glance import glance

    uploads: Dict[str, List[RunStatus]] = {}
    for one in wandb_uploader.status(home):
        uploads.setdefault(Path(one.folder).name, []).append(one)
    for run in reversed(run_folders(home)):
        yield Listed(glance(run), uploads.get(run.path.name, []))


def _disk(home: Path, runs: Sequence[Listed]) -> Disk:
    """The budget is the environment's or a settings file's, or else the one that the uploader keeps to."""
    import wandb_uploader
    from wandb.sdk.wandb_settings import merged
    from wandb_storage import disk_use

    use = [disk_use(run.glance.folder) for run in runs]
    wanted = merged().disk_budget
    try:
        budget = wandb_uploader.read_budget(home) if wanted is None else wandb_uploader.parse_size(wanted)
    except ValueError as error:
        fail(f"the setting disk_budget (WANDB_DISK_BUDGET): {error}")
    room = None if budget is None or not runs else wandb_uploader.make_room(home, budget, remove=False)
    return Disk(sum(one.log for one in use), sum(one.total for one in use), budget, room)


def _disk_fields(disk: Disk) -> Mapping[str, Any]:
    room = disk.room
    return {
        "bytes": disk.total_bytes, "log_bytes": disk.log_bytes, "budget": disk.budget,
        "would_remove": [_plain(one._asdict()) for one in room.removed] if room is not None else [],
        "kept": {folder.name: reason for folder, reason in room.kept.items()} if room is not None else {},
    }  # fmt: skip


def _fields(run: Listed) -> Mapping[str, Any]:
    one = run.glance
    return {
        "id": one.run_id, "folder": str(one.folder.absolute()), "name": one.name, "project": one.project,
        "state": one.state, "offline": one.offline, "started": one.started, "rows": one.rows, "records": one.records,
        "committed": one.committed, "acknowledged": run.acknowledged, "waiting": run.waiting, "bytes": one.bytes,
        "error": None if one.error is None else str(one.error), "lag_seconds": lag_seconds(run), **_use(run),
        "uploads": [_plain(dataclasses.asdict(upload)) for upload in run.uploads],
    }  # fmt: skip


def lag_seconds(run: Listed) -> float:
    """How long the oldest record that no server has has been waiting; 0 where all is there."""
    from wandb_storage import LogError, Reader

    if not run.waiting:
        return 0.0
    try:
        with Reader(run.glance.folder) as reader:
            entries = reader.read(run.acknowledged + 1, 1)
    except LogError:
        return 0.0
    logged_at = next((getattr(entry.record, "time", 0.0) for entry in entries), 0.0)
    return max(0.0, time.time() - logged_at) if logged_at else 0.0


def _use(run: Listed) -> Mapping[str, int]:
    from wandb_storage import disk_use

    use = disk_use(run.glance.folder)
    return {"log_bytes": use.log, "other_bytes": use.total - use.log}


def _plain(fields: Mapping[str, Any]) -> Mapping[str, Any]:
    return {name: str(value) if isinstance(value, Path) else value for name, value in fields.items()}


# --- for people -------------------------------------------------------------------------------------------------------


def _show(home: Path, runs: Sequence[Listed], disk: Disk) -> None:
    from wandb.replay._words import count, size

    waiting = [run for run in runs if run.waiting]
    budget = "" if disk.budget is None else f" of a budget of {size(disk.budget)}"
    use = f"{size(disk.total_bytes)}{budget} on disk ({size(disk.log_bytes)} in logs)"
    click.echo(f"{home}: {count(len(runs), 'run')}, {use}, {count(len(waiting), 'run')} with records to upload")
    click.echo()
    table = Table(_TITLES, _RIGHT, ("RUN", "STATE", "UPLOADED"), "STATE", STATE_STYLES)
    for run in runs:
        table.add(*_row(run))
    table.show()
    notes = [note for run in runs for note in _notes(run)] + _room_notes(disk.room)
    if notes:
        click.echo()
    for note in notes:
        click.echo(note)


def _row(run: Listed) -> Tuple[str, ...]:
    from wandb.replay._words import clean, size

    one = run.glance
    rows = "" if one.rows is None else f"{one.rows:,}"
    name = clean(one.name or "", 28)
    return (clean(one.run_id, 28), name, one.state, rows, f"{one.records:,}", _uploaded(run), size(one.bytes))


def _uploaded(run: Listed) -> str:
    if any(upload.done for upload in run.uploads if not upload.redirected) and not run.waiting:
        return "all"
    if any(upload.parked_reason for upload in run.uploads):
        return "refused"
    if not run.acknowledged:
        return "offline" if run.glance.offline else "nothing yet"
    if run.waiting:
        return f"all but {run.waiting:,}"
    return "all so far" if run.glance.state == "running" else "all rows"  # and not all files


def _notes(run: Listed) -> List[str]:
    """Why something waits, a line each."""
    from wandb.replay._words import clean

    one = run.glance
    if one.error is not None:
        return [clean(f"{one.run_id}: {one.error}")]
    notes: List[str] = []
    for upload in run.uploads:
        place = f"{one.run_id} to {upload.destination}"
        if upload.parked_reason:
            notes.append(f"{place}: refused: {upload.parked_reason}")
        elif upload.last_error and not upload.done:
            notes.append(f"{place}: waits: {upload.last_error}{_since(upload)}")
        notes += [f"{place}: refused: {item}: {reason}" for item, reason in upload.parked_items.items()]
        notes += [f"{place}: not uploaded: file {path}: {reason}" for path, reason in upload.parked_files.items()]
    return [clean(note) for note in notes]


def _room_notes(room: Optional[RetentionReport]) -> List[str]:
    """What goes to make room, and what stays and why."""
    from wandb.replay._words import clean, count, size

    if room is None or room.before_bytes <= room.budget_bytes:
        return []
    parts = f"{count(len(room.removed), 'uploaded part')} of logs ({size(sum(one.bytes for one in room.removed))})"
    notes = [f"over the budget by {size(room.before_bytes - room.budget_bytes)}: the uploader will remove {parts}"]
    if room.within_budget:
        return notes
    notes += [clean(f"stays: {folder.name}: {reason}") for folder, reason in list(room.kept.items())[:_KEPT_MAX]]
    if len(room.kept) > _KEPT_MAX:
        notes.append(f"stays: {count(len(room.kept) - _KEPT_MAX, 'run')} more; --json lists them")
    return notes


def _since(upload: RunStatus) -> str:
    if upload.retrying_since is None or upload.next_attempt is None:
        return ""
    since = time.strftime("%H:%M:%S", time.localtime(upload.retrying_since))
    left = upload.next_attempt - time.time()
    if left < -_OVERDUE_SECONDS:
        return f" (since {since}; nobody tries now, `wandb sync {upload.run_id}` does)"
    return f" (since {since}, again in {max(0, round(left))} s)"
