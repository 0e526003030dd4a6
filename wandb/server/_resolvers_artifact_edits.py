"""Resolvers that change what is there: aliases, tags, links, descriptions, deletion."""

from __future__ import annotations

import json
from typing import Any

from graphql import GraphQLError

from ._artifact_deletion import delete_artifact, delete_collection
from ._artifacts import (
    COMMITTED,
    LATEST,
    Artifact,
    ArtifactError,
    Collection,
    aliases_of,
    changed_tags,
    check_alias,
    collection_by_id,
    ensure_collection,
    find_collection,
    find_membership,
    join_collection,
    leave_collection,
    memberships_of,
    remove_alias,
    set_alias,
    update_artifact,
    update_collection,
)
from ._client_ids import artifacts_by_client_id
from ._graphql import Resolvers
from ._names import name_problem
from ._resolvers import allowed_entity, allowed_project, project_for_writing
from ._resolvers_artifact_changes import free, object_text, telling, ttl_of_input
from ._resolvers_artifacts import changeable_artifact, home_of, readable_artifact, readable_collection, tag_views
from ._services import RequestContext

_SUCCESS = {"success": True}


def _update_artifact(_: None, context: RequestContext, input: dict[str, Any]) -> dict[str, Any]:
    artifact = changeable_artifact(context, input["artifactID"])
    values: dict[str, Any] = {"updated_at": context.now}
    if input.get("description") is not None:
        values["description"] = input["description"]
    if input.get("metadata") is not None:
        values["metadata"] = object_text(input["metadata"])
    if input.get("ttlDurationSeconds") is not None:
        values["ttl_seconds"] = ttl_of_input(input["ttlDurationSeconds"])
    values["tags"] = changed_tags(artifact.tags, _tags(input, "tagsToAdd"), _tags(input, "tagsToDelete"))
    for entry in input.get("aliases") or []:
        collection = _collection_of(context, home_of(context, artifact), entry)
        set_alias(context.connection, collection.id, entry["alias"], artifact.id)
    return {"artifact": update_artifact(context.connection, artifact.id, values)}


def _tags(input: dict[str, Any], name: str) -> list[str]:
    return [check_alias(tag["tagName"]) for tag in input.get(name) or []]


def _collection_of(context: RequestContext, home: Collection, entry: dict[str, Any]) -> Collection:
    """The collection that an alias is meant for; what it leaves out is as for the artifact itself."""
    project = allowed_project(context, entry.get("entityName") or home.entity, entry.get("projectName") or home.project)
    name = entry["artifactCollectionName"]
    found = None if project is None else find_collection(context.connection, project.id, name)
    if found is None:
        raise GraphQLError(f"artifact collection {name!r} was not found")
    return found


def _add_aliases(_: None, context: RequestContext, input: dict[str, Any]) -> dict[str, bool]:
    artifact = changeable_artifact(context, input["artifactID"])
    for entry in input["aliases"]:
        collection = _collection_of(context, home_of(context, artifact), entry)
        if collection.id not in {place.collection.id for place in memberships_of(context.connection, artifact)}:
            raise ArtifactError(f"the artifact is no version of {collection.name!r}; link it first")
        set_alias(context.connection, collection.id, entry["alias"], artifact.id)
    return _SUCCESS


def _delete_aliases(_: None, context: RequestContext, input: dict[str, Any]) -> dict[str, bool]:
    artifact = changeable_artifact(context, input["artifactID"])
    for entry in input["aliases"]:
        collection = _collection_of(context, home_of(context, artifact), entry)
        remove_alias(context.connection, collection.id, entry["alias"], artifact.id)
    return _SUCCESS


def _delete_artifact(_: None, context: RequestContext, input: dict[str, Any]) -> dict[str, Any]:
    artifact = changeable_artifact(context, input["artifactID"])
    held = [alias for _, alias in aliases_of(context.connection, artifact.id) if alias != LATEST]
    if held and not input.get("deleteAliases"):
        raise ArtifactError(f"the artifact has the aliases {', '.join(held)}; delete them with it, or first")
    free(context, delete_artifact(context.connection, artifact))
    return {"artifact": artifact}


def _link(_: None, context: RequestContext, input: dict[str, Any]) -> dict[str, Any]:
    connection = context.connection
    artifact = _artifact_to_link(context, input)
    if artifact.state != COMMITTED:
        raise ArtifactError("only a committed artifact can be linked")
    entity = allowed_entity(context, input.get("entityName"))
    project, _made = project_for_writing(context, entity, input.get("projectName"))
    name = input["artifactPortfolioName"]
    problem = name_problem("artifact", name)
    if problem:
        raise GraphQLError(problem)
    kind = home_of(context, artifact).type
    portfolio = ensure_collection(connection, project, name, kind, context.now, portfolio=True)
    version = join_collection(connection, portfolio.id, artifact.id, context.now)
    for alias in [LATEST, *(entry["alias"] for entry in input.get("aliases") or [])]:
        set_alias(connection, portfolio.id, alias, artifact.id)
    return {"versionIndex": version, "artifactMembership": find_membership(connection, portfolio, f"v{version}")}


