"""`wandb replay --follow`: a run as it goes on, like `tail -f`, until it ends.

On a terminal it is a picture that changes: state, small plots, the last lines of the console. In a pipe each new row
is a line, with --json a document.
"""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any, Dict, List, Optional, Sequence

import click

from . import FAILED, complain

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import RenderableType

    from wandb.replay._follow import Follower
    from wandb.replay._mirror import Mirror
    from wandb.replay._picture import Picture
    from wandb.replay._series import Series
    from wandb_storage import Columns

# What stands around the plots: a headline, blank lines, the console's last lines.
_CONSOLE_LINES = 5
_OTHER_LINES = _CONSOLE_LINES + 6
_STYLES = {"finished": "green", "running": "blue"}


def follow(
    folder: Path, keys: Optional[Sequence[str]], as_json: bool, mirror: Optional[Mirror] = None
) -> None:  # fmt: skip
    """Show the run until it ends; that of a server has a mirror. Ctrl-C leaves it."""
    plain = as_json or not sys.stdout.isatty()
    last = _as_lines(folder, keys, as_json, mirror) if plain else _as_picture(folder, keys, mirror)
    if last.found.damage is not None:
        complain(f"{last.found.damage}\nEverything before the damage was told.")
        raise click.exceptions.Exit(FAILED)
    if mirror is not None and mirror.trouble is not None:
        raise mirror.trouble
    click.echo(f"{folder.name}: {last.ended}", err=True)


# --- lines ------------------------------------------------------------------------------------------------------------


def _as_lines(
    folder: Path, keys: Optional[Sequence[str]], as_json: bool, mirror: Optional[Mirror]
) -> Follower:  # fmt: skip
    from wandb.replay._follow import LOOK_SECONDS, Follower
    from wandb.replay._history import holding
    from wandb.replay._json import strict_json
    from wandb.replay._replay import order_keys
    from wandb.replay._scan import Listeners

    def take(batch: Columns) -> None:
        for row in batch.dicts() if keys is None else holding(batch, keys):
            ordered = {key: row[key] for key in order_keys(row)}
            click.echo(strict_json(ordered) if as_json else _line(ordered))

    with Follower(folder, Listeners(columns=take), mirror) as follower:
        while follower.look():
            sys.stdout.flush()
            time.sleep(LOOK_SECONDS)
        return follower


def _line(row: Dict[str, Any]) -> str:
    from wandb.replay._words import clean, value_text

    shown = [f"{clean(key)}={value_text(value, 80)}" for key, value in row.items() if not key.startswith("_")]
    return " ".join([f"step {row['_step']}", *shown])


# --- a picture --------------------------------------------------------------------------------------------------------


def _as_picture(folder: Path, keys: Optional[Sequence[str]], mirror: Optional[Mirror]) -> Follower:
    from rich.console import Console
    from rich.live import Live

    from wandb.replay._follow import LOOK_SECONDS, Follower
    from wandb.replay._picture import Picture
    from wandb.replay._scan import Listeners

    picture = Picture()
    console = Console(highlight=False)
    rate = _Rate()
    with Follower(folder, Listeners(picture.take_columns, picture.take_console), mirror) as follower:
        goes_on = follower.look()
        with Live(console=console, auto_refresh=False, vertical_overflow="crop") as live:
            while True:
                rate.note(follower.found.state.rows)
                size = console.size
                live.update(_frame(follower, picture, keys, rate, size.width, size.height), refresh=True)
                if not goes_on:
                    return follower
                time.sleep(LOOK_SECONDS)
                goes_on = follower.look()


class _Rate:
    """Rows a second, over the last few looks."""

    def __init__(self) -> None:
        self._looks: List[Any] = []

    def note(self, rows: int) -> None:
        self._looks = [*self._looks[-10:], (time.monotonic(), rows)]

    @property
    def rows_a_second(self) -> float:
        (start, before), (now, rows) = self._looks[0], self._looks[-1]
        return float((rows - before) / (now - start)) if now > start else 0.0


def _frame(
    follower: Follower, picture: Picture, keys: Optional[Sequence[str]], rate: _Rate, width: int, height: int
) -> RenderableType:
    from rich.console import Group
    from rich.text import Text

    from wandb.replay._cells import cut
    from wandb.replay._plot_panels import sparklines
    from wandb.replay._words import clean, console_text, count, duration

    found, state = follower.found, follower.ended.state
    start = found.state.start
    headline = Text(no_wrap=True, overflow="ellipsis")
    headline.append(f"● {state}", style=f"bold {_STYLES.get(state, 'red')}")
    headline.append(f"  {clean(start.name or follower.run_id)}  ", style="bold")
    facts = [
        f"step {found.last_step:,}" if found.last_step is not None else "no row yet",
        count(found.state.rows, "row"),
    ]
    if state == "running":
        facts.append(f"{rate.rows_a_second:,.1f} rows/s")
    facts.append(duration(found.state.runtime))
    headline.append(" · ".join(facts), style="dim")
    metrics = _wanted(picture.series, keys)
    room = max(1, height - _OTHER_LINES)
    plots = sparklines(metrics[:room], (found.first_step or 0, found.last_step or 0), width)
    if len(metrics) > room:
        plots.append(Text(f"… and {count(len(metrics) - room, 'metric')} more; choose with --keys", style="dim"))
    lines = [
        Text(cut(console_text(line.text), width), style="red" if line.stream else "dim", no_wrap=True)
        for line in picture.console[-_CONSOLE_LINES:]
    ]
    alerts = [
        Text(cut(clean(f"! {alert.level} {alert.title}: {alert.text}"), width), style="yellow", no_wrap=True)
        for alert in found.state.alerts[-1:]
    ]
    return Group(headline, Text(), *plots, *([Text(), *lines] if lines else []), *alerts)


def _wanted(series: Dict[str, Series], keys: Optional[Sequence[str]]) -> list[tuple[str, Series]]:
    if keys is None:
        return [(key, one) for key, one in series.items() if one.count]
    return [(key, series[key]) for key in keys if key in series]
