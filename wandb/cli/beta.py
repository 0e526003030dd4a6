"""`wandb beta`: names under which the official client offers what is not settled there, and is ordinary here."""

from __future__ import annotations

from typing import Sequence

import click

from ._help import Command, examples, option
from .leet import leet


@click.group("beta", epilog=examples(["wandb beta sync --live latest"]))
def beta() -> None:
    """Commands under the official client's names for them."""


@beta.command("sync", cls=Command, epilog=examples(["wandb beta sync --live wandb/run-20260105_120311-a1b2c3d4"]))
@click.argument("paths", nargs=-1, metavar="[PATH]...")
@option("--live", is_flag=True, help="Follow living runs to their end.")
@option("--skip-synced/--no-skip-synced", default=True, help="Leave out runs that the server has.")
@option("-v", "--verbose", is_flag=True, help="Name the files that arrived.")
@option("-n", "workers", type=click.IntRange(1, 64), default=1, metavar="N", help="So many runs at a time [1].")
def sync(paths: Sequence[str], live: bool, skip_synced: bool, verbose: bool, workers: int) -> None:
    """Upload runs: `wandb sync`."""
    from .sync import sync as ordinary

    flags = {"--live": live, "--include-synced": not skip_synced, "--verbose": verbose}
    arguments = [*paths, "-n", str(workers), *(flag for flag, given in flags.items() if given)]
    ordinary.main(arguments, standalone_mode=False, prog_name="wandb sync")


beta.add_command(leet)
