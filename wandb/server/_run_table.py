"""The run table: which runs it shows, in which order, what stands in its columns, and which columns there are.

A column is named ``config.<key>`` or ``summary.<key>``, the parts of nested keys joined by dots, or is one of the facts
that every run has.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from .._filters import matches, ordered
from .._row_keys import flattened
from ._filters import run_view
from ._limits import CELL_CHARACTERS_MAX, COLUMNS_CHOSEN_MAX, COLUMNS_MAX, DISTINCT_VALUES_MAX
from ._store import Run
from ._values import strict_json

GROUPS = ("config", "summary")

# The protocol's own entries, which are no values of the user.
_INTERNAL = frozenset({"_wandb", "wandb_version"})


@lru_cache(maxsize=8192)
def cells_of(group: str, text: str) -> dict[str, Any]:
    """The values of a run's config or summary by their dotted keys, as strict JSON."""
    tree = json.loads(text)
    if group == "config":
        tree = {
            key: entry["value"] if isinstance(entry, dict) and "value" in entry else entry
            for key, entry in tree.items()
        }
    tree = {key: value for key, value in tree.items() if key not in _INTERNAL}
    return {key: _cell(value) for key, value in flattened(tree) if not _is_branch(value)}


def _is_branch(value: Any) -> bool:
    return isinstance(value, dict) and bool(value) and "_type" not in value


def _cell(value: Any) -> Any:
    """A value as a table shows it: media by their kind, long texts and lists cut."""
    if isinstance(value, dict):
        return {"_type": str(value["_type"])} if "_type" in value else {}
    if isinstance(value, list):
        text = json.dumps(strict_json(value))
        return text if len(text) <= CELL_CHARACTERS_MAX else text[:CELL_CHARACTERS_MAX] + "…"
    if isinstance(value, str) and len(value) > CELL_CHARACTERS_MAX:
        return value[:CELL_CHARACTERS_MAX] + "…"
    return strict_json(value)


@dataclass
class TableColumn:
    """What is known of a key over all runs of a project."""

    count: int = 0
    numbers: int = 0
    distinct: set[Any] = field(default_factory=set)

    def add(self, value: Any) -> None:
        self.count += 1
        self.numbers += isinstance(value, (int, float)) and not isinstance(value, bool)
        if len(self.distinct) < DISTINCT_VALUES_MAX and not isinstance(value, dict):
            self.distinct.add(value)


def columns_of(found: Iterable[Run]) -> dict[str, TableColumn]:
    """Every column that a run has a value in, in the order of their first appearance."""
    columns: dict[str, TableColumn] = {}
    for run in found:
        for group in GROUPS:
            for key, value in cells_of(group, getattr(run, group)).items():
                name = f"{group}.{key}"
                column = columns.get(name)
                if column is None:
                    if len(columns) >= COLUMNS_MAX:
                        continue
                    column = columns[name] = TableColumn()
                column.add(value)
    return columns


def chosen_columns(columns: dict[str, TableColumn], total: int) -> list[str]:
    """The columns to show where nobody chose: those that most runs have, the ones that differ between runs first."""

    def weight(name: str) -> int:
        column = columns[name]
        return column.count + (total if len(column.distinct) > 1 else 0)

    chosen: list[str] = []
    for group in reversed(GROUPS):
        names = [name for name, column in columns.items() if name.startswith(group) and _is_shown(name, column)]
        chosen += sorted(names, key=lambda name: (-weight(name), name))[:COLUMNS_CHOSEN_MAX]
    return chosen


def _is_shown(name: str, column: TableColumn) -> bool:
    # Steps and times stand in columns of their own, and media have their page.
    return not name.partition(".")[2].startswith("_") and bool(column.distinct)


@dataclass(frozen=True)
class TablePage:
    """A part of the runs that a filter finds."""

    runs: list[Run]
    total: int
    matching: int


def table_page(
    found: list[Run], now: float, expression: dict[str, Any], order: str, first: int, offset: int
) -> TablePage:
    """Choose and order runs; both speak the language of the public Api."""
    views = [run_view(run, now) for run in found]
    chosen = ordered([view for view in views if matches(view, expression)], order)
    return TablePage([view.run for view in chosen[offset : offset + first]], len(found), len(chosen))
