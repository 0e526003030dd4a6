"""The tables of artifacts.

=====================  ==============================================================================
table                  one row is
=====================  ==============================================================================
artifact_collections   a named line of versions, or a portfolio that versions of others are linked to
artifacts              one version: its content is fixed when it is committed
artifact_memberships   a version's place in a collection, its own or a portfolio
artifact_aliases       a name that one version of a collection has at a time
artifact_manifests     a list of files that was or will be uploaded
artifact_entries       a file of a committed version
artifact_uses          a run that used a version
artifact_client_ids    an id that a client gave a version or a collection (``_client_ids``)
blobs                  bytes that a project has, by digest; shared by the versions that hold them
=====================  ==============================================================================
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Float, ForeignKey, Index, Integer, String, Table, Text
from sqlalchemy import UniqueConstraint as Unique

from ._tables import metadata

collections = Table(
    "artifact_collections",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("project_id", ForeignKey("projects.id"), nullable=False),
    Column("name", String, nullable=False),
    Column("type", String, nullable=False),
    Column("portfolio", Boolean, nullable=False),
    Column("description", Text),
    Column("tags", Text, nullable=False),
    # Counts the versions that were ever committed here, so that a version's number is never used twice.
    Column("versions_made", Integer, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("updated_at", Float, nullable=False),
    Unique("project_id", "name"),
)

artifacts = Table(
    "artifacts",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("collection_id", ForeignKey("artifact_collections.id"), nullable=False),
    Column("version", Integer),
    Column("state", String, nullable=False),
    Column("digest", String, nullable=False),
    Column("algorithm", String, nullable=False),
    Column("description", Text),
    Column("metadata", Text, nullable=False),
    Column("tags", Text, nullable=False),
    # Aliases that the version gets when it is committed: [[collection, alias], ...].
    Column("aliases", Text, nullable=False),
    Column("distributed_id", String),
    Column("user_id", ForeignKey("users.id"), nullable=False),
    # No foreign key: a version outlives the run that made it.
    Column("run_id", Integer),
    Column("history_step", BigInteger),
    # Null inherits, a negative number means for ever.
    Column("ttl_seconds", BigInteger),
    Column("size", BigInteger, nullable=False),
    Column("file_count", Integer, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("updated_at", Float, nullable=False),
    sqlite_autoincrement=True,
)
Index("artifacts_by_collection", artifacts.c.collection_id, artifacts.c.version)
Index("artifacts_by_run", artifacts.c.run_id)

memberships = Table(
    "artifact_memberships",
    metadata,
    Column("collection_id", ForeignKey("artifact_collections.id"), primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("artifact_id", ForeignKey("artifacts.id"), nullable=False),
    Column("created_at", Float, nullable=False),
)
Index("artifact_memberships_by_artifact", memberships.c.artifact_id)

aliases = Table(
    "artifact_aliases",
    metadata,
    Column("collection_id", ForeignKey("artifact_collections.id"), primary_key=True),
    Column("alias", String, primary_key=True),
    Column("artifact_id", ForeignKey("artifacts.id"), nullable=False),
)
Index("artifact_aliases_by_artifact", aliases.c.artifact_id)

manifests = Table(
    "artifact_manifests",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("artifact_id", ForeignKey("artifacts.id"), nullable=False),
    Column("type", String, nullable=False),
    Column("digest", String, nullable=False),
    Column("base_artifact_id", Integer),
    # Bytes of the uploaded document; null until it arrived.
    Column("size", BigInteger),
    Column("created_at", Float, nullable=False),
    sqlite_autoincrement=True,
)
Index("artifact_manifests_by_artifact", manifests.c.artifact_id)

entries = Table(
    "artifact_entries",
    metadata,
    Column("artifact_id", ForeignKey("artifacts.id"), primary_key=True),
    Column("path", String, primary_key=True),
    Column("digest", Text, nullable=False),
    Column("size", BigInteger, nullable=False),
    # Where the bytes lie; null for a reference to something outside of the server.
    Column("blob_project_id", Integer),
    Column("blob_key", String),
)
Index("artifact_entries_by_blob", entries.c.blob_project_id, entries.c.blob_key)

uses = Table(
    "artifact_uses",
    metadata,
    Column("artifact_id", ForeignKey("artifacts.id"), primary_key=True),
    Column("run_id", Integer, primary_key=True, autoincrement=False),
    Column("used_as", String),
    Column("used_at", Float, nullable=False),
)
Index("artifact_uses_by_run", uses.c.run_id)

client_ids = Table(
    "artifact_client_ids",
    metadata,
    Column("client_id", String, primary_key=True),
    Column("collection_id", ForeignKey("artifact_collections.id"), primary_key=True),
    # Null where the id is the collection's.
    Column("artifact_id", Integer),
)
Index("artifact_client_ids_by_collection", client_ids.c.collection_id)

blobs = Table(
    "blobs",
    metadata,
    Column("project_id", ForeignKey("projects.id"), primary_key=True),
    # Algorithm and digest: md5-<hex>, xxh128-<hex>.
    Column("key", String, primary_key=True),
    Column("size", BigInteger, nullable=False),
    Column("created_at", Float, nullable=False),
)
