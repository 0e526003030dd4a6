"""`wandb magic`: what became of it."""

from __future__ import annotations

import click

from . import fail
from ._help import command


@command("magic", ["python train.py"], context_settings={"ignore_unknown_options": True})
@click.argument("program", required=False)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def magic(program: str, arguments: object) -> None:
    """Retired: it ran a program with libraries patched to log by themselves."""
    fail(
        "wandb magic is retired: it patched libraries behind a program's back. Call wandb.init() in the program, and "
        "give its library the callback of wandb.integration"
    )
