"""Help that fits a screen: options that belong together share a line, and every command shows an example.

An option's own words stand in docs/cli.md, which is made from the commands.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Callable, Dict, List, Optional, Sequence, Tuple, TypeVar

import click

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

_F = TypeVar("_F", bound=Callable[..., Any])
_COMPLETIONS_MAX = 200
_MARGIN = 4


class _Option(click.Option):
    """An option that may share a line of the help with others: those that have the same `together`."""

    def __init__(self, *arguments: Any, together: Optional[str] = None, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.together = together


class _Joining(click.Command):
    """Its help joins options that belong together."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        records: List[Tuple[str, str]] = []
        joined: Dict[str, List[str]] = {}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx) if isinstance(parameter, click.Option) else None
            if record is None:
                continue
            together = getattr(parameter, "together", None)
            if together is None:
                records.append(record)
            elif together in joined:
                joined[together].append(_short(parameter))
            else:
                joined[together] = [_short(parameter)]
                records.append((together, together))
        rows: List[Tuple[str, str]] = []
        for names, text in records:
            lines = _packed(joined[text], formatter.width - _MARGIN) if text in joined else [names]
            rows += [(line, "") for line in lines[:-1]] + [(lines[-1], text)]
        with formatter.section("Options"):
            formatter.write_dl(rows, col_max=34)


class Command(_Joining):
    """A command."""


class Group(_Joining, click.Group):
    """A command of several."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        super().format_options(ctx, formatter)
        self.format_commands(ctx, formatter)


def _short(parameter: click.Parameter) -> str:
    """An option without its aliases, as it stands beside others."""
    longest = next((name for name in parameter.opts if name.startswith("--")), parameter.opts[0])
    short = next((name for name in parameter.opts if not name.startswith("--")), "")
    names = f"{short}, {longest}" if short and short != longest else longest
    flag = getattr(parameter, "is_flag", False)
    return names if flag else f"{names} {metavar_of(parameter, click.Context(click.Command('x')))}"


def metavar_of(parameter: click.Parameter, ctx: click.Context) -> str:
    """What stands for an option's value, in any version of click."""
    try:
        return parameter.make_metavar(ctx)
    except TypeError:
        return parameter.make_metavar()  # type: ignore[call-arg] # before click 8.2


def _packed(names: List[str], width: int) -> List[str]:
    """Names with commas between them, in as few lines as they fit."""
    lines = [names[0]]
    for name in names[1:]:
        if len(lines[-1]) + len(name) + 2 <= width:
            lines[-1] += f", {name}"
        else:
            lines[-1] += ","
            lines.append(name)
    return lines


def examples(lines: Sequence[str]) -> str:
    """The end of a command's help; the text that stands behind two spaces says what a line is for."""
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines) + "\n"


def command(name: str, lines: Sequence[str], **options: Any) -> Callable[[Callable[..., Any]], click.Command]:
    """A command with its examples."""
    return click.command(name, cls=Command, epilog=examples(lines), **options)


def option(*names: str, together: Optional[str] = None, **options: Any) -> Callable[[_F], _F]:
    """`click.option`, with the text of the line that it shares with others."""
    return click.option(*names, cls=_Option, together=together, **options)


class RunName(click.ParamType):  # type: ignore[type-arg] # of which older versions of click have none
    """A run as a person names it; the shell completes ids of the wandb folder, the newest first."""

    name = "run"

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> List[CompletionItem]:
        from click.shell_completion import CompletionItem

        from wandb.replay import run_folders, wandb_directory

        if "/" in incomplete or incomplete.startswith("."):
            return [CompletionItem(incomplete, type="file")]
        ids = dict.fromkeys(run.run_id for run in reversed(run_folders(wandb_directory())))
        names = [name for name in ("latest", *ids) if name.startswith(incomplete)]
        return [CompletionItem(name) for name in names[:_COMPLETIONS_MAX]]


RUN = RunName()


class Parsed(click.ParamType):  # type: ignore[type-arg] # as above
    """A value that a function makes of a text; its ValueError says what is wrong with it."""

    def __init__(self, name: str, parse: Callable[[str], Any]) -> None:
        self.name = name
        self._parse = parse

    def convert(self, value: Any, param: Optional[click.Parameter], ctx: Optional[click.Context]) -> Any:
        if not isinstance(value, str):
            return value
        try:
            return self._parse(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)
