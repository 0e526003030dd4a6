"""`wandb online`, `offline`, `enabled`, `disabled`: how runs of this folder are logged from now on."""

from __future__ import annotations

import os

import click

from ._help import command, option


def _command(name: str, mode: str, help: str) -> click.Command:
    text = f"{help}\n\nWritten to ./wandb/settings. WANDB_MODE and what a script says are stronger."

    @command(name, [f"wandb {name}", f"WANDB_DIR=/scratch wandb {name}"], help=text)
    @option("--service", is_flag=True, hidden=True, help="Accepted for older scripts: there is no service.")
    def chosen(service: bool) -> None:
        from wandb.sdk._settings._files import write_setting
        from wandb.sdk.wandb_settings import local_settings_path

        path = local_settings_path(os.environ.get("WANDB_DIR"))
        write_setting(path, "mode", mode)
        click.echo(f"{path}: mode is {mode}")

    return chosen


online = _command("online", "online", "Upload the runs of this folder while they run.")
offline = _command("offline", "offline", "Keep the runs of this folder here, until `wandb sync`.")
enabled = _command("enabled", "online", "Record the runs of this folder again, and upload them.")
disabled = _command("disabled", "disabled", "Record nothing of the runs of this folder.")
on = _command("on", "online", "Upload the runs of this folder while they run, as `wandb online`.")
off = _command("off", "offline", "Keep the runs of this folder here, as `wandb offline`.")
