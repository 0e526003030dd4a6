"""What `wandb sync` shows: progress while it uploads, a line when it is done, and what it would do."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Callable, Sequence, Union

import click

from . import complain

if TYPE_CHECKING:
    from wandb_uploader import RunStatus, UploadResult

    Show = Callable[[RunStatus], None]

# Between two lines about the same run, where no terminal draws a bar.
_PLAIN_SECONDS = 5.0


def report(folder: Path, result: UploadResult) -> bool:
    """Say how an upload ended; whether the server has all of the run that there is."""
    for path, reason in result.parked_files.items():
        complain(f"{folder.name}: the file {path} was not uploaded: {reason}")
    for item, reason in result.parked_items.items():
        complain(f"{folder.name}: {item} was not taken: {reason}")
    if result.parked:
        complain(f"{folder.name}: the server refuses the run: {result.parked}")
    parked = bool(result.parked or result.parked_items or result.parked_files)
    if parked:
        complain(f"nothing of it is lost; try again with: wandb sync --retry-parked {folder}")
    if result.parked:
        return False
    rows = f"{result.rows:,} {'row' if result.rows == 1 else 'rows'}"
    if result.done:
        click.echo(f"{folder.name}: done, {rows}  {result.url}".rstrip())
    else:
        click.echo(f"{folder.name}: {rows} so far, it is still running  {result.url}".rstrip())
    return not parked


def show_plan(folders: Sequence[Path], base_url: str, as_json: bool) -> None:
    """What would be uploaded, without asking the server."""
    from wandb.replay._words import count, size
    from wandb_storage import disk_use
    from wandb_uploader import run_status

    plan = []
    for folder in folders:
        status = run_status(folder, base_url)
        records = records_of(folder)
        left = max(0, records - (status.sequence_acked if status is not None else 0))
        parked = status.parked_reason if status is not None else ""
        there = status is not None and status.has_all(records)
        use = disk_use(folder).total
        plan.append({
            "folder": str(folder), "destination": base_url, "records": records, "left": left, "bytes": use,
            "done": there, "parked": parked or None,
        })  # fmt: skip
        if as_json:
            continue
        if there:
            click.echo(f"{folder.name}: nothing, it is at {base_url}")
            continue
        refused = f"; parked: {parked}" if parked else ""
        click.echo(
            f"{folder.name}: {left:,} of {count(records, 'record')}, {size(use)} here, to {base_url}{refused}"
        )  # fmt: skip
    if as_json:
        click.echo(json.dumps({"runs": plan}, indent=2))


def view(folders: Sequence[Path], as_json: bool) -> None:
    """What the runs are, from their logs."""
    from wandb.replay import Replay
    from wandb.replay._words import clean, count

    listed = []
    for folder in folders:
        run = Replay(folder)
        state, start = run.scan().state, run.start
        facts = {
            "folder": str(folder), "id": run.run_id, "name": start.name, "entity": start.entity,
            "project": start.project, "state": run.state, "rows": run.rows, "config_keys": len(run.config),
            "files": len(run.files), "console_lines": state.console.count, "runtime": state.runtime,
        }  # fmt: skip
        listed.append(facts)
        if as_json:
            continue
        place = "/".join(part for part in (start.entity, start.project, start.run_id) if part)
        click.echo(f"{folder.name}: {clean(start.name or start.run_id, 40)} ({clean(place)}), {run.state}")
        click.echo(
            f"  {count(run.rows, 'row')}, {count(len(run.config), 'config key')}, {count(len(run.files), 'file')}, "
            f"{count(state.console.count, 'console line')}, {state.runtime:,.0f} s"
        )
    if as_json:
        click.echo(json.dumps({"runs": listed}, indent=2))


def records_of(folder: Path) -> int:
    """How many records of a run can be uploaded."""
    from wandb_storage import Reader

    with Reader(folder) as reader:
        return reader.last_committed()


# --- progress ---------------------------------------------------------------------------------------------------------


class _Lines:
    """Progress as lines: the first state, then one every few seconds, and every new trouble."""

    def __init__(self, folder: Path) -> None:
        from wandb.sdk._upload_progress import UploadProgress

        self._name = folder.name
        self._progress = UploadProgress(records_of(folder))
        self._said_at = 0.0
        self._trouble = ""

    def __enter__(self) -> Show:
        return self._show

    def __exit__(self, *_: object) -> None:
        pass

    def _show(self, status: RunStatus) -> None:
        self._progress.update(status)
        trouble = status.last_error if status.retrying_since is not None else ""
        now = time.monotonic()
        if trouble and trouble != self._trouble:
            click.echo(f"{self._name}: waits: {trouble}", err=True)
            self._said_at = now
        elif not trouble and now - self._said_at >= _PLAIN_SECONDS and not status.done:
            click.echo(f"{self._name}: {self._progress.text()}", err=True)
            self._said_at = now
        self._trouble = trouble


class _Bar:
    """Progress as a bar, which goes away when the run is done."""

    def __init__(self, folder: Path) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

        from wandb.sdk._upload_progress import UploadProgress

        self._figures = UploadProgress(records_of(folder))
        self._progress = Progress(
            TextColumn("{task.description}", markup=False), BarColumn(bar_width=30), TaskProgressColumn(),
            TextColumn("{task.fields[about]}", markup=False), console=Console(stderr=True, highlight=False),
            transient=True,
        )  # fmt: skip
        self._task = self._progress.add_task(folder.name.rpartition("-")[2], total=self._figures.total, about="")

    def __enter__(self) -> Show:
        self._progress.start()
        return self._show

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def _show(self, status: RunStatus) -> None:
        self._figures.update(status)
        self._progress.update(self._task, completed=self._figures.done, about=self._figures.text())


def plainly(folder: Path) -> Union[_Lines, _Bar]:
    """Progress as lines, whatever stderr is."""
    return _Lines(folder)


def shown(folder: Path) -> Union[_Lines, _Bar]:
    """Progress as the terminal can show it."""
    return _Bar(folder) if sys.stderr.isatty() and not os.environ.get("NO_COLOR") else _Lines(folder)
