"""Resolvers of everything but runs: the viewer, entities, projects, and lists of them.

Rows travel as the values of ``_store`` and ``_auth``; a resolver turns one into a field. Fields
without a resolver here are read from the value by their own name.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

from graphql import GraphQLError

from .._filters import FilterError, matches, ordered, parse_filter
from ._auth import ACCESSES, RESTRICTED, Place, User, key_hints
from ._filters import run_view
from ._graphql import Resolvers
from ._limits import PAGE_SIZE_DEFAULT, PAGE_SIZE_MAX
from ._names import RunKey, name_problem, storage_id
from ._services import RequestContext, iso_time
from ._shares import set_access
from ._store import (
    Project,
    Run,
    RunsByTime,
    describe_project,
    ensure_project,
    find_project,
    find_run,
    list_projects,
    list_runs,
    project_by_id,
)
from ._teams import team_exists

DEFAULT_PROJECT = "uncategorized"

# Optional behaviour that clients may switch on.
_FEATURES = (
    "ARTIFACT_COLLECTIONS_FILTERING_SORTING",
    "ARTIFACT_COLLECTION_MEMBERSHIP_FILES",
    "ARTIFACT_DIGEST_ALGORITHM",
    "ARTIFACT_MEMBERSHIP_IN_LINK_ARTIFACT_RESPONSE",
    "ARTIFACT_TAGS",
    "CLIENT_IDS",
    "FILESTREAM_GZIP",
    "LARGE_FILENAMES",
    "MARK_RUN_FILES_UPLOADED",
    "PROJECT_ARTIFACT_COLLECTION_MEMBERSHIP",
    "STRUCTURED_CONSOLE_LOGS",
    "SWEEPS_LOCAL_SCHEDULER",
    "SWEEPS_QUERY_FILTERING",
    "TOTAL_COUNT_IN_FILE_CONNECTION",
    # Of servers of this project, for clients of this project (`_queue_items`, `_partial`).
    "QUEUE_LEASES",
    "RESUMABLE_RUN_FILES",
    "USE_ARTIFACT_WITH_ENTITY_AND_PROJECT_INFORMATION",
)

# The releases of the official client that the server works with, and the release that it says it is like.
_CLIENTS = {"min_cli_version": "0.10.0", "max_cli_version": "99.0.0"}
_LIKE_RELEASE = "0.99.0"

Item = TypeVar("Item")


def allowed_entity(context: RequestContext, name: str | None) -> str:
    """The entity a client means; without a name it is the user's own."""
    if not name:
        return context.user.name
    problem = name_problem("entity", name)
    if problem:
        raise GraphQLError(problem)
    if not context.user.may_use(name):
        raise GraphQLError(f"user {context.user.name!r} may not use the entity {name!r}")
    if context.changes and not context.user.may_change(name):
        raise GraphQLError(f"user {context.user.name!r} may look at the entity {name!r} but not change it")
    return name


def allowed_project(context: RequestContext, entity: str | None, name: str | None) -> Project | None:
    """The project a client means, if it is there and the user may see it, and change it where the request does so."""
    project = find_project(context.connection, entity or context.user.name, name or DEFAULT_PROJECT)
    if project is None or not context.user.may_see(project):
        # As if there were none, for whoever may use the entity.
        allowed_entity(context, entity)
        return None
    require_allowed(context, project)
    return project


def allowed_run(context: RequestContext, key: RunKey) -> Run | None:
    """The run a client means, in the same way."""
    run = find_run(context.connection, key)
    if run is None or not context.user.may_see(run):
        allowed_entity(context, key.entity)
        return None
    require_allowed(context, run)
    return run


def require_allowed(context: RequestContext, place: Place) -> None:
    """That a user who may see something may do with it what the request does."""
    if not context.user.may_see(place):
        raise GraphQLError(f"user {context.user.name!r} may not use this project of {place.entity!r}")
    if context.changes and not context.user.may_edit(place):
        raise GraphQLError(f"user {context.user.name!r} may look at this project of {place.entity!r} but not change it")


