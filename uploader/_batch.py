"""What one step sends: records folded into lines, and lines put into the bodies of stream requests.

A batch is a function of the cursor and of its last record. The cursor keeps that record before anything is sent, so a
batch that is built again after a crash has the same bytes, however much the log has grown.
"""

from __future__ import annotations

import dataclasses
import hashlib
import time
from typing import Any, Dict, List, Mapping, Optional

from wandb_storage import ConsoleLine, LogDamaged, RunState, Stream

from ._config_wire import encode_json
from ._cursor import Cursor
from ._feed import Feed

# A request of this many rows is answered within a fraction of a second by a server that keeps rows in a database, and
# the cost of a request no longer shows beside that of its rows.
ROWS_MAX = 5000
# Lines may add up to 10 MiB a request by the protocol; within a body of JSON each quote in them takes two bytes, and a
# proxy in front of the server may count those.
LINE_BYTES_MAX = 4 << 20

HISTORY, EVENTS, SUMMARY, OUTPUT = "wandb-history.jsonl", "wandb-events.jsonl", "wandb-summary.json", "output.log"


@dataclasses.dataclass
class Batch:
    """The records `first` to `last`, folded."""

    first: int
    last: int
    state: RunState  # after them
    history: List[str]
    events: List[str]
    console: Dict[int, str]  # line number -> text
    full: bool  # more may be waiting
    line_bytes: int
    bodies: Optional[List[bytes]] = None  # built once: a retry repeats them
    acknowledged: int = 0  # of the bodies


def collect(feed: Feed, state: RunState, first: int, last: int = 0, rows_max: int = ROWS_MAX) -> Optional[Batch]:
    """The next batch: up to the record `last` where given, up to the limits otherwise. None: nothing is there.

    `state` is taken along. Raises LogDamaged where a record can't be read or, below `last`, is gone.
    """
    batch = Batch(first, first - 1, state, [], [], {}, bool(last), 0)
    while batch.last < last or not last:
        try:
            entry = feed.next()
            completed = state.apply(entry.record) if entry is not None else None
        except LogDamaged:
            if last or batch.last < first:
                raise
            feed.seek(batch.last + 1)
            break  # what stands before the damage goes out; the next call raises
        if entry is None or completed is None:
            if last:
                raise LogDamaged(f"records {batch.last + 1} to {last} were here and are gone", feed.folder)
            break
        batch.last = entry.sequence
        for row in completed.rows:
            _add(batch, batch.history, encode_json(row))
        for row in completed.system:
            _add(batch, batch.events, encode_json(row))
        for line in completed.console:
            text = output_line(line)
            batch.console[line.number] = text
            batch.line_bytes += len(text)
        lines = len(batch.history) + len(batch.events) + len(batch.console)
        if not last and (lines >= rows_max or batch.line_bytes >= LINE_BYTES_MAX):
            batch.full = True
            break
    return batch if batch.last >= first else None


def _add(batch: Batch, lines: List[str], line: str) -> None:
    lines.append(line)
    batch.line_bytes += len(line)


def output_line(line: ConsoleLine) -> str:
    """A line of `output.log` in the stream: UTC time, and whether it went to stderr."""
    whole, fraction = divmod(int(line.time * 1e6), 1_000_000)
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(whole))
    return f"{'ERROR ' if line.stream == Stream.STDERR else ''}{stamp}.{fraction:06d} {line.text}"


def summary_line(cursor: Cursor, state: RunState) -> str:
    summary: Dict[str, Any] = {**cursor.earlier.summary, **state.summary}
    summary["_wandb"] = {"runtime": int(state.runtime)}
    return encode_json(summary)


def summary_digest(state: RunState) -> str:
    """What tells whether the summary has changed; the runtime in it always does, and isn't worth a request."""
    return hashlib.sha256(encode_json(state.summary).encode()).hexdigest()


def build_bodies(batch: Batch, cursor: Cursor) -> List[bytes]:
    """The stream requests of a batch. Consecutive output lines share one; each further block has one of its own, since
    a request holds one block. Empty where the batch changes nothing that the stream carries."""
    files: Dict[str, Any] = {}
    if batch.history:
        files[HISTORY] = {"offset": cursor.history, "content": batch.history}
    if batch.events:
        files[EVENTS] = {"offset": cursor.events, "content": batch.events}
    if batch.state.summary and summary_digest(batch.state) != cursor.summary_digest:
        files[SUMMARY] = {"offset": 0, "content": [summary_line(cursor, batch.state)]}
    requests: List[Mapping[str, Any]] = []
    for number, block in _blocks(batch.console):
        files[OUTPUT] = {"offset": cursor.earlier.output_lines + number, "content": block}
        requests.append(files)
        files = {}
    if files:
        requests.append(files)
    return [encode_json({"files": each}).encode() for each in requests]


def _blocks(lines: Mapping[int, str]) -> List[Any]:
    """Runs of consecutive numbers, as (first number, lines)."""
    blocks: List[Any] = []
    for number in sorted(lines):
        if blocks and blocks[-1][0] + len(blocks[-1][1]) == number:
            blocks[-1][1].append(lines[number])
        else:
            blocks.append((number, [lines[number]]))
    return blocks
