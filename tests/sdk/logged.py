"""Reading back what runs have logged."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict, List, Type, TypeVar, Union

import wandb
from wandb_storage import Reader, Record, RunState

Kind = TypeVar("Kind", bound=Record)
Place = Union[str, Path, wandb.Run]


def folder_of(place: Place) -> Path:
    return Path(place.sync_dir if isinstance(place, wandb.Run) else place)


def state_of(place: Place) -> RunState:
    """What the records of a log add up to."""
    state = RunState()
    with Reader(folder_of(place)) as reader:
        for entry in reader.entries():
            state.apply(entry.record)
    return state


def rows_of(place: Place) -> List[Dict[str, Any]]:
    """The history rows that a log holds."""
    state = RunState()
    rows: List[Dict[str, Any]] = []
    with Reader(folder_of(place)) as reader:
        for entry in reader.entries():
            rows += state.apply(entry.record).rows
    return rows + state.complete_row()


def values_of(place: Place) -> List[Dict[str, Any]]:
    """The rows without what the client adds to them, but with their steps."""
    return [{key: value for key, value in row.items() if key[:1] != "_" or key == "_step"} for row in rows_of(place)]


def records_of(place: Place, kind: Type[Kind]) -> List[Kind]:
    """A log's records of one kind."""
    with Reader(folder_of(place)) as reader:
        return [entry.record for entry in reader.entries() if isinstance(entry.record, kind)]