def page(items: Sequence[Item], after: str | None, first: int | None) -> tuple[list[tuple[Item, str]], dict[str, Any]]:
    """One page of a list: items with their cursors, and the page info.

    A cursor is the position of an item. Lists are short enough to be made anew for each page.
    """
    size = PAGE_SIZE_DEFAULT if first is None else max(0, min(first, PAGE_SIZE_MAX))
    try:
        start = int(after) + 1 if after else 0
    except ValueError:
        raise GraphQLError(f"the cursor {after!r} did not come from this server") from None
    start = max(start, 0)
    chosen = [(item, str(start + index)) for index, item in enumerate(items[start : start + size])]
    info = {
        "endCursor": chosen[-1][1] if chosen else None,
        "hasNextPage": start + len(chosen) < len(items),
    }
    return chosen, info


def connection_of(items: Sequence[Item], after: str | None, first: int | None) -> dict[str, Any]:
    chosen, info = page(items, after, first)
    return {
        "edges": [{"node": item, "cursor": cursor} for item, cursor in chosen],
        "pageInfo": info,
        "totalCount": len(items),
    }


def _viewer(_: None, context: RequestContext) -> User:
    return context.user


def _server_info(_: None, context: RequestContext) -> dict[str, Any]:
    local = {"outOfDate": False, "latestVersionString": _LIKE_RELEASE, "versionOnThisInstanceString": _LIKE_RELEASE}
    features = [{"name": name, "isEnabled": True} for name in _FEATURES]
    return {"features": features, "cliVersionInfo": _CLIENTS, "latestLocalVersionInfo": local}


def _entity(_: None, context: RequestContext, name: str | None = None) -> dict[str, str]:
    return entity_view(allowed_entity(context, name))


def entity_view(name: str) -> dict[str, str]:
    return {"id": storage_id("Entity", name), "name": name}


def _project(
    _: None, context: RequestContext, name: str | None = None, entityName: str | None = None
) -> Project | None:
    return allowed_project(context, entityName, name)


def _models(
    _: None,
    context: RequestContext,
    entityName: str | None = None,
    after: str | None = None,
    first: int | None = None,
) -> dict[str, Any]:
    entity = allowed_entity(context, entityName)
    found = [project for project in list_projects(context.connection, entity) if context.user.may_see(project)]
    return connection_of(found, after, first)


def _upsert_model(_: None, context: RequestContext, input: dict[str, Any]) -> dict[str, Any]:
    entity = allowed_entity(context, input.get("entityName"))
    project, inserted = project_for_writing(context, entity, input.get("name"))
    if input.get("description") is not None:
        describe_project(context.connection, project, input["description"])
    if input.get("access") not in (None, project.access):
        give_access(context, project, input["access"])
    found = project_by_id(context.connection, project.id)
    return {"project": found, "model": found, "inserted": inserted}


def give_access(context: RequestContext, project: Project, access: Any) -> None:
    """Say who sees a project, if the user is the one to say it."""
    if not context.user.may_lead(project.entity):
        raise GraphQLError(f"only who leads {project.entity!r} says who sees its projects")
    if access not in ACCESSES:
        raise GraphQLError(f"'access' is one of {', '.join(ACCESSES)}")
    if access == RESTRICTED and not team_exists(context.connection, project.entity):
        raise GraphQLError("only a project of a team can be restricted to some of the team")
    set_access(context.connection, project, access)


def project_for_writing(context: RequestContext, entity: str, name: str | None) -> tuple[Project, bool]:
    name = name or DEFAULT_PROJECT
    problem = name_problem("project", name)
    if problem:
        raise GraphQLError(problem)
    project, made = ensure_project(context.connection, entity, name, context.now)
    require_allowed(context, project)
    return project, made


