"""Artifacts: collections, their versions, aliases and links, as rows and how they are found and changed.

A version is made PENDING, gets its files, and is COMMITTED with the next number of its collection (see
``_artifact_commit``). A portfolio holds versions of other collections under numbers of its own.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Select, delete, func, insert, select, update

from ._artifact_tables import (
    aliases,
    artifacts,
    collections,
    entries,
    memberships,
    uses,
)
from ._auth import User
from ._database import upsert
from ._limits import NAME_CHARACTERS_MAX
from ._store import Project
from ._tables import projects

PENDING, COMMITTED, DELETED = "PENDING", "COMMITTED", "DELETED"
LATEST = "latest"
_VERSION = re.compile(r"v(\d{1,9})")
_ALIAS_FORBIDDEN = re.compile(r"[/:\x00-\x1f]")


class ArtifactError(ValueError):
    """A request about artifacts that can't be fulfilled; the message is for the client."""


@dataclass(frozen=True)
class Collection:
    """A row of ``artifact_collections`` with the names around it."""

    id: int
    project_id: int
    name: str
    type: str
    portfolio: bool
    description: str | None
    tags: str
    versions_made: int
    created_at: float
    updated_at: float
    project: str
    entity: str
    access: str


@dataclass(frozen=True)
class Artifact:
    """A row of ``artifacts``."""

    id: int
    collection_id: int
    version: int | None
    state: str
    digest: str
    algorithm: str
    description: str | None
    metadata: str
    tags: str
    aliases: str
    distributed_id: str | None
    user_id: int
    run_id: int | None
    history_step: int | None
    ttl_seconds: int | None
    size: int
    file_count: int
    created_at: float
    updated_at: float

    def expired_at(self, now: float) -> bool:
        return self.ttl_seconds is not None and 0 < self.ttl_seconds <= now - self.created_at


@dataclass(frozen=True)
class Membership:
    """A version's place in a collection."""

    collection: Collection
    artifact: Artifact
    version: int
    created_at: float


def _collections_with_names() -> Select[Any]:
    of_project = (
        projects.c.name.label("project"),
        projects.c.entity.label("entity"),
        projects.c.access.label("access"),
    )
    return select(collections, *of_project).join(projects, projects.c.id == collections.c.project_id)


def find_collection(connection: Connection, project_id: int, name: str) -> Collection | None:
    row = connection.execute(
        _collections_with_names().where(collections.c.project_id == project_id, collections.c.name == name)
    ).first()
    return Collection(**row._mapping) if row is not None else None


def collection_by_id(connection: Connection, collection_id: int) -> Collection | None:
    row = connection.execute(_collections_with_names().where(collections.c.id == collection_id)).first()
    return Collection(**row._mapping) if row is not None else None


def list_collections(connection: Connection, project_id: int, type_name: str | None = None) -> list[Collection]:
    query = _collections_with_names().where(collections.c.project_id == project_id).order_by(collections.c.id)
    if type_name is not None:
        query = query.where(collections.c.type == type_name)
    return [Collection(**row._mapping) for row in connection.execute(query)]


def list_types(connection: Connection, project_id: int) -> list[tuple[str, float]]:
    """The types of a project's collections, each with the moment of its first use."""
    found = connection.execute(
        select(collections.c.type, func.min(collections.c.created_at))
        .where(collections.c.project_id == project_id)
        .group_by(collections.c.type)
        .order_by(collections.c.type)
    )
    return [(row[0], row[1]) for row in found]


def ensure_collection(
    connection: Connection,
    project: Project,
    name: str,
    type_name: str,
    now: float,
    *,
    portfolio: bool = False,
) -> Collection:
    """Find or make a collection. One that is there must be of the same kind and type."""
    found = find_collection(connection, project.id, name)
    if found is None:
        connection.execute(
            insert(collections).values(
                project_id=project.id,
                name=name,
                type=type_name,
                portfolio=portfolio,
                tags="[]",
                versions_made=0,
                created_at=now,
                updated_at=now,
            )
        )
        found = find_collection(connection, project.id, name)
        assert found is not None
    if found.portfolio != portfolio:
        kind = "a portfolio of linked versions" if found.portfolio else "an artifact, to which nothing can be linked"
        raise ArtifactError(f"{name!r} is {kind}; choose another name")
    if found.type != type_name:
        raise ArtifactError(f"artifact {name!r} has the type {found.type!r}, not {type_name!r}; choose another name")
    return found


