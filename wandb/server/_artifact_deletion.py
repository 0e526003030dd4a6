"""Deleting versions and collections, and what becomes of their bytes: those that no other version needs are freed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, delete, select

from ._artifact_tables import aliases, artifacts, blobs, client_ids, collections, entries, manifests, memberships, uses
from ._artifacts import (
    COMMITTED,
    DELETED,
    Artifact,
    Collection,
    blob_place,
    leave_collection,
    manifest_place,
    memberships_of,
    update_artifact,
)

# Of a version of many files, so many are looked up together.
_BLOBS_AT_ONCE = 400


def delete_artifact(connection: Connection, artifact: Artifact) -> list[str]:
    """Delete a version. The places of bytes that no other version needs are returned, to be freed after the commit."""
    for place in memberships_of(connection, artifact):
        leave_collection(connection, place.collection.id, artifact.id)
    freed: list[str] = []
    held = connection.execute(
        select(entries.c.blob_project_id, entries.c.blob_key)
        .where(entries.c.artifact_id == artifact.id, entries.c.blob_key.is_not(None))
        .distinct()
    ).all()
    documents = connection.scalars(select(manifests.c.id).where(manifests.c.artifact_id == artifact.id)).all()
    for table in (entries, manifests, uses):
        connection.execute(delete(table).where(table.c.artifact_id == artifact.id))
    freed.extend(manifest_place(number) for number in documents)
    for start in range(0, len(held), _BLOBS_AT_ONCE):
        freed += _let_go(connection, held[start : start + _BLOBS_AT_ONCE])
    update_artifact(connection, artifact.id, {"state": DELETED, "size": 0, "file_count": 0})
    return freed


def _let_go(connection: Connection, held: Sequence[Any]) -> list[str]:
    """Forget those bytes, by project and key, that no version needs any more; where they lie."""
    freed = []
    for project_id in {row.blob_project_id for row in held}:
        keys = [row.blob_key for row in held if row.blob_project_id == project_id]
        same = (entries.c.blob_project_id == project_id) & entries.c.blob_key.in_(keys)
        needed = set(connection.scalars(select(entries.c.blob_key).where(same).distinct()))
        gone = [key for key in keys if key not in needed]
        connection.execute(delete(blobs).where(blobs.c.project_id == project_id, blobs.c.key.in_(gone)))
        freed += [blob_place(project_id, key) for key in gone]
    return freed


def delete_collection(connection: Connection, collection: Collection) -> list[str]:
    """Delete a collection: a portfolio lets go of its versions, any other takes them along."""
    freed: list[str] = []
    if not collection.portfolio:
        found = connection.execute(select(artifacts).where(artifacts.c.collection_id == collection.id))
        for row in found.all():
            freed += delete_artifact(connection, Artifact(**row._mapping))
        connection.execute(delete(artifacts).where(artifacts.c.collection_id == collection.id))
    for table in (memberships, aliases, client_ids):
        connection.execute(delete(table).where(table.c.collection_id == collection.id))
    connection.execute(delete(collections).where(collections.c.id == collection.id))
    return freed


def delete_blobs(connection: Connection, project_id: int) -> None:
    """Forget the bytes of a project that is deleted."""
    connection.execute(delete(blobs).where(blobs.c.project_id == project_id))


def delete_expired(connection: Connection, project_id: int, now: float) -> list[str]:
    """Delete the versions whose time to live has passed."""
    found = connection.execute(
        select(artifacts)
        .join(collections, collections.c.id == artifacts.c.collection_id)
        .where(
            collections.c.project_id == project_id,
            artifacts.c.state == COMMITTED,
            artifacts.c.ttl_seconds > 0,
            artifacts.c.created_at + artifacts.c.ttl_seconds <= now,
        )
    )
    return [place for row in found.all() for place in delete_artifact(connection, Artifact(**row._mapping))]
