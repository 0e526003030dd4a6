"""`wandb clean` and `wandb purge-cache`: older names for making room."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path
from typing import List, Optional

import click

from . import FAILED
from ._help import command, option
from ._times import SPAN


@command("clean", ["wandb clean", "wandb clean --min-hours 1 --force"])
@option("--min-hours", type=click.FloatRange(min=0), default=24.0, metavar="HOURS", help="Untouched for so long [24].")
@option("--include-unsynced", is_flag=True, help="Also runs that no server has: what they logged is lost.")
@option("--force", is_flag=True, help="Without asking.")
def clean(min_hours: float, include_unsynced: bool, force: bool) -> None:
    """Remove the folders of uploaded runs: `wandb gc --older-than`. A run that is being written always stays."""
    from wandb.replay import run_folders, wandb_directory

    from ._gc import is_idle
    from ._sync_runs import clean as remove

    folders = [run.path for run in run_folders(wandb_directory())]
    if not include_unsynced:
        remove(folders, min_hours, ask=not force)
        return
    found = [folder for folder in folders if is_idle(folder, min_hours * 3600)]
    for folder in found:
        click.echo(str(folder))
    if not found:
        click.echo(f"No run is older than {min_hours:g} hours.", err=True)
    elif force or click.confirm(f"Remove these {len(found)} run folders, uploaded or not?"):
        for folder in found:
            shutil.rmtree(folder)


@command("purge-cache", ["wandb purge-cache --age 30d", "wandb purge-cache --force"])
@option("--age", type=SPAN, metavar="AGE", help="Only what nobody used for so long: 12h, 30d [all].")
@option("--force", is_flag=True, help="Without asking.")
def purge_cache(age: Optional[float], force: bool) -> None:
    """Remove cached files: $WANDB_CACHE_DIR, by default ~/.cache/wandb. What is needed again is fetched again."""
    from wandb.replay._words import count, size

    root = Path(os.environ.get("WANDB_CACHE_DIR") or "~/.cache/wandb").expanduser()
    before = time.time() - (age or 0.0)
    found = [path for path in _files(root) if _used(path) <= before]
    total = sum(path.lstat().st_size for path in found)
    if not found:
        click.echo(f"{root}: nothing to remove", err=True)
        return
    click.echo(f"{root}: {count(len(found), 'file')}, {size(total)}")
    if not force and not click.confirm("Remove them?"):
        raise click.exceptions.Exit(FAILED)
    for path in found:
        path.unlink(missing_ok=True)
    click.echo(f"{size(total)} removed")


def _files(root: Path) -> List[Path]:
    return [
        Path(parent) / name for parent, _, names in os.walk(root) for name in names
    ]  # fmt: skip


def _used(path: Path) -> float:
    status = path.lstat()
    return max(status.st_mtime, status.st_atime)
