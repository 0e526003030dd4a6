"""Resolvers of artifacts: what is read from them."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from graphql import GraphQLError

from .._filters import FilterError, RowView, matches, ordered, parse_filter, sortable_time
from ._artifact_commit import MD5, Manifest, manifests_of
from ._artifacts import (
    COMMITTED,
    LATEST,
    Artifact,
    Collection,
    Membership,
    aliases_of,
    artifact_by_id,
    artifacts_of_run,
    artifacts_used_by_run,
    collection_aliases,
    collection_by_id,
    find_artifact,
    find_collection,
    find_membership,
    list_collections,
    list_memberships,
    list_types,
    memberships_of,
    runs_using,
    visible,
)
from ._auth import User, user_by_id
from ._client_ids import artifacts_by_client_id
from ._graphql import TYPE_NAME, Resolvers
from ._limits import PAGE_SIZE_MAX
from ._names import parse_storage_number, storage_id
from ._resolvers import connection_of, require_allowed
from ._resolvers_artifact_files import artifact_files, files_by_entries, manifest_file
from ._services import RequestContext, iso_time
from ._store import Project, Run, find_project, run_by_id, run_exists

# How clients spell that a version is kept for ever.
TTL_FOR_EVER = -2


class TypeView(NamedTuple):
    """A type of artifacts in a project. A type has no row: it is there as long as a collection has it."""

    project: Project
    name: str
    created_at: float


def artifact_storage_id(artifact: Artifact) -> str:
    return storage_id("Artifact", str(artifact.id))


def readable_artifact(context: RequestContext, text: str) -> Artifact:
    """The version with a storage id, if the user may see it."""
    number = parse_storage_number("Artifact", text)
    artifact = None if number is None else artifact_by_id(context.connection, number)
    if artifact is None or not context.user.may_see(home_of(context, artifact)):
        raise GraphQLError(f"artifact {text!r} was not found")
    return artifact


def changeable_artifact(context: RequestContext, text: str) -> Artifact:
    """The version with a storage id, if the user may change it."""
    artifact = readable_artifact(context, text)
    require_allowed(context, home_of(context, artifact))
    return artifact


def home_of(context: RequestContext, artifact: Artifact) -> Collection:
    """The collection that a version was made in."""
    collection = collection_by_id(context.connection, artifact.collection_id)
    assert collection is not None, "a collection is deleted with its versions"
    return collection


def _artifact(_: None, context: RequestContext, id: str) -> Artifact | None:
    artifact = readable_artifact(context, id)
    return None if artifact.expired_at(context.now) else artifact


def _collection_by_id(_: None, context: RequestContext, id: str) -> Collection | None:
    return readable_collection(context, id)


def readable_collection(context: RequestContext, text: str) -> Collection:
    number = parse_storage_number("ArtifactCollection", text)
    collection = None if number is None else collection_by_id(context.connection, number)
    if collection is None or not context.user.may_see(collection):
        raise GraphQLError(f"artifact collection {text!r} was not found")
    require_allowed(context, collection)
    return collection


def _client_id_mapping(_: None, context: RequestContext, clientID: str) -> dict[str, str] | None:
    for artifact in artifacts_by_client_id(context.connection, clientID):
        if context.user.may_see(home_of(context, artifact)):
            return {"serverID": artifact_storage_id(artifact)}
    return None


def membership_of_name(context: RequestContext, project: Project, name: str) -> Membership | None:
    """A version by ``collection:alias``; without an alias it is the latest."""
    collection_name, _, label = name.partition(":")
    collection = find_collection(context.connection, project.id, collection_name)
    return None if collection is None else _membership(collection, context, label or LATEST)


def _membership(collection: Collection, context: RequestContext, aliasName: str) -> Membership | None:
    found = find_membership(context.connection, collection, aliasName)
    return None if found is None or found.artifact.expired_at(context.now) else found


def _project_artifact(project: Project, context: RequestContext, name: str) -> Artifact | None:
    found = membership_of_name(context, project, name)
    return None if found is None else found.artifact


def _project_membership(project: Project, context: RequestContext, name: str) -> Membership | None:
    return membership_of_name(context, project, name)


def _project_collection(project: Project, context: RequestContext, name: str) -> Collection | None:
    return find_collection(context.connection, project.id, name)


def _project_collections(
    project: Project,
    context: RequestContext,
    after: str | None = None,
    first: int | None = None,
    filters: str | None = None,
    order: str | None = None,
    type_name: str | None = None,
) -> dict[str, Any]:
    found = list_collections(context.connection, project.id, type_name)
    views = [RowView(collection, _collection_values(collection)) for collection in found]
    return connection_of(_chosen(views, filters, order), after, first)


def _chosen(views: list[RowView[Any]], filters: str | None, order: str | None) -> list[Any]:
    try:
        expression = parse_filter(filters)
        return [view.row for view in ordered([view for view in views if matches(view, expression)], order)]
    except FilterError as error:
        raise GraphQLError(str(error)) from None


def _collection_values(collection: Collection) -> dict[str, Any]:
    created, updated = sortable_time(collection.created_at), sortable_time(collection.updated_at)
    names = {"created_at": created, "createdAt": created, "updated_at": updated, "updatedAt": updated}
    tags = json.loads(collection.tags)
    return {"name": collection.name, "description": collection.description, "tags": tags, "tag": tags, **names}


def _project_types(
    project: Project, context: RequestContext, after: str | None = None, first: int | None = None
) -> dict[str, Any]:
    found = [TypeView(project, name, created_at) for name, created_at in list_types(context.connection, project.id)]
    return connection_of(found, after, first)


def _project_type(project: Project, context: RequestContext, name: str) -> TypeView | None:
    found = dict(list_types(context.connection, project.id))
    return TypeView(project, name, found[name]) if name in found else None


def _type_artifact(kind: TypeView, context: RequestContext, name: str) -> Artifact | None:
    found = membership_of_name(context, kind.project, name)
    return found.artifact if found is not None and found.collection.type == kind.name else None


def _type_collection(kind: TypeView, context: RequestContext, name: str) -> Collection | None:
    found = find_collection(context.connection, kind.project.id, name)
    return found if found is not None and found.type == kind.name else None


def _type_sequence(kind: TypeView, context: RequestContext, name: str) -> Collection | None:
    found = _type_collection(kind, context, name)
    return None if found is None or found.portfolio else found


def _type_collections(kind: TypeView, context: RequestContext, **arguments: Any) -> dict[str, Any]:
    return _project_collections(kind.project, context, **arguments, type_name=kind.name)


def _project_of(collection: Collection, context: RequestContext) -> Project:
    project = find_project(context.connection, collection.entity, collection.project)
    assert project is not None
    return project


def _type_of(collection: Collection, context: RequestContext) -> TypeView:
    return TypeView(_project_of(collection, context), collection.type, collection.created_at)


def _collection_alias_page(
    collection: Collection, context: RequestContext, after: str | None = None, first: int | None = None
) -> dict[str, Any]:
    views = [_alias_view(collection, alias) for alias in collection_aliases(context.connection, collection.id)]
    return connection_of(views, after, first)


def _alias_view(collection: Collection, alias: str) -> dict[str, Any]:
    identity = storage_id("ArtifactAlias", str(collection.id), alias)
    return {"id": identity, "alias": alias, "artifactCollection": collection}


def _versions(
    collection: Collection,
    context: RequestContext,
    after: str | None = None,
    first: int | None = None,
    order: str | None = None,
    filters: str | None = None,
) -> dict[str, Any]:
    found = list_memberships(context.connection, collection)
    views = [
        RowView(place, _version_values(context, place)) for place in found if not place.artifact.expired_at(context.now)
    ]
    answer = connection_of(_chosen(views, filters, order or "-version_index"), after, first)
    for edge in answer["edges"]:
        edge["version"] = f"v{edge['node'].version}"
        edge["node"] = edge["node"].artifact
    return answer


def _version_values(context: RequestContext, place: Membership) -> dict[str, Any]:
    artifact = place.artifact
    created, updated = sortable_time(artifact.created_at), sortable_time(artifact.updated_at)
    labels = [alias for _, alias in aliases_of(context.connection, artifact.id, place.collection.id)]
    tags = json.loads(artifact.tags)
    return {
        **dict.fromkeys(("created_at", "createdAt"), created),
        **dict.fromkeys(("updated_at", "updatedAt"), updated),
        **dict.fromkeys(("version_index", "versionIndex", "version"), place.version),
        **dict.fromkeys(("alias", "aliases"), labels),
        **dict.fromkeys(("tag", "tags"), tags),
        "state": artifact.state,
        "size": artifact.size,
        "digest": artifact.digest,
        "description": artifact.description,
        "metadata": json.loads(artifact.metadata),
    }


def _latest(collection: Collection, context: RequestContext) -> Artifact | None:
    found = _membership(collection, context, LATEST)
    return None if found is None else found.artifact


def _collection_algorithm(collection: Collection, context: RequestContext) -> str | None:
    newest = find_artifact(context.connection, collection, state=COMMITTED)
    return None if newest is None else newest.algorithm


def _tag_edges(text: str) -> dict[str, Any]:
    return {"edges": [{"node": tag} for tag in tag_views(json.loads(text))]}


def tag_views(tags: list[str]) -> list[dict[str, str]]:
    return [{"id": storage_id("Tag", tag), "name": tag} for tag in tags]


def _membership_aliases(place: Membership, context: RequestContext) -> list[dict[str, Any]]:
    found = aliases_of(context.connection, place.artifact.id, place.collection.id)
    # Clients of before 2024 look for the number of a version among its aliases; newer ones pass over it.
    labels = [*(alias for _, alias in found), f"v{place.version}"]
    return [_alias_view(place.collection, alias) for alias in labels]


def _artifact_aliases(artifact: Artifact, context: RequestContext) -> list[dict[str, Any]]:
    views = []
    for place in _artifact_places(artifact, context):
        views += _membership_aliases(place, context)
    return views


def _artifact_places(artifact: Artifact, context: RequestContext) -> list[Membership]:
    places = memberships_of(context.connection, artifact)
    return [place for place in places if context.user.may_see(place.collection)]


def _manifest(artifact: Artifact, context: RequestContext) -> Manifest | None:
    found = manifests_of(context.connection, artifact.id)
    return found[-1] if found else None


def _created_by(artifact: Artifact, context: RequestContext) -> Run | User | None:
    if artifact.run_id is not None and run_exists(context.connection, artifact.run_id):
        run = run_by_id(context.connection, artifact.run_id)
        return run if context.user.may_see(run) else None
    return user_by_id(context.connection, artifact.user_id)


def _used_by(artifact: Artifact, context: RequestContext) -> dict[str, Any]:
    connection = context.connection
    found = [run_by_id(connection, run_id) for run_id in runs_using(connection, artifact.id)]
    seen = [run for run in found if context.user.may_see(run)]
    return connection_of(seen, None, PAGE_SIZE_MAX)


def _run_outputs(
    run: Run, context: RequestContext, after: str | None = None, first: int | None = None
) -> dict[str, Any]:
    return connection_of(_seen(context, artifacts_of_run(context.connection, run.id)), after, first)


def _run_inputs(
    run: Run, context: RequestContext, after: str | None = None, first: int | None = None
) -> dict[str, Any]:
    return connection_of(_seen(context, artifacts_used_by_run(context.connection, run.id)), after, first)


def _seen(context: RequestContext, found: list[Artifact]) -> list[Artifact]:
    """A run may have used, or made, what lies in a project that not everybody sees who sees the run."""
    return [item for item, _ in visible(context.connection, context.user, found)]


_COLLECTION: dict[str, Any] = {
    "id": lambda collection, context: storage_id("ArtifactCollection", str(collection.id)),
    "state": lambda collection, context: "READY",
    "createdAt": lambda collection, context: iso_time(collection.created_at),
    "updatedAt": lambda collection, context: iso_time(collection.updated_at),
    "project": _project_of,
    "defaultArtifactType": _type_of,
    "tags": lambda collection, context: _tag_edges(collection.tags),
    "aliases": _collection_alias_page,
    "artifactMembership": _membership,
    "artifacts": _versions,
}

ARTIFACT_RESOLVERS: Resolvers = {
    "Query": {"artifact": _artifact, "artifactCollection": _collection_by_id, "clientIDMapping": _client_id_mapping},
    "Project": {
        "artifact": _project_artifact,
        "artifactCollection": _project_collection,
        "artifactCollectionMembership": _project_membership,
        "artifactCollections": _project_collections,
        "artifactType": _project_type,
        "artifactTypes": _project_types,
    },
    "Run": {"inputArtifacts": _run_inputs, "outputArtifacts": _run_outputs},
    "ArtifactType": {
        "id": lambda kind, context: storage_id("ArtifactType", str(kind.project.id), kind.name),
        "description": lambda kind, context: None,
        "createdAt": lambda kind, context: iso_time(kind.created_at),
        "artifact": _type_artifact,
        "artifactCollection": _type_collection,
        "artifactSequence": _type_sequence,
        "artifactCollections": _type_collections,
    },
    "ArtifactCollection": {TYPE_NAME: lambda value, *_: "ArtifactPortfolio" if value.portfolio else "ArtifactSequence"},
    "ArtifactSequence": {**_COLLECTION, "latestArtifact": _latest, "digestAlgorithm": _collection_algorithm},
    "ArtifactPortfolio": _COLLECTION,
    "ArtifactCollectionMembership": {
        "id": lambda place, context: storage_id("ArtifactMembership", str(place.collection.id), str(place.artifact.id)),
        "versionIndex": lambda place, context: place.version,
        "createdAt": lambda place, context: iso_time(place.created_at),
        "aliases": _membership_aliases,
        "artifactCollection": lambda place, context: place.collection,
        "files": lambda place, context, **arguments: artifact_files(place.artifact, context, **arguments),
    },
    "ArtifactCreator": {TYPE_NAME: lambda value, *_: "Run" if isinstance(value, Run) else "User"},
    "Artifact": {
        "id": lambda artifact, context: artifact_storage_id(artifact),
        "versionIndex": lambda artifact, context: artifact.version,
        "artifactSequence": lambda artifact, context: home_of(context, artifact),
        "artifactType": lambda artifact, context: _type_of(home_of(context, artifact), context),
        "artifactCollections": lambda artifact, context: connection_of(
            [place.collection for place in _artifact_places(artifact, context)], None, PAGE_SIZE_MAX
        ),
        "artifactMemberships": lambda artifact, context: {
            "edges": [{"node": place} for place in _artifact_places(artifact, context)]
        },
        "aliases": _artifact_aliases,
        "tags": lambda artifact, context: tag_views(json.loads(artifact.tags)),
        "digestAlgorithm": lambda artifact, context: artifact.algorithm or MD5,
        "commitHash": lambda artifact, context: None,
        "historyStep": lambda artifact, context: artifact.history_step,
        "ttlDurationSeconds": lambda artifact, context: artifact.ttl_seconds or TTL_FOR_EVER,
        "ttlIsInherited": lambda artifact, context: artifact.ttl_seconds is None,
        "size": lambda artifact, context: str(artifact.size),
        "fileCount": lambda artifact, context: artifact.file_count,
        "createdAt": lambda artifact, context: iso_time(artifact.created_at),
        "updatedAt": lambda artifact, context: iso_time(artifact.updated_at),
        "currentManifest": _manifest,
        "createdBy": _created_by,
        "usedBy": _used_by,
        "files": artifact_files,
        "filesByManifestEntries": files_by_entries,
    },
    "ArtifactManifest": {
        "id": lambda manifest, context: storage_id("ArtifactManifest", str(manifest.id)),
        "file": manifest_file,
    },
    "Entity": {"xxhashDigestsEnabled": lambda entity, context: True},
}
