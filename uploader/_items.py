"""Single lines that a server doesn't take: found, parked with the server's words, and tried again when asked for.

A batch that is refused because of something in it is halved until one record is left, and that record's lines go one by
one. A row that is refused leaves its step and time in its place, so that every other line keeps its number; the row
itself stays in the log, and `send_again` puts it where it belongs.

Where so many are refused that it can't be their content, the run is parked instead.
"""

from __future__ import annotations

import itertools
import json
from typing import Any, Callable, Dict, Iterator, Tuple

from wandb_storage import Reader, RunState, beginning

from ._batch import EVENTS, HISTORY, ONE_LINE_BYTES_MAX, OUTPUT, SUMMARY, Batch, output_line, place_of, summary_line
from ._cursor import Cursor
from ._errors import Refused
from ._feed import Feed
from ._json import encode_body, encode_json
from ._target import AS_LOGGED, Target
from ._writer import writer_of

# Beyond so many refused lines of one run, it isn't the lines.
ITEMS_MAX = 100

Send = Callable[[bytes], None]  # one body to the run's stream


def item_name(file: str, number: int) -> str:
    """How a line is called in `status`."""
    return SUMMARY if file == SUMMARY else f"{file}, line {number}"


def note_too_long(batch: Batch, cursor: Cursor) -> None:
    """Park what `collect` left out, now that the lines around it are acknowledged."""
    for file, found in batch.too_long.items():
        offset = cursor.history if file == HISTORY else cursor.events
        for index, size in found.items():
            _park(cursor, file, offset + index, f"{size} bytes, and a server takes {ONE_LINE_BYTES_MAX} at most")


def send_apart(batch: Batch, cursor: Cursor, send: Send) -> None:
    """Send the lines of a batch of one record, each alone, and park those that are refused. Raises what `send` raises
    for any other reason, and Refused where too many are."""
    for file, number, line in _lines_of(batch, cursor):
        try:
            send(_body(file, number, line))
        except Refused as error:
            if not error.may_be_a_part:
                raise
            _park(cursor, file, number, str(error))
            if file in (HISTORY, EVENTS):
                send(_body(file, number, place_of(json.loads(line))))
    if len(cursor.parked_items) > ITEMS_MAX:
        words = next(reversed(cursor.parked_items.values()))
        raise Refused(f"more than {ITEMS_MAX} items were refused, the last one with: {words}")


def _lines_of(batch: Batch, cursor: Cursor) -> Iterator[Tuple[str, int, str]]:
    for index, line in enumerate(batch.history):
        yield HISTORY, cursor.history + index, line
    for index, line in enumerate(batch.events):
        yield EVENTS, cursor.events + index, line
    for number, line in sorted(batch.console.items()):
        yield OUTPUT, cursor.earlier.output_lines + number, line
    if batch.state.summary and SUMMARY not in cursor.parked_items:
        yield SUMMARY, 0, summary_line(cursor, batch.state)


def _park(cursor: Cursor, file: str, number: int, reason: str) -> None:
    cursor.parked_items[item_name(file, number)] = reason


def _body(file: str, number: int, line: str) -> bytes:
    return encode_body({"files": {file: {"offset": number, "content": [line]}}})


def send_again(feed: Feed, cursor: Cursor, state: RunState, target: Target, send: Send) -> None:
    """Try the parked lines once more, in their places; what is taken is parked no longer."""
    summary = [(SUMMARY, 0, summary_line(cursor, state))] if SUMMARY in cursor.parked_items else []
    for file, number, line in itertools.chain(summary, _find_lines(feed, cursor, target)):
        if len(line) > ONE_LINE_BYTES_MAX:
            continue  # no server takes it
        try:
            send(_body(file, number, line))
        except Refused as error:
            if not error.may_be_a_part:
                raise
            _park(cursor, file, number, str(error))
        else:
            del cursor.parked_items[item_name(file, number)]


def _find_lines(feed: Feed, cursor: Cursor, target: Target) -> Iterator[Tuple[str, int, str]]:
    """The texts of the parked lines, by folding the log from its beginning to the cursor."""
    output: Dict[int, str] = {}

    def wanted(file: str, number: int, row: Any) -> Iterator[Tuple[str, int, str]]:
        if item_name(file, number) in cursor.parked_items:
            yield file, number, encode_json(row)

    with Reader(feed.folder) as reader:
        before, state = beginning(reader)
        acknowledged = cursor.state or {}
        events = cursor.events - acknowledged.get("system_rows", 0) + state.system_rows
        history = cursor.history - acknowledged.get("rows", 0) + state.rows
        if target != AS_LOGGED:
            history = cursor.history - cursor.rows  # not every row is among them
        for entry in reader.entries(before + 1):
            if entry.sequence >= cursor.next:
                break
            completed = state.apply(entry.record)
            for row in completed.rows:
                if target.wants(row):
                    yield from wanted(HISTORY, history, row)
                    history += 1
            for row in completed.system:
                yield from wanted(EVENTS, events, writer_of(state.start).labelled(row))
                events += 1
            for line in completed.console:
                number = cursor.earlier.output_lines + line.number
                if item_name(OUTPUT, number) in cursor.parked_items:
                    output[number] = output_line(line, writer_of(state.start))
    for number, text in output.items():
        yield OUTPUT, number, text
