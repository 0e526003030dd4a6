"""`wandb login`: keep an API key, and remember the server that it belongs to."""

from __future__ import annotations

import configparser
import contextlib
import os
import tempfile
from typing import Optional

import click

from . import fail

_EXAMPLES = """\b
Examples:
  wandb login                                ask for the key, nothing is shown
  wandb login --host http://localhost:8080   for a server of your own
"""
_SECTION = "default"


@click.command("login", epilog=_EXAMPLES)
@click.argument("key", required=False)
@click.option("--host", metavar="URL", help="The server; later runs go there, too.")
@click.option("--relogin", is_flag=True, help="Ask for a key even though there is one.")
@click.option("--verify/--no-verify", default=False, show_default=True, help="Ask the server whether it takes the key.")
def login(key: Optional[str], host: Optional[str], relogin: bool, verify: bool) -> None:
    """Keep an API KEY for uploading runs. Without KEY, ask for it.

    The key goes to ~/.netrc ($NETRC), the server to ~/.config/wandb/settings ($WANDB_CONFIG_DIR/settings). A key on the
    command line can be seen by other users of the machine while the command runs.
    """
    if host is not None and not host.startswith(("http://", "https://")):
        raise click.BadParameter("a URL begins with http:// or https://", param_hint="--host")

    import wandb  # the SDK takes longer to import than --help may take

    if not wandb.login(key=key, host=host, relogin=relogin or None, verify=verify):
        raise click.exceptions.Exit(1)  # the SDK has said that there is no key
    if host is not None:
        keep_setting("base_url", host.rstrip("/"))


def keep_setting(name: str, value: str) -> None:
    """Write a setting into the user's settings file, and leave the others as they are."""
    from wandb.sdk.wandb_settings import global_settings_path

    path = global_settings_path()
    settings = configparser.RawConfigParser()
    try:
        settings.read(path, encoding="utf-8")
    except (configparser.Error, UnicodeDecodeError) as error:
        fail(f"{path} is not a settings file: {error}; mend or remove it")
    if not settings.has_section(_SECTION):
        settings.add_section(_SECTION)
    settings.set(_SECTION, name, value)
    path.parent.mkdir(parents=True, exist_ok=True)
    # Complete or not at all: a run that starts at this moment reads the file.
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=".settings-")
    try:
        with open(descriptor, "w", encoding="utf-8") as file:
            settings.write(file)
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise
