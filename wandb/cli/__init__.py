"""The `wandb` command.

Each subcommand stands in a module of its own, which is imported when that command runs: help and version come at once,
and a machine without the server's libraries has all the other commands. Errors are one line on stderr, and the exit
code tells their kind (`EXIT_CODES`).
"""

from __future__ import annotations

import importlib
import os
import sys
from typing import TYPE_CHECKING, Any, Dict, List, NamedTuple, NoReturn, Optional, Tuple, Type, cast

import click

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

DONE, FAILED, USAGE, NO_RUN, NO_SERVER, NO_KEY, DIFFERENT, INTERRUPTED = 0, 1, 2, 3, 4, 5, 6, 130
EXIT_CODES: Dict[int, str] = {
    DONE: "Done. Of a check: nothing is wrong.",
    FAILED: "It could not be done, or not all of it; a line on stderr says why. Of a check: something is wrong.",
    USAGE: "The command line makes no sense. Of `wandb verify`: the log is damaged.",
    NO_RUN: "There is no such run, or no log of it.",
    NO_SERVER: "The server can't be reached, or doesn't do what it was asked.",
    NO_KEY: "There is no API key, or the server refuses it.",
    DIFFERENT: "What `wandb replay --diff` compares is not the same.",
    INTERRUPTED: "Ctrl-C.",
}


class _Place(NamedTuple):
    """Where a command is defined, and the line about it in the list of commands.

    Commands with the same `together` share a line. A hidden one works, and is in docs/cli.md.
    """

    module: str
    attribute: str
    help: str
    together: str = ""
    hidden: bool = False


_DOCKER = "Run in a container that knows the server."
_MODES = "How runs of this folder are logged."

_COMMANDS: Dict[str, _Place] = {
    "replay": _Place("replay", "replay", "Tell, view, export, compare or branch a run."),
    "ls": _Place("ls", "ls", "List the runs here: state, rows, size, lag."),
    "status": _Place("status", "status", "What is uploaded of the runs here, what waits, why."),
    "verify": _Place("verify", "verify", "Check a run's log; save what is intact of it."),
    "doctor": _Place("doctor", "doctor", "Check this machine, the server, what waits."),
    "gc": _Place("gc", "gc", "Make room: remove what servers have."),
    "sync": _Place("sync", "sync", "Upload runs now, and wait until they are there."),
    "online": _Place("mode", "online", "Upload this folder's runs while they run.", _MODES),
    "offline": _Place("mode", "offline", "Keep this folder's runs here.", _MODES),
    "enabled": _Place("mode", "enabled", "Record this folder's runs again, and upload them.", _MODES),
    "disabled": _Place("mode", "disabled", "Record nothing of this folder's runs.", _MODES),
    "artifact": _Place("artifact", "artifact", "Make, download and list versions of artifacts."),
    "sweep": _Place("sweeps", "sweep", "Make, change, pause or end a sweep."),
    "agent": _Place("sweeps", "agent", "Run trials of a sweep."),
    "controller": _Place("sweeps", "controller", "Decide what a sweep tries, in its server's place."),
    "queue": _Place("queue", "queue", "Jobs that wait for a machine: push them, see them."),
    "superagent": _Place("superagent", "superagent", "Run jobs of queues on this machine."),
    "on": _Place("mode", "on", "As `wandb online`.", hidden=True),
    "off": _Place("mode", "off", "As `wandb offline`.", hidden=True),
    "init": _Place("init", "init", "Say which project this folder's runs belong to."),
    "login": _Place("login", "login", "Keep an API key, and the server it belongs to."),
    "server": _Place("server", "server", "Run a server with a dashboard on this machine."),
    "local": _Place("server", "local", "Start a server on this machine, as `wandb server start`.", hidden=True),
    "projects": _Place("projects", "projects", "List the projects at the server."),
    "pull": _Place("pull", "pull", "Download the files of a run from the server."),
    "restore": _Place("restore", "restore", "Check out the code and the config of a run."),
    "docker": _Place("docker", "docker", "Run in a container that knows the server and the key.", _DOCKER),
    "docker-run": _Place("docker", "docker_run", "`docker run`, with the server and the key.", _DOCKER),
    "clean": _Place("clean", "clean", "Remove the folders of uploaded runs.", hidden=True),
    "purge-cache": _Place("clean", "purge_cache", "Remove cached files.", hidden=True),
    "leet": _Place("leet", "leet", "View a run on the whole terminal, as `wandb replay --view`.", hidden=True),
    "beta": _Place("beta", "beta", "Commands under the official client's names for them.", hidden=True),
    "magic": _Place("magic", "magic", "Retired.", hidden=True),
    "completion": _Place("completion", "completion", "Let the shell complete commands and runs."),
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

    def resolve_command(
        self, ctx: click.Context, args: List[str]
    ) -> Tuple[Optional[str], Optional[click.Command], List[str]]:
        if args and args[0] not in _COMMANDS and not args[0].startswith("-"):
            ctx.fail(_no_command(args[0]))
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        records: Dict[str, Tuple[str, str]] = {}
        for name, place in _COMMANDS.items():
            if not place.hidden:
                line = place.together or name
                names = f"{records[line][0]}, {name}" if line in records else name
                records[line] = (names, place.together or place.help)
        with formatter.section("Commands"):
            formatter.write_dl(list(records.values()), col_max=22)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> List[CompletionItem]:
        from click.shell_completion import CompletionItem

        names = [name for name, place in _COMMANDS.items() if name.startswith(incomplete) and not place.hidden]
        found = [CompletionItem(name, help=_COMMANDS[name].help) for name in names]
        return found + click.Command.shell_complete(self, ctx, incomplete)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, BrokenPipeError):
            raise
        except (KeyboardInterrupt, click.Abort) as error:
            click.echo(err=True)
            # A prompt that nobody can answer, since stdin has ended, is no Ctrl-C.
            unanswered = isinstance(error.__context__, EOFError)
            raise click.exceptions.Exit(FAILED if unanswered else INTERRUPTED) from None
        except Exception as error:
            if _debugging():
                raise
            fail(_describe(error), _exit_code(error))


