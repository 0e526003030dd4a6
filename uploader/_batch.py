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

from ._cursor import Cursor
from ._feed import Feed
from ._json import encode_body, encode_json, text_bytes
from ._target import AS_LOGGED, Target
from ._writer import Writer, writer_of

# A request of this many rows is answered within a fraction of a second by a server that keeps rows in a database, and
# the cost of a request no longer shows beside that of its rows.
ROWS_MAX = 5000
# Lines may add up to 10 MiB a request by the protocol; within a body of JSON each quote in them takes two bytes, and a
# proxy in front of the server may count those.
LINE_BYTES_MAX = 4 << 20
# By the protocol, no single line is longer.
ONE_LINE_BYTES_MAX = (10 << 20) - (100 << 10)

HISTORY, EVENTS, SUMMARY, OUTPUT = "wandb-history.jsonl", "wandb-events.jsonl", "wandb-summary.json", "output.log"
# A run that ended without saying how has failed.
EXIT_CODE_UNKNOWN = 1
# What keeps the place of a row that the server doesn't take.
_PLACE_KEYS = ("_step", "_timestamp", "_runtime", "_wandb")
# In such a line; whoever finds it at a server knows that a row of the log isn't there.
PARKED_KEY = "_parked"


@dataclasses.dataclass
class Batch:
    """The records `first` to `last`, folded."""

    first: int
    last: int
    state: RunState  # after them
    history: List[str] = dataclasses.field(default_factory=list)
    events: List[str] = dataclasses.field(default_factory=list)
    console: Dict[int, str] = dataclasses.field(default_factory=dict)  # line number -> text
    too_long: Dict[str, Dict[int, int]] = dataclasses.field(default_factory=dict)  # file -> index -> bytes
    full: bool = False  # more may be waiting
    line_bytes: int = 0
    bodies: Optional[List[bytes]] = None  # built once: a retry repeats them
    acknowledged: int = 0  # of the bodies

    @property
    def lines(self) -> int:
        return len(self.history) + len(self.events) + len(self.console)


def collect(
    feed: Feed, state: RunState, first: int, last: int = 0, rows_max: int = ROWS_MAX, target: Target = AS_LOGGED,
    batch: Optional[Batch] = None,
) -> Optional[Batch]:  # fmt: skip
    """The next batch: up to the record `last` where given, up to the limits otherwise. None: nothing is there.

    `state` is taken along. A `batch` of which nothing has been sent yet is filled further. Raises LogDamaged where a
    record can't be read or, below `last`, is gone.
    """
    if batch is None:
        batch = Batch(first, first - 1, state, full=bool(last))
    while batch.last < last or not last:
        try:
            taken = feed.take(state, rows_max - batch.lines, last)
        except LogDamaged:
            if last or batch.last < first:
                raise
            feed.seek(batch.last + 1)
            break  # what stands before the damage goes out; the next call raises
        if taken is None:
            if last:
                raise LogDamaged(f"records {batch.last + 1} to {last} were here and are gone", feed.folder)
            break
        batch.last, completed = taken
        writer = writer_of(state.start)
        for row in completed.rows:
            if target.wants(row):
                _add(batch, HISTORY, batch.history, row)
        for row in completed.system:
            _add(batch, EVENTS, batch.events, writer.labelled(row))
        for line in completed.console:
            text = output_line(line, writer)
            batch.console[line.number] = text
            batch.line_bytes += text_bytes(text)
        if not last and (batch.lines >= rows_max or batch.line_bytes >= LINE_BYTES_MAX):
            batch.full = True
            break
    return batch if batch.last >= first else None


def _add(batch: Batch, file: str, lines: List[str], row: Mapping[str, Any]) -> None:
    line = encode_json(row)
    size = text_bytes(line)
    if size > ONE_LINE_BYTES_MAX:
        batch.too_long.setdefault(file, {})[len(lines)] = size
        line = place_of(row)
    lines.append(line)
    batch.line_bytes += size


def place_of(row: Mapping[str, Any]) -> str:
    """A line that keeps a row's number, step and time, where the row itself can't go."""
    return encode_json({**{key: row[key] for key in _PLACE_KEYS if key in row}, PARKED_KEY: True})


def output_line(line: ConsoleLine, writer: Writer) -> str:
    """A line of `output.log` in the stream: UTC time, and whether it went to stderr."""
    return f"{'ERROR ' if line.stream == Stream.STDERR else ''}{output_stamp(line)} {writer.line(line.text)}"


def output_stamp(line: ConsoleLine) -> str:
    whole, fraction = divmod(int(line.time * 1e6), 1_000_000)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(whole))}.{fraction:06d}"


def summary_line(cursor: Cursor, state: RunState) -> str:
    summary: Dict[str, Any] = {**cursor.earlier.summary, **state.summary}
    summary["_wandb"] = {"runtime": int(state.runtime)}
    return encode_json(summary)


def summary_digest(state: RunState) -> str:
    """What tells whether the summary has changed; the runtime in it always does, and isn't worth a request."""
    return hashlib.sha256(encode_body(state.summary)).hexdigest()


def build_bodies(batch: Batch, cursor: Cursor) -> List[bytes]:
    """The stream requests of a batch. Consecutive output lines share one; each further block has one of its own, since
    a request holds one block. Empty where the batch changes nothing that the stream carries."""
    files: Dict[str, Any] = {}
    for name, lines, offset, held in (
        (HISTORY, batch.history, cursor.history, cursor.held_history),
        (EVENTS, batch.events, cursor.events, cursor.held_events),
    ):
        # What the server had before this cursor began isn't sent again.
        known = min(max(0, held - offset), len(lines))
        if lines[known:]:
            files[name] = {"offset": offset + known, "content": lines[known:]}
    if _summary_is_due(batch.state, cursor):
        files[SUMMARY] = {"offset": 0, "content": [summary_line(cursor, batch.state)]}
    requests: List[Dict[str, Any]] = []
    for number, block in _blocks(batch.console):
        files[OUTPUT] = {"offset": cursor.earlier.output_lines + number, "content": block}
        requests.append({"files": files})
        files = {}
    if files:
        requests.append({"files": files})
    if batch.state.preempting:
        requests = requests or [{}]
        requests[-1]["preempting"] = True
    return [encode_body(each) for each in requests]


def last_body(cursor: Cursor, state: RunState) -> bytes:
    """How a run ended, with its summary and the files that have arrived."""
    body: Dict[str, Any] = {}
    if SUMMARY not in cursor.parked_items:
        body["files"] = {SUMMARY: {"offset": 0, "content": [summary_line(cursor, state)]}}
    body["uploaded"] = sorted(path for path in cursor.files if path not in cursor.parked_files)
    if writer_of(state.start).ends:
        body["complete"] = True
        body["exitcode"] = state.exit.code if state.exit is not None else EXIT_CODE_UNKNOWN
    return encode_body(body)


def _summary_is_due(state: RunState, cursor: Cursor) -> bool:
    return bool(state.summary) and SUMMARY not in cursor.parked_items and summary_digest(state) != cursor.summary_digest


def _blocks(lines: Mapping[int, str]) -> List[Any]:
    """Runs of consecutive numbers, as (first number, lines)."""
    blocks: List[Any] = []
    for number in sorted(lines):
        if blocks and blocks[-1][0] + len(blocks[-1][1]) == number:
            blocks[-1][1].append(lines[number])
        else:
            blocks.append((number, [lines[number]]))
    return blocks
