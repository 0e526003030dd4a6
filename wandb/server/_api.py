"""The JSON endpoints of the dashboard, under ``/api``.

================================================  ==================================================
``GET /api/projects``                             projects the user may see
``GET /api/runs/{entity}/{project}/{run}``        one run, its files, names of its metrics
``GET  .../series``                               metrics in buckets (``stream x keys from to``)
``GET  .../console``                              console lines (``from``), without it the last ones; or a ``search``
``POST .../stop``                                 ask a running run to stop
``POST /api/sign-in-link``                        a one-time link that signs a browser in (API key)
================================================  ==================================================

A project's artifacts and sweeps are in ``_api_project``.
"""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import Connection
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ._access import base_url_of, require_edit, require_key, require_user, run_of_path, services_of
from ._alerts import list_alerts
from ._artifacts import Artifact, artifacts_of_run, artifacts_used_by_run, visible
from ._auth import User, create_sign_in_token
from ._body import read_body
from ._console import parse_console_line
from ._files import count_files
from ._json_response import StrictJSONResponse
from ._limits import FORM_BYTES_MAX, FOUND_LINES_MAX, PAGE_SIZE_MAX, SEARCHED_LINES_MAX
from ._lines import EVENTS, HISTORY, LOG, iterate_lines
from ._pages import local_path, sign_in_path
from ._resolvers_run_changes import request_stop
from ._series import charts_of, parsed_bound
from ._services import RequestContext
from ._store import Run, line_count, list_projects, project_activity
from ._views import project_view, run_detail, step_metrics

_STREAMS = {"history": HISTORY, "events": EVENTS}


def _projects(request: Request) -> Response:
    with services_of(request).database.read() as connection:
        user = require_user(request, connection)
        activity = project_activity(connection)
        views = [
            project_view(project, *activity.get(project.id, (0, None)))
            for project in list_projects(connection)
            if user.may_see(project)
        ]
    views.sort(key=lambda view: -float(view["active_at"]))
    return StrictJSONResponse({"projects": views})


def _run(request: Request) -> Response:
    services = services_of(request)
    with services.database.read() as connection:
        user = require_user(request, connection)
        run = run_of_path(request, connection, user)
        detail = run_detail(run, services.clock())
        detail["alerts"] = [vars(alert) for alert in list_alerts(connection, run.id)]
        detail["artifacts"] = {
            "logged": _artifact_links(connection, user, artifacts_of_run(connection, run.id)),
            "used": _artifact_links(connection, user, artifacts_used_by_run(connection, run.id)),
        }
        detail["file_count"] = count_files(connection, run.id)
        detail["may_change"] = user.may_edit(run)
        # Not by a link to this run alone.
        detail["project_seen"] = user.may_see(run)
        detail["axes"] = list(step_metrics(run.config).items())
        detail["indexed"] = True
        for stream, kind in _STREAMS.items():
            axis = "_step" if kind == HISTORY else "_runtime"
            charts = charts_of(connection, services.tails, run, kind, axis, rows_max=services.index_rows_max)
            detail[f"{stream}_keys"] = sorted(charts.names)
            detail["indexed"] &= charts.reached >= line_count(run, kind)
            detail["version"] += f"-{charts.reached}"
    return StrictJSONResponse(detail)


def _artifact_links(connection: Connection, user: User, found: list[Artifact]) -> list[dict[str, Any]]:
    return [
        {
            "entity": home.entity,
            "project": home.project,
            "type": home.type,
            "name": home.name,
            "version": f"v{item.version}",
        }
        for item, home in visible(connection, user, found)
    ]


def _series(request: Request) -> Response:
    query = request.query_params
    kind = _STREAMS.get(query.get("stream", "history"))
    if kind is None:
        raise HTTPException(400, "'stream' is history or events")
    axis = query.get("x", "_step" if kind == HISTORY else "_runtime")
    bounds = parsed_bound(query.get("from"), low=True), parsed_bound(query.get("to"), low=False)
    services = services_of(request)
    with services.database.read() as connection:
        run = run_of_path(request, connection, require_user(request, connection))
        count = line_count(run, kind)
        charts = charts_of(connection, services.tails, run, kind, axis, bounds, services.index_rows_max)
        tag = f'"{run.id}-{run.rewrites}-{charts.reached}"'
        headers = {"ETag": tag, "Cache-Control": "no-cache"}
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers=headers)
        body = {"x": axis, "rows": count, "complete": charts.reached >= count, **charts.to_json(query.getlist("keys"))}
    return StrictJSONResponse(body, headers=headers)


def _console(request: Request) -> Response:
    query = request.query_params
    first = _line_number(query.get("from"))
    services = services_of(request)
    with services.database.read() as connection:
        run = run_of_path(request, connection, require_user(request, connection))
        if query.get("search"):
            return StrictJSONResponse(_searched_console(connection, run, query["search"], first or 0))
        if first is None:
            first = max(0, run.log_count - PAGE_SIZE_MAX)
        found = iterate_lines(connection, run.id, LOG, first, first + PAGE_SIZE_MAX)
        views = [vars(parse_console_line(number, content)) for number, _, content in found]
    return StrictJSONResponse({"count": run.log_count, "first": first, "lines": views})


def _searched_console(connection: Connection, run: Run, text: str, first: int) -> dict[str, Any]:
    """The numbers of the lines that hold a text, from a line on; ``next`` is where the search goes on."""
    wanted = text.casefold()
    found: list[int] = []
    end = min(run.log_count, first + SEARCHED_LINES_MAX)
    for number, _, content in iterate_lines(connection, run.id, LOG, first, end):
        if wanted in content.casefold() and wanted in parse_console_line(number, content).text.casefold():
            found.append(number)
            if len(found) >= FOUND_LINES_MAX:
                return {"found": found, "next": number + 1}
    return {"found": found, "next": end if end < run.log_count else None}


def _line_number(text: str | None) -> int | None:
    if text is not None and not (text.isdecimal() and len(text) < 16):
        raise HTTPException(400, "'from' must be a line number")
    return None if text is None else int(text)


def _stop(request: Request) -> Response:
    services = services_of(request)
    with services.database.write() as connection:
        user = require_user(request, connection)
        run = run_of_path(request, connection, user)
        require_edit(user, run)
        context = RequestContext(services, connection, user, base_url_of(request), services.clock(), True)
        return StrictJSONResponse({"stopping": request_stop(context, run)})


async def _sign_in_link(request: Request) -> Response:
    body = await read_body(request, FORM_BYTES_MAX)
    return StrictJSONResponse(await run_in_threadpool(_new_link, request, body))


def _new_link(request: Request, body: bytes) -> dict[str, Any]:
    services = services_of(request)
    try:
        value = json.loads(body or b"{}")
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise HTTPException(400, 'the body must be a JSON object such as {"next": "/"}')
    with services.database.write() as connection:
        # A session must not be able to make links: that would turn a short visit to somebody's
        # browser into lasting access.
        user = require_key(request, connection)
        token = create_sign_in_token(connection, services.secret, user, services.clock())
    path = sign_in_path(token, local_path(str(value.get("next") or "/")))
    return {"url": base_url_of(request) + path}


_RUN_PATH = "/api/runs/{entity}/{project}/{run}"

API_ROUTES = [
    Route("/api/projects", _projects),
    Route(_RUN_PATH, _run),
    Route(_RUN_PATH + "/series", _series),
    Route(_RUN_PATH + "/console", _console),
    Route(_RUN_PATH + "/stop", _stop, methods=["POST"]),
    Route("/api/sign-in-link", _sign_in_link, methods=["POST"]),
]
