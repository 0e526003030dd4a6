"""A run for programs: JSON and CSV, streamed row by row, so that memory stays the same for any number of rows.

JSON has no NaN and no infinities: they stand as the strings "NaN", "Infinity" and "-Infinity". Integers and doubles are
written so that reading gives the very value that was logged. In CSV a missing value is an empty cell, None is `null`,
truth is `true` or `false`, and what is neither number nor text is JSON.
"""

from __future__ import annotations

import csv
import dataclasses
import json
import math
from itertools import compress, repeat
from typing import IO, TYPE_CHECKING, Any, Dict, Iterable, Iterator, List, Optional, Sequence

from wandb_storage import Column, Columns, ConsoleLine, LogDamaged, Record

from ._history import holding
from ._json import compact_json, strict_json
from ._replay import Replay, order_keys
from ._scan import Scan, Session
from ._selection import Selection
from ._uploads import uploads_of

if TYPE_CHECKING:
    from wandb_uploader import RunStatus

# The last lines of the console that a JSON document holds.
CONSOLE_LINES = 100


def write_json(replays: Sequence[Replay], selection: Selection, file: IO[str]) -> None:
    """One JSON document of all that the log tells, one row of the history a line; of several runs, a list of them."""
    several = len(replays) > 1
    file.write("[\n" if several else "")
    for index, replay in enumerate(replays):
        file.write(",\n" if index else "")
        _write_document(replay, selection, file)
    file.write("]\n" if several else "")


def _write_document(replay: Replay, selection: Selection, file: IO[str]) -> None:
    file.write("{\n")
    for name, value in _facts(replay).items():
        file.write(f"{json.dumps(name)}: {strict_json(value)},\n")
    file.write('"history": [')
    before = b"\n"
    for row in _rows(replay, selection):
        file.write((before + row).decode())
        before = b",\n"
    file.write("\n]}\n")


def _rows(replay: Replay, selection: Selection) -> Iterator[bytes]:
    """Each row as JSON."""
    for batch in selection.batches(replay):
        keys = order_keys(batch.columns)
        if selection.keys is None and all(
            _is_plain(column) and column.present is None for column in batch.columns.values()
        ):
            import orjson

            for values in zip(*(_numbers(batch.columns[key]) for key in keys)):
                yield orjson.dumps(dict(zip(keys, values)))
        elif selection.keys is None:
            for row in batch.dicts():
                yield compact_json({key: row[key] for key in keys if key in row}).encode()
        else:
            for row in holding(batch, selection.keys):
                yield compact_json(row).encode()


def write_csv(replays: Sequence[Replay], selection: Selection, file: IO[str]) -> None:
    """The history as a table with a line of titles; several runs are told apart by a column `run_id`."""
    several = len(replays) > 1
    keys = selection.keys
    titles = list(selection.types(replays)) if keys is None else list(dict.fromkeys(["_step", *keys]))
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow([*(["run_id"] if several else []), *titles])
    for replay in replays:
        for batch in selection.batches(replay):
            columns = [_cells(batch.columns.get(key), batch.rows) for key in titles]
            cells = zip(*([repeat(replay.run_id)] if several else []), *columns)
            writer.writerows(cells if keys is None else compress(cells, _rows_with(batch, keys)))


def _cells(column: Optional[Column], rows: int) -> Iterable[object]:
    """A column as texts; numbers are the shortest ones that read as the same."""
    if column is None:
        return repeat("", rows)
    if _is_plain(column) and column.dtype != "bool":
        import orjson

        # A list of numbers at once takes a fifth of the time that they take one by one.
        texts: Iterable[object] = orjson.dumps(list(column.values)).decode()[1:-1].split(",")
    elif column.dtype in ("float64", "int64"):
        texts = column.values
    else:
        texts = map(_cell, column.objects())
    if column.present is None:
        return texts
    return (text if there else "" for text, there in zip(texts, column.present))


def _is_plain(column: Column) -> bool:
    """Whether all of its values are truths or numbers that JSON has; one sum tells."""
    values: Any = column.values
    return column.dtype in ("bool", "int64") or (column.dtype == "float64" and math.isfinite(sum(values)))