def _no_command(name: str) -> str:
    import difflib

    near = difflib.get_close_matches(name, _COMMANDS, n=3)
    return f"There is no command {name!r}." + (f" Did you mean {' or '.join(near)}?" if near else "")


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
@click.pass_context
def main(context: click.Context) -> None:
    """Track experiments: log locally without losing a number, upload, look back.

    Runs are in `wandb` in WANDB_DIR. WANDB_DEBUG=true shows tracebacks.
    """
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        context.color = False


def complain(message: str) -> None:
    """Say what went wrong, and go on."""
    _say("ERROR", "red", message)


def warn(message: str) -> None:
    """Say what is probably not what was meant."""
    _say("WARNING", "yellow", message)


def _say(kind: str, colour: str, message: str) -> None:
    prefix = click.style("wandb:", fg="blue", bold=True) + " " + click.style(kind, fg=colour)
    click.echo(f"{prefix} {message}", err=True)


def fail(message: str, code: int = FAILED) -> NoReturn:
    """Say what went wrong and end with an exit code."""
    complain(message)
    raise click.exceptions.Exit(code)


def _debugging() -> bool:
    return os.environ.get("WANDB_DEBUG", "").lower() in ("1", "true", "yes")


def _describe(error: Exception) -> str:
    if isinstance(error, _expected_errors()):
        return str(error)
    if isinstance(error, OSError):
        return f"{error.filename}: {error.strerror}" if error.filename else str(error.strerror or error)
    return f"{type(error).__name__}: {error}; this should not happen. WANDB_DEBUG=true shows where it did"


def _expected_errors() -> Tuple[Type[Exception], ...]:
    """The errors of this project's packages, whose messages are written for the user."""
    return _imported(
        ("wandb_storage", "LogError"), ("wandb_uploader", "UploadError"), ("wandb.errors", "Error"),
        ("wandb.sweeps", "SweepConfigError"),
    )  # fmt: skip


def _exit_code(error: Exception) -> int:
    kinds = {
        NO_RUN: _imported(("wandb_storage", "LogNotFound"), ("wandb.apis._errors", "RunNotFoundError")),
        NO_KEY: _imported(("wandb_uploader", "CredentialError"), ("wandb.errors", "AuthenticationError")),
        NO_SERVER: _imported(("wandb_uploader", "UploadError"), ("wandb.errors", "CommError")),
    }
    return next((code for code, types in kinds.items() if isinstance(error, types)), FAILED)


def _imported(*names: Tuple[str, str]) -> Tuple[Type[Exception], ...]:
    """Exceptions by module and name: only a package that was imported can have raised one."""
    found = (getattr(sys.modules.get(module), name, None) for module, name in names)
    return tuple(error for error in found if isinstance(error, type) and issubclass(error, Exception))
