"""`wandb sync`: upload runs now, in the foreground."""

from __future__ import annotations

import glob
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Callable, Dict, List, Mapping, Optional, Sequence

import click

from . import complain, fail

if TYPE_CHECKING:
    from wandb_uploader import RunStatus, UploadResult

    Show = Callable[[RunStatus], None]

_EXAMPLES = """\b
Examples:
  wandb sync                                        offline runs of ./wandb
  wandb sync latest --url http://localhost:8080
  wandb sync 'wandb/offline-run-202601*'
"""
# Between two lines about the same run, where no terminal draws a bar.
_PLAIN_SECONDS = 5.0


@click.command("sync", epilog=_EXAMPLES)
@click.argument("paths", nargs=-1, metavar="[PATH]...")
@click.option("--all", "everything", is_flag=True, help="All runs that are not fully uploaded, not only offline ones.")
@click.option("--url", metavar="URL", help="The server; by default the one of `wandb login` or WANDB_BASE_URL.")
@click.option("--id", "run_id", help="Upload only if this is the run's id.")
@click.option("-p", "--project", help="Upload only if this is the run's project.")
@click.option("-e", "--entity", help="Upload only if this is the run's entity.")
@click.option(
    "--give-up", type=click.FloatRange(min=0), default=60.0, show_default=True, metavar="SECONDS",
    help="End when a failing server has taken nothing for so long.",
)  # fmt: skip
def sync(
    paths: Sequence[str], everything: bool, url: Optional[str], run_id: Optional[str], project: Optional[str],
    entity: Optional[str], give_up: float,
) -> None:  # fmt: skip
    """Upload runs and wait until the server has them.

    PATH is a run's folder, a file in it, a pattern, an id or `latest`; without PATH, all offline runs of ./wandb that
    are not uploaded yet. Repeating it changes nothing. Exit code 1 if something was refused or didn't get through.
    """
    from wandb.sdk._upload import uploader_environment
    from wandb.sdk.wandb_settings import merged

    settings = merged(("--url", {"base_url": url} if url else {}))
    base_url = settings.base_url
    folders = _named(paths) if paths else _unsynced(base_url, everything)
    wanted = {"run_id": run_id, "project": project, "entity": entity}
    for folder in folders:
        _check_identity(folder, wanted)
    if not folders:
        click.echo("Nothing to upload. Name a run, or --all for those that were logged online.", err=True)
        return
    if not _upload_all(folders, base_url, uploader_environment(settings), give_up):
        raise click.exceptions.Exit(1)


# --- which runs -------------------------------------------------------------------------------------------------------


def _named(paths: Sequence[str]) -> List[Path]:
    from wandb.replay import find_run

    found: Dict[Path, Path] = {}
    for path in paths:
        matches = sorted(glob.glob(path)) if glob.has_magic(path) else [path]
        if not matches:
            fail(f"nothing matches {path}")
        for match in matches:
            folder = find_run(match)
            found[folder.absolute()] = folder
    return list(found.values())


def _unsynced(base_url: str, everything: bool) -> List[Path]:
    """Runs that the server doesn't have, oldest first."""
    import wandb_uploader
    from wandb.replay import run_folders, wandb_directory

    home = wandb_directory()
    done = {
        status.folder.name
        for status in wandb_uploader.status(home, base_url)
        if status.done and status.destination == wandb_uploader.normalize_url(base_url)
    }
    return [run.path for run in run_folders(home) if (run.offline or everything) and run.path.name not in done]


def _check_identity(folder: Path, wanted: Dict[str, Optional[str]]) -> None:
    """A run goes where its log says. An option that names another place must not be taken for done."""
    if not any(wanted.values()):
        return
    from wandb_storage import Reader, RunStart

    with Reader(folder) as reader:
        start = next((entry.record for entry in reader.entries() if isinstance(entry.record, RunStart)), RunStart())
    for name, value in wanted.items():
        logged = getattr(start, name)
        if value and logged != value:
            label = name.replace("run_", "")
            fail(f"{folder}: its {label} is {logged or 'not set'}, and uploading can't change it to {value}")


# --- uploading --------------------------------------------------------------------------------------------------------


def _upload_all(folders: Sequence[Path], base_url: str, environment: Mapping[str, str], give_up: float) -> bool:
    """Upload one after the other; whether all of them got through."""
    from wandb_storage import LogError
    from wandb_uploader import CredentialsRefused, TransientError, upload

    complete = True
    for index, folder in enumerate(folders):
        try:
            with _shown(folder) as show:
                result = upload(
                    folder, base_url, progress=show, retry_parked=True, give_up_seconds=give_up, environment=environment
                )
            complete &= _report(folder, result)
        except CredentialsRefused:
            raise  # every other run would hear the same
        except (TransientError, LogError) as error:
            complete = False
            complain(f"{folder.name}: {error}")
            left = len(folders) - index - 1
            if isinstance(error, TransientError) and error.unreachable and left:
                complain(f"{left} more were not tried")
                break
    return complete


def _report(folder: Path, result: UploadResult) -> bool:
    for path, reason in result.parked_files.items():
        complain(f"{folder.name}: the file {path} was not uploaded: {reason}")
    if result.parked:
        complain(f"{folder.name}: the server refuses the run: {result.parked}")
        return False
    rows = f"{result.rows:,} {'row' if result.rows == 1 else 'rows'}"
    if result.done:
        click.echo(f"{folder.name}: done, {rows}  {result.url}".rstrip())
    else:
        click.echo(f"{folder.name}: {rows} so far, it is still running  {result.url}".rstrip())
    return not result.parked_files


# --- progress ---------------------------------------------------------------------------------------------------------


class _Lines:
    """Progress as lines: the first state, then one every few seconds, and every new trouble."""

    def __init__(self, folder: Path) -> None:
        self._name = folder.name
        self._said_at = 0.0
        self._trouble = ""

    def __enter__(self) -> Show:
        return self._show

    def __exit__(self, *_: object) -> None:
        pass

    def _show(self, status: RunStatus) -> None:
        trouble = status.last_error if status.retrying_since is not None else ""
        now = time.monotonic()
        if trouble and trouble != self._trouble:
            click.echo(f"{self._name}: waits: {trouble}", err=True)
            self._said_at = now
        elif not trouble and now - self._said_at >= _PLAIN_SECONDS and not status.done:
            click.echo(f"{self._name}: {status.rows_acked:,} rows, {status.sequence_acked:,} records", err=True)
            self._said_at = now
        self._trouble = trouble


class _Bar:
    """Progress as a bar, which goes away when the run is done."""

    def __init__(self, folder: Path) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

        from wandb.replay._glance import last_committed
        from wandb_storage import Reader

        with Reader(folder) as reader:
            total, run_id = last_committed(reader), reader.run_id
        self._progress = Progress(
            TextColumn("{task.description}", markup=False), BarColumn(bar_width=30), TaskProgressColumn(),
            TextColumn("{task.fields[about]}", markup=False), console=Console(stderr=True, highlight=False),
            transient=True,
        )  # fmt: skip
        self._task = self._progress.add_task(run_id, total=max(1, total), about="")

    def __enter__(self) -> Show:
        self._progress.start()
        return self._show

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def _show(self, status: RunStatus) -> None:
        trouble = f"waits: {status.last_error}" if status.retrying_since is not None else ""
        about = trouble or f"{status.rows_acked:,} rows"
        self._progress.update(self._task, completed=status.sequence_acked, about=about)


def _shown(folder: Path) -> _Lines | _Bar:
    return _Bar(folder) if sys.stderr.isatty() and not os.environ.get("NO_COLOR") else _Lines(folder)
