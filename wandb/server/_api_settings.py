"""The JSON endpoints of the pages about queues, projects, teams and the user's own account.

==================================================  ====================================================
``GET  /api/projects/{entity}/{project}/queues``     launch queues with their items, and the agents
``POST .../queues/{item}/remove``                    take an item out of its queue
``GET  /api/projects/{entity}/{project}/settings``   description, team, what policies say
``POST  ...``                                        ``description name delete policy``
``GET  /api/account``                                the user, keys (never the keys themselves), teams
``POST  .../forget-key``                             delete a key (``id``)
``POST /api/teams/{team}``                           a member's role (``user role``; a null role takes them out)
==================================================  ====================================================
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Union

from graphql import GraphQLError
from sqlalchemy import Connection
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ..superagent._spec import title_of
from ._access import base_url_of, require_user, services_of
from ._api_runs import project_of
from ._auth import create_api_key, delete_api_key, key_hints
from ._body import read_body
from ._json_response import StrictJSONResponse
from ._limits import CHANGE_BYTES_MAX, PAGE_SIZE_MAX
from ._policies import (
    PROJECT,
    Policy,
    parse_policy,
    policies_for,
    policy_problem,
    project_policy_name,
    set_policy,
)
from ._queue_items import OVER, PENDING, Item, delete_item, item_by_id, list_items
from ._queues import LaunchAgent, Queue, list_launch_agents, list_queues, queue_by_id
from ._resolvers_projects import forget_project, give_name
from ._resolvers_teams import give_role, known_user, make_service_account, make_team, take_member
from ._services import RequestContext
from ._store import Project, describe_project
from ._teams import list_members, team_exists, teams_of

_WHAT_CHARACTERS_MAX = 200
Outcome = Union[RequestContext, "tuple[RequestContext, dict[str, Any]]"]
Change = Callable[[Request, Connection, dict[str, Any]], Outcome]


def _queues(request: Request) -> Response:
    with services_of(request).database.read() as connection:
        project, context = project_of(request, connection)
        # Machines and commands are none of the business of who has a link, or reads a public project.
        inside = context.user.may_use(project.entity)
        found = list_queues(connection, project.id) if inside else []
        queues = [_queue_view(connection, queue) for queue in found if queue.is_open_to(context.user.id)]
        agents = [_agent_view(agent) for agent in list_launch_agents(connection, project.id)] if inside else []
    return StrictJSONResponse({"queues": queues, "agents": agents})


def _queue_view(connection: Connection, queue: Queue) -> dict[str, Any]:
    items = list_items(connection, queue.id)
    counts: dict[str, int] = {}
    for item in items:
        counts[item.state] = counts.get(item.state, 0) + 1
    # What runs, what waits in its order, and what has ended, the last first.
    over = [item for item in items if item.state in OVER]
    shown = [
        *(item for item in items if item.state not in (*OVER, PENDING)),
        *(item for item in items if item.state == PENDING),
        *sorted(over, key=lambda item: item.id, reverse=True),
    ]
    return {
        "name": queue.name,
        "access": queue.access,
        "prioritization": queue.prioritization_mode,
        "created_at": queue.created_at,
        "counts": counts,
        "items": [_item_view(item) for item in shown[:PAGE_SIZE_MAX]],
    }


def _item_view(item: Item) -> dict[str, Any]:
    names = ("id", "state", "priority", "gpus", "message", "stage", "created_at", "agent_id", "handed", "exit_code")
    key = item.run_key()
    run = None if key is None else {"entity": key.entity, "project": key.project, "id": key.name}
    return {
        **{name: getattr(item, name) for name in names},
        "what": title_of(json.loads(item.spec))[:_WHAT_CHARACTERS_MAX],
        "run": run,
        "events": json.loads(item.events),
    }


def _agent_view(agent: LaunchAgent) -> dict[str, Any]:
    return {name: getattr(agent, name) for name in ("id", "hostname", "status", "heartbeat_at")}


def _remove_item(request: Request) -> Response:
    """Take an item out of its queue; an agent that runs it ends it. One that is gone is no error."""
    with services_of(request).database.write() as connection:
        project, context = project_of(request, connection, change=True)
        item = item_by_id(connection, request.path_params["item"])
        queue = None if item is None else queue_by_id(connection, item.queue_id)
        known = queue is not None and queue.project_id == project.id and queue.is_open_to(context.user.id)
        if item is not None and known:
            delete_item(connection, item)
    return StrictJSONResponse({"removed": known})


def _settings(request: Request) -> Response:
    with services_of(request).database.read() as connection:
        project, context = project_of(request, connection)
        inside = context.user.may_use(project.entity)
        policies = policies_for(connection, context.user, project.entity, project.name) if inside else []
        body = {
            "description": project.description,
            "created_at": project.created_at,
            "may_change": context.user.may_edit(project),
            "may_lead": context.user.may_lead(project.entity),
            "team": _team_view(connection, project.entity) if inside else None,
            "policies": [
                {
                    "scope": policy.scope,
                    "settings": json.loads(policy.document),
                    "by": policy.updated_by,
                    "at": policy.updated_at,
                }
                for policy in policies
            ],
        }
    return StrictJSONResponse(body)


def _team_view(connection: Connection, name: str) -> list[dict[str, Any]] | None:
    """The members of a team; None where the entity is one user's own."""
    if not team_exists(connection, name):
        return None
    return [vars(member) for member in list_members(connection, name)]


