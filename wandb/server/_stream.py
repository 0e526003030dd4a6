"""The run stream: one request carries lines of a run, its summary, and how it ended.

A request is applied in one transaction. Lines are placed by number, so repeating a request, which
clients do whenever an answer got lost, changes nothing. What was answered with 200 is on disk.

Where several writers share a run, the numbers are each writer's own (`_writers`), summaries add up, and what comes late
doesn't bring a run back to life that one of them has ended.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection, func, select

from ._blocks import drop_blocks
from ._database import upsert
from ._limits import LINE_NUMBER_MAX, TRANSMIT_SECONDS
from ._store import EVENTS, HISTORY, LOG, Run, update_run
from ._tables import lines
from ._values import parse_object
from ._writers import place

_KINDS = {"wandb-history.jsonl": HISTORY, "wandb-events.jsonl": EVENTS, "output.log": LOG}
_SUMMARY = "wandb-summary.json"
_COUNTS = {HISTORY: "history_count", EVENTS: "events_count", LOG: "log_count"}

# Steps outside of this cannot be stored in an integer column.
_STEP_MAX = 2**63 - 1


class StreamFormatError(ValueError):
    """The body of a stream request does not have the agreed form."""


@dataclass(frozen=True)
class Chunk:
    """Consecutive lines of one file."""

    name: str
    offset: int
    content: list[str]


@dataclass(frozen=True)
class StreamRequest:
    """The body of a stream request, checked."""

    chunks: list[Chunk]
    complete: bool
    exit_code: int
    preempting: bool


def parse_stream_request(body: bytes) -> StreamRequest:
    """Check a body completely before anything is written."""
    try:
        value = json.loads(body or b"{}")
    except (ValueError, RecursionError) as error:
        raise StreamFormatError(f"the body is not JSON: {error}") from None
    if not isinstance(value, dict):
        raise StreamFormatError("the body must be a JSON object")
    chunks = value.get("files") or {}
    if not isinstance(chunks, dict):
        raise StreamFormatError("'files' must be an object of file name to lines")
    # `uploaded` needs no record: a file is listed only after its upload was answered, and the
    # answer was given after the file was on disk and in the database.
    if not isinstance(value.get("uploaded") or [], list):
        raise StreamFormatError("'uploaded' must be a list of file names")
    exit_code = value.get("exitcode") or 0
    if not isinstance(exit_code, int) or not -(2**31) <= exit_code < 2**32:
        raise StreamFormatError("'exitcode' must be an integer of 32 bits")
    return StreamRequest(
        chunks=[_parse_chunk(name, chunk) for name, chunk in chunks.items()],
        complete=value.get("complete") is True,
        exit_code=exit_code,
        preempting=value.get("preempting") is True,
    )


def _parse_chunk(name: str, chunk: Any) -> Chunk:
    if not isinstance(chunk, dict):
        raise StreamFormatError(f"'files.{name}' must be an object")
    offset, content = chunk.get("offset", 0), chunk.get("content") or []
    if not isinstance(offset, int) or not 0 <= offset <= LINE_NUMBER_MAX:
        raise StreamFormatError(f"'files.{name}.offset' must be an integer of 0 or more")
    if not isinstance(content, list) or not all(isinstance(line, str) for line in content):
        raise StreamFormatError(f"'files.{name}.content' must be a list of strings")
    # Clients of 2023 and before end each line with a newline.
    return Chunk(name, offset, [_storable(line.rstrip("\n")) for line in content])


def _storable(line: str) -> str:
    # Half of a surrogate pair, as a cut in the middle of a character leaves it, has no UTF-8. PostgreSQL takes no NUL.
    if "\0" in line:
        line = line.replace("\0", "\N{SYMBOL FOR NULL}")
    return line if line.isascii() else line.encode("utf-8", "replace").decode()


def apply_stream_request(
    connection: Connection, run: Run, request: StreamRequest, now: float, writer: str = ""
) -> dict[str, Any]:
    """Write a request to its run and return the answer for the client. `writer` names one of several."""
    values: dict[str, Any] = {"heartbeat_at": now}
    for chunk in request.chunks:
        if chunk.name == _SUMMARY:
            # The last line wins: older clients append a line for each version.
            summary = parse_object(chunk.content[-1]) if chunk.content else None
            if summary is not None:
                values["summary"] = _added(run.summary, summary) if writer else chunk.content[-1]
        elif chunk.name in _KINDS and writer:
            values.update(_write_lines_of(connection, run, _KINDS[chunk.name], chunk, writer))
        elif chunk.name in _KINDS:
            values.update(_write_lines(connection, run, _KINDS[chunk.name], chunk))
    if request.complete or not writer or run.finished_at is None:
        values.update(_state_after(run, request, now))
    update_run(connection, run.id, values)
    answer: dict[str, Any] = {"exitcode": None, "limits": {"transmit_seconds": TRANSMIT_SECONDS}}
    if values.get("stop_requested", run.stop_requested):
        answer["stopped"] = True
    return answer


def _added(before: str, summary: dict[str, Any]) -> str:
    """A summary with what another writer says."""
    return json.dumps({**(parse_object(before) or {}), **summary})


def _write_lines_of(connection: Connection, run: Run, kind: str, chunk: Chunk, writer: str) -> dict[str, Any]:
    """Place the lines of one writer; the changed columns of the run are returned."""
    column, values = _COUNTS[kind], dict[str, Any]()
    for piece in place(connection, run.id, writer, kind, chunk.offset, len(chunk.content), getattr(run, column)):
        start = piece.first - chunk.offset
        part = Chunk(chunk.name, piece.line, chunk.content[start : start + piece.length])
        values.update(_write_lines(connection, run, kind, part, sent_again=False))
        run = replace(run, **values)
    return values


def _state_after(run: Run, request: StreamRequest, now: float) -> dict[str, Any]:
    if request.complete:
        unfinished = "killed" if run.stop_requested else "failed"
        state = "finished" if request.exit_code == 0 else unfinished
        values = {"state": state, "exit_code": request.exit_code, "preempting": False}
        # A repeated last request keeps the moment at which the run ended.
        if run.finished_at is None:
            values["finished_at"] = now
        return values
    values = {"state": "running", "exit_code": None, "finished_at": None}
    if run.state_at(now) not in ("running", "preempting"):
        # A new session of the run: what was asked of the session before does not bind it.
        values.update(stop_requested=False, preempting=False)
    if request.preempting:
        values["preempting"] = True
    return values


def _write_lines(connection: Connection, run: Run, kind: str, chunk: Chunk, sent_again: bool = True) -> dict[str, Any]:
    """Place lines by number; the changed columns of the run are returned. `sent_again`: rows at new places may be those
    that the run has already."""
    if not chunk.content:
        return {}
    column = _COUNTS[kind]
    count: int = getattr(run, column)
    end = chunk.offset + len(chunk.content)
    present = _present_lines(connection, run.id, kind, chunk.offset, min(end, count))
    steps = (
        [_step_of(content, number) for number, content in enumerate(chunk.content, chunk.offset)] if kind != LOG else []
    )
    known = _known_rows(connection, run, steps) if kind == HISTORY and end > count and sent_again else {}
    rows = []
    end = min(end, count)
    first_rewritten: int | None = None
    for number, content in enumerate(chunk.content, start=chunk.offset):
        if present.get(number) == content:
            continue
        if number < count and first_rewritten is None:
            first_rewritten = number
        step = steps[number - chunk.offset] if steps else None
        if number >= count and step in known and _canonical(content) in known[step]:
            continue
        end = max(end, number + 1)
        rows.append({"run_id": run.id, "kind": kind, "line": number, "step": step, "content": content})
    if rows:
        upsert(connection, lines, rows, ("run_id", "kind", "line"))
    values: dict[str, Any] = {column: max(count, end)}
    if first_rewritten is not None and kind != LOG:
        values["rewrites"] = run.rewrites + 1
        drop_blocks(connection, run.id, kind, first_rewritten)
    return values


def _known_rows(connection: Connection, run: Run, steps: list[int | None]) -> dict[int | None, set[str]]:
    """The rows that the run has at these steps.

    A client that lost its note of having sent a run sends all of it once more, behind what is here. Such rows are
    found by their step, and not taken again if they are the same. Several writers of one run may use the same steps
    for different rows.
    """
    sent = [step for step in steps if step is not None]
    here = (lines.c.run_id == run.id) & (lines.c.kind == HISTORY) & lines.c.step.is_not(None)
    highest = connection.execute(select(func.max(lines.c.step)).where(here)).scalar()
    if not sent or highest is None or min(sent) > highest:
        return {}
    known: dict[int | None, set[str]] = {}
    found = select(lines.c.step, lines.c.content).where(here, lines.c.step.between(min(sent), max(sent)))
    for row in connection.execute(found):
        known.setdefault(row.step, set()).add(_canonical(row.content))
    return known


def _canonical(content: str) -> str:
    # Clients write the keys of a row in any order.
    return json.dumps(parse_object(content), sort_keys=True)


def _present_lines(connection: Connection, run_id: int, kind: str, first: int, last: int) -> dict[int, str]:
    if first >= last:
        return {}
    found = connection.execute(
        select(lines.c.line, lines.c.content).where(
            lines.c.run_id == run_id,
            lines.c.kind == kind,
            lines.c.line >= first,
            lines.c.line < last,
        )
    )
    return {row.line: row.content for row in found}


def _step_of(content: str, number: int) -> int | None:
    """The step of a row: its own, else its line number; None when the line is not an object.

    Several writers of one run send rows without a step, so the order of arrival must do. A line
    that is no object is kept for whoever reads the stream, but is no row of the history.
    """
    row = parse_object(content)
    if row is None:
        return None
    step = row.get("_step")
    if isinstance(step, float) and step.is_integer():
        step = int(step)
    if isinstance(step, int) and not isinstance(step, bool) and abs(step) <= _STEP_MAX:
        return step
    return number
