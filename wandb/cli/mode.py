"""`wandb online`, `offline`, `enabled`, `disabled`: how runs of this folder are logged from now on."""

from __future__ import annotations

import os

import click

_EPILOG = """\b
Examples:
  wandb {name}
  WANDB_DIR=/scratch wandb {name}
"""


def _command(name: str, mode: str, help: str) -> click.Command:
    @click.command(name, help=f"{help}\n\nWritten to ./wandb/settings. WANDB_MODE and what a script says are stronger.")
    def command() -> None:
        from wandb.sdk._settings._files import write_setting
        from wandb.sdk.wandb_settings import local_settings_path

        path = local_settings_path(os.environ.get("WANDB_DIR"))
        write_setting(path, "mode", mode)
        click.echo(f"{path}: mode is {mode}")

    command.epilog = _EPILOG.format(name=name)
    return command


online = _command("online", "online", "Upload the runs of this folder while they run.")
offline = _command("offline", "offline", "Keep the runs of this folder here, until `wandb sync`.")
enabled = _command("enabled", "online", "Record the runs of this folder again, and upload them.")
disabled = _command("disabled", "disabled", "Record nothing of the runs of this folder.")
