"""The connection to the database: a commit is durable, readers never wait, writers take turns.

SQLite, in a file of the data directory, unless the server is told the URL of a PostgreSQL. What ``write()`` has
committed survives a crash of the server and of the machine: SQLite is in WAL mode with ``synchronous=FULL``, so a
commit returns after the log was forced to disk, and PostgreSQL does the same by itself.

One writer at a time, in all server processes that share a database: what a transaction read is what it changes. In
PostgreSQL the exception are writers of streams, which lock the runs that they write and wait for nobody else's, and
agents of launch queues, which do the same with the items that they take.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

from sqlalchemy import URL, Connection, Table, create_engine, event, make_url
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, OperationalError

from ._formats import bring_up_to_date

# How long a writer waits for another process (such as `wandb server key`) to finish its commit.
_BUSY_SECONDS = 30

# The framework runs handlers in at most forty threads.
_THREADS_MAX = 40
_POOLED_CONNECTIONS = 8

# Names the turn of writing among everything else that PostgreSQL may be asked to lock.
_WRITER_LOCK = 0x77616E6462


class DatabaseUrlError(RuntimeError):
    """The database cannot be used; the message says why without the password."""


class Database:
    """Opens transactions. Safe to share between threads."""

    def __init__(self, url: URL) -> None:
        self._url = url
        self._is_sqlite = url.get_backend_name() == "sqlite"
        self._engine = create_engine(
            url,
            connect_args={"timeout": _BUSY_SECONDS} if self._is_sqlite else {},
            # Every worker thread may read at once; a pool that is too small would make them wait.
            pool_size=_POOLED_CONNECTIONS,
            max_overflow=_THREADS_MAX,
            # A database that was restarted is noticed before a request fails by it.
            pool_pre_ping=not self._is_sqlite,
            # Error messages must not carry what users logged into log files.
            hide_parameters=True,
        )
        # SQLite makes the second writer poll; a lock in front of it makes writers queue fairly.
        self._write_lock = threading.Lock()
        if self._is_sqlite:
            event.listen(self._engine, "connect", _prepare_sqlite)
        event.listen(self._engine, "begin", _begin_sqlite if self._is_sqlite else _begin_postgresql)
        try:
            with self.write() as connection:
                bring_up_to_date(connection, str(self))
        except BaseException:
            self.close()
            raise

    def __str__(self) -> str:
        return str(self._url.database) if self._is_sqlite else self._url.render_as_string(hide_password=True)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction that sees one moment of the database."""
        with self._engine.connect() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction that is durable when the block ends and undone when it raises."""
        with self._write_lock, self._transaction("all") as connection:
            yield connection

    @contextmanager
    def write_runs(self) -> Iterator[Connection]:
        """The same for who changes nothing but runs and their lines, or items of queues, and locks those first."""
        with self._write_lock if self._is_sqlite else nullcontext(), self._transaction("runs") as connection:
            yield connection

    @contextmanager
    def _transaction(self, writes: str) -> Iterator[Connection]:
        with self._engine.connect() as connection:
            writer = connection.execution_options(wandb_writes=writes)
            with writer.begin():
                yield writer

    def close(self) -> None:
        self._engine.dispose()


def open_database(text: str) -> Database:
    """A database by its URL, such as ``postgresql://user:password@host/name``."""
    try:
        url = make_url(text)
        if url.get_backend_name() == "postgresql":
            url = url.set(drivername="postgresql+psycopg")
        elif url.get_backend_name() != "sqlite":
            raise DatabaseUrlError(f"the server keeps its data in SQLite or PostgreSQL, not in {url.drivername!r}")
        return Database(url)
    except (ArgumentError, NoSuchModuleError):
        raise DatabaseUrlError("--database must be a URL such as postgresql://user:password@host/name") from None
    except ModuleNotFoundError as error:
        raise DatabaseUrlError(f'PostgreSQL needs {error.name!r}: run `pip install "wandb[postgresql]"`') from None
    except OperationalError as error:
        reason = str(error.orig).strip().splitlines()[0]
        raise DatabaseUrlError(f"cannot reach {url.render_as_string(hide_password=True)}: {reason}") from None


def _prepare_sqlite(connection: Any, record: object) -> None:
    # The driver must not open transactions by itself: `_begin_sqlite` decides which kind it is.
    connection.isolation_level = None
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")


def _writes(connection: Connection) -> str:
    return str(connection.get_execution_options().get("wandb_writes", ""))


def _begin_sqlite(connection: Connection) -> None:
    # A transaction that starts as a reader and then writes can fail with SQLITE_BUSY without
    # waiting; one that says so from the start queues.
    connection.exec_driver_sql("BEGIN IMMEDIATE" if _writes(connection) else "BEGIN")


def _begin_postgresql(connection: Connection) -> None:
    writes = _writes(connection)
    if writes:
        shared = "_shared" if writes == "runs" else ""
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock{shared}({_WRITER_LOCK})")
    else:
        connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")


def upsert(connection: Connection, table: Table, rows: list[dict[str, Any]], key: tuple[str, ...]) -> None:
    """Insert rows, each replacing the one that has its key already."""
    make = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    statement = make(table)
    values = {name: statement.excluded[name] for name in rows[0] if name not in key}
    connection.execute(statement.on_conflict_do_update(index_elements=list(key), set_=values), rows)
