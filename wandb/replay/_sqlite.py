"""Runs as a SQLite database: a table of runs, one of all their rows, and one for each other thing that a log tells.

Numbers are REAL or INTEGER, truth is 0 or 1, text is TEXT, and what is none of these is JSON text. SQLite has no NaN:
it is NULL in `history`, as for a row without the key, and `not_a_number` names the places where one was logged.
"""

from __future__ import annotations

import math
import sqlite3
from itertools import count, repeat
from pathlib import Path
from typing import Any, Dict, Iterable, Iterator, List, Sequence, Tuple

from wandb_storage import Column, Columns, LogDamaged

from ..errors import Error
from ._json import strict_json
from ._replay import Replay
from ._selection import Selection
from ._types import DOUBLE, INTEGER, TEXT, TRUTH

_AFFINITY = {DOUBLE: "REAL", INTEGER: "INTEGER", TRUTH: "INTEGER", TEXT: "TEXT"}
# SQLite's own limit, with room for the columns that every table has.
KEYS_MAX = 1990
_INTEGER_MAX = 1 << 63

_SCHEMA = """
CREATE TABLE runs (
  run_id TEXT, folder TEXT, entity TEXT, project TEXT, name TEXT, "group" TEXT, job_type TEXT, sweep_id TEXT,
  notes TEXT, tags TEXT, host TEXT, program TEXT, started REAL, runtime REAL, state TEXT, evidence TEXT,
  exit_code INTEGER, rows INTEGER
);
CREATE TABLE config (run_id TEXT, key TEXT, value);
CREATE TABLE summary (run_id TEXT, key TEXT, value);
CREATE TABLE keys (key TEXT, column TEXT, type TEXT);
CREATE TABLE not_a_number (run_id TEXT, row INTEGER, key TEXT);
CREATE TABLE system (run_id TEXT, time REAL, runtime REAL, metric TEXT, value REAL);
CREATE TABLE console (run_id TEXT, line INTEGER, time REAL, stream TEXT, text TEXT);
CREATE TABLE files (run_id TEXT, path TEXT, policy TEXT);
CREATE TABLE alerts (run_id TEXT, time REAL, level TEXT, title TEXT, text TEXT);
"""


def write_sqlite(replays: Sequence[Replay], selection: Selection, path: Path) -> None:
    """Write a new database. Raises Error where a table can't have a column for each key."""
    types = selection.types(replays)
    if len(types) > KEYS_MAX:
        raise Error(
            f"a table of SQLite has {KEYS_MAX:,} columns, and these are {len(types):,} keys; choose with --keys"
        )
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        # The file is new, and gets its name when it is complete: nothing has to survive a crash.
        connection.executescript(f"PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; {_SCHEMA}")
        connection.execute("BEGIN")
        columns = _unique(types)
        declared = "".join(f", {_quoted(columns[key])} {_AFFINITY.get(kind, '')}" for key, kind in types.items())
        connection.execute(f"CREATE TABLE history (run_id TEXT, row INTEGER{declared})")
        connection.executemany("INSERT INTO keys VALUES (?, ?, ?)", [(key, columns[key], types[key]) for key in types])
        for replay in replays:
            _write_facts(connection, replay)
            _write_history(connection, replay, selection, list(types))
        index = ", ".join(["run_id", *(["_step"] if "_step" in types else [])])
        connection.execute(f"CREATE INDEX history_steps ON history ({index})")
        connection.execute("COMMIT")
    finally:
        connection.close()


def _unique(keys: Iterable[str]) -> Dict[str, str]:
    """A column's name for each key: names that differ only in case are the same to SQLite."""
    names: Dict[str, str] = {}
    taken = {"run_id", "row"}
    for key in keys:
        candidates = (key if number == 1 else f"{key} ({number})" for number in count(1))
        names[key] = next(name for name in candidates if name.lower() not in taken)
        taken.add(names[key].lower())
    return names


def _quoted(name: str) -> str:
    return '"' + _text(name).replace('"', '""').replace("\0", "\\0") + '"'


