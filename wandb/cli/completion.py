"""`wandb completion`: what a shell needs to complete commands, options and runs."""

from __future__ import annotations

import click

from . import fail
from ._help import command

# What the script calls the command by, and the variable with which it asks.
_PROGRAM, _VARIABLE = "wandb", "_WANDB_COMPLETE"


@command(
    "completion",
    [
        'eval "$(wandb completion bash)"      in ~/.bashrc',
        'eval "$(wandb completion zsh)"       in ~/.zshrc, behind compinit',
        "wandb completion fish > ~/.config/fish/completions/wandb.fish",
    ],
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the script with which SHELL completes commands, options and the ids of runs.

    In bash it needs version 4.4 or later; that of macOS is older, and its zsh is the better choice there.
    """
    from click.shell_completion import get_completion_class

    from . import main

    kind = get_completion_class(shell)
    if kind is None:
        fail(f"this version of click can't complete in {shell}; upgrade it")
    made = kind(main, {}, _PROGRAM, _VARIABLE)
    # Not `source()`: for bash that starts one to ask for its version, and the one that will read this may be another.
    click.echo(made.source_template % made.source_vars())
