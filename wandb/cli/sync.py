"""`wandb sync`: upload runs now, in the foreground."""

from __future__ import annotations

from typing import Any, List, Optional, Sequence, Tuple

import click

from . import FAILED, fail
from ._help import RUN, command, option
from ._official import imported
from ._sync_runs import Wanted, clean, filtered, target_of, unsynced_runs
from ._sync_show import show_plan, view
from ._uploads import How, upload_all

_MULTIPLE: Any = {"multiple": True, "metavar": "GLOB"}
_WHICH = "Which of ./wandb, where no PATH is named [offline, not synced]."
_FIT = "Only folders or ids that fit, or that don't."
_ELSEWHERE = "To another place than the log says, under other labels."
_ROWS = "Only rows of these steps."
_LOOK = "Only say what would be uploaded; what the runs are."
_CLEAN = "Only remove folders of uploaded runs, untouched for HOURS [24]; without asking."


@command(
    "sync",
    [
        "wandb sync                                        offline runs of ./wandb",
        "wandb sync latest --url http://localhost:8080",
        "wandb sync --all --exclude '*debug*' --dry-run",
        "wandb sync latest --project other --from-step 1000",
    ],
)
@click.argument("paths", nargs=-1, type=RUN, metavar="[PATH]...")
@option("--all", "--sync-all", "everything", is_flag=True, together=_WHICH, help="Online runs, too.")
@option(
    "--include-online/--skip-online",
    " /--no-include-online",
    default=False,
    together=_WHICH,
    help="Runs that were logged online, too.",
)
@option("--include-offline/--no-include-offline", default=True, together=_WHICH, help="Runs that were logged offline.")
@option(
    "--include-synced/--skip-synced",
    " /--no-include-synced",
    default=False,
    together=_WHICH,
    help="Runs that are at the server already, too.",
)
@option("--include", "--include-globs", **_MULTIPLE, together=_FIT, help="Only folders or ids that fit.")
@option("--exclude", "--exclude-globs", "--ignore", **_MULTIPLE, together=_FIT, help="No folders or ids that fit.")
@option("--url", metavar="URL", help="The server [that of wandb login].")
@option("--id", "run_id", metavar="ID", together=_ELSEWHERE, help="Under this id instead of its own.")
@option("-p", "--project", metavar="NAME", together=_ELSEWHERE, help="Into this project instead.")
@option("-e", "--entity", metavar="NAME", together=_ELSEWHERE, help="To this entity instead.")
@option("--job-type", metavar="NAME", together=_ELSEWHERE, help="With this job type instead.")
@option("--replace-tags", metavar="OLD=NEW,…", together=_ELSEWHERE, help="With other tags instead of some.")
@option("--from-step", type=int, metavar="N", together=_ROWS, help="Only rows from this step on.")
@option("--to-step", type=int, metavar="N", together=_ROWS, help="Only rows up to this step.")
@option("--live", is_flag=True, help="Follow living runs to their end.")
@option("--retry-parked", is_flag=True, help="Try again what was refused.")
@option("-n", "workers", type=click.IntRange(1, 64), default=1, metavar="N", help="So many runs at a time [1].")
@option("--mark-synced/--no-mark-synced", default=False, help="Leave a file run-ID.wandb.synced.")
@option("--dry-run", is_flag=True, together=_LOOK, help="Only say what would be uploaded.")
@option("--view", "only_view", is_flag=True, together=_LOOK, help="Only say what the runs are.")
@option("--json", "as_json", is_flag=True, together=_LOOK, help="With --dry-run or --view: as a JSON document.")
@option("--show", type=click.IntRange(min=0), metavar="N", together=_LOOK, help="With --view: so many of them.")
@option("--clean", "only_clean", is_flag=True, together=_CLEAN, help="Only remove folders of uploaded runs.")
@option(
    "--clean-old-hours", type=click.FloatRange(min=0), default=24.0, metavar="HOURS", together=_CLEAN,
    help="With --clean: that nothing changed for so long [24].",
)  # fmt: skip
@option("--clean-force", is_flag=True, together=_CLEAN, help="With --clean: without asking.")
@option("--give-up", type=click.FloatRange(min=0), default=60.0, metavar="SECONDS", help="End when nothing moves [60].")
@option("-v", "--verbose", is_flag=True, help="Name the files that arrived.")
@option("--yes", is_flag=True, hidden=True, help="Accepted for older scripts: sync asks nothing.")
def sync(
    paths: Sequence[str], everything: bool, include_online: bool, include_offline: bool, include_synced: bool,
    include: Sequence[str], exclude: Sequence[str], url: Optional[str], run_id: Optional[str],
    project: Optional[str], entity: Optional[str], job_type: Optional[str], replace_tags: Optional[str],
    from_step: Optional[int], to_step: Optional[int], live: bool, retry_parked: bool, workers: int,
    mark_synced: bool, dry_run: bool, only_view: bool, show: Optional[int], only_clean: bool,
    clean_old_hours: float, clean_force: bool, give_up: float, verbose: bool, yes: bool, as_json: bool,
) -> None:  # fmt: skip
    """Upload runs and wait until the server has them.

    PATH is a run's folder, a wandb directory, a pattern, an id or `latest`; without it, all offline runs of ./wandb
    that are not uploaded yet. Repeating it changes nothing. Exit code 1 if something was refused or didn't get through.
    """
    from wandb.replay import find_runs, run_folders, wandb_directory
    from wandb.sdk._upload import uploader_environment
    from wandb.sdk.wandb_settings import merged

    tags = _renamed(replace_tags)
    if as_json and not (dry_run or only_view):
        raise click.UsageError("--json goes with --dry-run or --view")
    settings = merged(("--url", {"base_url": url} if url else {}))
    base_url = settings.base_url
    if paths:
        folders = find_runs(paths)
    elif only_clean:
        folders = [run.path for run in run_folders(wandb_directory())]
    else:
        wanted = Wanted(everything or include_online, include_offline, include_synced, retry_parked)
        folders = unsynced_runs(base_url, wanted)
    folders = filtered(folders, include, exclude)
    if only_clean:
        clean(folders, clean_old_hours, ask=not clean_force)
        return
    if not folders:
        click.echo("Nothing to upload. Name a run, or --all for those that were logged online.", err=True)
        return
    folders, complete = imported(folders, make=not (only_view or dry_run))
    if only_view:
        view(folders[-show:] if show else folders, as_json)
    elif dry_run:
        show_plan(folders, base_url, as_json)
    else:
        if run_id and len(folders) > 1:
            fail(f"--id names one run, and these are {len(folders)}; name the one that you mean")
        targets = {
            folder: target_of(folder, run_id, project, entity, from_step, to_step, job_type, tags) for folder in folders
        }  # fmt: skip
        options = {
            "retry_parked": retry_parked, "give_up_seconds": give_up, "follow": live,
            "environment": uploader_environment(settings),
        }  # fmt: skip
        if not upload_all(targets, base_url, options, How(mark_synced, verbose, workers)) or not complete:
            raise click.exceptions.Exit(FAILED)


def _renamed(text: Optional[str]) -> List[Tuple[str, str]]:
    """(old, new) of each tag that gets another name."""
    pairs = [part.partition("=") for part in (text or "").split(",") if part]
    if any(not old or not equals or not new for old, equals, new in pairs):
        raise click.UsageError("--replace-tags looks like old1=new1,old2=new2")
    return [(old.strip(), new.strip()) for old, _, new in pairs]
