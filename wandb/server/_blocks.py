"""Blocks: the numbers of consecutive rows of a run, column by column, so that a chart needn't parse the rows.

The rows themselves stay what they are; a block can be made again from them at any time. A block covers
``BLOCK_ROWS`` line numbers of one stream and is a zstd-compressed text of JSON, one line, followed by the columns it
describes: ``steps`` as 64-bit integers, then for each key the places of its rows (16 bits each, left out when it is in
every row) and its values as doubles, all in the machine's byte order, which the text names.
"""

from __future__ import annotations

import json
import math
import sys
from array import array
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import zstandard
from sqlalchemy import Column, Connection, ForeignKey, Integer, LargeBinary, String, Table, delete, func, select

from .._row_keys import classified, flattened
from ._database import upsert
from ._limits import BLOCK_ROWS
from ._tables import metadata

_COMPRESSION = 3

# What `classified` calls values that are nothing to look at; every other kind is one of media.
PLAIN_KINDS = frozenset({"map", "list", "string", "number", "boolean", "nil", "numpy.ndarray", "partitioned-table"})

blocks = Table(
    "history_blocks",
    metadata,
    Column("run_id", ForeignKey("runs.id"), primary_key=True),
    Column("kind", String(1), primary_key=True),
    # The first line divided by BLOCK_ROWS.
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("data", LargeBinary, nullable=False),
)


@dataclass
class BlockColumn:
    """One key: the rows that have a number under it, and what kinds of values it has in all rows."""

    places: array[int] = field(default_factory=lambda: array("H"))
    values: array[float] = field(default_factory=lambda: array("d"))
    counts: dict[str, int] = field(default_factory=dict)

    # Whether no value is infinite or NaN, and whether none is below the one before; known once all are there.
    finite: bool = False
    monotonic: bool = False

    def complete(self) -> None:
        values = self.values
        self.finite = all(map(math.isfinite, values))
        self.monotonic = all(map(float.__le__, values, values[1:]))


@dataclass
class Block:
    """The columns of consecutive rows."""

    steps: array[int] = field(default_factory=lambda: array("q"))
    columns: dict[str, BlockColumn] = field(default_factory=dict)

    def add_row(self, step: int, row: dict[str, Any]) -> None:
        place = len(self.steps)
        self.steps.append(step)
        for key, value in flattened(row):
            kind, number = classified(value)
            column = self.columns.get(key)
            if column is None:
                column = self.columns[key] = BlockColumn()
            column.counts[kind] = column.counts.get(kind, 0) + 1
            if number is not None:
                column.places.append(place)
                column.values.append(number)


def block_of_rows(rows: Iterable[tuple[int | None, str]]) -> Block:
    """The columns of lines; a line that is no row has no step."""
    block = Block()
    for step, content in rows:
        if step is not None:
            block.add_row(step, json.loads(content))
    for column in block.columns.values():
        column.complete()
    return block


def encode_block(block: Block) -> bytes:
    header = {
        "order": sys.byteorder,
        "rows": len(block.steps),
        "columns": [
            [key, len(column.values), column.counts, column.finite, column.monotonic]
            for key, column in block.columns.items()
        ],
    }
    parts = [json.dumps(header).encode(), b"\n", block.steps.tobytes()]
    for column in block.columns.values():
        if len(column.places) != len(block.steps):
            parts.append(column.places.tobytes())
        parts.append(column.values.tobytes())
    return zstandard.ZstdCompressor(level=_COMPRESSION).compress(b"".join(parts))


def decode_block(data: bytes) -> Block:
    content = zstandard.ZstdDecompressor().decompress(data)
    text, _, body = content.partition(b"\n")
    header = json.loads(text)
    reader = _Reader(body, swap=header["order"] != sys.byteorder)
    rows = header["rows"]
    block = Block(steps=reader.take("q", rows))
    everywhere = array("H", range(rows))
    for key, count, counts, finite, monotonic in header["columns"]:
        places = everywhere if count == rows else reader.take("H", count)
        block.columns[key] = BlockColumn(places, reader.take("d", count), counts, finite, monotonic)
    return block


class _Reader:
    """Takes arrays from the front of bytes."""

    def __init__(self, body: bytes, swap: bool) -> None:
        self._body, self._swap, self._at = memoryview(body), swap, 0

    def take(self, code: str, count: int) -> array[Any]:
        taken: array[Any] = array(code)
        end = self._at + count * taken.itemsize
        taken.frombytes(self._body[self._at : end])
        if self._swap:
            taken.byteswap()
        self._at = end
        return taken


def find_block(connection: Connection, run_id: int, kind: str, number: int) -> Block | None:
    query = select(blocks.c.data).where(blocks.c.run_id == run_id, blocks.c.kind == kind, blocks.c.number == number)
    data = connection.execute(query).scalar()
    return None if data is None else decode_block(data)


def blocks_made(connection: Connection, run_id: int, kind: str) -> int:
    """How many blocks a stream has. They are made in order, so it is also the number of the next."""
    highest = connection.execute(
        select(func.max(blocks.c.number)).where(blocks.c.run_id == run_id, blocks.c.kind == kind)
    ).scalar()
    return 0 if highest is None else int(highest) + 1


def store_block(connection: Connection, run_id: int, kind: str, number: int, data: bytes) -> None:
    row = {"run_id": run_id, "kind": kind, "number": number, "data": data}
    upsert(connection, blocks, [row], ("run_id", "kind", "number"))


def drop_blocks(connection: Connection, run_id: int, kind: str | None = None, first_line: int = 0) -> None:
    """Forget the blocks whose lines changed: those of a line and behind it."""
    condition = (blocks.c.run_id == run_id) & (blocks.c.number >= first_line // BLOCK_ROWS)
    if kind is not None:
        condition &= blocks.c.kind == kind
    connection.execute(delete(blocks).where(condition))
