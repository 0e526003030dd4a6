"""`wandb login`: keep an API key, and remember the server that it belongs to."""

from __future__ import annotations

import sys
from typing import Optional

import click

from . import NO_KEY
from ._help import command, option

_HOSTED = "https://api.forge.coreweave.com"
_STDIN = "-"
# No key is longer.
_LINE_MAX = 1000


@command(
    "login",
    [
        "wandb login                                ask for the key, nothing is shown",
        "wandb login --host http://localhost:8080   for a server of your own",
        "wandb login - < key.txt                    a key that no argument shows",
    ],
)
@click.argument("key", required=False)
@option("--host", "--base-url", "host", metavar="URL", help="The server; later runs go there, too.")
@option("--cloud", is_flag=True, help=f"The server is {_HOSTED}.")
@option("--relogin", is_flag=True, help="Ask for a key even though there is one.")
@option("--verify/--no-verify", default=False, show_default=True, help="Ask the server whether it takes the key.")
def login(key: Optional[str], host: Optional[str], cloud: bool, relogin: bool, verify: bool) -> None:
    """Keep an API KEY for uploading runs. Without KEY, ask for it; `-` reads it from stdin.

    The key goes to ~/.netrc ($NETRC), the server to ~/.config/wandb/settings ($WANDB_CONFIG_DIR/settings). A key on the
    command line can be seen by other users of the machine while the command runs.
    """
    if cloud and host is not None:
        raise click.UsageError("--cloud and --host name two servers; give one")
    host = _HOSTED if cloud else host
    if host is not None and not host.startswith(("http://", "https://")):
        raise click.BadParameter("a URL begins with http:// or https://", param_hint="--host")

    import wandb  # the SDK takes longer to import than --help may take

    if not wandb.login(key=_piped() if key == _STDIN else key, host=host, relogin=relogin or None, verify=verify):
        raise click.exceptions.Exit(NO_KEY)  # the SDK has said that there is no key
    if host is not None:
        from wandb.sdk._settings._files import global_settings_path, write_setting

        write_setting(global_settings_path(), "base_url", host.rstrip("/"))
    if key is not None:
        from wandb.sdk.wandb_settings import merged
        from wandb_uploader import netrc_path

        url = host or merged().base_url
        click.echo(f"The key for {url.rstrip('/')} is in {netrc_path()}.")


def _piped() -> str:
    key = sys.stdin.readline(_LINE_MAX).strip() if sys.stdin is not None else ""
    if not key:
        raise click.UsageError("there is no key on stdin")
    return key
