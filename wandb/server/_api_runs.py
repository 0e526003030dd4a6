"""The JSON endpoints of a project's runs taken together: the table, its columns, charts of many runs, changes in bulk.

======================================================  ================================================
``GET  /api/projects/{entity}/{project}/runs``           the table (``filters order columns with first offset``)
``GET   .../columns``                                    what columns there are
``GET   .../metrics``                                    names of the metrics of several runs (``runs``)
``GET   .../series``                                     these metrics (``runs keys x from to points``)
``POST  .../runs/change``                                tags, group, names, stop or deletion of several runs
======================================================  ================================================
"""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Callable, Iterator
from typing import Any

from sqlalchemy import Connection
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from .._filters import FilterError, parse_filter
from ._access import base_url_of, require_edit, require_user, services_of
from ._body import read_body
from ._json_response import StrictJSONResponse
from ._limits import BUCKETS_MAX, CHANGE_BYTES_MAX, CHARTED_RUNS_MAX, TABLE_RUNS_MAX, TABLE_RUNS_PER_ANSWER
from ._lines import HISTORY
from ._names import RunKey
from ._resolvers_run_changes import forget_run, request_stop
from ._run_table import cells_of, chosen_columns, columns_of, table_page
from ._series import EVERYWHERE, charts_of, parsed_bound
from ._services import RequestContext
from ._store import Project, Run, find_project, find_run, line_count, list_runs, update_run
from ._views import run_row, step_metrics


def project_of(request: Request, connection: Connection, *, change: bool = False) -> tuple[Project, RequestContext]:
    """The project that a path names, if the user may see it, and with ``change`` only if the user may change it."""
    parameters = request.path_params
    services = services_of(request)
    user = require_user(request, connection)
    project = find_project(connection, parameters["entity"], parameters["project"])
    if project is None or not user.may_see(project):
        raise HTTPException(404, f"project {parameters['entity']}/{parameters['project']} was not found")
    if change:
        require_edit(user, project)
    return project, RequestContext(services, connection, user, base_url_of(request), services.clock(), change)


def _runs(request: Request) -> Response:
    query = request.query_params
    first = _whole_number(query.get("first"), TABLE_RUNS_PER_ANSWER, TABLE_RUNS_MAX)
    offset = _whole_number(query.get("offset"), 0, None)
    with services_of(request).database.read() as connection:
        project, context = project_of(request, connection)
        found = list_runs(connection, project.id)
    try:
        expression = parse_filter(query.get("filters"))
        # Of runs that are equal the newest comes first.
        page = table_page(found[::-1], context.now, expression, query.get("order") or "-created_at", first, offset)
    except FilterError as error:
        raise HTTPException(400, str(error)) from None
    columns = query.getlist("columns") or chosen_columns(columns_of(found), len(found))
    shown = list(dict.fromkeys([*columns, *query.getlist("with")]))
    # Runs keep their number, so that a run has the same colour however the table is sorted.
    numbers = {run.id: number for number, run in enumerate(found)}
    rows = [
        {**run_row(run, context.now), "number": numbers[run.id], "values": _values(run, shown)} for run in page.runs
    ]
    body = {"total": page.total, "matching": page.matching, "columns": columns, "runs": rows}
    may_change = context.user.may_edit(project)
    return tagged(request, {**body, "description": project.description, "may_change": may_change})


def tagged(request: Request, body: Any) -> Response:
    """An answer that a browser which has it already doesn't get again."""
    response = StrictJSONResponse(body)
    tag = f'"{hashlib.blake2b(bytes(response.body), digest_size=12).hexdigest()}"'
    headers = {"ETag": tag, "Cache-Control": "no-cache"}
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers=headers)
    response.headers.update(headers)
    return response


def _values(run: Run, columns: list[str]) -> dict[str, Any]:
    values = {}
    for name in columns:
        group, _, key = name.partition(".")
        if group in ("config", "summary"):
            cells = cells_of(group, getattr(run, group))
            if key in cells:
                values[name] = cells[key]
    return values


def _whole_number(text: str | None, default: int, highest: int | None) -> int:
    if text is None:
        return default
    if not text.isdecimal() or len(text) > 9:
        raise HTTPException(400, "'first' and 'offset' must be whole numbers")
    return int(text) if highest is None else min(int(text), highest)


def _columns(request: Request) -> Response:
    with services_of(request).database.read() as connection:
        project, _context = project_of(request, connection)
        found = list_runs(connection, project.id)
    views = [
        {
            "key": name,
            "runs": column.count,
            "numeric": column.numbers * 2 > column.count,
            "values": sorted(map(_spelled, column.distinct))[:20],
            "varied": len(column.distinct) > 1,
        }
        for name, column in columns_of(found).items()
    ]
    return tagged(request, {"columns": sorted(views, key=lambda view: str(view["key"]))})


