"""The ids that clients gave their artifacts before the server knew them.

A table, or a link, names an artifact that is still on its way by such an id. A version can have several: who logs the
same content once more is given the version that is there, and names it by an id of its own.
"""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Connection, select

from ._artifact_tables import artifacts, client_ids
from ._artifacts import COMMITTED, Artifact
from ._database import upsert


def record_client_id(
    connection: Connection, client_id: str | None, collection_id: int, artifact_id: int | None = None
) -> None:
    """Note an id of a version, or without one of a collection."""
    if client_id:
        row = {"client_id": client_id, "collection_id": collection_id, "artifact_id": artifact_id}
        upsert(connection, client_ids, [row], ("client_id", "collection_id"))


def artifacts_by_client_id(connection: Connection, client_id: str) -> Iterator[Artifact]:
    """What an id names, the latest first: versions, and the newest of a collection so named.

    There are several where the same run was sent to several projects.
    """
    named = select(client_ids).where(client_ids.c.client_id == client_id).order_by(client_ids.c.collection_id.desc())
    for name in connection.execute(named).all():
        query = select(artifacts).where(artifacts.c.collection_id == name.collection_id)
        if name.artifact_id is not None:
            query = query.where(artifacts.c.id == name.artifact_id)
        else:
            query = query.where(artifacts.c.state == COMMITTED).order_by(artifacts.c.version.desc())
        row = connection.execute(query.limit(1)).first()
        if row is not None:
            yield Artifact(**row._mapping)
