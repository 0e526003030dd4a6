"""The run stream: one request carries lines of a run, its summary, and how it ended.

Lines are placed by number, so repeating a request, which clients do whenever an answer got lost, changes nothing.
Requests are parsed and packed before a transaction begins; ``_ingest`` applies them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

import orjson
from sqlalchemy import Connection

from ._blocks import drop_blocks
from ._chunks import Lines, pack, pieces, row_steps, storable_lines
from ._indexer import Growth
from ._limits import LINE_NUMBER_MAX, TRANSMIT_SECONDS
from ._lines import EVENTS, HISTORY, LOG, lines_between, replace_lines, rows_between
from ._store import Run
from ._values import parse_object, parse_row
from ._writers import place

_KINDS = {"wandb-history.jsonl": HISTORY, "wandb-events.jsonl": EVENTS, "output.log": LOG}
_SUMMARY = "wandb-summary.json"
_COUNTS = {HISTORY: "history_count", EVENTS: "events_count", LOG: "log_count"}


class StreamFormatError(ValueError):
    """The body of a stream request does not have the agreed form."""


@dataclass(frozen=True)
class StreamRequest:
    """The body of a stream request, checked."""

    lines: dict[str, Lines]
    # The same as chunks, which is how they are stored unless some of them are there already.
    chunks: dict[str, list[dict[str, Any]]]
    summary: str | None
    complete: bool
    exit_code: int
    preempting: bool
    bytes: int


@dataclass(frozen=True)
class StreamEffect:
    """What a request makes of a run: changed columns, chunks of lines that are new, and what the indexer may do."""

    values: dict[str, Any]
    chunks: list[dict[str, Any]]
    answer: dict[str, Any]
    growth: Growth


def parse_stream_request(body: bytes) -> StreamRequest:
    """Check a body completely before anything is written."""
    value = _parse_json(body or b"{}")
    if not isinstance(value, dict):
        raise StreamFormatError("the body must be a JSON object")
    files = value.get("files") or {}
    if not isinstance(files, dict):
        raise StreamFormatError("'files' must be an object of file name to lines")
    # `uploaded` needs no record: a file is listed only after its upload was answered, and the
    # answer was given after the file was on disk and in the database.
    if not isinstance(value.get("uploaded") or [], list):
        raise StreamFormatError("'uploaded' must be a list of file names")
    exit_code = value.get("exitcode") or 0
    if not isinstance(exit_code, int) or not -(2**31) <= exit_code < 2**32:
        raise StreamFormatError("'exitcode' must be an integer of 32 bits")
    found = {name: _parse_file(name, file) for name, file in files.items()}
    lines = {_KINDS[name]: _lines(_KINDS[name], *file) for name, file in found.items() if name in _KINDS and file[1]}
    # The last line wins: older clients append a line for each version.
    summary = found[_SUMMARY][1][-1:] if _SUMMARY in found else []
    return StreamRequest(
        lines=lines,
        chunks={kind: list(map(pack, pieces(some))) for kind, some in lines.items()},
        summary=next((text for text in summary if parse_row(text) is not None), None),
        complete=value.get("complete") is True,
        exit_code=exit_code,
        preempting=value.get("preempting") is True,
        bytes=len(body),
    )


def _parse_json(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except ValueError:
        pass
    try:
        # Takes halves of surrogate pairs, which strict JSON has not.
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise StreamFormatError(f"the body is not JSON: {error}") from None


def _parse_file(name: str, file: Any) -> tuple[int, list[str]]:
    if not isinstance(file, dict):
        raise StreamFormatError(f"'files.{name}' must be an object")
    offset, content = file.get("offset", 0), file.get("content") or []
    if not isinstance(offset, int) or not 0 <= offset <= LINE_NUMBER_MAX:
        raise StreamFormatError(f"'files.{name}.offset' must be an integer of 0 or more")
    if not isinstance(content, list) or not all(isinstance(line, str) for line in content):
        raise StreamFormatError(f"'files.{name}.content' must be a list of strings")
    return offset, storable_lines(content)


def _lines(kind: str, offset: int, content: Sequence[str]) -> Lines:
    return Lines(offset, content, [None] * len(content) if kind == LOG else row_steps(offset, content))


def plan_stream_request(
    connection: Connection, run: Run, request: StreamRequest, now: float, writer: str = ""
) -> StreamEffect:
    """What a request makes of its run. Lines that were there already are replaced here, the others are left to do.

    ``writer`` names one of several that share the run.
    """
    values: dict[str, Any] = {"heartbeat_at": now}
    if request.complete or not writer or run.finished_at is None:
        values.update(_state_after(run, request, now))
    if request.summary is not None:
        values["summary"] = _added(run.summary, request.summary) if writer else request.summary
    chunks: list[dict[str, Any]] = []
    for kind, lines in request.lines.items():
        count: int = getattr(run, _COUNTS[kind])
        known: dict[int, set[str]] = {}
        if kind == HISTORY and lines.end > count and not writer:
            known = _known_rows(connection, run, lines)
        if writer:
            values.update(_write_lines_of(connection, run, kind, lines, writer))
        elif lines.first >= count and not known:
            chunks += [{"run_id": run.id, "kind": kind, **chunk} for chunk in request.chunks[kind]]
            values.update({_COUNTS[kind]: lines.end, **_last_step(run, kind, lines)})
        else:
            values.update(_merge_lines(connection, run, kind, lines, known))
    answer: dict[str, Any] = {"exitcode": None, "limits": {"transmit_seconds": TRANSMIT_SECONDS}}
    if values.get("stop_requested", run.stop_requested):
        answer["stopped"] = True
    counts = {kind: values.get(_COUNTS[kind], getattr(run, _COUNTS[kind])) for kind in request.lines}
    growth = Growth(run.id, dict.fromkeys(request.lines, 1), counts, changed="rewrites" in values)
    return StreamEffect(values, chunks, answer, growth)


def _added(before: str, summary: str) -> str:
    """A summary with what another writer says."""
    return json.dumps({**(parse_object(before) or {}), **(parse_object(summary) or {})})


def _write_lines_of(connection: Connection, run: Run, kind: str, lines: Lines, writer: str) -> dict[str, Any]:
    """Place the lines of one writer; the changed columns of the run are returned."""
    values: dict[str, Any] = {}
    count = len(lines.contents)
    for piece in place(connection, run.id, writer, kind, lines.first, count, getattr(run, _COUNTS[kind])):
        contents = lines.part(piece.first, piece.end).contents
        values.update(_merge_lines(connection, run, kind, _lines(kind, piece.line, contents), {}))
        run = replace(run, **values)
    return values


def _state_after(run: Run, request: StreamRequest, now: float) -> dict[str, Any]:
    if request.complete:
        warned = run.preempting or request.preempting
        unfinished = "killed" if run.stop_requested else "preempted" if warned else "failed"
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


def _merge_lines(
    connection: Connection, run: Run, kind: str, lines: Lines, known: dict[int, set[str]]
) -> dict[str, Any]:
    """Place lines of which some are there already; the changed columns of the run are returned."""
    count: int = getattr(run, _COUNTS[kind])
    present: dict[int, str] = {}
    for part in lines_between(connection, run.id, kind, lines.first, min(lines.end, count)):
        present.update(zip(range(part.first, part.end), part.contents))
    changed = [
        number
        for number, step, content in zip(range(lines.first, lines.end), lines.steps, lines.contents)
        if present.get(number) != content
        and not (number >= count and step in known and _canonical(content) in known[step])
    ]
    if not changed:
        return {}
    for first, end in _ranges(changed):
        replace_lines(connection, run.id, kind, lines.part(first, end))
    values: dict[str, Any] = {_COUNTS[kind]: max(count, changed[-1] + 1), **_last_step(run, kind, lines)}
    if changed[0] < count and kind != LOG:
        values["rewrites"] = run.rewrites + 1
        drop_blocks(connection, run.id, kind, changed[0])
    return values


def _last_step(run: Run, kind: str, lines: Lines) -> dict[str, int]:
    """The highest step of a run that gets these lines, as a changed column."""
    steps = [step for step in (run.last_step, *lines.steps) if step is not None]
    return {"last_step": max(steps)} if kind == HISTORY and steps else {}


def _ranges(numbers: Iterable[int]) -> Iterable[tuple[int, int]]:
    """Ascending numbers as ranges of consecutive ones, without their ends."""
    for _, group in groupby(enumerate(numbers), lambda item: item[1] - item[0]):
        part = [number for _, number in group]
        yield part[0], part[-1] + 1


def _known_rows(connection: Connection, run: Run, lines: Lines) -> dict[int, set[str]]:
    """The rows that the run has at the steps of these lines.

    A client that lost its note of having sent a run sends all of it once more, behind what is here. Such rows are
    found by their step, and not taken again if they are the same. Several writers of one run may use the same steps
    for different rows.
    """
    sent = [step for step in lines.steps if step is not None]
    if not sent or run.last_step is None or min(sent) > run.last_step:
        return {}
    known: dict[int, set[str]] = {}
    for step, content in rows_between(connection, run.id, min(sent), max(sent) + 1):
        known.setdefault(step, set()).add(_canonical(content))
    return known


def _canonical(content: str) -> str:
    # Clients write the keys of a row in any order.
    return json.dumps(parse_row(content), sort_keys=True)
