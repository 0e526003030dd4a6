"""Runs that several writers share: each numbers its own lines, and the run has them in the order in which they came.

A writer names itself in a header of its requests. Its lines may begin at any number. Where each of them stands in the
run is remembered in stretches, so that a repeated request changes nothing, and a line that is sent again replaces
itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    ForeignKey,
    String,
    Table,
    delete,
    func,
    insert,
    select,
    update,
)

from ._tables import metadata

# What a client names its writer by: with a request to the run's stream, and with one of GraphQL.
_STREAM_HEADER, _GRAPHQL_HEADER = "x-wandb-async-client-id", "x-wandb-client-id"
_SHARED_HEADER = "x-wandb-use-async-filestream"
_NAME_CHARACTERS_MAX = 128

stretches = Table(
    "writer_stretches",
    metadata,
    Column("run_id", ForeignKey("runs.id"), primary_key=True),
    Column("writer", String, primary_key=True),
    Column("kind", String(1), primary_key=True),
    # Lines `first` up to `first + length` of the writer are the run's from `line` on.
    Column("first", BigInteger, primary_key=True, autoincrement=False),
    Column("line", BigInteger, nullable=False),
    Column("length", BigInteger, nullable=False),
)


@dataclass(frozen=True)
class Stretch:
    """Consecutive lines: the number of the first one for its writer and for the run."""

    first: int
    line: int
    length: int

    @property
    def end(self) -> int:
        return self.first + self.length


def writer_of(headers: Mapping[str, str]) -> str:
    """The name of the writer that a request comes from; empty where a run has the client for itself."""
    if headers.get(_SHARED_HEADER, "").lower() != "true":
        return ""
    return (headers.get(_STREAM_HEADER) or headers.get(_GRAPHQL_HEADER) or "")[:_NAME_CHARACTERS_MAX]


def first_line(connection: Connection, run_id: int, writer: str, kind: str) -> int | None:
    """The number that a writer gave its first line; None where it has sent none."""
    lowest = select(func.min(stretches.c.first)).where(*_of(run_id, writer, kind))
    number: int | None = connection.execute(lowest).scalar()
    return number


def place(
    connection: Connection, run_id: int, writer: str, kind: str, first: int, count: int, line_count: int
) -> list[Stretch]:
    """Where a writer's lines stand in a run of `line_count` lines, in order. New ones come behind all others."""
    found = list(_pieces(connection, run_id, writer, kind, first, first + count))
    placed = []
    for piece in found:
        if piece.line < 0:
            piece = Stretch(piece.first, line_count, piece.length)
            _remember(connection, run_id, writer, kind, piece)
            line_count += piece.length
        placed.append(piece)
    return placed


def forget_writers(connection: Connection, run_id: int, kind: str | None = None) -> None:
    """Of a run that loses all its lines, or those of a kind."""
    where = stretches.c.run_id == run_id
    connection.execute(delete(stretches).where(where if kind is None else where & (stretches.c.kind == kind)))


def _pieces(connection: Connection, run_id: int, writer: str, kind: str, first: int, end: int) -> Iterator[Stretch]:
    """The lines from `first` to `end` in stretches; those that are new have a negative line."""
    overlapping = (
        select(stretches.c.first, stretches.c.line, stretches.c.length)
        .where(*_of(run_id, writer, kind), stretches.c.first < end, stretches.c.first + stretches.c.length > first)
        .order_by(stretches.c.first)
    )
    for row in connection.execute(overlapping).all():
        known = Stretch(row.first, row.line, row.length)
        if known.first > first:
            yield Stretch(first, -1, known.first - first)
            first = known.first
        until = min(known.end, end)
        yield Stretch(first, known.line + first - known.first, until - first)
        first = until
    if first < end:
        yield Stretch(first, -1, end - first)


def _remember(connection: Connection, run_id: int, writer: str, kind: str, piece: Stretch) -> None:
    ends_here = stretches.c.first + stretches.c.length == piece.first
    goes_on = stretches.c.line + stretches.c.length == piece.line
    grown = update(stretches).where(*_of(run_id, writer, kind), ends_here, goes_on)
    if connection.execute(grown.values(length=stretches.c.length + piece.length)).rowcount:
        return
    connection.execute(
        insert(stretches).values(
            run_id=run_id, writer=writer, kind=kind, first=piece.first, line=piece.line, length=piece.length
        )
    )


def _of(run_id: int, writer: str, kind: str) -> tuple[ColumnElement[bool], ...]:
    return stretches.c.run_id == run_id, stretches.c.writer == writer, stretches.c.kind == kind
