"""Runs as filters see them. The language is in `wandb._filters`."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from .._filters import MISSING, RunView, sortable_time
from ._store import Run
from ._views import run_seconds

# Names that the public Api and its users have for the same column.
_COLUMNS: Mapping[str, Callable[[Run], Any]] = {
    "name": lambda run: run.name,
    "display_name": lambda run: run.display_name,
    "displayName": lambda run: run.display_name,
    "group": lambda run: run.run_group,
    "job_type": lambda run: run.job_type,
    "jobType": lambda run: run.job_type,
    "sweep": lambda run: run.sweep,
    "notes": lambda run: run.notes,
    "description": lambda run: run.notes,
    "commit": lambda run: run.commit_hash,
    "host": lambda run: run.host,
    "username": lambda run: run.user,
    "user": lambda run: run.user,
    "tags": lambda run: json.loads(run.tags),
    "created_at": lambda run: sortable_time(run.created_at),
    "createdAt": lambda run: sortable_time(run.created_at),
    "heartbeat_at": lambda run: sortable_time(run.heartbeat_at),
    "rows": lambda run: run.history_count,
    "heartbeatAt": lambda run: sortable_time(run.heartbeat_at),
}


def run_view(run: Run, now: float) -> RunView[Run]:
    def column(key: str) -> Any:
        if key == "state":
            return run.state_at(now)
        if key == "seconds":
            return run_seconds(run, now)
        return _COLUMNS[key](run) if key in _COLUMNS else MISSING

    return RunView(run, column, lambda: _object(run.config), lambda: _object(run.summary))


def _object(text: str) -> dict[str, Any]:
    value = json.loads(text)
    return value if isinstance(value, dict) else {}
