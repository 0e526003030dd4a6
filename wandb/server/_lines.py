"""The line streams of a run: history, system metrics, console output.

Lines are placed by number and found by number or by step. They lie in chunks (``_chunks``); what a request brings is
a chunk of its own until the indexer packs several of them into one. Every function takes a connection, so the caller
decides what belongs to one transaction.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from operator import itemgetter
from typing import Any, Optional

from sqlalchemy import ColumnElement, Connection, delete, func, insert, select

from ._chunks import FAST, Lines, pack, pieces, unpack
from ._tables import chunks

HISTORY, EVENTS, LOG = "h", "e", "l"

# Step and content of lines by their numbers.
Numbered = dict[int, tuple[Optional[int], str]]

# SQLite limits the variables of one statement; 500 is below every build's limit.
_VARIABLES_MAX = 500

# Chunks of which a reader holds the bytes at a time.
_CHUNKS_AT_ONCE = 16


def append_chunks(connection: Connection, rows: list[dict[str, Any]]) -> None:
    """Store packed chunks whose lines are not there yet; of any runs."""
    if rows:
        connection.execute(insert(chunks), rows)


def packed(run_id: int, kind: str, lines: Lines, level: int = FAST) -> list[dict[str, Any]]:
    """Chunks for ``append_chunks``."""
    return [{"run_id": run_id, "kind": kind, **pack(piece, level)} for piece in pieces(lines)]


def lines_between(
    connection: Connection, run_id: int, kind: str, first: int, last: int | None = None
) -> Iterator[Lines]:
    """The lines with ``first <= number < last`` in order, a chunk at a time."""
    for chunk in chunks_between(connection, run_id, kind, first, last):
        yield chunk.part(first, chunk.end if last is None else last)


def chunks_between(
    connection: Connection, run_id: int, kind: str, first: int, last: int | None = None
) -> Iterator[Lines]:
    """The whole chunks that have such lines."""
    here = (chunks.c.run_id == run_id) & (chunks.c.kind == kind)
    # The chunk that begins at the line or before it; the ones before that have other lines.
    start = connection.execute(select(func.max(chunks.c.first)).where(here, chunks.c.first <= first)).scalar()
    condition = here & (chunks.c.first >= (first if start is None else start))
    if last is not None:
        condition &= chunks.c.first < last
    for chunk in _unpacked(connection, condition):
        if chunk.end > first:
            yield chunk


def _unpacked(connection: Connection, condition: ColumnElement[bool]) -> Iterator[Lines]:
    query = (
        select(chunks.c.first, chunks.c.lines, chunks.c.rows, chunks.c.data)
        .where(condition)
        .order_by(chunks.c.first)
        .execution_options(yield_per=_CHUNKS_AT_ONCE)
    )
    # Closed also when the caller stops in the middle.
    with connection.execute(query) as found:
        for row in found:
            yield unpack(row.first, row.lines, row.rows, row.data)


def iterate_lines(
    connection: Connection, run_id: int, kind: str, first: int, last: int | None = None
) -> Iterator[tuple[int, int | None, str]]:
    """Number, step and content of the lines from ``first`` up to and without ``last``."""
    for lines in lines_between(connection, run_id, kind, first, last):
        yield from zip(range(lines.first, lines.end), lines.steps, lines.contents)


def contents_at(connection: Connection, run_id: int, kind: str, numbers: Iterable[int]) -> dict[int, str]:
    """The lines with these numbers, of which there may be many apart from each other."""
    here = (chunks.c.run_id == run_id) & (chunks.c.kind == kind)
    firsts = connection.scalars(select(chunks.c.first).where(here).order_by(chunks.c.first)).all()
    wanted: dict[int, list[int]] = {}
    for number in numbers:
        at = bisect_right(firsts, number)
        if at:
            wanted.setdefault(firsts[at - 1], []).append(number)
    found: dict[int, str] = {}
    for start in range(0, len(wanted), _VARIABLES_MAX):
        part = list(wanted)[start : start + _VARIABLES_MAX]
        for chunk in _unpacked(connection, here & chunks.c.first.in_(part)):
            found.update(
                (number, chunk.contents[number - chunk.first]) for number in wanted[chunk.first] if number < chunk.end
            )
    return found


def last_line(connection: Connection, run_id: int, kind: str) -> str | None:
    """The line with the highest number."""
    here = (chunks.c.run_id == run_id) & (chunks.c.kind == kind)
    highest = select(func.max(chunks.c.first)).where(here).scalar_subquery()
    return next((chunk.contents[-1] for chunk in _unpacked(connection, here & (chunks.c.first == highest))), None)


def first_step(connection: Connection, run_id: int, line: int = 0) -> int | None:
    """The lowest step of the history, or of the chunks that begin at a line or behind it."""
    here = (chunks.c.run_id == run_id) & (chunks.c.kind == HISTORY) & (chunks.c.first >= line)
    return connection.execute(select(func.min(chunks.c.low_step)).where(here)).scalar()


def last_step(connection: Connection, run_id: int) -> int | None:
    here = (chunks.c.run_id == run_id) & (chunks.c.kind == HISTORY)
    return connection.execute(select(func.max(chunks.c.high_step)).where(here)).scalar()


def rows_between(connection: Connection, run_id: int, first: int, last: int) -> list[tuple[int, str]]:
    """Step and content of the history rows with ``first <= step < last``, in order of step, then of line."""
    condition = (
        (chunks.c.run_id == run_id)
        & (chunks.c.kind == HISTORY)
        & (chunks.c.high_step >= first)
        & (chunks.c.low_step < last)
    )
    rows = [
        (step, content)
        for chunk in _unpacked(connection, condition)
        for step, content in zip(chunk.steps, chunk.contents)
        if step is not None and first <= step < last
    ]
    rows.sort(key=itemgetter(0))
    return rows


def replace_lines(connection: Connection, run_id: int, kind: str, lines: Lines) -> None:
    """Store lines, also where there are lines of these numbers already."""
    merged: Numbered = {}
    touched = []
    for chunk in chunks_between(connection, run_id, kind, lines.first, lines.end):
        touched.append(chunk.first)
        merged.update(numbered(chunk))
    merged.update(numbered(lines))
    delete_chunks(connection, run_id, kind, touched)
    _store(connection, run_id, kind, merged)


def forget_rows_after(connection: Connection, run_id: int, last_kept: int) -> tuple[int, int]:
    """Delete the history rows behind a step; the new count of lines is returned, and the first line that is gone."""
    here = (chunks.c.run_id == run_id) & (chunks.c.kind == HISTORY)
    gone = here & (chunks.c.low_step > last_kept) & (chunks.c.rows == chunks.c.lines)
    lowest = [connection.execute(select(func.min(chunks.c.first)).where(gone)).scalar()]
    connection.execute(delete(chunks).where(gone))
    for chunk in list(_unpacked(connection, here & (chunks.c.high_step > last_kept))):
        lines = numbered(chunk)
        kept = {number: line for number, line in lines.items() if line[0] is None or line[0] <= last_kept}
        lowest.append(min(lines.keys() - kept.keys()))
        delete_chunks(connection, run_id, HISTORY, [chunk.first])
        _store(connection, run_id, HISTORY, kept)
    count = connection.execute(select(func.max(chunks.c.first + chunks.c.lines)).where(here)).scalar() or 0
    return count, min((line for line in lowest if line is not None), default=count)


def copy_rows(connection: Connection, from_run: int, to_run: int, last_kept: int) -> int:
    """Give a run without history the rows of another up to a step, numbered from 0; their number is returned."""
    here = (chunks.c.run_id == from_run) & (chunks.c.kind == HISTORY) & (chunks.c.low_step <= last_kept)
    found = select(chunks).where(here).order_by(chunks.c.first).execution_options(yield_per=_CHUNKS_AT_ONCE)
    count = 0
    for row in connection.execute(found):
        if row.high_step <= last_kept and row.rows == row.lines:
            # The bytes say nothing of run and numbers.
            append_chunks(connection, [{**row._mapping, "run_id": to_run, "first": count}])
            count += row.lines
            continue
        chunk = unpack(row.first, row.lines, row.rows, row.data)
        kept = [
            (step, text) for step, text in zip(chunk.steps, chunk.contents) if step is not None and step <= last_kept
        ]
        _store(connection, to_run, HISTORY, dict(enumerate(kept, count)))
        count += len(kept)
    return count


def delete_lines(connection: Connection, run_id: int) -> None:
    connection.execute(delete(chunks).where(chunks.c.run_id == run_id))


def numbered(lines: Lines) -> Numbered:
    return dict(zip(range(lines.first, lines.end), zip(lines.steps, lines.contents)))


def delete_chunks(connection: Connection, run_id: int, kind: str, firsts: list[int]) -> None:
    for start in range(0, len(firsts), _VARIABLES_MAX):
        part = firsts[start : start + _VARIABLES_MAX]
        connection.execute(
            delete(chunks).where(chunks.c.run_id == run_id, chunks.c.kind == kind, chunks.c.first.in_(part))
        )


def _store(connection: Connection, run_id: int, kind: str, lines_by_number: Numbered) -> None:
    for lines in consecutive(sorted(lines_by_number.items())):
        append_chunks(connection, packed(run_id, kind, lines))


def consecutive(found: Sequence[tuple[int, tuple[int | None, str]]]) -> Iterator[Lines]:
    """Lines with their numbers, in order, as parts without a gap."""
    start = 0
    for at in range(1, len(found) + 1):
        if at == len(found) or found[at][0] != found[at - 1][0] + 1:
            part = found[start:at]
            yield Lines(part[0][0], [line[1] for _, line in part], [line[0] for _, line in part])
            start = at
