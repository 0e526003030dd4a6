"""Meeting a run at the server for which there is no cursor: where do its lines begin?

| the server holds                        | the log                        | the lines begin at                      |
|-----------------------------------------|--------------------------------|-----------------------------------------|
| nothing                                 | any                            | 0                                       |
| rows that end with one of the log's own | any                            | its count, less what of it is the log's |
| other rows                              | continues a run from elsewhere | its count                               |
| other rows                              | is a run of its own            | nowhere: the run is parked              |

What has been removed from a log to make room counts as the log's own: the server had it before.

The second line is a cursor that was lost or damaged, or a folder that was copied from another machine. A row is told by
its step and its time, which is exact to the microsecond; a console line by its time and text.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Tuple

from wandb_storage import Reader, RunState, beginning

from ._batch import output_stamp
from ._cursor import Cursor, Earlier
from ._errors import Refused
from ._target import AS_LOGGED, Target
from ._writer import writer_of

# So many of the server's last console lines are compared with the log's.
OUTPUT_TAIL = 50

Mark = Tuple[Any, Any]
# (names of the run, how many) -> the last console lines at the server: (number, time, text)
ConsoleTail = Callable[[Dict[str, Any], int], List[Tuple[int, Any, Any]]]


class Beginning(NamedTuple):
    """The numbers of a log's first lines at the server."""

    history: int
    events: int
    earlier: Earlier
    held_history: int = 0  # lines that the server has, where they end with one of the log's own
    held_events: int = 0


def find_beginning(
    folder: Path, held: Optional[Dict[str, Any]], resumed: bool, target: Target = AS_LOGGED
) -> Beginning:
    """`held` is the server's bucket of this name, None where it has none.

    Raises Refused where the server's run is another one.
    """
    history, events = _count(held, "historyLineCount"), _count(held, "eventsLineCount")
    if held is None or not (history or events):
        return Beginning(0, 0, Earlier())
    last_row, last_event = _last(held, "historyTail"), _last(held, "eventsTail")
    removed, own_rows, own_events = _find_own(folder, _row_mark(last_row), _event_mark(last_event), target)
    if not resumed:
        if history and not (own_rows and own_rows == history):
            raise Refused(
                f"the server already has a run {held.get('name')} with {history} rows that this log doesn't hold; "
                "upload it under another id, or delete that run there"
            )
        return Beginning(removed.rows, removed.system_rows, Earlier(), history, min(own_events, events))
    first_history, first_events = max(0, history - own_rows), max(0, events - own_events)
    earlier = Earlier(
        _json_object(held.get("config")),
        _json_object(held.get("summaryMetrics")),
        _count(held, "logLineCount"),
    )
    earlier.summary.pop("_wandb", None)
    held_history, held_events = (history if own_rows else 0), (events if own_events else 0)
    if own_rows:
        first_history += removed.rows
    if own_events:
        first_events += removed.system_rows
    return Beginning(first_history, first_events, earlier, held_history, held_events)


def find_output(folder: Path, count: int, names: Dict[str, Any], tail: ConsoleTail) -> int:
    """How many of the server's `count` console lines are from before this log: the number of one of the log's lines
    there, less its number here. `count` where none of the log's is among the last."""
    there = {(_stamp(time), text): number for number, time, text in tail(names, OUTPUT_TAIL)}
    with Reader(folder) as reader:
        before, state = beginning(reader)
        for entry in reader.entries(before + 1):
            for line in state.apply(entry.record).console:
                number = there.get((_stamp(output_stamp(line)), writer_of(state.start).line(line.text)))
                if number is not None and number >= line.number:
                    return number - line.number
    return count


def new_cursor(base_url: str, reader: Reader) -> Cursor:
    """For a log that this server has nothing of, as far as is known here: it begins behind what has been removed."""
    before, state = beginning(reader)
    identity = reader.identity
    begun = state.snapshot() if before else None
    return Cursor(base_url, identity.run_id, identity.log_uuid, next=before + 1, state=begun)


def _stamp(time: Any) -> str:
    return str(time).rstrip("Z")[:26]


def _find_own(folder: Path, row: Optional[Mark], event: Optional[Mark], target: Target) -> Tuple[RunState, int, int]:
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
                    if not target.wants(each):
                        continue
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