def update_collection(connection: Connection, collection_id: int, values: dict[str, Any]) -> None:
    connection.execute(update(collections).where(collections.c.id == collection_id).values(**values))


def artifact_by_id(connection: Connection, artifact_id: int) -> Artifact | None:
    row = connection.execute(select(artifacts).where(artifacts.c.id == artifact_id)).first()
    return Artifact(**row._mapping) if row is not None else None


def find_artifact(connection: Connection, collection: Collection, **values: Any) -> Artifact | None:
    """The newest version of a collection with these values of its columns."""
    query = select(artifacts).where(artifacts.c.collection_id == collection.id)
    for name, value in values.items():
        query = query.where(artifacts.c[name] == value)
    row = connection.execute(query.order_by(artifacts.c.id.desc())).first()
    return Artifact(**row._mapping) if row is not None else None


def update_artifact(connection: Connection, artifact_id: int, values: dict[str, Any]) -> Artifact:
    connection.execute(update(artifacts).where(artifacts.c.id == artifact_id).values(**values))
    changed = artifact_by_id(connection, artifact_id)
    assert changed is not None
    return changed


def find_membership(connection: Connection, collection: Collection, label: str) -> Membership | None:
    """The version of a collection that has an alias, or a number such as ``v3``."""
    version = _VERSION.fullmatch(label)
    if version:
        condition = memberships.c.version == int(version.group(1))
    else:
        aliased = select(aliases.c.artifact_id).where(
            aliases.c.collection_id == collection.id, aliases.c.alias == label
        )
        condition = memberships.c.artifact_id == aliased.scalar_subquery()
    found = list_memberships(connection, collection, condition)
    return found[0] if found else None


def list_memberships(connection: Connection, collection: Collection, condition: Any = None) -> list[Membership]:
    """The committed versions of a collection by number."""
    query = (
        select(artifacts, memberships.c.version.label("place"), memberships.c.created_at.label("joined_at"))
        .join(artifacts, artifacts.c.id == memberships.c.artifact_id)
        .where(memberships.c.collection_id == collection.id)
        .order_by(memberships.c.version)
    )
    if condition is not None:
        query = query.where(condition)
    return [_membership(collection, row) for row in connection.execute(query)]


def _membership(collection: Collection, row: Any) -> Membership:
    values = dict(row._mapping)
    place, joined_at = values.pop("place"), values.pop("joined_at")
    return Membership(collection, Artifact(**values), place, joined_at)


def memberships_of(connection: Connection, artifact: Artifact) -> list[Membership]:
    """All places of a version, the one in its own collection first."""
    found = connection.execute(
        select(memberships).where(memberships.c.artifact_id == artifact.id).order_by(memberships.c.created_at)
    ).all()
    places = []
    for row in found:
        collection = collection_by_id(connection, row.collection_id)
        assert collection is not None, "a collection is deleted with its memberships"
        places.append(Membership(collection, artifact, row.version, row.created_at))
    return sorted(places, key=lambda place: place.collection.id != artifact.collection_id)


def aliases_of(connection: Connection, artifact_id: int, collection_id: int | None = None) -> list[tuple[int, str]]:
    """Collection and alias, in all collections or in one."""
    query = select(aliases).where(aliases.c.artifact_id == artifact_id).order_by(aliases.c.alias)
    if collection_id is not None:
        query = query.where(aliases.c.collection_id == collection_id)
    return [(row.collection_id, row.alias) for row in connection.execute(query)]


def collection_aliases(connection: Connection, collection_id: int) -> list[str]:
    query = select(aliases.c.alias).where(aliases.c.collection_id == collection_id).order_by(aliases.c.alias)
    return list(connection.scalars(query))


def check_alias(alias: str) -> str:
    if not alias or len(alias) > NAME_CHARACTERS_MAX or _ALIAS_FORBIDDEN.search(alias):
        raise ArtifactError(f"{alias!r} can't be an alias: 1 to {NAME_CHARACTERS_MAX} characters, no '/' or ':'")
    if _VERSION.fullmatch(alias):
        raise ArtifactError(f"{alias!r} can't be an alias: it is how versions are numbered")
    return alias


def set_alias(connection: Connection, collection_id: int, alias: str, artifact_id: int) -> None:
    """Give an alias to a version; the one that had it loses it."""
    row = {"collection_id": collection_id, "alias": check_alias(alias), "artifact_id": artifact_id}
    upsert(connection, aliases, [row], ("collection_id", "alias"))


