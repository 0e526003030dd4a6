"""`wandb gc`: make room, of what servers have; it says what would go, and why, before anything does."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Optional

import click

from . import FAILED
from ._gc import carry_out, fields, plan
from ._help import Parsed, command, option
from ._table import Table
from ._times import SPAN

if TYPE_CHECKING:
    from ._gc import Plan

# Of runs that stay.
_LISTED_MAX = 10


def _parse_size(text: str) -> int:
    from wandb_uploader import parse_size

    return parse_size(text)


@command(
    "gc",
    [
        "wandb gc                               what would go, by disk_budget",
        "wandb gc --budget 20GB --older-than 30d",
        "wandb gc --older-than 7d --yes         as in a cron job",
    ],
)
@click.argument("directory", required=False, type=click.Path(exists=True, file_okay=False, path_type=Path))
@option(
    "--budget",
    type=Parsed("size", _parse_size),
    metavar="SIZE",
    help="Keep the folder below it: 20GB, 500MiB.  [disk_budget]",
)
@option("--older-than", type=SPAN, metavar="AGE", help="Whole runs that nothing changed for so long: 12h, 30d.")
@option("--dry-run", is_flag=True, help="Only say what would go, and why.")
@option("--yes", is_flag=True, help="Remove it without asking.")
@option("--json", "as_json", is_flag=True, help="One JSON document; it removes nothing without --yes.")
def gc(
    directory: Optional[Path], budget: Optional[int], older_than: Optional[float], dry_run: bool, yes: bool,
    as_json: bool,
) -> None:  # fmt: skip
    """Remove uploaded runs of DIRECTORY (by default ./wandb) by age, and parts of their logs by a budget.

    Nothing goes that a server lacks, or that somebody writes. What a part of a log added up to stays: such a run
    keeps its config and summary, and can be resumed. Leftovers of killed processes go in any case.
    """
    from wandb.replay import wandb_directory

    home = wandb_directory(directory)
    what = plan(home, _budget(home) if budget is None else budget, older_than)
    removed = None
    if as_json:
        removed = carry_out(home, what) if yes and not dry_run else None
        click.echo(json.dumps(_document(home, what, removed), indent=2))
        return
    _show(home, what)
    if not what.items or dry_run:
        return
    if not yes:
        if not sys.stdin.isatty():
            click.echo("Nothing was removed: that takes --yes where nobody can be asked.", err=True)
            raise click.exceptions.Exit(FAILED)
        if not click.confirm("Remove it?"):
            raise click.exceptions.Exit(FAILED)
    from wandb.replay._words import size

    click.echo(f"{home}: {size(carry_out(home, what))} removed")


def _budget(home: Path) -> Optional[int]:
    """The setting, or else what the uploader keeps to."""
    import wandb_uploader
    from wandb.sdk.wandb_settings import merged

    wanted = merged().disk_budget
    return wandb_uploader.read_budget(home) if wanted is None else wandb_uploader.parse_size(wanted)


def _document(home: Path, what: Plan, removed: Optional[int]) -> Any:
    return {
        "directory": str(home.absolute()), "budget": what.budget, "bytes": what.before,
        "runs": [fields(item) for item in what.runs], "parts": [fields(item) for item in what.parts],
        "leftovers": [fields(item) for item in what.leftovers], "stays": what.stays, "removed_bytes": removed,
    }  # fmt: skip


def _show(home: Path, what: Plan) -> None:
    from wandb.replay._words import clean, count, size

    budget = "" if what.budget is None else f", of a budget of {size(what.budget)}"
    click.echo(f"{home}: runs take {size(what.before)}{budget}")
    if what.items:
        table = Table(("GOES", "SIZE", "WHY"), {"SIZE"}, ("GOES",))
        for item in what.items:
            place = item.path.relative_to(home) if item.path.is_relative_to(home) else item.path
            table.add(clean(str(place)), size(item.bytes), item.reason)
        table.show()
        click.echo(f"{size(what.bytes)} in all")
    else:
        click.echo("Nothing to remove." + ("" if what.budget is not None or what.stays else " Name a --budget, or an "
                   "age with --older-than."))  # fmt: skip
    for name, reason in list(what.stays.items())[:_LISTED_MAX]:
        click.echo(clean(f"stays: {name}: {reason}"))
    if len(what.stays) > _LISTED_MAX:
        click.echo(f"stays: {count(len(what.stays) - _LISTED_MAX, 'run')} more; --json lists them")
