"""Histories as Parquet files, for clients that read a run as a whole.

A file holds consecutive lines of a run. It is made when it is asked for the first time, of rows that no longer change,
and kept beside the run's other files. Only runs that are a table are exported: every row has every key, with numbers,
texts or truth values, of one kind a key. For a cell that isn't there clients make a null of their own, also where only
rows with a key were asked for. Everything else is read page by page, as a run is that is still being written.

A client reads the files up to the first step of the rows that are not in them, so a run is exported as far as its
steps go up: what comes later has no lower step.
"""

from __future__ import annotations

import importlib.util
import io
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

from sqlalchemy import Connection, func, select

from ._blocks import blocks_made, catalog_of
from ._columns import STEPS, KeyFacts
from ._limits import BLOCK_ROWS, EXPORT_BLOCKS
from ._lines import HISTORY, chunks_between, first_step, lines_between
from ._store import Run
from ._tables import chunks
from ._tails import Tails
from ._values import parse_row

_KINDS = frozenset({"number", "string", "boolean"})


@dataclass(frozen=True)
class Export:
    """The lines that one file holds."""

    run_id: int
    rewrites: int
    first: int
    end: int

    @property
    def path(self) -> str:
        """Of the signed URL by which the file is got."""
        return f"/storage/exports/{self.run_id}/{self.rewrites}/{self.first}-{self.end}.runhistory.parquet"

    @property
    def place(self) -> str:
        # Beside the run's files, so that it goes with them.
        return f"{self.run_id}/export-{self.rewrites}-{self.first}-{self.end}"


@lru_cache(maxsize=1)
def can_export() -> bool:
    return importlib.util.find_spec("pyarrow") is not None


class Exported(NamedTuple):
    """The files that a run has by now, which begin at its first line, and the lowest step that is in none of them."""

    files: list[Export]
    next_step: int | None


def exports_of(connection: Connection, tails: Tails, run: Run, now: float) -> Exported:
    nothing = Exported([], first_step(connection, run.id))
    if not can_export() or not run.history_count:
        return nothing
    ended = run.state_at(now) not in ("running", "preempting", "pending")
    lines = EXPORT_BLOCKS * BLOCK_ROWS
    end = run.history_count
    if not ended:
        end = blocks_made(connection, run.id, HISTORY) * BLOCK_ROWS // lines * lines
    if not end or not _is_table(connection, tails, run, ended):
        return nothing
    before, after = _steps_around(connection, run, end)
    if before is not None and after is not None and after <= before:
        return nothing
    files = [Export(run.id, run.rewrites, first, min(first + lines, end)) for first in range(0, end, lines)]
    return Exported(files, after)


def _is_table(connection: Connection, tails: Tails, run: Run, ended: bool) -> bool:
    """Whether every row has every key, with values of one kind."""
    facts = catalog_of(connection, run.id, HISTORY)
    if ended:
        tail = tails.tail(connection, run, HISTORY)
        tail.read_on(connection, run, HISTORY, 2 * BLOCK_ROWS)
        if tail.next_line < run.history_count:
            # The columns are still being made.
            return False
        for key, added in tail.facts().items():
            facts.setdefault(key, KeyFacts()).add(added)
    rows = facts[STEPS].counts["number"] if STEPS in facts else 0
    return all(known.counts.keys() <= _KINDS and list(known.counts.values()) == [rows] for known in facts.values())


def _steps_around(connection: Connection, run: Run, end: int) -> tuple[int | None, int | None]:
    """The highest step before a line and the lowest from it on."""
    here = (chunks.c.run_id == run.id) & (chunks.c.kind == HISTORY)
    whole = here & (chunks.c.first + chunks.c.lines <= end)
    before = [connection.execute(select(func.max(chunks.c.high_step)).where(whole)).scalar()]
    after = [first_step(connection, run.id, end)]
    for chunk in chunks_between(connection, run.id, HISTORY, end, end + 1):
        if chunk.first < end:
            before += chunk.steps[: end - chunk.first]
            after += chunk.steps[end - chunk.first :]
    return (
        max((step for step in before if step is not None), default=None),
        min((step for step in after if step is not None), default=None),
    )


def write_export(connection: Connection, export: Export) -> bytes:
    """The bytes of a file."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns: dict[str, list[Any]] = {}
    for lines in lines_between(connection, export.run_id, HISTORY, export.first, export.end):
        for step, content in zip(lines.steps, lines.contents):
            if step is not None:
                for key, value in {"_step": step, **(parse_row(content) or {})}.items():
                    columns.setdefault(key, []).append(value)
    table = pa.table({key: _array(values) for key, values in columns.items()})
    file = io.BytesIO()
    pq.write_table(table.sort_by("_step"), file, compression="zstd")
    return file.getvalue()


def _array(values: list[Any]) -> Any:
    import pyarrow as pa

    kinds = set(map(type, values))
    if float in kinds or (int in kinds and (str in kinds or max(map(abs, values)) >= 2**63)):
        # Clients of before 2020 spelled what is not finite as a text.
        return pa.array(list(map(float, values)), pa.float64())
    return pa.array(values)