def _numbers(column: Column) -> Iterable[Any]:
    values: Any = column.values
    return map(bool, values) if column.dtype == "bool" else values


def _rows_with(batch: Columns, keys: Sequence[str]) -> Iterable[int]:
    """For each row, whether it holds any of the keys."""
    columns = [batch.columns[key] for key in keys if key in batch.columns]
    if any(column.present is None for column in columns):
        return repeat(1, batch.rows)
    return map(any, zip(*(column.present for column in columns))) if columns else repeat(0, batch.rows)


# --- JSON -------------------------------------------------------------------------------------------------------------


def _facts(replay: Replay) -> Dict[str, Any]:
    found = replay.scan()
    state = found.state
    lines = [{"time": line.time, "stream": line.stream, "text": line.text} for line in _last_lines(replay)]
    return {
        "run": _run(replay, found),
        "ended": dataclasses.asdict(replay.ended),
        "sessions": [_session(session) for session in found.sessions],
        "config": replay.config,
        "config_steps": [step._asdict() for step in replay.config_steps],
        "summary": replay.summary,
        "files": [{"path": path, "policy": policy} for path, policy in replay.files.items()],
        "alerts": [_fields(alert) for alert in replay.alerts],
        "artifacts": [{**_fields(artifact), "json": _parsed(artifact.json)} for artifact in replay.artifacts],
        "uploads": [_upload(one) for one in uploads_of(replay)],
        "console": {"lines": state.console.count, "last": lines},
        "log": {
            "folder": replay.origin or str(replay.folder),
            "first_record": found.first_sequence,
            "removed_rows": found.removed_rows,
            "last_record": found.last_sequence,
            "torn_bytes": found.torn_bytes,
            "lost_records": state.lost_records,
            "unknown_kinds": found.unknown_kinds,
            "damage": None if found.damage is None else str(found.damage),
        },
        "rows": replay.rows,
        "late_rows": state.late_rows,
        "steps": None if found.first_step is None else [found.first_step, found.last_step],
        "keys": {key: found.keys[key] for key in replay.keys},
    }


def _upload(one: RunStatus) -> Dict[str, Any]:
    return {name: value for name, value in dataclasses.asdict(one).items() if name != "folder"}


def _run(replay: Replay, found: Scan) -> Dict[str, Any]:
    start = replay.start
    fields = _fields(start)
    for name in ("settings", "environment"):
        fields[name] = _parsed(fields[name])
    del fields["run_id"], fields["resumed"], fields["first_step"]  # `id`, and what belongs to a session
    fields.update(id=replay.run_id, state=replay.state, runtime=found.state.runtime, created=found.created)
    return {name: fields[name] for name in ("id", "state", *(one for one in fields if one not in ("id", "state")))}


def _session(session: Session) -> Dict[str, Any]:
    start = session.start
    return {
        "time": start.time, "host": start.host, "pid": start.pid, "resumed": start.resumed, "rows": session.rows,
        "first_step": start.first_step, "exit": _fields(session.exit), "writer_lost": _fields(session.writer_lost),
    }  # fmt: skip


def _fields(record: Optional[Record]) -> Any:
    return None if record is None else dataclasses.asdict(record)


def _parsed(text: str) -> Any:
    """A record's JSON as the value that it is; the text itself where it is none."""
    try:
        return json.loads(text) if text else None
    except ValueError:
        return text


def _last_lines(replay: Replay) -> List[ConsoleLine]:
    last: Dict[int, ConsoleLine] = {}
    try:
        for line in replay.console:
            last[line.number] = line
            if len(last) > CONSOLE_LINES:
                del last[min(last)]
    except LogDamaged:
        pass  # what stands before the damage is all there is, and the document says so
    return list(last.values())


# --- CSV --------------------------------------------------------------------------------------------------------------


def _cell(value: Any) -> str:
    if isinstance(value, str):
        return value
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return repr(value)
    return strict_json(value)
