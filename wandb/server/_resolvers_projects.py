"""Resolvers that rename and delete projects."""

from __future__ import annotations

import functools
from typing import Any

from graphql import GraphQLError

from ._alerts import delete_alerts
from ._artifact_deletion import delete_blobs, delete_collection
from ._artifacts import list_collections
from ._graphql import Resolvers
from ._names import name_problem, parse_project_id
from ._queues import delete_project_queues
from ._resolvers import allowed_project
from ._services import RequestContext
from ._store import Project, delete_project, delete_run, find_project, list_runs, rename_project
from ._sweeps import delete_project_sweeps


def _known(context: RequestContext, entity: str, name: str) -> Project:
    project = allowed_project(context, entity, name)
    if project is None:
        raise GraphQLError(f"project {entity}/{name} was not found")
    return project


def _rename(_: None, context: RequestContext, input: dict[str, Any]) -> dict[str, Any]:
    entity = input.get("entityName") or context.user.name
    project, name = _known(context, entity, input["oldProjectName"]), input["newProjectName"]
    give_name(context, project, name)
    return {"project": _known(context, entity, name), "inserted": False}


def give_name(context: RequestContext, project: Project, name: str) -> None:
    problem = name_problem("project", name)
    if problem or find_project(context.connection, project.entity, name) is not None:
        raise GraphQLError(problem or f"there is a project {project.entity}/{name} already")
    rename_project(context.connection, project, name)


def _delete(_: None, context: RequestContext, input: dict[str, Any]) -> dict[str, bool]:
    key = parse_project_id(input["id"])
    if key is None:
        raise GraphQLError(f"{input['id']!r} is not the id of a project")
    name, entity = key
    forget_project(context, _known(context, entity, name))
    return {"success": True}


def forget_project(context: RequestContext, project: Project) -> None:
    """Delete a project with its runs, artifacts, sweeps and queues."""
    connection, store = context.connection, context.services.bytes
    collections = list_collections(connection, project.id)
    # Portfolios first: what is linked to them is let go of before it is deleted.
    for collection in sorted(collections, key=lambda collection: not collection.portfolio):
        for place in delete_collection(connection, collection):
            context.after_commit.append(functools.partial(store.delete, place))
    for run in list_runs(connection, project.id):
        delete_alerts(connection, run.id)
        delete_run(connection, run.id)
        context.after_commit.append(functools.partial(store.delete_under, str(run.id)))
    delete_blobs(connection, project.id)
    delete_project_sweeps(connection, project.id)
    delete_project_queues(connection, project.id)
    delete_project(connection, project)
    context.after_commit.append(functools.partial(store.delete_under, f"blobs/{project.id}"))


PROJECT_CHANGE_RESOLVERS: Resolvers = {"Mutation": {"renameProject": _rename, "deleteModel": _delete}}
