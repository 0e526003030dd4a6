"""The tables, as SQLAlchemy Core metadata.

Times are seconds since the epoch. ``lines`` holds the three line streams of a run under one key,
because the rules for writing them are the same: a line is replaced by its number.

=========  ==========================================================================
table      one row is
=========  ==========================================================================
schema_versions  the format of the database, one row
users      a person; the name is also the name of the person's own entity
api_keys   a keyed hash of an API key
team_members  a user's role in a team (``_teams``)
tickets    a keyed hash of a browser session or of a one-time sign-in link
projects   a project of an entity
runs       a run with everything about it that is a single value
lines      one line of history (``h``), events (``e``) or console output (``l``)
files      a file that was uploaded for a run; the bytes lie in the data folder
policies   what a scope says of settings (in ``_policies``)
=========  ==========================================================================
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

SCHEMA_VERSION = 2

metadata = MetaData()

schema_versions = Table(
    "schema_versions",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("version", Integer, nullable=False),
)

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
    UniqueConstraint("entity", "name"),
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
    # Goes up when a line below a count changes, so that readers who kept what they had read
    # know to read again.
    Column("rewrites", Integer, nullable=False, default=0),
    UniqueConstraint("project_id", "name"),
    # A number is never used twice: signed URLs and cached charts go by it.
    sqlite_autoincrement=True,
)

lines = Table(
    "lines",
    metadata,
    Column("run_id", ForeignKey("runs.id"), primary_key=True),
    Column("kind", String(1), primary_key=True),
    Column("line", BigInteger, primary_key=True, autoincrement=False),
    # The row's `_step` for history, null where a line is not a JSON object.
    Column("step", BigInteger),
    Column("content", Text, nullable=False),
)
Index("lines_by_step", lines.c.run_id, lines.c.kind, lines.c.step, lines.c.line)

files = Table(
    "files",
    metadata,
    Column("run_id", ForeignKey("runs.id"), primary_key=True),
    Column("name", String, primary_key=True),
    Column("size", BigInteger, nullable=False),
    Column("md5", String, nullable=False),
    Column("updated_at", Float, nullable=False),
)