def _user_api_keys(user: User, context: RequestContext) -> dict[str, Any]:
    # Names of keys are private to their owner; another user's keys are none of one's business.
    hints = key_hints(context.connection, user) if user.id == context.user.id else []
    return {
        "edges": [{"node": {"id": storage_id("ApiKey", str(number)), "name": f"...{hint}"}} for number, hint in hints]
    }


def _user_teams(user: User, context: RequestContext) -> dict[str, Any]:
    """The entities of a user that whoever asks may use too."""
    names = [user.name, *(team for team, _ in user.teams if context.user.may_use(team))]
    return {"edges": [{"node": entity_view(name)} for name in names]}


def _project_runs(
    project: Project,
    context: RequestContext,
    filters: str | None = None,
    after: str | None = None,
    first: int | None = None,
    order: str | None = None,
) -> dict[str, Any]:
    return connection_of(_filtered(context, project, filters, order), after, first)


def _project_run_count(project: Project, context: RequestContext, filters: str | None = None) -> int:
    return len(_filtered(context, project, filters, None))


# What runs are ordered by that the database can order them by.
_TIMES = {"created_at": "created_at", "createdAt": "created_at"}
_TIMES.update({"heartbeat_at": "heartbeat_at", "heartbeatAt": "heartbeat_at"})


def _filtered(context: RequestContext, project: Project, filters: str | None, order: str | None) -> Sequence[Run]:
    by = _TIMES.get((order or "created_at").lstrip("+-"))
    try:
        expression = parse_filter(filters)
        if not expression and by is not None:
            return RunsByTime(context.connection, project.id, by, (order or "").startswith("-"))
        # A page asks for the runs and for their number.
        chosen = context.memory.get((project.id, filters))
        if chosen is None:
            views = [run_view(run, context.now) for run in list_runs(context.connection, project.id)]
            chosen = context.memory[project.id, filters] = [view for view in views if matches(view, expression)]
        return [view.run for view in ordered(chosen, order)]
    except FilterError as error:
        raise GraphQLError(str(error)) from None


def _project_updated_at(project: Project, context: RequestContext) -> str:
    """When the last of its runs was heard."""
    newest = RunsByTime(context.connection, project.id, "heartbeat_at", descending=True)[0:1]
    return iso_time(max([project.created_at, *(run.heartbeat_at for run in newest)]))


def _project_run(
    project: Project,
    context: RequestContext,
    name: str | None = None,
    missingOk: bool | None = None,
    desc: str | None = None,
) -> Run | None:
    connection = context.connection
    return find_run(connection, RunKey(name or "", project.name, project.entity))


RESOLVERS: Resolvers = {
    "Query": {
        "viewer": _viewer,
        "serverInfo": _server_info,
        "entity": _entity,
        "project": _project,
        "model": _project,
        "models": _models,
    },
    "Mutation": {"upsertModel": _upsert_model},
    "User": {
        "id": lambda user, context: storage_id("User", str(user.id)),
        "username": lambda user, context: user.name,
        # No address is known; clients only show or record it.
        "email": lambda user, context: "",
        "flags": lambda user, context: "{}",
        "entity": lambda user, context: user.name,
        "apiKeys": _user_api_keys,
        "teams": _user_teams,
    },
    "Project": {
        "id": lambda project, context: storage_id("Project", project.name, project.entity),
        "internalId": lambda project, context: str(project.id),
        "entityName": lambda project, context: project.entity,
        "entity": lambda project, context: entity_view(project.entity),
        "createdAt": lambda project, context: iso_time(project.created_at),
        "updatedAt": _project_updated_at,
        "access": lambda project, context: project.access,
        "isBenchmark": lambda project, context: False,
        "readOnly": lambda project, context: not context.user.may_edit(project),
        "user": lambda project, context: context.user,
        "runCount": _project_run_count,
        "runs": _project_runs,
        "buckets": _project_runs,
        "allViews": lambda project, context, **_: connection_of([], None, None),
        "run": _project_run,
        "bucket": _project_run,
    },
}
