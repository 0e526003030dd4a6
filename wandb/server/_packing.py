"""Small chunks made one: a run that sends a few lines at a time has as few chunks in the end as any other."""

from __future__ import annotations

import zstandard
from sqlalchemy import Connection, select

from ._chunks import SMALL, unpack
from ._database import Database
from ._limits import CHUNK_CHARACTERS, PACKED_AFTER_CHUNKS
from ._lines import append_chunks, consecutive, delete_chunks, numbered, packed
from ._store import runs_for_change
from ._tables import chunks

# A chunk of fewer lines is packed together with its neighbours once more.
_SMALL_LINES = 512

# What `unpack` takes.
Found = tuple[int, int, int, bytes]


def pack_between(database: Database, run_id: int, kind: str, first: int, end: int) -> None:
    """Pack the chunks that lie between two lines, if there are many more than their size asks for."""
    with database.read() as connection:
        found = _chunks(connection, run_id, kind, first, end)
    size = sum(zstandard.frame_content_size(data) for *_, data in found)
    if len(found) > 2 * (1 + size // CHUNK_CHARACTERS):
        _replace(database, run_id, kind, found)


def pack_newest(database: Database, run_id: int, kind: str) -> None:
    """Pack the small chunks at the end of a stream."""
    with database.read() as connection:
        here = (chunks.c.run_id == run_id) & (chunks.c.kind == kind)
        newest = select(chunks.c.first, chunks.c.lines).where(here).order_by(chunks.c.first.desc())
        start = end = None
        for first, lines in connection.execute(newest.limit(4 * PACKED_AFTER_CHUNKS)):
            if lines >= _SMALL_LINES:
                break
            start, end = first, end or first + lines
        found = [] if start is None or end is None else _chunks(connection, run_id, kind, start, end)
    if len(found) > 1:
        _replace(database, run_id, kind, found)


def _chunks(connection: Connection, run_id: int, kind: str, first: int, end: int) -> list[Found]:
    inside = (chunks.c.first >= first) & (chunks.c.first + chunks.c.lines <= end)
    query = (
        select(chunks.c.first, chunks.c.lines, chunks.c.rows, chunks.c.data)
        .where(chunks.c.run_id == run_id, chunks.c.kind == kind, chunks.c.first < end, inside)
        .order_by(chunks.c.first)
    )
    return [(row.first, row.lines, row.rows, row.data) for row in connection.execute(query)]


def _replace(database: Database, run_id: int, kind: str, found: list[Found]) -> None:
    merged = [line for chunk in found for line in numbered(unpack(*chunk)).items()]
    rows = [row for lines in consecutive(merged) for row in packed(run_id, kind, lines, SMALL)]
    with database.write_runs() as connection:
        # Held against what is there now: lines may have been changed meanwhile.
        locked = runs_for_change(connection, [run_id])
        if locked and _chunks(connection, run_id, kind, found[0][0], found[-1][0] + found[-1][1]) == found:
            delete_chunks(connection, run_id, kind, [first for first, *_ in found])
            append_chunks(connection, rows)
