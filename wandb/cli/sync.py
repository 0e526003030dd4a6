"""`wandb sync`: upload runs now, in the foreground."""

from __future__ import annotations

from typing import TYPE_CHECKING, Optional, Sequence

import click

from . import fail
from ._official import imported
from ._sync_runs import clean, filtered, target_of, unsynced_runs
from ._sync_show import show_plan, view
from ._uploads import upload_all

if TYPE_CHECKING:
    pass

_EXAMPLES = """\b
Examples:
  wandb sync                                        offline runs of ./wandb
  wandb sync latest --url http://localhost:8080
  wandb sync --all --exclude '*debug*' --dry-run
  wandb sync latest --project other --from-step 1000
"""
_MULTIPLE = {"multiple": True, "metavar": "GLOB"}


@click.command("sync", epilog=_EXAMPLES)
@click.argument("paths", nargs=-1, metavar="[PATH]...")
@click.option("--all", "everything", is_flag=True, help="Online runs too, if not fully uploaded.")
@click.option("--url", metavar="URL", help="The server [that of wandb login].")
@click.option("--id", "run_id", help="Under this id instead of its own.")
@click.option("-p", "--project", help="Into this project instead.")
@click.option("-e", "--entity", help="To this entity instead.")
@click.option("--from-step", type=int, metavar="N", help="Only rows from this step on.")
@click.option("--to-step", type=int, metavar="N", help="Only rows up to this step.")
@click.option("--include", **_MULTIPLE, help="Only folders or ids that fit.")  # type: ignore[arg-type]
@click.option("--exclude", **_MULTIPLE, help="No folders or ids that fit.")  # type: ignore[arg-type]
@click.option("--live", is_flag=True, help="Follow living runs to their end.")
@click.option("--retry-parked", is_flag=True, help="Try again what was refused.")
@click.option("--mark-synced", is_flag=True, help="Leave a file run-ID.wandb.synced.")
@click.option("--dry-run", is_flag=True, help="Only say what would be uploaded.")
@click.option("--view", "only_view", is_flag=True, help="Only say what the runs are.")
@click.option("--clean", "only_clean", is_flag=True, help="Only remove folders of uploaded runs,")
@click.option(
    "--clean-old-hours", type=click.FloatRange(min=0), default=24.0, metavar="HOURS",
    help="untouched for so long [24],",
)  # fmt: skip
@click.option("--clean-force", is_flag=True, help="without asking.")
@click.option(
    "--give-up", type=click.FloatRange(min=0), default=60.0, metavar="SECONDS",
    help="End when nothing moves for so long [60].",
)  # fmt: skip
def sync(
    paths: Sequence[str], everything: bool, url: Optional[str], run_id: Optional[str], project: Optional[str],
    entity: Optional[str], from_step: Optional[int], to_step: Optional[int], include: Sequence[str],
    exclude: Sequence[str], live: bool, retry_parked: bool, mark_synced: bool, dry_run: bool, only_view: bool,
    only_clean: bool, clean_old_hours: float, clean_force: bool, give_up: float,
) -> None:  # fmt: skip
    """Upload runs and wait until the server has them.

    PATH is a run's folder, a wandb directory, a pattern, an id or `latest`; without it, all offline runs of ./wandb
    that are not uploaded yet. Repeating it changes nothing. Exit code 1 if something was refused or didn't get through.
    """
    from wandb.replay import find_runs, run_folders, wandb_directory
    from wandb.sdk._upload import uploader_environment
    from wandb.sdk.wandb_settings import merged

    settings = merged(("--url", {"base_url": url} if url else {}))
    base_url = settings.base_url
    if paths:
        folders = find_runs(paths)
    elif only_clean:
        folders = [run.path for run in run_folders(wandb_directory())]
    else:
        folders = unsynced_runs(base_url, everything, retry_parked)
    folders = filtered(folders, include, exclude)
    if only_clean:
        clean(folders, clean_old_hours, ask=not clean_force)
        return
    if not folders:
        click.echo("Nothing to upload. Name a run, or --all for those that were logged online.", err=True)
        return
    folders, complete = imported(folders, make=not (only_view or dry_run))
    if only_view:
        view(folders)
    elif dry_run:
        show_plan(folders, base_url)
    else:
        if run_id and len(folders) > 1:
            fail(f"--id names one run, and these are {len(folders)}; name the one that you mean")
        targets = {folder: target_of(folder, run_id, project, entity, from_step, to_step) for folder in folders}
        options = {
            "retry_parked": retry_parked, "give_up_seconds": give_up, "follow": live,
            "environment": uploader_environment(settings),
        }  # fmt: skip
        if not upload_all(targets, base_url, options, mark_synced) or not complete:
            raise click.exceptions.Exit(1)
