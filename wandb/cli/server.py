"""``wandb server``: run the embedded server, and look after its users, keys and data."""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from ._help import Command, Group, examples, option

if TYPE_CHECKING:
    from types import ModuleType

    from wandb.server._administration import Administration

_TLS = "Speak TLS with this chain, and its key."
_LOGS = ("text", "json", "requests")
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


_HOW_TO_SERVE = (
    click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on."),
    click.option(
        "-p", "--port", type=click.IntRange(0, 65535), default=8080, metavar="N",
        help="Port to listen on, 0 for a free one [8080].",
    ),
    _data_option,
    _database_option,
    _files_option,
    click.option(
        "--url", "public_url", envvar="WANDB_SERVER_URL", metavar="URL",
        help="Address for clients, where a proxy stands before it.  [$WANDB_SERVER_URL]",
    ),
    click.option(
        "--trust-proxy", "trusted_proxies", default="", metavar="ADDRESS,...",
        help="Proxies (or networks of them) whose X-Forwarded-For and -Proto are believed.",
    ),
    option(
        "--tls-cert", type=click.Path(dir_okay=False, exists=True, path_type=Path), metavar="FILE", together=_TLS,
        help="Speak TLS with this chain (a PEM file).",
    ),
    option(
        "--tls-key", type=click.Path(dir_okay=False, exists=True, path_type=Path), metavar="FILE", together=_TLS,
        help="Its key, where that is in another file.",
    ),
    click.option(
        "--requests-per-second", type=click.FloatRange(min=1), default=1000.0, metavar="N",
        help="That one API key may send [1000].",
    ),
    click.option(
        "--log", type=click.Choice(_LOGS), default="text",
        help="To stderr: text [the default], lines of JSON, or one for every request, too.",
    ),
)  # fmt: skip


def _how_to_serve(command: Callable[..., None]) -> Callable[..., None]:
    for one in reversed(_HOW_TO_SERVE):
        command = one(command)
    return command


@click.group(
    "server",
    cls=Group,
    invoke_without_command=True,
    epilog=examples(["wandb server --port 9000", "wandb server start             in the background"]),
)
@_how_to_serve
@click.option(
    "--ready-file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write a JSON file with the address (and a new API key) once the server listens.",
)
@click.pass_context
def server(context: click.Context, /, **options: Any) -> None:
    """Run a W&B-compatible server with a dashboard on this machine."""
    if context.invoked_subcommand is None:
        _serve(options)


def _serve(options: dict[str, Any]) -> None:
    module = _import_server()
    encrypted = options["tls_cert"] is not None or (options["public_url"] or "").startswith("https:")
    if options["host"] not in _LOOPBACK and not encrypted:
        click.echo(
            f"Listening on {options['host']}: other machines can reach this server, over plain HTTP. "
            "On a network that you do not trust, give it a certificate (--tls-cert) or put a TLS proxy in front of it.",
            err=True,
        )
    options["data"] = options["data"].expanduser()
    try:
        module.serve(module.ServeOptions(**options), click.echo)
    except module.ServeError as error:
        _fail(str(error))


@server.command(
    "start",
    cls=Command,
    epilog=examples(["wandb server start", "wandb server start --port 9000 --host 0.0.0.0"]),
)
@_how_to_serve
@click.option("-e", "--env", "variables", multiple=True, metavar="NAME=VALUE", help="A variable of its environment.")
@click.option("--daemon/--no-daemon", default=True, help="In the background, or here.  [--daemon]")
@click.option("--upgrade", is_flag=True, hidden=True, help="Accepted for older scripts: pip upgrades this server.")
@click.option("--edge", is_flag=True, hidden=True, help="Accepted for older scripts.")
def start(variables: tuple[str, ...], daemon: bool, upgrade: bool, edge: bool, **options: Any) -> None:
    """Start the server in the background, and say where it is. `wandb server stop` ends it."""
    environment = dict(variable.partition("=")[::2] for variable in variables)
    if not daemon:
        os.environ.update(environment)
        _serve({**options, "ready_file": None})
        return
    # They may hold passwords, and arguments can be seen.
    for name, given in (("WANDB_SERVER_DATABASE", "database_url"), ("WANDB_SERVER_FILES", "files_url")):
        if options[given] is not None:
            environment[name] = options[given]
    _import_server()
    from ._server_process import start as start_process

    start_process(options["data"], _arguments(options), environment)


