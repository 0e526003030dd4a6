"""`wandb status --settings`: every setting with its value, where that comes from, and what it overrode."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any, Dict, List, Tuple

import click

if TYPE_CHECKING:
    from wandb.sdk._settings._layered import Given
    from wandb.sdk.wandb_settings import Settings

_TITLES = ("SETTING", "VALUE", "SOURCE", "OVERRIDDEN")


def show_settings(as_json: bool) -> None:
    """Print what a run that starts here would have, before its code says anything. Secrets are masked."""
    from wandb.sdk.wandb_settings import merged

    settings = merged()
    if as_json:
        click.echo(json.dumps({"settings": {name: _fields(settings, name) for name in settings.to_dict()}}, indent=2))
        return
    # Those without an effect are shown where somebody sets them.
    names = [name for name, field in settings._fields.items() if not field.inert or settings.source(name) != "default"]
    rows = [_row(settings, name) for name in sorted(names, key=lambda name: (settings.source(name) == "default", name))]
    if sys.stdout.isatty():
        _show_table(rows)
    else:
        for row in (_TITLES, *rows):
            click.echo("\t".join(row))


def _fields(settings: Settings, name: str) -> Dict[str, Any]:
    return {
        **_plain(settings, name, settings.given(name)),
        "overridden": [_plain(settings, name, given) for given in settings.overridden(name)],
    }


def _plain(settings: Settings, name: str, given: Given) -> Dict[str, Any]:
    masked = settings._fields[name].secret and given.value is not None
    value = (
        given.value if isinstance(given.value, (bool, int, float, str, tuple, dict, type(None))) else str(given.value)
    )
    return {
        "value": settings.shown(name, value) if masked else value, "source": given.source, "place": given.place or None
    }  # fmt: skip


def _row(settings: Settings, name: str) -> Tuple[str, ...]:
    given = settings.given(name)
    overridden = ", ".join(f"{settings.shown(name, one.value)} from {one.origin}" for one in settings.overridden(name))
    return name, settings.shown(name, given.value), given.origin, overridden


def _show_table(rows: List[Tuple[str, ...]]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for title in _TITLES:
        table.add_column(title, overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row), style="dim" if row[2] == "default" else "")
    Console(highlight=False).print(table)
