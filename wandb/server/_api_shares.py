"""The JSON endpoints about who sees a project: its access, and links for people without an account.

==============================================  ========================================================
``GET  /api/projects/{entity}/{project}/shares``  access, who was let in, the links that work
``POST ...``                                    a new link (``days``, ``path`` of the page that it opens, ``run`` if it
                                                shows no more than this)
``POST .../access``                             who sees it (``access``, and ``people`` of the team)
``POST .../{link}/end``                         make a link worthless
==============================================  ========================================================

Whoever may change a project makes links to it and sees which there are; who leads its entity says who sees it.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote, urlencode

from sqlalchemy import Connection
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ._access import base_url_of, require_edit, services_of
from ._api_runs import project_of
from ._api_settings import changing
from ._json_response import StrictJSONResponse
from ._limits import SHARE_DAYS_MAX, SHARE_LINKS_MAX
from ._names import RunKey
from ._pages import local_path
from ._resolvers import give_access
from ._services import RequestContext
from ._shares import (
    create_share_link,
    delete_expired_share_links,
    end_share_link,
    list_share_links,
    people_of,
    set_people,
)
from ._store import Project, Run, find_run
from ._teams import list_members, team_exists

_DAY = 24 * 3600.0


def _shares(request: Request) -> Response:
    with services_of(request).database.read() as connection:
        project, context = project_of(request, connection)
        require_edit(context.user, project)
        body = {
            "access": project.access,
            "may_lead": context.user.may_lead(project.entity),
            "people": people_of(connection, project) if team_exists(connection, project.entity) else None,
            "links": [vars(link) for link in list_share_links(connection, project, context.now)],
        }
    return StrictJSONResponse(body)


def _share(request: Request, connection: Connection, asked: dict[str, Any]) -> tuple[RequestContext, dict[str, Any]]:
    project, context = project_of(request, connection, change=True)
    days = asked.get("days", 7)
    if isinstance(days, bool) or not isinstance(days, (int, float)) or not 0 < days <= SHARE_DAYS_MAX:
        raise HTTPException(400, f"'days' is how long the link works, at most {SHARE_DAYS_MAX}")
    run = _run_of(connection, project, asked.get("run"))
    secret = context.services.secret
    delete_expired_share_links(connection, context.now)
    if len(list_share_links(connection, project, context.now)) >= SHARE_LINKS_MAX:
        raise HTTPException(400, f"a project has at most {SHARE_LINKS_MAX} links; end some on its settings page")
    token = create_share_link(connection, secret, project, run, context.user, context.now, days * _DAY)
    page = f"/{quote(project.entity)}/{quote(project.name)}" + ("" if run is None else f"/runs/{quote(run.name)}")
    path = local_path(str(asked.get("path") or page))
    return context, {"url": f"{base_url_of(request)}/share/{token}?" + urlencode({"next": path})}


def _run_of(connection: Connection, project: Project, name: Any) -> Run | None:
    if name is None:
        return None
    run = find_run(connection, RunKey(str(name), project.name, project.entity))
    if run is None:
        raise HTTPException(404, f"run {name!r} was not found")
    return run


def _end(request: Request, connection: Connection, asked: dict[str, Any]) -> RequestContext:
    project, context = project_of(request, connection, change=True)
    if not end_share_link(connection, project, request.path_params["link"]):
        raise HTTPException(404, "the link was not found")
    return context


def _change_access(request: Request, connection: Connection, asked: dict[str, Any]) -> RequestContext:
    project, context = project_of(request, connection, change=True)
    if not context.user.may_lead(project.entity):
        raise HTTPException(403, f"only who leads {project.entity!r} says who sees its projects")
    if asked.get("people") is not None:
        set_people(connection, project, _numbers(connection, project.entity, asked["people"]))
    give_access(context, project, asked.get("access", project.access))
    return context


def _numbers(connection: Connection, team: str, names: Any) -> list[int]:
    members = {member.name: member.user_id for member in list_members(connection, team)}
    if not isinstance(names, list) or not all(isinstance(name, str) and name in members for name in names):
        raise HTTPException(400, "'people' is a list of members of the team")
    return [members[name] for name in names]


_PATH = "/api/projects/{entity}/{project}/shares"

SHARE_API_ROUTES = [
    Route(_PATH, _shares),
    Route(_PATH, changing(_share), methods=["POST"]),
    Route(_PATH + "/access", changing(_change_access), methods=["POST"]),
    Route(_PATH + "/{link:int}/end", changing(_end), methods=["POST"]),
]
