"""The JSON endpoints of the dashboard, under ``/api``.

================================================  ==================================================
``GET /api/projects``                             projects the user may see
``GET /api/runs/{entity}/{project}/{run}``        one run, its files, names of its metrics
``GET  .../series``                               metrics in buckets (``stream x keys from to``)
``GET  .../console``                              console lines (``from``), without it the last ones
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

from ._access import base_url_of, require_change, require_entity, require_key, require_user, services_of
from ._alerts import list_alerts
from ._artifacts import Artifact, artifacts_of_run, artifacts_used_by_run, collection_by_id
from ._auth import create_sign_in_token
from ._body import read_body
from ._console import parse_console_line
from ._files import list_files
from ._json_response import StrictJSONResponse
from ._limits import FORM_BYTES_MAX, PAGE_SIZE_MAX
from ._lines import EVENTS, HISTORY, LOG, iterate_lines
from ._names import RunKey
from ._pages import local_path, sign_in_path
from ._resolvers_run_changes import request_stop
from ._series import charts_of, parsed_bound
from ._services import RequestContext
from ._store import Run, find_run, line_count, list_projects, project_activity
from ._views import project_view, run_detail, step_metrics

_STREAMS = {"history": HISTORY, "events": EVENTS}


def _projects(request: Request) -> Response:
    with services_of(request).database.read() as connection:
        user = require_user(request, connection)
        activity = project_activity(connection)
        views = [
            project_view(project, *activity.get(project.id, (0, None)))
            for project in list_projects(connection)
            if user.may_use(project.entity)
        ]
    views.sort(key=lambda view: -float(view["active_at"]))
    return StrictJSONResponse({"projects": views})


def _run(request: Request) -> Response:
    services = services_of(request)
    with services.database.read() as connection:
        run = _readable_run(request, connection)
        detail = run_detail(run, services.clock(), list_files(connection, run.id))
        detail["alerts"] = [vars(alert) for alert in list_alerts(connection, run.id)]
        detail["artifacts"] = {
            "logged": [_artifact_link(connection, item) for item in artifacts_of_run(connection, run.id)],
            "used": [_artifact_link(connection, item) for item in artifacts_used_by_run(connection, run.id)],
        }
        detail["axes"] = list(step_metrics(run.config).items())
        detail["indexed"] = True
        for stream, kind in _STREAMS.items():
            axis = "_step" if kind == HISTORY else "_runtime"
            index = services.series.index(connection, run, kind, axis, services.index_rows_max)
            with index.lock:
                detail[f"{stream}_keys"] = sorted(index.columns)
                detail["indexed"] &= index.next_line >= line_count(run, kind)
                detail["version"] += f"-{index.next_line}"
    return StrictJSONResponse(detail)


def _artifact_link(connection: Connection, artifact: Artifact) -> dict[str, Any]:
    home = collection_by_id(connection, artifact.collection_id)
    assert home is not None, "a collection is deleted with its versions"
    names = {"entity": home.entity, "project": home.project, "type": home.type, "name": home.name}
    return {**names, "version": f"v{artifact.version}"}


def _readable_run(request: Request, connection: Connection) -> Run:
    parameters = request.path_params
    require_entity(require_user(request, connection), parameters["entity"])
    key = RunKey(parameters["run"], parameters["project"], parameters["entity"])
    run = find_run(connection, key)
    if run is None:
        raise HTTPException(404, f"run {'/'.join(reversed(key))} was not found")
    return run


def _series(request: Request) -> Response:
    query = request.query_params
    kind = _STREAMS.get(query.get("stream", "history"))
    if kind is None:
        raise HTTPException(400, "'stream' is history or events")
    axis = query.get("x", "_step" if kind == HISTORY else "_runtime")
    bounds = parsed_bound(query.get("from"), low=True), parsed_bound(query.get("to"), low=False)
    services = services_of(request)
    with services.database.read() as connection:
        run = _readable_run(request, connection)
        count = line_count(run, kind)
        charts = charts_of(connection, services.series, run, kind, axis, bounds, services.index_rows_max)
        tag = f'"{run.id}-{run.rewrites}-{charts.reached}"'
        headers = {"ETag": tag, "Cache-Control": "no-cache"}
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers=headers)
        body = {"x": axis, "rows": count, "complete": charts.reached >= count, **charts.to_json(query.getlist("keys"))}
    return StrictJSONResponse(body, headers=headers)


def _console(request: Request) -> Response:
    asked = request.query_params.get("from")
    if asked is not None and not asked.isdecimal():
        raise HTTPException(400, "'from' must be a line number")
    with services_of(request).database.read() as connection:
        run = _readable_run(request, connection)
        first = max(0, run.log_count - PAGE_SIZE_MAX) if asked is None else int(asked)
        found = iterate_lines(connection, run.id, LOG, first, first + PAGE_SIZE_MAX)
        views = [vars(parse_console_line(number, content)) for number, _, content in found]
    return StrictJSONResponse({"count": run.log_count, "first": first, "lines": views})


def _stop(request: Request) -> Response:
    services = services_of(request)
    with services.database.write() as connection:
        user = require_user(request, connection)
        run = _readable_run(request, connection)
        require_change(user, run.entity)
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
