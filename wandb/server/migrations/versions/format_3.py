"""Format 3: lines in chunks instead of a row each; a run knows its highest step; several writers of one run."""

from __future__ import annotations

from collections.abc import Iterator

import sqlalchemy as sa
from alembic import op

from wandb.server._chunks import SMALL, Lines, pack, pieces
from wandb.server._limits import CHUNK_LINES

revision = "3"
down_revision = "2"

_lines = sa.table("lines", *map(sa.column, ("run_id", "kind", "line", "step", "content")))


def upgrade() -> None:
    chunks = op.create_table(
        "chunks",
        sa.Column("run_id", sa.Integer(), sa.ForeignKey("runs.id"), primary_key=True),
        sa.Column("kind", sa.String(length=1), primary_key=True),
        sa.Column("first", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("lines", sa.Integer(), nullable=False),
        sa.Column("rows", sa.Integer(), nullable=False),
        sa.Column("low_step", sa.BigInteger()),
        sa.Column("high_step", sa.BigInteger()),
        sa.Column("data", sa.LargeBinary(), nullable=False),
    )
    op.create_table(
        "writer_stretches",
        sa.Column("run_id", sa.Integer(), sa.ForeignKey("runs.id"), primary_key=True),
        sa.Column("writer", sa.String(), primary_key=True),
        sa.Column("kind", sa.String(length=1), primary_key=True),
        sa.Column("first", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("line", sa.BigInteger(), nullable=False),
        sa.Column("length", sa.BigInteger(), nullable=False),
        # A few databases of format 2 have it already.
        if_not_exists=True,
    )
    connection = op.get_bind()
    if connection.dialect.name == "postgresql":
        op.execute("ALTER TABLE chunks ALTER COLUMN data SET STORAGE EXTERNAL")
    streams = sa.select(_lines.c.run_id, _lines.c.kind).distinct()
    for run_id, kind in connection.execute(streams).all():
        for lines in _consecutive(connection, run_id, kind):
            for piece in pieces(lines):
                connection.execute(sa.insert(chunks), [{"run_id": run_id, "kind": kind, **pack(piece, SMALL)}])
    op.create_index("chunks_by_step", "chunks", ["run_id", "kind", "high_step", "low_step", "first", "rows"])
    op.add_column("runs", sa.Column("last_step", sa.BigInteger()))
    op.execute(
        "UPDATE runs SET last_step = "
        "(SELECT max(high_step) FROM chunks WHERE chunks.run_id = runs.id AND chunks.kind = 'h')"
    )
    op.drop_table("lines")
    op.drop_table("schema_versions")


def _consecutive(connection: sa.Connection, run_id: int, kind: str) -> Iterator[Lines]:
    """The lines of a stream without a gap, so many at a time as a chunk may have."""
    query = (
        sa.select(_lines.c.line, _lines.c.step, _lines.c.content)
        .where(_lines.c.run_id == run_id, _lines.c.kind == kind)
        .order_by(_lines.c.line)
        .execution_options(yield_per=CHUNK_LINES)
    )
    part: list[tuple[int, int | None, str]] = []
    for line, step, content in connection.execute(query):
        if part and (line != part[-1][0] + 1 or len(part) == CHUNK_LINES):
            yield _as_lines(part)
            part = []
        part.append((line, step, content))
    if part:
        yield _as_lines(part)


def _as_lines(part: list[tuple[int, int | None, str]]) -> Lines:
    return Lines(part[0][0], [content for _, _, content in part], [step for _, step, _ in part])
