"""`docs/cli.md`, made from the commands: `python -m wandb.cli._document > docs/cli.md`. A test holds the file to it."""

from __future__ import annotations

import re
import sys
from typing import Dict, Iterator, List, Tuple

import click

from . import _COMMANDS, EXIT_CODES, main
from ._help import metavar_of

# Commands and options of the official client that aren't here, and why.
LEFT_OUT: Dict[str, str] = {
    "`launch`, `launch-agent`, `launch-sweep`, `job`, `scheduler`, `sweep-scheduler`": (
        "`wandb queue` and `wandb superagent` do it here; they and the official ones share queues."
    ),
    "`beta core start`, `beta core stop`, `grpc-server`": (
        "They run a service between the program and the server. Here the program writes its log itself, and the "
        "uploader reads it."
    ),
    "`leet config`": "The view has no configuration: its keys are shown by `?`.",
    "`login --anonymously`": "Accounts without a name are W&B's cloud's. `wandb server` needs no account at all.",
    "`sweep --settings`": "Hidden there. What a sweep needs stands in its configuration.",
    "`server start --upgrade`, `--edge`, `disabled --service`, `sync --yes`": (
        "Accepted, and without an effect: there is no container to upgrade and no service to disable, and `sync` "
        "asks nothing."
    ),
}

_INTRODUCTION = """\
# The `wandb` command

Made from the commands by `python -m wandb.cli._document > docs/cli.md`; a test holds it against them. Each command
tells the same with `--help`, where options that belong together share a line. [replay.md](replay.md) shows replay at
work.

Errors are a line on stderr. `NO_COLOR` is obeyed, and so is the width of the terminal; in a pipe there are neither
colours nor progress bars. Every list has `--json`. `WANDB_DEBUG=true` shows tracebacks.
"""


def document() -> str:
    """All of it."""
    names = [name for name, place in _COMMANDS.items() if not place.hidden]
    older = [name for name, place in _COMMANDS.items() if place.hidden]
    parts = [_INTRODUCTION, _exit_codes(), "## Commands\n", _index(names)]
    parts += [part for name in names for part in _command(name, _find(name), f"wandb {name}")]
    parts += ["## Older names\n\nThey work, and `wandb --help` doesn't list them.\n", _index(older)]
    parts += [part for name in older for part in _command(name, _find(name), f"wandb {name}")]
    parts += ["## What the official client has, and this one hasn't\n", _table(("there", "here"), LEFT_OUT.items())]
    return "\n".join(parts)


def _find(name: str) -> click.Command:
    found = main.get_command(click.Context(main, info_name="wandb"), name)
    assert found is not None
    return found


def _exit_codes() -> str:
    rows = [(str(code), text) for code, text in EXIT_CODES.items()]
    return "## Exit codes\n\n" + _table(("code", "meaning"), rows)


def _index(names: List[str]) -> str:
    rows = [(f"[`{name}`](#wandb-{name})", _COMMANDS[name].help) for name in names]
    return _table(("command", ""), rows)


def _table(head: Tuple[str, str], rows: object) -> str:
    lines = [f"| {head[0]} | {head[1]} |", "|---|---|"]
    lines += [f"| {left} | {right} |" for left, right in rows]  # type: ignore[attr-defined]
    return "\n".join(lines) + "\n"


def _command(name: str, command: click.Command, path: str) -> Iterator[str]:
    context = click.Context(command, info_name=path)
    usage = " ".join([path, *command.collect_usage_pieces(context)])
    yield f"### {path}\n\n    {usage}\n"
    if command.help:
        yield _plain(command.help) + "\n"
    options = [(_names(one, context), _about(one)) for one in command.params if _is_shown(one)]
    if options:
        yield _table(("option", ""), options)
    examples = [line[2:] for line in (command.epilog or "").split("\n") if line.startswith("  ")]
    if examples:
        yield "".join(f"    {line}\n" for line in examples)
    if isinstance(command, click.Group):
        for inner in command.list_commands(context):
            found = command.get_command(context, inner)
            if found is not None and not found.hidden:
                yield from _command(inner, found, f"{path} {inner}")


def _is_shown(parameter: click.Parameter) -> bool:
    return isinstance(parameter, click.Option)


def _plain(text: str) -> str:
    """Help as paragraphs, each in a line."""
    paragraphs = re.split(r"\n\s*\n", text.replace("\b", "").strip())
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)


def _names(option: click.Parameter, context: click.Context) -> str:
    assert isinstance(option, click.Option)
    names = ", ".join(f"`{name}`" for name in [*option.opts, *option.secondary_opts])
    return names if option.is_flag else f"{names} {_escaped(metavar_of(option, context))}"


def _about(option: click.Parameter) -> str:
    assert isinstance(option, click.Option)
    return _escaped(" ".join((option.help or "").split()))


def _escaped(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")


if __name__ == "__main__":
    sys.stdout.write(document())