def changing(change: Change) -> Callable[[Request], Any]:
    """An endpoint that takes a JSON object, and does all that it asks for or, where something is wrong, nothing.

    What a change gives besides the context is part of the answer.
    """

    async def endpoint(request: Request) -> Response:
        body = await read_body(request, CHANGE_BYTES_MAX)
        return await run_in_threadpool(_changed, request, body, change)

    return endpoint


def _changed(request: Request, body: bytes, change: Change) -> Response:
    try:
        asked = json.loads(body or b"{}")
    except (ValueError, RecursionError):
        asked = None
    if not isinstance(asked, dict):
        raise HTTPException(400, "the body must be a JSON object")
    try:
        with services_of(request).database.write() as connection:
            outcome = change(request, connection, asked)
    except GraphQLError as error:
        raise HTTPException(400, error.message) from None
    context, answer = outcome if isinstance(outcome, tuple) else (outcome, {})
    for action in context.after_commit:
        action()
    return StrictJSONResponse({"changed": True, **answer})


def _change_project(request: Request, connection: Connection, asked: dict[str, Any]) -> RequestContext:
    project, context = project_of(request, connection, change=True)
    if asked.get("delete"):
        forget_project(context, project)
        return context
    if asked.get("description") is not None:
        describe_project(connection, project, str(asked["description"]))
    if asked.get("policy") is not None:
        _change_policy(context, project, str(asked["policy"]))
    if asked.get("name") not in (None, project.name):
        give_name(context, project, str(asked["name"]))
    return context


def _change_policy(context: RequestContext, project: Project, text: str) -> None:
    if not context.user.may_lead(project.entity):
        raise HTTPException(403, "only who leads the entity says what holds for everybody's runs")
    document = parse_policy(text or "{}")
    problem = "a policy is a JSON object" if document is None else policy_problem(document)
    if problem:
        raise HTTPException(400, problem)
    name = project_policy_name(project.entity, project.name)
    policy = Policy(PROJECT, name, json.dumps(document), context.now, context.user.name)
    set_policy(context.connection, policy, document)


def _account(request: Request) -> Response:
    with services_of(request).database.read() as connection:
        user = require_user(request, connection)
        if user.is_guest:
            raise HTTPException(401, "sign in first; a link to a project comes with no account")
        body = {
            "name": user.name,
            "admin": user.admin,
            "keys": [{"id": number, "hint": hint} for number, hint in key_hints(connection, user)],
            "teams": [
                {"name": name, "may_lead": user.may_lead(name), "members": _team_view(connection, name)}
                for name in teams_of(connection, user)
            ],
        }
    return StrictJSONResponse(body)


def _own_context(request: Request, connection: Connection) -> RequestContext:
    services = services_of(request)
    user = require_user(request, connection)
    return RequestContext(services, connection, user, base_url_of(request), services.clock(), True)


def _forget_key(request: Request, connection: Connection, asked: dict[str, Any]) -> RequestContext:
    context = _own_context(request, connection)
    if not isinstance(asked.get("id"), int) or not delete_api_key(connection, context.user, asked["id"]):
        raise HTTPException(404, "the key was not found")
    return context


def _make_key(request: Request, connection: Connection, asked: dict[str, Any]) -> tuple[RequestContext, dict[str, Any]]:
    context = _own_context(request, connection)
    return context, {"key": create_api_key(connection, context.services.secret, context.user, context.now)}


def _make_team(request: Request, connection: Connection, asked: dict[str, Any]) -> RequestContext:
    context = _own_context(request, connection)
    make_team(context, str(asked.get("name") or ""), context.user)
    return context


def _led_team(context: RequestContext, request: Request) -> str:
    team = str(request.path_params["team"])
    if not team_exists(context.connection, team) or not context.user.may_lead(team):
        raise HTTPException(404, f"team {team!r} was not found, or you are not an administrator of it")
    return team


def _make_service_account(
    request: Request, connection: Connection, asked: dict[str, Any]
) -> tuple[RequestContext, dict[str, Any]]:
    context = _own_context(request, connection)
    user, key = make_service_account(context, _led_team(context, request), str(asked.get("description") or ""))
    return context, {"name": user.name, "key": key}


def _change_team(request: Request, connection: Connection, asked: dict[str, Any]) -> RequestContext:
    context = _own_context(request, connection)
    team = _led_team(context, request)
    user = known_user(context, str(asked.get("user")))
    if asked.get("role") is None:
        take_member(context, team, user.id)
    else:
        give_role(context, team, user, str(asked["role"]))
    return context


_PROJECT = "/api/projects/{entity}/{project}"

SETTINGS_API_ROUTES = [
    Route(_PROJECT + "/queues", _queues),
    Route(_PROJECT + "/queues/{item:int}/remove", _remove_item, methods=["POST"]),
    Route(_PROJECT + "/settings", _settings),
    Route(_PROJECT + "/settings", changing(_change_project), methods=["POST"]),
    Route("/api/account", _account),
    Route("/api/account/keys", changing(_make_key), methods=["POST"]),
    Route("/api/account/teams", changing(_make_team), methods=["POST"]),
    Route("/api/account/forget-key", changing(_forget_key), methods=["POST"]),
    Route("/api/teams/{team}", changing(_change_team), methods=["POST"]),
    Route("/api/teams/{team}/service-accounts", changing(_make_service_account), methods=["POST"]),
]