def _artifact_to_link(context: RequestContext, input: dict[str, Any]) -> Artifact:
    if input.get("artifactID"):
        return readable_artifact(context, input["artifactID"])
    for artifact in artifacts_by_client_id(context.connection, input.get("clientID") or ""):
        if context.user.may_see(home_of(context, artifact)):
            return artifact
    raise GraphQLError("the artifact to link was not found")


def _unlink(_: None, context: RequestContext, input: dict[str, Any]) -> dict[str, bool]:
    artifact = readable_artifact(context, input["artifactID"])
    portfolio = readable_collection(context, input["artifactPortfolioID"])
    if not portfolio.portfolio:
        raise ArtifactError("an artifact can't be unlinked from where it was made; delete it")
    leave_collection(context.connection, portfolio.id, artifact.id)
    return _SUCCESS


def _update_collection(context: RequestContext, text: str, input: dict[str, Any]) -> dict[str, Any]:
    collection = readable_collection(context, text)
    values: dict[str, Any] = {"updated_at": context.now}
    if input.get("name") and input["name"] != collection.name:
        problem = name_problem("artifact", input["name"])
        taken = find_collection(context.connection, collection.project_id, input["name"]) is not None
        if problem or taken:
            raise GraphQLError(problem or f"there is an artifact {input['name']!r} already")
        values["name"] = input["name"]
    if input.get("description") is not None:
        values["description"] = input["description"]
    update_collection(context.connection, collection.id, values)
    return {"artifactCollection": collection_by_id(context.connection, collection.id)}


def _update_sequence(_: None, context: RequestContext, input: dict[str, Any]) -> dict[str, Any]:
    return _update_collection(context, input["artifactSequenceID"], input)


def _update_portfolio(_: None, context: RequestContext, input: dict[str, Any]) -> dict[str, Any]:
    return _update_collection(context, input["artifactPortfolioID"], input)


def _move_sequence(_: None, context: RequestContext, input: dict[str, Any]) -> dict[str, Any]:
    """Give a collection another type."""
    collection = readable_collection(context, input["artifactSequenceID"])
    problem = name_problem("artifact type", input["destinationArtifactTypeName"])
    if problem:
        raise GraphQLError(problem)
    values = {"type": input["destinationArtifactTypeName"], "updated_at": context.now}
    update_collection(context.connection, collection.id, values)
    return {"artifactCollection": collection_by_id(context.connection, collection.id)}


def _delete_collection(context: RequestContext, text: str) -> dict[str, Any]:
    collection = readable_collection(context, text)
    free(context, delete_collection(context.connection, collection))
    return {"artifactCollection": None}


def _delete_sequence(_: None, context: RequestContext, input: dict[str, Any]) -> dict[str, Any]:
    return _delete_collection(context, input["artifactSequenceID"])


def _delete_portfolio(_: None, context: RequestContext, input: dict[str, Any]) -> dict[str, Any]:
    return _delete_collection(context, input["artifactPortfolioID"])


def _tagged_collection(context: RequestContext, input: dict[str, Any]) -> Collection:
    project = allowed_project(context, input.get("entityName"), input.get("projectName"))
    name = input["artifactCollectionName"]
    found = None if project is None else find_collection(context.connection, project.id, name)
    if found is None:
        raise GraphQLError(f"artifact collection {name!r} was not found")
    return found


def _add_collection_tags(_: None, context: RequestContext, input: dict[str, Any]) -> dict[str, Any]:
    collection = _tagged_collection(context, input)
    tags = changed_tags(collection.tags, _tags(input, "tags"), [])
    update_collection(context.connection, collection.id, {"tags": tags})
    return {"tags": tag_views(json.loads(tags))}


def _delete_collection_tags(_: None, context: RequestContext, input: dict[str, Any]) -> dict[str, bool]:
    collection = _tagged_collection(context, input)
    tags = changed_tags(collection.tags, [], _tags(input, "tags"))
    update_collection(context.connection, collection.id, {"tags": tags})
    return _SUCCESS


ARTIFACT_EDIT_RESOLVERS: Resolvers = {
    "Mutation": {
        name: telling(resolver)
        for name, resolver in {
            "updateArtifact": _update_artifact,
            "deleteArtifact": _delete_artifact,
            "addAliases": _add_aliases,
            "deleteAliases": _delete_aliases,
            "linkArtifact": _link,
            "unlinkArtifact": _unlink,
            "updateArtifactSequence": _update_sequence,
            "updateArtifactPortfolio": _update_portfolio,
            "moveArtifactSequence": _move_sequence,
            "deleteArtifactSequence": _delete_sequence,
            "deleteArtifactPortfolio": _delete_portfolio,
            "createArtifactCollectionTagAssignments": _add_collection_tags,
            "deleteArtifactCollectionTagAssignments": _delete_collection_tags,
        }.items()
    }
}