def remove_alias(connection: Connection, collection_id: int, alias: str, artifact_id: int) -> None:
    connection.execute(
        delete(aliases).where(
            aliases.c.collection_id == collection_id, aliases.c.alias == alias, aliases.c.artifact_id == artifact_id
        )
    )


def join_collection(connection: Connection, collection_id: int, artifact_id: int, now: float) -> int:
    """Give a version the next number of a collection, or the one it has there already; the number is returned."""
    present = connection.execute(
        select(memberships.c.version).where(
            memberships.c.collection_id == collection_id, memberships.c.artifact_id == artifact_id
        )
    ).scalar()
    if present is not None:
        return int(present)
    collection = collection_by_id(connection, collection_id)
    assert collection is not None
    connection.execute(
        insert(memberships).values(
            collection_id=collection_id, version=collection.versions_made, artifact_id=artifact_id, created_at=now
        )
    )
    update_collection(connection, collection_id, {"versions_made": collection.versions_made + 1, "updated_at": now})
    return collection.versions_made


def leave_collection(connection: Connection, collection_id: int, artifact_id: int) -> None:
    """Take a version and its aliases out of a collection; what is the newest then is the latest."""
    for table in (memberships, aliases):
        connection.execute(
            delete(table).where(table.c.collection_id == collection_id, table.c.artifact_id == artifact_id)
        )
    if LATEST not in collection_aliases(connection, collection_id):
        newest = connection.execute(
            select(memberships.c.artifact_id)
            .where(memberships.c.collection_id == collection_id)
            .order_by(memberships.c.version.desc())
            .limit(1)
        ).scalar()
        if newest is not None:
            set_alias(connection, collection_id, LATEST, newest)


def artifacts_of_run(connection: Connection, run_id: int) -> list[Artifact]:
    """What a run logged, in order."""
    query = select(artifacts).where(artifacts.c.run_id == run_id, artifacts.c.state == COMMITTED)
    return [Artifact(**row._mapping) for row in connection.execute(query.order_by(artifacts.c.id))]


def artifacts_used_by_run(connection: Connection, run_id: int) -> list[Artifact]:
    query = (
        select(artifacts)
        .join(uses, uses.c.artifact_id == artifacts.c.id)
        .where(uses.c.run_id == run_id, artifacts.c.state == COMMITTED)
        .order_by(uses.c.used_at, artifacts.c.id)
    )
    return [Artifact(**row._mapping) for row in connection.execute(query)]


def visible(connection: Connection, user: User, found: Sequence[Artifact]) -> list[tuple[Artifact, Collection]]:
    """Of these versions those that a user may see, each with the collection that it was made in."""
    homes = {number: collection_by_id(connection, number) for number in {item.collection_id for item in found}}
    placed = [(item, homes[item.collection_id]) for item in found]
    return [(item, home) for item, home in placed if home is not None and user.may_see(home)]


def runs_using(connection: Connection, artifact_id: int) -> list[int]:
    query = select(uses.c.run_id).where(uses.c.artifact_id == artifact_id).order_by(uses.c.used_at, uses.c.run_id)
    return list(connection.scalars(query))


def record_use(connection: Connection, artifact_id: int, run_id: int, used_as: str | None, now: float) -> None:
    row = {"artifact_id": artifact_id, "run_id": run_id, "used_as": used_as, "used_at": now}
    upsert(connection, uses, [row], ("artifact_id", "run_id"))


def stored_entries(
    connection: Connection, artifact_id: int, names: Sequence[str], start: int, count: int, references: bool = False
) -> tuple[list[Any], int]:
    """Files of a version whose bytes are here, by path, and how many there are; with `references` those too."""
    condition = entries.c.artifact_id == artifact_id
    if not references:
        condition &= entries.c.blob_key.is_not(None)
    if names:
        condition &= entries.c.path.in_(names)
    total = connection.execute(select(func.count()).select_from(entries).where(condition)).scalar_one()
    found = connection.execute(select(entries).where(condition).order_by(entries.c.path).offset(start).limit(count))
    return list(found), total


def changed_tags(text: str, add: Sequence[str], remove: Sequence[str]) -> str:
    present = [tag for tag in json.loads(text) if tag not in remove]
    return json.dumps(list(dict.fromkeys([*present, *add])))


def blob_place(project_id: int, key: str) -> str:
    return f"blobs/{project_id}/{key}"


def manifest_place(manifest_id: int) -> str:
    return f"manifests/{manifest_id}"