def _write_facts(connection: sqlite3.Connection, replay: Replay) -> None:
    run_id, start = replay.run_id, replay.start
    row = (
        run_id, str(replay.folder), start.entity, start.project, start.name, start.group, start.job_type,
        start.sweep_id, start.notes, strict_json(start.tags), start.host, start.program, start.time,
        replay.scan().state.runtime, replay.state, replay.ended.evidence, replay.ended.exit_code, replay.rows,
    )  # fmt: skip
    connection.execute(f"INSERT INTO runs VALUES ({_marks(len(row))})", row)
    for table, values in (("config", replay.config), ("summary", replay.summary)):
        pairs = [(run_id, key, _value(value)) for key, value in values.items()]
        connection.executemany(f"INSERT INTO {table} VALUES (?, ?, ?)", pairs)
    connection.executemany("INSERT INTO files VALUES (?, ?, ?)", [(run_id, *pair) for pair in replay.files.items()])
    alerts = [(run_id, one.time, one.level, one.title, one.text) for one in replay.alerts]
    connection.executemany("INSERT INTO alerts VALUES (?, ?, ?, ?, ?)", alerts)
    connection.executemany("INSERT INTO system VALUES (?, ?, ?, ?, ?)", _readable(_samples(replay)))
    connection.executemany("INSERT INTO console VALUES (?, ?, ?, ?, ?)", _readable(_lines(replay)))


def _readable(rows: Iterator[Tuple[Any, ...]]) -> Iterator[Tuple[Any, ...]]:
    """Up to the damage, where there is one: the caller tells of it when what is readable is out."""
    try:
        yield from rows
    except LogDamaged:
        return


def _samples(replay: Replay) -> Iterator[Tuple[Any, ...]]:
    for sample in replay.system:
        for name, value in sample.items():
            if not name.startswith("_") and isinstance(value, (int, float)):
                yield replay.run_id, sample["_timestamp"], sample["_runtime"], name, value


def _lines(replay: Replay) -> Iterator[Tuple[Any, ...]]:
    for line in replay.console:
        yield replay.run_id, line.number, line.time, "stderr" if line.stream else "stdout", line.text


def _write_history(connection: sqlite3.Connection, replay: Replay, selection: Selection, keys: Sequence[str]) -> None:
    insert = f"INSERT INTO history VALUES ({_marks(len(keys) + 2)})"
    first = 0
    for batch in selection.batches(replay):
        numbers = range(first, first + batch.rows)
        columns = [_cells(batch.columns.get(key), batch.rows) for key in keys]
        connection.executemany(insert, zip(repeat(replay.run_id), numbers, *columns))
        nans = [(replay.run_id, first + place, key) for key, place in _nans(batch, keys)]
        connection.executemany("INSERT INTO not_a_number VALUES (?, ?, ?)", nans)
        first += batch.rows


def _cells(column: Any, rows: int) -> Iterable[Any]:
    if column is None:
        return repeat(None, rows)
    if column.dtype in ("float64", "int64"):
        if column.present is None:
            return column.values  # type: ignore[no-any-return]
        return (value if there else None for value, there in zip(column.values, column.present))
    return map(_value, column.objects())


def _value(value: Any) -> Any:
    """A value as SQLite keeps it."""
    if isinstance(value, str):
        return _text(value)
    if value is None or isinstance(value, float):
        return value
    if isinstance(value, int):
        return value if -_INTEGER_MAX <= value < _INTEGER_MAX else str(value)
    return strict_json(value)


def _text(text: str) -> str:
    """Without lone surrogates, of which SQLite takes none."""
    return text.encode("utf-8", "replace").decode()


def _nans(batch: Columns, keys: Sequence[str]) -> Iterator[Tuple[str, int]]:
    """(key, place) of each value of a batch that is no number."""
    for key in keys:
        column = batch.columns.get(key)
        if column is None or column.dtype not in ("float64", "object") or not _may_have_nan(column):
            continue
        for place, value in enumerate(column.values):
            if isinstance(value, float) and math.isnan(value) and (column.present is None or column.present[place]):
                yield key, place


def _may_have_nan(column: Column) -> bool:
    """A quick look: the sum of numbers is one unless one of them is none, or nearly all that there are."""
    values: List[Any] = column.values  # type: ignore[assignment]
    return column.dtype == "object" or math.isnan(sum(values))


def _marks(columns: int) -> str:
    return ", ".join("?" * columns)
