"""Meeting a run at the server for which there is no cursor: where do its lines begin?

| the server holds                        | the log                        | the lines begin at                      |
|-----------------------------------------|--------------------------------|-----------------------------------------|
| nothing                                 | any                            | 0                                       |
| rows that end with one of the log's own | any                            | its count, less what of it is the log's |
| other rows                              | continues a run from elsewhere | its count                               |
| other rows                              | is a run of its own            | nowhere: the run is parked              |

What has been removed from a log to make room counts as the log's own: the server had it before.

The second line is a cursor that was lost or damaged. A row is told by its step and its time, which is exact to the
microsecond.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Optional, Tuple

from wandb_storage import Reader, RunState, beginning

from ._cursor import Earlier
from ._errors import Refused

Mark = Tuple[Any, Any]


class Beginning(NamedTuple):
    """The numbers of a log's first lines at the server."""

    history: int
    events: int
    earlier: Earlier


def find_beginning(folder: Path, held: Optional[Dict[str, Any]], resumed: bool) -> Beginning:
    """`held` is the server's bucket of this name, None where it has none.

    Raises Refused where the server's run is another one.
    """
    history, events = _count(held, "historyLineCount"), _count(held, "eventsLineCount")
    if held is None or not (history or events):
        return Beginning(0, 0, Earlier())
    last_row, last_event = _last(held, "historyTail"), _last(held, "eventsTail")
    removed, own_rows, own_events = _find_own(folder, _row_mark(last_row), _event_mark(last_event))
    if not resumed:
        if history and not (own_rows and own_rows == history):
            raise Refused(
                f"the server already has a run {held.get('name')} with {history} rows that this log doesn't hold; "
                "upload it under another id, or delete that run there"
            )
        return Beginning(removed.rows, removed.system_rows, Earlier())
    first_history, first_events = max(0, history - own_rows), max(0, events - own_events)
    earlier = Earlier(
        _json_object(held.get("config")),
        {} if own_rows else _json_object(held.get("summaryMetrics")),
        _count(held, "logLineCount"),
    )
    earlier.summary.pop("_wandb", None)
    if own_rows:
        first_history += removed.rows
    if own_events:
        first_events += removed.system_rows
    return Beginning(first_history, first_events, earlier)


def _find_own(folder: Path, row: Optional[Mark], event: Optional[Mark]) -> Tuple[RunState, int, int]:
    """What has been removed from the log, and how many of its rows and events the server has, by the last ones there,
    with those that were removed; 0 where it has none."""
    with Reader(folder) as reader:
        position, state = beginning(reader)
        position += 1
        removed = RunState.restore(state.snapshot())
        rows, events = state.rows, state.system_rows
        # The last row that was removed left its mark in the summary.
        own_rows = rows if rows and _row_mark(state.summary) == row else 0
        own_events = 0
        while True:
            entries = reader.read(position)
            if not entries:
                return removed, own_rows, own_events
            position = entries[-1].sequence + 1
            for entry in entries:
                completed = state.apply(entry.record)
                for each in completed.rows:
                    rows += 1
                    own_rows = rows if _row_mark(each) == row else own_rows
                for each in completed.system:
                    events += 1
                    own_events = events if _event_mark(each) == event else own_events


def _row_mark(row: Optional[Dict[str, Any]]) -> Optional[Mark]:
    return None if row is None else (row.get("_step"), row.get("_timestamp"))


def _event_mark(row: Optional[Dict[str, Any]]) -> Optional[Mark]:
    return None if row is None else (row.get("_timestamp"), row.get("_runtime"))


def _count(held: Optional[Dict[str, Any]], name: str) -> int:
    value = (held or {}).get(name)
    return value if isinstance(value, int) and value > 0 else 0


def _last(held: Dict[str, Any], name: str) -> Optional[Dict[str, Any]]:
    """The last row of a tail: a JSON list of JSON texts."""
    try:
        rows: List[str] = json.loads(held.get(name) or "[]")
        row = json.loads(rows[-1])
    except (ValueError, TypeError, IndexError, KeyError):
        return None
    return row if isinstance(row, dict) else None


def _json_object(text: Any) -> Dict[str, Any]:
    try:
        value = json.loads(text or "{}")
    except (ValueError, TypeError):
        return {}
    return value if isinstance(value, dict) else {}