def _spelled(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _charted(request: Request, connection: Connection) -> Iterator[Run]:
    """The runs that a request names, as far as there are such."""
    names = request.query_params.getlist("runs")
    if len(names) > CHARTED_RUNS_MAX:
        raise HTTPException(400, f"charts show at most {CHARTED_RUNS_MAX} runs at a time")
    project, _context = project_of(request, connection)
    for name in dict.fromkeys(names):
        run = find_run(connection, RunKey(name, project.name, project.entity))
        if run is not None:
            yield run


def _metrics(request: Request) -> Response:
    """What can be drawn: known of the rows where they have been read, else guessed from the summary."""
    services = services_of(request)
    found: set[str] = set()
    axes: dict[str, str] = {}
    budget = services.index_rows_max
    with services.database.read() as connection:
        for run in _charted(request, connection):
            charts = charts_of(connection, services.tails, run, HISTORY, "_step", EVERYWHERE, max(1, budget))
            budget -= charts.read
            found.update(charts.names)
            if charts.reached < line_count(run, HISTORY):
                found.update(key for key, value in cells_of("summary", run.summary).items() if _is_metric(key, value))
            axes.update(step_metrics(run.config))
    return tagged(request, {"metrics": sorted(found), "axes": list(axes.items())})


def _is_metric(key: str, value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and not key.startswith("_")


def _series(request: Request) -> Response:
    query = request.query_params
    points = _whole_number(query.get("points"), BUCKETS_MAX, BUCKETS_MAX)
    bounds = parsed_bound(query.get("from"), low=True), parsed_bound(query.get("to"), low=False)
    axis = query.get("x") or "_step"
    services = services_of(request)
    answers: dict[str, Any] = {}
    complete = True
    budget = services.index_rows_max
    with services.database.read() as connection:
        for run in _charted(request, connection):
            charts = charts_of(connection, services.tails, run, HISTORY, axis, bounds, max(1, budget))
            budget -= charts.read
            complete &= charts.reached >= line_count(run, HISTORY)
            answers[run.name] = charts.to_json(query.getlist("keys"), points)
    return tagged(request, {"complete": complete, "runs": answers})


async def _change(request: Request) -> Response:
    body = await read_body(request, CHANGE_BYTES_MAX)
    return StrictJSONResponse(await run_in_threadpool(_changed, request, body))


def _changed(request: Request, body: bytes) -> dict[str, Any]:
    """Change the runs that a body names; all of it or, where something is wrong with it, nothing."""
    try:
        asked = json.loads(body or b"{}")
    except (ValueError, RecursionError):
        asked = None
    if not isinstance(asked, dict) or not isinstance(asked.get("runs"), list):
        raise HTTPException(400, 'the body must be a JSON object such as {"runs": ["a"], "add_tags": ["good"]}')
    unknown = sorted(set(asked) - {"runs", *_CHANGES})
    if unknown:
        raise HTTPException(400, f"{unknown[0]!r} is not one of {', '.join(_CHANGES)}")
    after_commit: list[Callable[[], None]] = []
    with services_of(request).database.write() as connection:
        project, context = project_of(request, connection, change=True)
        for name in asked["runs"]:
            run = find_run(connection, RunKey(str(name), project.name, project.entity))
            if run is None:
                raise HTTPException(404, f"run {name!r} was not found")
            for key, change in _CHANGES.items():
                if key in asked:
                    run = change(context, run, asked[key]) or run
        after_commit = context.after_commit
    for action in after_commit:
        action()
    return {"changed": len(asked["runs"])}


def _changed_tags(context: RequestContext, run: Run, add: list[str], drop: list[str]) -> Run | None:
    kept = [tag for tag in json.loads(run.tags) if tag not in drop]
    update_run(context.connection, run.id, {"tags": json.dumps(list(dict.fromkeys([*kept, *add])))})
    return find_run(context.connection, run.key)


def _texts(value: Any) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(item, str) and 0 < len(item) <= 128 for item in value):
        raise HTTPException(400, "tags must be a list of texts of 1 to 128 characters")
    return value


def _set_text(column: str, context: RequestContext, run: Run, value: Any) -> None:
    if value is not None and not isinstance(value, str):
        raise HTTPException(400, f"{column} must be a text")
    if column == "display_name" and not value:
        raise HTTPException(400, "a run needs a name")
    update_run(context.connection, run.id, {column: value or None})


def _stop(context: RequestContext, run: Run, value: Any) -> None:
    if value:
        request_stop(context, run)


def _delete(context: RequestContext, run: Run, value: Any) -> None:
    if value:
        forget_run(context, run, with_artifacts=value == "with artifacts")


# What a body may ask for, in the order in which it is done.
_CHANGES: dict[str, Callable[[RequestContext, Run, Any], Run | None]] = {
    "add_tags": lambda context, run, value: _changed_tags(context, run, _texts(value), []),
    "remove_tags": lambda context, run, value: _changed_tags(context, run, [], _texts(value)),
    "group": functools.partial(_set_text, "run_group"),
    "name": functools.partial(_set_text, "display_name"),
    "notes": functools.partial(_set_text, "notes"),
    "stop": _stop,
    "delete": _delete,
}

_PROJECT = "/api/projects/{entity}/{project}"

RUNS_API_ROUTES = [
    Route(_PROJECT + "/runs", _runs),
    Route(_PROJECT + "/runs/change", _change, methods=["POST"]),
    Route(_PROJECT + "/columns", _columns),
    Route(_PROJECT + "/metrics", _metrics),
    Route(_PROJECT + "/series", _series),
]
