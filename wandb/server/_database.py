"""The connection to SQLite: one writer at a time, readers never wait, a commit is durable.

What ``write()`` has committed survives a crash of the server and of the machine: the database is
in WAL mode with ``synchronous=FULL``, so a commit returns after the log was forced to disk.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Table, create_engine, event
from sqlalchemy.dialects import postgresql, sqlite

from ._tables import SCHEMA_VERSION, metadata

# How long a writer waits for another process (such as `wandb server key`) to finish its commit.
_BUSY_SECONDS = 30

# The framework runs handlers in at most forty threads.
_THREADS_MAX = 40
_POOLED_CONNECTIONS = 8


class DatabaseVersionError(RuntimeError):
    """The database was made by a newer release."""


class Database:
    """Opens transactions. Safe to share between threads."""

    def __init__(self, path: Path) -> None:
        self._engine = create_engine(
            URL.create("sqlite", database=str(path)),
            connect_args={"timeout": _BUSY_SECONDS},
            # Every worker thread may read at once; a pool that is too small would make them wait.
            pool_size=_POOLED_CONNECTIONS,
            max_overflow=_THREADS_MAX,
            # Error messages must not carry what users logged into log files.
            hide_parameters=True,
        )
        # SQLite makes the second writer poll; a lock in front of it makes writers queue fairly.
        self._write_lock = threading.Lock()
        event.listen(self._engine, "connect", _prepare_connection)
        event.listen(self._engine, "begin", _begin)
        with self.write() as connection:
            version = connection.exec_driver_sql("PRAGMA user_version").scalar_one()
            if version > SCHEMA_VERSION:
                raise DatabaseVersionError(
                    f"{path} has format {version}, this release reads up to {SCHEMA_VERSION}; "
                    "upgrade wandb or choose another --data directory"
                )
            metadata.create_all(connection)
            connection.exec_driver_sql(f"PRAGMA user_version = {SCHEMA_VERSION}")

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction that sees one moment of the database."""
        with self._engine.connect() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction that is durable when the block ends and undone when it raises."""
        with self._write_lock, self._engine.connect() as connection:
            writer = connection.execution_options(wandb_write=True)
            with writer.begin():
                yield writer

    def close(self) -> None:
        self._engine.dispose()


def _prepare_connection(connection: Any, record: object) -> None:
    # The driver must not open transactions by itself: `_begin` decides which kind it is.
    connection.isolation_level = None
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")


def _begin(connection: Connection) -> None:
    # A transaction that starts as a reader and then writes can fail with SQLITE_BUSY without
    # waiting; one that says so from the start queues.
    writes = connection.get_execution_options().get("wandb_write", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def upsert(connection: Connection, table: Table, rows: list[dict[str, Any]], key: tuple[str, ...]) -> None:
    """Insert rows, each replacing the one that has its key already."""
    make = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    statement = make(table)
    values = {name: statement.excluded[name] for name in rows[0] if name not in key}
    connection.execute(statement.on_conflict_do_update(index_elements=list(key), set_=values), rows)
