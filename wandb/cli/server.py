"""``wandb server``: run the embedded server, or make an API key for it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

if TYPE_CHECKING:
    from types import ModuleType

_LOOPBACK = ("127.0.0.1", "localhost", "::1")


def _default_data() -> Path:
    chosen = os.environ.get("WANDB_SERVER_DATA")
    return Path(chosen) if chosen else Path.home() / ".local" / "share" / "wandb-server"


_data_option = click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    default=_default_data,
    show_default="$WANDB_SERVER_DATA or ~/.local/share/wandb-server",
    help="Directory that holds everything the server keeps.",
)


@click.group("server", invoke_without_command=True)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8080,
    show_default=True,
    help="Port to listen on; 0 takes a free one.",
)
@_data_option
@click.option(
    "--ready-file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write a JSON file with the address (and a new API key) once the server listens.",
)
@click.pass_context
def server(context: click.Context, host: str, port: int, data: Path, ready_file: Path | None) -> None:
    """Run a W&B-compatible server with a dashboard on this machine."""
    if context.invoked_subcommand is not None:
        return
    module = _import_server()
    if host not in _LOOPBACK:
        click.echo(
            f"Listening on {host}: other machines can reach this server, over plain HTTP. "
            "Put a TLS proxy in front of it on a network that you do not trust.",
            err=True,
        )
    try:
        module.serve(host, port, data.expanduser(), ready_file, click.echo)
    except module.ServeError as error:
        _fail(str(error))


@server.command("key")
@_data_option
def key(data: Path) -> None:
    """Make another API key. It is printed once and can't be shown again."""
    module = _import_server()
    try:
        user, made = module.new_key(data.expanduser())
    except module.ServeError as error:
        _fail(str(error))
    click.echo(f"API key for {user}, shown this once:")
    click.echo(made)


def _import_server() -> ModuleType:
    # Imported here and not above: the server's libraries take longer to load than most commands
    # take to run, and a client without the server does not have them.
    try:
        from wandb.server import _serve
    except ModuleNotFoundError as error:
        if error.name is not None and error.name.partition(".")[0] == "wandb":
            raise
        _fail(f'the server needs {error.name!r}: run `pip install "wandb[server]"`')
    return _serve


def _fail(message: str) -> NoReturn:
    click.echo(f"wandb server: {message}", err=True)
    raise SystemExit(1)
