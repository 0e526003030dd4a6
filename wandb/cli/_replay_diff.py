"""`wandb replay --diff A B`: what two moments, two runs, or a log and its server don't have in common."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Iterator, List, NamedTuple, Optional, Tuple

import click

from . import DIFFERENT
from ._replay_output import fetch_run, load

if TYPE_CHECKING:
    from wandb.replay import Replay
    from wandb.replay._diff import Change, Difference, Missing
    from wandb.replay._selection import Selection

_MOMENT = re.compile(r"(?P<run>[^@]*)@?(?P<kind>seq|step|time)=(?P<value>.+)")
_NOW, _SERVER = ("log", "now"), "server"
# What is listed of each kind; --json has all.
_LISTED_MAX = 20
_RANGES_MAX = 8
_WIDTH = 36


class Side(NamedTuple):
    """One of the two, and what it is called."""

    name: str
    run: Replay


def side(text: str, run: Optional[str], directory: Optional[Path]) -> Side:
    """What A or B means: `step=N`, `seq=N` or `time=T` of RUN, `log` for RUN as it is, `server` for RUN as its server
    has it, or another run, which may have such a moment behind an @."""
    from wandb.replay._fetch import counterpart

    match = _MOMENT.fullmatch(text)
    name = (match["run"] if match is not None else text) or ""
    meant = load([run or "latest" if name in ("", _SERVER, *_NOW) else name], directory)
    if len(meant) > 1:
        raise click.UsageError(f"--diff: {text} means {len(meant)} runs; name one")
    found = meant[0]
    if name == _SERVER:
        found = fetch_run(counterpart(found))
    if match is not None:
        found = _at(found, match["kind"], match["value"])
    return Side(text, found)


def _at(run: Replay, kind: str, value: str) -> Replay:
    from ._times import Moment

    try:
        if kind == "time":
            return run.at(time=Moment.parse(value).of(run))
        number = _whole(value)
        return run.at(step=number) if kind == "step" else run.at(sequence=number)
    except ValueError as error:
        raise click.UsageError(f"--diff: {kind}={value}: {error}") from None


def _whole(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise ValueError(f"{text!r} is no whole number") from None


def show_difference(left: Side, right: Side, selection: Selection, as_json: bool) -> None:
    """Print it; the exit code says whether there is any."""
    from wandb.replay._diff import compare
    from wandb.replay._json import strict_json

    found = compare(left.run, right.run, selection)
    if as_json:
        document = {
            "same": found.same, "left": _about(left), "right": _about(right), **dataclasses.asdict(found)
        }  # fmt: skip
        click.echo(strict_json(document, indent=2))
    else:
        for line in _lines(found, left.name, right.name):
            click.echo(line)
    if not found.same:
        raise click.exceptions.Exit(DIFFERENT)


def _about(one: Side) -> Any:
    return {"name": one.name, "run": one.run.run_id, "folder": str(one.run.folder), "rows": one.run.rows}


def _lines(found: Difference, left: str, right: str) -> Iterator[str]:
    from wandb.replay._words import clean, count

    yield f"{click.style('--- ' + clean(left), fg='red')}  {click.style('+++ ' + clean(right), fg='green')}"
    for title, changes in (
        ("", found.about), ("config", found.config), ("summary", found.summary), ("files", found.files)
    ):  # fmt: skip
        yield from _changes(title, changes)
    yield from _changes("keys of the history, and their rows", found.keys)
    yield from _values(found)
    rows: List[Tuple[str, Missing]] = [(right, found.missing_right), (left, found.missing_left)]
    for name, missing in rows:
        if missing.rows:
            ranges = [f"{low}" if low == high else f"{low} to {high}" for low, high in missing.ranges[:_RANGES_MAX]]
            more = ", …" if len(missing.ranges) > _RANGES_MAX else ""
            yield f"{clean(name)} lacks {count(missing.rows, 'row')}: step {', '.join(ranges)}{more}"
    yield f"{count(found.compared, 'row')} compared: " + ("no difference" if found.same else "they differ")


def _changes(title: str, changes: List[Change]) -> Iterator[str]:
    from wandb.replay._words import clean, value_text

    if changes and title:
        yield title
    for change in changes[:_LISTED_MAX]:
        name = clean(change.name, _WIDTH)
        if change.only:
            value = change.left if change.only == "left" else change.right
            sign, colour = ("-", "red") if change.only == "left" else ("+", "green")
            yield "  " + click.style(f"{sign} {name}  {value_text(value, _WIDTH)}", fg=colour)
        else:
            old, new = value_text(change.left, _WIDTH), value_text(change.right, _WIDTH)
            yield f"  ~ {name}  {click.style(old, fg='red')} → {click.style(new, fg='green')}"
    if len(changes) > _LISTED_MAX:
        yield f"  … and {len(changes) - _LISTED_MAX} more; --json has them all"


def _values(found: Difference) -> Iterator[str]:
    from wandb.replay._words import clean, count, number, value_text

    if found.values:
        yield "values"
    for key, one in list(found.values.items())[:_LISTED_MAX]:
        left, right = value_text(one.left, _WIDTH), value_text(one.right, _WIDTH)
        largest = f", at most {number(one.largest)} apart" if one.largest else ""
        yield (
            f"  ~ {clean(key, _WIDTH)}  in {count(one.rows, 'row')}{largest}; first at step {one.first_step}: "
            f"{click.style(left, fg='red')} → {click.style(right, fg='green')}"
        )
    if len(found.values) > _LISTED_MAX:
        yield f"  … and {len(found.values) - _LISTED_MAX} more; --json has them all"
