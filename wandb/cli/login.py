"""`wandb login`: keep an API key, and remember the server that it belongs to."""

from __future__ import annotations

from typing import Optional

import click

from . import NO_KEY

_EXAMPLES = """\b
Examples:
  wandb login                                ask for the key, nothing is shown
  wandb login --host http://localhost:8080   for a server of your own
"""


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
        raise click.exceptions.Exit(NO_KEY)  # the SDK has said that there is no key
    if host is not None:
        from wandb.sdk._settings._files import global_settings_path, write_setting

        write_setting(global_settings_path(), "base_url", host.rstrip("/"))
