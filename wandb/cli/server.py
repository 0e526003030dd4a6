"""``wandb server``: run the embedded server, or make an API key for it."""

from __future__ import annotations

import copy
import os
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

from ._help import Command, examples

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


_database_option = click.option(
    "--database",
    "database_url",
    envvar="WANDB_SERVER_DATABASE",
    metavar="URL",
    help="Keep everything but files in a PostgreSQL: postgresql://user:password@host/name.  [$WANDB_SERVER_DATABASE]",
)

_files_option = click.option(
    "--files",
    "files_url",
    envvar="WANDB_SERVER_FILES",
    metavar="URL",
    help="Keep the bytes of files in a bucket: s3://bucket/folder, on S3 or what speaks its protocol "
    "(AWS_ENDPOINT_URL).  [$WANDB_SERVER_FILES]",
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
@_database_option
@_files_option
@click.option(
    "--ready-file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write a JSON file with the address (and a new API key) once the server listens.",
)
@click.pass_context
def server(
    context: click.Context,
    host: str,
    port: int,
    data: Path,
    database_url: str | None,
    files_url: str | None,
    ready_file: Path | None,
) -> None:
    """Run a W&B-compatible server with a dashboard on this machine."""
    if context.invoked_subcommand is None:
        _serve(host, port, data, ready_file, database_url, files_url)


def _serve(
    host: str, port: int, data: Path, ready_file: Path | None, database_url: str | None, files_url: str | None
) -> None:
    module = _import_server()
    if host not in _LOOPBACK:
        click.echo(
            f"Listening on {host}: other machines can reach this server, over plain HTTP. "
            "Put a TLS proxy in front of it on a network that you do not trust.",
            err=True,
        )
    try:
        module.serve(host, port, data.expanduser(), ready_file, click.echo, database_url, files_url)
    except module.ServeError as error:
        _fail(str(error))


@server.command(
    "start",
    cls=Command,
    epilog=examples(["wandb server start", "wandb server start --port 9000 --host 0.0.0.0"]),
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("-p", "--port", type=click.IntRange(0, 65535), default=8080, show_default=True, help="Port to listen on.")
@_data_option
@_database_option
@_files_option
@click.option("-e", "--env", "variables", multiple=True, metavar="NAME=VALUE", help="A variable of its environment.")
@click.option("--daemon/--no-daemon", default=True, help="In the background, or here.  [--daemon]")
@click.option("--upgrade", is_flag=True, hidden=True, help="Accepted for older scripts: pip upgrades this server.")
@click.option("--edge", is_flag=True, hidden=True, help="Accepted for older scripts.")
def start(
    host: str, port: int, data: Path, database_url: str | None, files_url: str | None, variables: tuple[str, ...],
    daemon: bool, upgrade: bool, edge: bool,
) -> None:  # fmt: skip
    """Start the server in the background, and say where it is. `wandb server stop` ends it."""
    environment = dict(variable.partition("=")[::2] for variable in variables)
    if not daemon:
        os.environ.update(environment)
        _serve(host, port, data, None, database_url, files_url)
        return
    # They may hold passwords, and arguments can be seen.
    for name, url in (("WANDB_SERVER_DATABASE", database_url), ("WANDB_SERVER_FILES", files_url)):
        if url is not None:
            environment[name] = url
    _import_server()
    from ._server_process import start as start_process

    start_process(data, ["--host", host, "--port", str(port)], environment)


# Which once started a container, and now starts this.
local = copy.copy(start)
local.name = "local"


@server.command("stop", cls=Command, epilog=examples(["wandb server stop"]))
@_data_option
def stop(data: Path) -> None:
    """End the server that uses the data directory."""
    from ._server_process import stop as stop_process

    stop_process(data)


@server.command("key")
@_data_option
@_database_option
def key(data: Path, database_url: str | None) -> None:
    """Make another API key. It is printed once and can't be shown again."""
    module = _import_server()
    try:
        user, made = module.new_key(data.expanduser(), database_url)
    except module.ServeError as error:
        _fail(str(error))
    click.echo(f"API key for {user}, shown this once:")
    click.echo(made)


@server.command("backup")
@_data_option
@click.argument("target", type=click.Path(file_okay=False, path_type=Path))
def backup(data: Path, target: Path) -> None:
    """Copy the data to a new directory TARGET, also while the server runs. `wandb server --data TARGET` serves it."""
    _import_server()
    from wandb.server._backup import BackupError, back_up

    from ._progress import shown

    try:
        with shown("copying", "bytes") as show:
            count = back_up(data.expanduser(), target.expanduser(), show)
    except BackupError as error:
        _fail(str(error))
    except OSError as error:
        _fail(f"cannot copy {error.filename}: {error.strerror}")
    noun = "file" if count == 1 else "files"
    click.echo(f"Copied the database and {count} {noun} to {target}")


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