def _arguments(options: dict[str, Any]) -> list[str]:
    """The options as a command line has them, but for those that go another way."""
    arguments = ["--host", options["host"], "--port", str(options["port"])]
    named = {
        "--url": options["public_url"], "--trust-proxy": options["trusted_proxies"], "--tls-cert": options["tls_cert"],
        "--tls-key": options["tls_key"], "--requests-per-second": options["requests_per_second"],
        "--log": options["log"],
    }  # fmt: skip
    for name, value in named.items():
        if value:
            arguments += [name, str(value.absolute() if isinstance(value, Path) else value)]
    return arguments


# Which once started a container, and now starts this.
local = copy.copy(start)
local.name = "local"


@server.command("stop", cls=Command, epilog=examples(["wandb server stop"]))
@_data_option
def stop(data: Path) -> None:
    """End the server that uses the data directory."""
    from ._server_process import stop as stop_process

    stop_process(data)


@server.command("key", cls=Command, epilog=examples(["wandb server key", "wandb server key --user ada"]))
@_data_option
@_database_option
@click.option("--user", metavar="NAME", help="Whose key; of the server's first user without it.")
def key(data: Path, database_url: str | None, user: str | None) -> None:
    """Make another API key. It is printed once and can't be shown again."""
    with _administered(data, database_url) as people:
        name, made = people.new_key(user)
    _show_key(name, made)


@server.group("user", epilog=examples(["wandb server user list"]))
def user() -> None:
    """The users of the server: who is there, and who comes or goes."""


@user.command(
    "add", cls=Command, epilog=examples(["wandb server user add ada", "wandb server user add ada --team crew"])
)
@click.argument("name")
@click.option("--admin", is_flag=True, help="One who may do everything.")
@click.option("--team", metavar="TEAM", help="Make them a member of this team.")
@click.option(
    "--role", type=click.Choice(["viewer", "member", "admin"]), default="member", show_default=True, help="In the team."
)
@_data_option
@_database_option
def add_user(name: str, admin: bool, team: str | None, role: str, data: Path, database_url: str | None) -> None:
    """Make a user, and print the API key to sign in with. It can't be shown again."""
    with _administered(data, database_url) as people:
        made = people.add_user(name, admin, team, role)
    _show_key(name, made)


@user.command(
    "list",
    cls=Command,
    epilog=examples(["wandb server user list", "wandb server user list --json | jq -r '.users[].name'"]),
)
@_data_option
@_database_option
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
def list_users(data: Path, database_url: str | None, as_json: bool) -> None:
    """Show the users, their teams, and how many keys they have."""
    with _administered(data, database_url) as people:
        users = list(people.users())
        if as_json:
            listed = [{**dataclasses.asdict(one), "teams": dict(one.teams)} for one in users]
            click.echo(json.dumps({"users": listed}, indent=2))
            return
        for one in users:
            teams = ", ".join(f"{team} ({role})" for team, role in one.teams)
            keys = f"{one.keys} {'key' if one.keys == 1 else 'keys'}"
            told = [keys, *(["administrator"] if one.admin else []), *([teams] if teams else [])]
            click.echo(f"{one.name}  {', '.join(told)}")


@user.command("disable", cls=Command, epilog=examples(["wandb server user disable ada"]))
@click.argument("name")
@_data_option
@_database_option
def disable_user(name: str, data: Path, database_url: str | None) -> None:
    """End a user's keys, sessions and memberships. What they logged stays; a new key lets them in again."""
    with _administered(data, database_url) as people:
        people.disable_user(name)
    click.echo(f"{name} has no keys, sessions and teams any more")


def _show_key(user: str, made: str) -> None:
    click.echo(f"API key for {user}, shown this once:")
    click.echo(made)


@contextlib.contextmanager
def _administered(data: Path, database_url: str | None) -> Iterator[Administration]:
    _import_server()
    from wandb.server._administration import AdministrationError, administered

    try:
        with administered(data.expanduser(), database_url) as people:
            yield people
    except AdministrationError as error:
        _fail(str(error))


@server.command("backup", cls=Command, epilog=examples(["wandb server backup /backups/monday"]))
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
