"""Blocks: the columns of consecutive lines of a run, so that a chart needn't read the rows.

The rows themselves stay what they are; a block can be made again from them at any time. A block covers ``BLOCK_ROWS``
line numbers of one stream. Blocks are made in order, each with its summaries of all levels that it completes.

================  ==================================================================================
table             one row is
================  ==================================================================================
blocks            a block: what is known of each of its keys
block_columns     a column of a block (level 0), or a summary of some key (``_columns``)
catalogs          a stream of a run: what is known of each key in all of its blocks together
================  ==================================================================================
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import zstandard
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    ForeignKey,
    Integer,
    LargeBinary,
    SmallInteger,
    String,
    Table,
    delete,
    event,
    insert,
    select,
)

from ._columns import (
    FANOUT,
    LEVELS,
    SUMMARY,
    Cells,
    KeyFacts,
    Summaries,
    decode_column,
    empty_summaries,
    encode_column,
    merged_summary,
    summary_lines,
    summary_of,
)
from ._columns import Column as KeyColumn
from ._database import upsert
from ._limits import BLOCK_ROWS, METRIC_CHARACTERS_MAX, METRICS_MAX
from ._tables import metadata, store_as_they_are

# SQLite limits the variables of one statement.
_KEYS_AT_ONCE = 500

blocks = Table(
    "blocks",
    metadata,
    Column("run_id", ForeignKey("runs.id"), primary_key=True),
    Column("kind", String(1), primary_key=True),
    # The first line divided by BLOCK_ROWS.
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("has_media", Boolean, nullable=False),
    Column("facts", LargeBinary, nullable=False),
)

columns = Table(
    "block_columns",
    metadata,
    Column("run_id", ForeignKey("runs.id"), primary_key=True),
    Column("kind", String(1), primary_key=True),
    Column("key", String, primary_key=True),
    Column("level", SmallInteger, primary_key=True, autoincrement=False),
    # The first line divided by the lines of a block or of a summary.
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("data", LargeBinary, nullable=False),
)
event.listen(columns, "after_create", store_as_they_are)

catalogs = Table(
    "catalogs",
    metadata,
    Column("run_id", ForeignKey("runs.id"), primary_key=True),
    Column("kind", String(1), primary_key=True),
    Column("blocks", Integer, nullable=False),
    Column("facts", LargeBinary, nullable=False),
)

Facts = dict[str, KeyFacts]

# What `classified` calls values that are nothing to look at; every other kind is one of media.
PLAIN_KINDS = frozenset({"map", "list", "string", "number", "boolean", "nil", "numpy.ndarray", "partitioned-table"})


def blocks_made(connection: Connection, run_id: int, kind: str) -> int:
    """How many blocks a stream has. They are made in order, so it is also the number of the next."""
    found = connection.execute(
        select(catalogs.c.blocks).where(catalogs.c.run_id == run_id, catalogs.c.kind == kind)
    ).scalar()
    return int(found or 0)


def catalog_of(connection: Connection, run_id: int, kind: str) -> Facts:
    """What is known of the keys of all blocks of a stream."""
    found = select(catalogs.c.facts).where(catalogs.c.run_id == run_id, catalogs.c.kind == kind)
    data = connection.execute(found).scalar()
    return {} if data is None else _decode_facts(data)


@dataclass(frozen=True)
class QuietBlocks:
    """Which blocks of a stream have no media."""

    made: int
    loud: frozenset[int]

    def end_without_media(self, line: int) -> int | None:
        """The end of the stretch without media that a line begins; None where there may be some."""
        number = line // BLOCK_ROWS
        return None if number >= self.made or number in self.loud else (number + 1) * BLOCK_ROWS

    def next_without_media(self, line: int, end: int) -> int:
        """Where the next block without media begins, at the latest at ``end``."""
        number = line // BLOCK_ROWS + 1
        while number in self.loud:
            number += 1
        return end if number >= self.made else min(end, number * BLOCK_ROWS)


def quiet_blocks(connection: Connection, run_id: int, kind: str) -> QuietBlocks:
    loud = select(blocks.c.number).where(blocks.c.run_id == run_id, blocks.c.kind == kind, blocks.c.has_media)
    return QuietBlocks(blocks_made(connection, run_id, kind), frozenset(connection.scalars(loud)))


class NewBlock:
    """A block that was made of rows and is not stored yet."""

    def __init__(self, number: int, cells: Cells, known: Iterable[str]) -> None:
        self.number = number
        first_line = number * BLOCK_ROWS
        self.facts: Facts = {}
        self.columns: list[tuple[str, bytes]] = []
        self.summaries: list[tuple[str, bytes]] = []
        taken = set(known)
        for key, column in cells.columns().items():
            if key not in taken:
                if len(taken) >= METRICS_MAX or not _is_storable(key):
                    continue
                taken.add(key)
            self.facts[key] = column.facts(first_line)
            self.columns.append((key, encode_column(column)))
            places, numbers = column.points()
            if len(numbers):
                self.summaries.append((key, summary_of(places, numbers).tobytes()))


def _is_storable(key: str) -> bool:
    # Half of a surrogate pair has no UTF-8, and PostgreSQL takes no NUL.
    return len(key) <= METRIC_CHARACTERS_MAX and "\0" not in key and key.encode("utf-8", "ignore").decode() == key


def store_block(connection: Connection, run_id: int, kind: str, block: NewBlock) -> None:
    """Store the next block of a stream, and the summaries that it completes."""
    place = {"run_id": run_id, "kind": kind, "number": block.number}
    has_media = any(kind not in PLAIN_KINDS for known in block.facts.values() for kind in known.counts)
    connection.execute(insert(blocks).values(**place, has_media=has_media, facts=_encode_facts(block.facts)))
    rows = [{**place, "level": 0, "key": key, "data": data} for key, data in block.columns]
    rows += [{**place, "level": 1, "key": key, "data": data} for key, data in block.summaries]
    if rows:
        connection.execute(insert(columns), rows)
    facts = catalog_of(connection, run_id, kind)
    for key, added in block.facts.items():
        facts.setdefault(key, KeyFacts()).add(added)
    for level in LEVELS[1:]:
        number, left = divmod(block.number + 1, FANOUT ** (level - 1))
        if left:
            break
        _store_merged(connection, run_id, kind, list(facts), level, number - 1)
    _store_catalog(connection, run_id, kind, block.number + 1, facts)


def _store_merged(connection: Connection, run_id: int, kind: str, keys: Sequence[str], level: int, number: int) -> None:
    first = number * FANOUT
    rows = []
    below = stored_summaries(connection, run_id, kind, keys, level - 1, first, first + FANOUT)
    for key, (numbers, summaries) in below.items():
        parts = empty_summaries(FANOUT)
        parts[np.array(numbers) - first] = summaries
        data = merged_summary(parts).tobytes()
        rows.append({"run_id": run_id, "kind": kind, "level": level, "number": number, "key": key, "data": data})
    if rows:
        connection.execute(insert(columns), rows)


def drop_blocks(connection: Connection, run_id: int, kind: str | None = None, first_line: int = 0) -> None:
    """Forget the blocks whose lines changed: those of a line and behind it."""
    if kind is None:
        for table in (columns, blocks, catalogs):
            connection.execute(delete(table).where(table.c.run_id == run_id))
        return
    number = first_line // BLOCK_ROWS
    if number >= blocks_made(connection, run_id, kind):
        return
    of_stream = (blocks.c.run_id == run_id) & (blocks.c.kind == kind)
    connection.execute(delete(blocks).where(of_stream, blocks.c.number >= number))
    for level in (0, *LEVELS):
        lines = BLOCK_ROWS if level == 0 else summary_lines(level)
        changed = (columns.c.level == level) & (columns.c.number >= first_line // lines)
        connection.execute(delete(columns).where(columns.c.run_id == run_id, columns.c.kind == kind, changed))
    facts: Facts = {}
    for data in connection.scalars(select(blocks.c.facts).where(of_stream).order_by(blocks.c.number)):
        for key, added in _decode_facts(data).items():
            facts.setdefault(key, KeyFacts()).add(added)
    _store_catalog(connection, run_id, kind, number, facts)


def stored_columns(
    connection: Connection, run_id: int, kind: str, keys: Sequence[str], first: int, end: int
) -> dict[str, list[tuple[int, KeyColumn]]]:
    """The columns of the blocks with ``first <= number < end``, by key, each with the number of its block."""
    found: dict[str, list[tuple[int, KeyColumn]]] = {}
    for key, number, data in _rows(connection, run_id, kind, keys, 0, first, end):
        found.setdefault(key, []).append((number, decode_column(data)))
    return found


def stored_summaries(
    connection: Connection, run_id: int, kind: str, keys: Sequence[str], level: int, first: int, end: int
) -> dict[str, tuple[list[int], Summaries]]:
    """The summaries of a level with ``first <= number < end``, by key, with their numbers."""
    found: dict[str, tuple[list[int], list[bytes]]] = {}
    for key, number, data in _rows(connection, run_id, kind, keys, level, first, end):
        numbers, parts = found.setdefault(key, ([], []))
        numbers.append(number)
        parts.append(data)
    return {key: (numbers, np.frombuffer(b"".join(parts), SUMMARY)) for key, (numbers, parts) in found.items()}


def _rows(
    connection: Connection, run_id: int, kind: str, keys: Sequence[str], level: int, first: int, end: int
) -> Iterable[tuple[str, int, bytes]]:
    for start in range(0, len(keys), _KEYS_AT_ONCE):
        query = (
            select(columns.c.key, columns.c.number, columns.c.data)
            .where(columns.c.run_id == run_id, columns.c.kind == kind, columns.c.level == level)
            .where(columns.c.key.in_(keys[start : start + _KEYS_AT_ONCE]))
            .where(columns.c.number >= first, columns.c.number < end)
            .order_by(columns.c.key, columns.c.number)
        )
        for row in connection.execute(query):
            yield row.key, row.number, row.data


def _store_catalog(connection: Connection, run_id: int, kind: str, made: int, facts: Facts) -> None:
    row = {"run_id": run_id, "kind": kind, "blocks": made, "facts": _encode_facts(facts)}
    upsert(connection, catalogs, [row], ("run_id", "kind"))


def _encode_facts(facts: Facts) -> bytes:
    # Python's dialect of JSON, because a number may be infinite.
    return zstandard.compress(json.dumps({key: asdict(known) for key, known in facts.items()}).encode())


def _decode_facts(data: bytes) -> Facts:
    value: dict[str, Any] = json.loads(zstandard.decompress(data))
    return {key: KeyFacts(**known) for key, known in value.items()}
