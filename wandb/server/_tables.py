"""The tables, as SQLAlchemy Core metadata.

Times are seconds since the epoch. ``chunks`` holds the three line streams of a run, because the rules for writing them
are the same: a line is replaced by its number.

=========  ==========================================================================
table      one row is
=========  ==========================================================================
users      a person; the name is also the name of the person's own entity
api_keys   a keyed hash of an API key
team_members  a user's role in a team (``_teams``)
tickets    a keyed hash of a browser session or of a one-time sign-in link
projects   a project of an entity
project_people  who of a team is let into a restricted project
share_links  a keyed hash of a link that lets others look at a project, or at one run of it (``_shares``)
runs       a run with everything about it that is a single value
chunks     consecutive lines of history (``h``), events (``e``) or console output (``l``)
files      a file that was uploaded for a run; the bytes lie in the data folder
policies   what a scope says of settings (in ``_policies``)
=========  ==========================================================================
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    event,
)

metadata = MetaData()

users = Table(
    "users",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String, nullable=False, unique=True),
    Column("admin", Boolean, nullable=False),
    Column("created_at", Float, nullable=False),
)

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("user_id", ForeignKey("users.id"), nullable=False),
    Column("digest", String, nullable=False, unique=True),
    Column("hint", String, nullable=False),
    Column("created_at", Float, nullable=False),
)

members = Table(
    "team_members",
    metadata,
    Column("team", String, primary_key=True),
    Column("user_id", ForeignKey("users.id"), primary_key=True),
    Column("role", String, nullable=False),
)

tickets = Table(
    "tickets",
    metadata,
    Column("digest", String, primary_key=True),
    Column("kind", String, nullable=False),
    Column("user_id", ForeignKey("users.id"), nullable=False),
    Column("expires_at", Float, nullable=False),
)

projects = Table(
    "projects",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("entity", String, nullable=False),
    Column("name", String, nullable=False),
    Column("description", Text, nullable=False, default=""),
    Column("created_at", Float, nullable=False),
    # Counts the runs that were ever made here, so that display names never repeat.
    Column("runs_made", Integer, nullable=False, default=0),
    # One of `_auth.ACCESSES`.
    Column("access", String, nullable=False, server_default="PRIVATE"),
    UniqueConstraint("entity", "name"),
)

project_people = Table(
    "project_people",
    metadata,
    Column("project_id", ForeignKey("projects.id"), primary_key=True),
    Column("user_id", ForeignKey("users.id"), primary_key=True),
    Index("project_people_by_user", "user_id"),
)

share_links = Table(
    "share_links",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("project_id", ForeignKey("projects.id"), nullable=False),
    Column("user_id", ForeignKey("users.id"), nullable=False),
    Column("digest", String, nullable=False, unique=True),
    Column("created_at", Float, nullable=False),
    Column("expires_at", Float, nullable=False),
    # Of a link to one run; a link to the project has none.
    Column("run_id", Integer),
    Index("share_links_by_project", "project_id"),
    Index("share_links_by_run", "run_id"),
)

runs = Table(
    "runs",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("project_id", ForeignKey("projects.id"), nullable=False),
    Column("user_id", ForeignKey("users.id"), nullable=False),
    Column("name", String, nullable=False),
    Column("display_name", Text, nullable=False),
    Column("notes", Text),
    Column("tags", Text, nullable=False, default="[]"),
    Column("run_group", Text),
    Column("job_type", Text),
    Column("sweep", String),
    Column("commit_hash", Text),
    Column("repo", Text),
    Column("program", Text),
    Column("host", Text),
    Column("config", Text, nullable=False, default="{}"),
    Column("summary", Text, nullable=False, default="{}"),
    Column("state", String, nullable=False),
    Column("exit_code", BigInteger),
    Column("preempting", Boolean, nullable=False, default=False),
    Column("stop_requested", Boolean, nullable=False, default=False),
    Column("created_at", Float, nullable=False),
    Column("heartbeat_at", Float, nullable=False),
    Column("finished_at", Float),
    # Each count is one more than the highest line number of that stream.
    Column("history_count", BigInteger, nullable=False, default=0),
    Column("events_count", BigInteger, nullable=False, default=0),
    Column("log_count", BigInteger, nullable=False, default=0),
    # The highest step of its history.
    Column("last_step", BigInteger),
    # Goes up when a line below a count changes, so that readers who kept what they had read
    # know to read again.
    Column("rewrites", Integer, nullable=False, default=0),
    UniqueConstraint("project_id", "name"),
    # A number is never used twice: signed URLs and cached charts go by it.
    sqlite_autoincrement=True,
)

chunks = Table(
    "chunks",
    metadata,
    Column("run_id", ForeignKey("runs.id"), primary_key=True),
    Column("kind", String(1), primary_key=True),
    # The number of its first line. No two chunks have a line in common.
    Column("first", BigInteger, primary_key=True, autoincrement=False),
    Column("lines", Integer, nullable=False),
    # Of its lines, those that have a step; the lowest and the highest of the steps.
    Column("rows", Integer, nullable=False),
    Column("low_step", BigInteger),
    Column("high_step", BigInteger),
    Column("data", LargeBinary, nullable=False),
)
# Has all that finding chunks needs, so that their bytes aren't passed over on the disk.
Index(
    "chunks_by_step",
    chunks.c.run_id,
    chunks.c.kind,
    chunks.c.high_step,
    chunks.c.low_step,
    chunks.c.first,
    chunks.c.rows,
)

files = Table(
    "files",
    metadata,
    Column("run_id", ForeignKey("runs.id"), primary_key=True),
    Column("name", String, primary_key=True),
    Column("size", BigInteger, nullable=False),
    Column("md5", String, nullable=False),
    Column("updated_at", Float, nullable=False),
)


def store_as_they_are(table: Table, connection: Connection, **_: object) -> None:
    """For a table whose bytes are compressed already."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"ALTER TABLE {table.name} ALTER COLUMN data SET STORAGE EXTERNAL")


event.listen(chunks, "after_create", store_as_they_are)
