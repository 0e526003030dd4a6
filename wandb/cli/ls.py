"""`wandb ls`: the runs of a folder, the newest first, with what one needs to choose among them."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, List, Optional

import click

from ._help import command, option
from ._table import Table
from .status import STATE_STYLES, lag_seconds, newest_runs

if TYPE_CHECKING:
    from .status import Listed

_TITLES = ("RUN", "NAME", "PROJECT", "STATE", "STARTED", "ROWS", "SIZE", "LAG")
_STATES = ("running", "finished", "failed", "crashed", "unknown", "unreadable", "damaged", "elsewhere", "official")


@command(
    "ls",
    [
        "wandb ls",
        "wandb ls --state crashed -n 5",
        "wandb ls /scratch/experiments --json | jq -r '.runs[].id'",
    ],
)
@click.argument("directory", required=False, type=click.Path(exists=True, file_okay=False, path_type=Path))
@option("--state", type=click.Choice(_STATES), metavar="STATE", help=f"Only runs that are {', '.join(_STATES)}.")
@option("--project", metavar="NAME", help="Only runs of this project.")
@option("-n", "--number", type=click.IntRange(min=1), metavar="N", help="Only the newest N.")
@option("--json", "as_json", is_flag=True, help="One JSON document with every figure.")
def ls(
    directory: Optional[Path], state: Optional[str], project: Optional[str], number: Optional[int], as_json: bool
) -> None:
    """List the runs in DIRECTORY (by default ./wandb), the newest first: state, rows, size, lag.

    ROWS of a long log is its number of records, marked with ~, since nobody has counted the rows. LAG is how long the
    oldest record has been waiting that no server has. `wandb status` tells why, and what of the disk is used.
    """
    from wandb.replay import wandb_directory

    home = wandb_directory(directory)
    wanted = (
        run for run in newest_runs(home) if state in (None, run.glance.state) and project in (None, run.glance.project)
    )
    runs = list(itertools.islice(wanted, number))
    if as_json:
        document = {"directory": str(home.absolute()), "runs": [_fields(run) for run in runs]}
        click.echo(json.dumps(document, indent=2))
    elif not runs:
        click.echo(f"There are no {f'{state} ' if state else ''}runs in {home}.", err=True)
    else:
        _show(runs)


def _fields(run: Listed) -> Dict[str, Any]:
    one = run.glance
    return {
        "id": one.run_id, "folder": str(one.folder.absolute()), "name": one.name, "project": one.project,
        "state": one.state, "offline": one.offline, "started": one.started, "rows": one.rows, "records": one.records,
        "bytes": one.bytes, "waiting": run.waiting, "lag_seconds": lag_seconds(run),
        "error": None if one.error is None else str(one.error),
    }  # fmt: skip


def _show(runs: List[Listed]) -> None:
    from wandb.replay._words import clean, duration, moment, size

    table = Table(_TITLES, {"ROWS", "SIZE", "LAG"}, ("RUN", "STATE"), "STATE", STATE_STYLES)
    for run in runs:
        one, lag = run.glance, lag_seconds(run)
        rows = f"~{one.records:,}" if one.rows is None else f"{one.rows:,}"
        waits = "offline" if run.waiting and one.offline and not run.acknowledged else duration(lag) if lag else ""
        table.add(
            clean(one.run_id, 28), clean(one.name or "", 28), clean(one.project or "", 24), one.state,
            moment(one.started) if one.started else "", rows if one.error is None else "", size(one.bytes), waits,
        )  # fmt: skip
    table.show()
