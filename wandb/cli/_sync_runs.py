"""Which runs `wandb sync` is about, where they go, and which of them may be removed."""

from __future__ import annotations

import fnmatch
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Dict, List, NamedTuple, Optional, Sequence, Tuple

import click

from ._sync_show import records_of

if TYPE_CHECKING:
    from wandb_storage import RunStart
    from wandb_uploader import RunStatus, Target


class Wanted(NamedTuple):
    """Which runs of a folder are meant where none is named."""

    online: bool = False
    offline: bool = True
    synced: bool = False  # also those that the server has
    parked: bool = False  # also those of which a server refused something


def unsynced_runs(base_url: str, wanted: Wanted) -> List[Path]:
    """Runs of ./wandb that the server doesn't have, oldest first."""
    import wandb_uploader
    from wandb.replay import run_folders, wandb_directory

    home = wandb_directory()
    known: Dict[str, RunStatus] = {
        status.folder.name: status
        for status in wandb_uploader.status(home, base_url)
        if status.destination == wandb_uploader.normalize_url(base_url) and not status.redirected
    }

    def is_meant(path: Path, offline: bool) -> bool:
        status = known.get(path.name)
        if (
            wanted.parked
            and status is not None
            and (status.parked_reason or status.parked_items or status.parked_files)
        ):
            return True
        # Of a run that was never brought to its end, the log need not be opened.
        there = status is not None and status.done and status.has_all(_records(path))
        return (wanted.offline if offline else wanted.online) and (wanted.synced or not there)

    return [run.path for run in run_folders(home) if is_meant(run.path, run.offline)]


def _records(folder: Path) -> int:
    """How many there are to upload; 0 where the log can't be read, which its own upload tells."""
    from wandb_storage import LogError

    try:
        return records_of(folder)
    except LogError:
        return 0


def filtered(folders: Sequence[Path], include: Sequence[str], exclude: Sequence[str]) -> List[Path]:
    """Those whose folder name or id fits one of `include`, where there is any, and none of `exclude`."""

    from wandb_storage import IMPORT_SUFFIX

    def fits(folder: Path, patterns: Sequence[str]) -> bool:
        names = (folder.name, folder.name.rpartition("-")[2].removesuffix(IMPORT_SUFFIX))
        return any(fnmatch.fnmatch(name, one) for pattern in patterns for one in pattern.split(",") for name in names)

    return [
        folder
        for folder in folders
        if (not include or fits(folder, include)) and not (exclude and fits(folder, exclude))
    ]


def target_of(
    folder: Path, run_id: Optional[str], project: Optional[str], entity: Optional[str], from_step: Optional[int],
    to_step: Optional[int], job_type: Optional[str] = None, renamed_tags: Sequence[Tuple[str, str]] = (),
) -> Target:  # fmt: skip
    """Where a run goes; what the log says itself anyway is no other place."""
    from wandb_uploader import Target

    start = run_start(folder)
    return Target(
        run_id if run_id != start.run_id else None,
        project if project != start.project else None,
        entity if entity != start.entity else None,
        from_step,
        to_step,
        job_type if job_type != start.job_type else None,
        tuple(pair for pair in renamed_tags if pair[0] in start.tags),
    )


def run_start(folder: Path) -> RunStart:
    from wandb_storage import Reader, RunStart

    with Reader(folder) as reader:
        return next((entry.record for entry in reader.entries() if isinstance(entry.record, RunStart)), RunStart())


def mark_synced(folder: Path, run_id: str) -> None:
    """The file by which other tools tell that a run has been uploaded."""
    (folder / f"run-{run_id}.wandb.synced").touch()


# --- removing ---------------------------------------------------------------------------------------------------------


def clean(folders: Sequence[Path], hours: float, ask: bool) -> None:
    """Remove the folders of runs that are whole at their servers and have been left alone for so many hours."""
    from ._gc import why_it_stays

    removable = [folder for folder in folders if not why_it_stays(folder, hours * 3600)]
    if not removable:
        click.echo(f"No run that is fully uploaded is older than {hours:g} hours.", err=True)
        return
    for folder in removable:
        click.echo(str(folder))
    if ask and not click.confirm(f"Remove these {len(removable)} run folders from this machine?"):
        return
    for folder in removable:
        shutil.rmtree(folder)
        click.echo(f"removed {folder}")
