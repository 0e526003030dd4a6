"""`wandb replay --fork-at` and `--rewind-to`: a branch of a run, made here and now. `--to`: a run to another server."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, Optional, Sequence

import click

from . import FAILED, fail

if TYPE_CHECKING:
    from wandb.replay import Replay
    from wandb.replay._selection import Selection


def make_fork(run: Replay, step: int, run_id: Optional[str], directory: Optional[Path]) -> None:
    """Fork the run, and say how to go on."""
    from wandb.replay import Replay
    from wandb.replay._branching import fork

    _tell(Replay(fork(run, step, run_id, directory=directory)), f"a fork of {run.run_id} at step {step}")


def make_rewind(run: Replay, step: int, directory: Optional[Path]) -> None:
    """Let the run go back, and say how to go on."""
    from wandb.replay import Replay
    from wandb.replay._branching import rewind

    made = Replay(rewind(run, step, directory))
    _tell(made, f"back at step {step}" + ("" if run.origin else f"; its log so far stays in {run.folder}"))


def _tell(made: Replay, what: str) -> None:
    from wandb.replay._words import clean, count

    click.echo(clean(f"{made.folder}: {what}, {count(made.rows, 'row')}"))
    click.echo(f'Go on with it in Python: wandb.init(id="{clean(made.run_id)}", resume="must")')
    if made.folder.name.startswith("offline-"):
        click.echo(f"Upload it: wandb sync {clean(str(made.folder))}")
    else:
        _start_uploader(made)


def _start_uploader(made: Replay) -> None:
    """The uploader of the run's server brings the branch there, as soon as that can be reached."""
    import json

    from wandb.sdk._upload import start_uploader
    from wandb.sdk.wandb_login import has_credentials
    from wandb.sdk.wandb_settings import merged

    url = json.loads(made.start.settings or "{}").get("base_url")
    settings = merged(("the run", {"base_url": url} if url else {}))
    if has_credentials(settings):
        start_uploader(made.folder.parent, settings)
        click.echo(f"It is uploaded to {settings.base_url} in the background; `wandb status` shows how far.")
    else:
        click.echo(f"There is no API key for {settings.base_url}: after `wandb login`, run `wandb sync {made.folder}`")


def send(runs: Sequence[Replay], url: str, selection: Selection, target: Dict[str, Optional[str]]) -> None:
    """Upload the runs, or their rows in the range, to a server."""
    from wandb.sdk._upload import uploader_environment
    from wandb.sdk.wandb_settings import merged

    from ._sync_runs import target_of
    from ._uploads import upload_all

    settings = merged(("--to", {"base_url": url}))
    if target["run_id"] and len(runs) > 1:
        fail(f"--id names one run, and these are {len(runs)}; name the one that you mean")
    targets = {}
    for run in runs:
        from_step, to_step = _steps(run, selection)
        folder: Path = run.folder
        targets[folder] = target_of(
            folder, target["run_id"], target["project"], target["entity"], from_step, to_step
        )  # fmt: skip
    options: Dict[str, Any] = {"give_up_seconds": 60.0, "environment": uploader_environment(settings)}
    if not upload_all(targets, settings.base_url, options):
        raise click.exceptions.Exit(FAILED)


def _steps(run: Replay, selection: Selection) -> tuple[Optional[int], Optional[int]]:
    """The steps of the rows that are wanted."""
    wanted = selection.range_of(run)
    if wanted.from_time is None and wanted.to_time is None:
        return wanted.from_step, wanted.to_step
    steps = [
        step for batch in selection._replace(keys=[]).batches(run) for step in (min(batch.columns["_step"].values),
        max(batch.columns["_step"].values))
    ]  # fmt: skip
    if not steps:
        fail(f"{run.run_id} has no row in that time")
    return int(min(steps)), int(max(steps))
