"""The `wandb` command.

Each subcommand stands in a module of its own, which is imported when that command runs: help and version come at once,
and a machine without the server's libraries has all the other commands. Errors are one line on stderr; exit codes:

    0    done
    1    it could not be done, the line says why
    2    the command line makes no sense
"""

from __future__ import annotations

import importlib
import os
import sys
from typing import Any, Dict, List, NamedTuple, NoReturn, Optional, Tuple, Type, cast

import click


class _Place(NamedTuple):
    """Where a command is defined, and the line about it in the list of commands."""

    module: str
    attribute: str
    help: str


_COMMANDS: Dict[str, _Place] = {
    "disabled": _Place("mode", "disabled", "Record nothing of this folder's runs."),
    "enabled": _Place("mode", "enabled", "Record this folder's runs again, and upload them."),
    "login": _Place("login", "login", "Keep an API key, and the server it belongs to."),
    "offline": _Place("mode", "offline", "Keep this folder's runs here."),
    "online": _Place("mode", "online", "Upload this folder's runs while they run."),
    "replay": _Place("replay", "replay", "Tell a run from its log: what it was, how it ended and how we know."),
    "server": _Place("server", "server", "Run a server with a dashboard on this machine."),
    "status": _Place("status", "status", "List the runs here, what is uploaded, what waits and why."),
    "sync": _Place("sync", "sync", "Upload runs now, and wait until they are on the server."),
    "verify": _Place("verify", "verify", "Check a run's log; save what is intact of it."),
}

_EXAMPLES = """\b
Examples:
  wandb login --host http://localhost:8080
  wandb status
  wandb replay latest
  wandb sync
"""


class _LazyGroup(click.Group):
    """Commands that are imported by name."""

    def list_commands(self, ctx: click.Context) -> List[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> Optional[click.Command]:
        place = _COMMANDS.get(cmd_name)
        if place is None:
            return None
        module = importlib.import_module(f".{place.module}", __name__)
        return cast(click.Command, getattr(module, place.attribute))

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, place.help) for name, place in _COMMANDS.items()])

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort, BrokenPipeError):
            raise
        except Exception as error:
            if _debugging():
                raise
            fail(_describe(error))


def _version(ctx: click.Context, _: click.Parameter, asked: bool) -> None:
    if not asked or ctx.resilient_parsing:
        return
    from importlib.metadata import PackageNotFoundError, version  # 30 ms that only this option needs

    try:
        click.echo(f"wandb, version {version('wandb')}")
    except PackageNotFoundError:
        fail("the wandb distribution is not installed here: these are its bare sources")
    ctx.exit()


@click.group(cls=_LazyGroup, epilog=_EXAMPLES, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--version", is_flag=True, expose_value=False, is_eager=True, callback=_version, help="Show the version.")
def main() -> None:
    """Track experiments: log locally without losing a number, upload, look back.

    WANDB_DIR is the folder whose `wandb` directory holds the runs; WANDB_DEBUG=true shows tracebacks.
    """


def complain(message: str) -> None:
    """Say what went wrong, and go on."""
    plain = bool(os.environ.get("NO_COLOR"))
    prefix = click.style("wandb:", fg="blue", bold=True) + " " + click.style("ERROR", fg="red")
    click.echo(f"{prefix} {message}", err=True, color=False if plain else None)


def fail(message: str) -> NoReturn:
    """Say what went wrong and end with exit code 1."""
    complain(message)
    raise click.exceptions.Exit(1)


def _debugging() -> bool:
    return os.environ.get("WANDB_DEBUG", "").lower() in ("1", "true", "yes")


def _describe(error: Exception) -> str:
    if isinstance(error, _expected_errors()):
        return str(error)
    if isinstance(error, OSError):
        return f"{error.filename}: {error.strerror}" if error.filename else str(error.strerror or error)
    return f"{type(error).__name__}: {error}; this should not happen. WANDB_DEBUG=true shows where it did"


def _expected_errors() -> Tuple[Type[Exception], ...]:
    """The errors of this project's packages, whose messages are written for the user.

    Only a package that was imported can have raised one.
    """
    names = (("wandb_storage", "LogError"), ("wandb_uploader", "UploadError"), ("wandb.errors", "Error"))
    found = (getattr(sys.modules.get(module), name, None) for module, name in names)
    return tuple(error for error in found if isinstance(error, type) and issubclass(error, Exception))
