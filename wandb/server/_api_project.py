"""The JSON endpoints of a project's artifacts and sweeps.

=======================================================  ================================================
``GET  /api/projects/{entity}/{project}/artifacts``      collections, the newest first
``GET   .../artifacts/{name}/{version}``                 one version: files, where it came from and went
``GET   .../lineage``                                    runs and versions around a ``run`` or ``artifact``
``GET  /api/projects/{entity}/{project}/sweeps``         sweeps, the newest first
``GET   .../sweeps/{sweep}``                             one sweep and its runs
``GET   .../sweeps/{sweep}/next``                        what its next runs would try
``POST  .../sweeps/{sweep}/{state}``                     pause, resume, finish or cancel it
=======================================================  ================================================
"""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import Connection
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ..sweeps import SweepConfigError, runs_expected
from ._access import services_of
from ._api_runs import project_of
from ._artifact_commit import entry_place
from ._artifacts import (
    Collection,
    Membership,
    aliases_of,
    find_collection,
    find_membership,
    list_collections,
    list_memberships,
    runs_using,
    stored_entries,
)
from ._json_response import StrictJSONResponse
from ._limits import PAGE_SIZE_MAX
from ._lineage import ARTIFACT, RUN, lineage
from ._names import RunKey
from ._resolvers_sweeps import metric_history
from ._services import RequestContext
from ._store import Project, Run, find_run, find_run_by_id
from ._sweeps import (
    Sweep,
    best_loss,
    find_sweep,
    list_sweeps,
    metric_of,
    next_proposals,
    runs_of_sweep,
    update_sweep,
)
from ._values import strict_json
from ._views import run_view

_NEXT_SHOWN = 3
# What the page asks for, and the state that it puts a sweep into.
_SWEEP_STATES = {"pause": "PAUSED", "resume": "RUNNING", "finish": "FINISHED", "cancel": "CANCELED"}


def _artifacts(request: Request) -> Response:
    with services_of(request).database.read() as connection:
        project, _context = project_of(request, connection)
        views = [_collection_view(connection, item) for item in list_collections(connection, project.id)]
    views.sort(key=lambda view: -float(view["updated_at"]))
    return StrictJSONResponse({"artifacts": views})


def _collection_view(connection: Connection, collection: Collection) -> dict[str, Any]:
    places = list_memberships(connection, collection)
    return {
        "name": collection.name,
        "type": collection.type,
        "linked": collection.portfolio,
        "versions": len(places),
        "latest": f"v{places[-1].version}" if places else None,
        "size": places[-1].artifact.size if places else 0,
        "updated_at": collection.updated_at,
    }


def _artifact(request: Request) -> Response:
    with services_of(request).database.read() as connection:
        project, context = project_of(request, connection)
        name, label = request.path_params["name"], request.path_params["version"]
        place = _known_membership(connection, context, project, name, label)
        return StrictJSONResponse(_artifact_view(context, place))


def _artifact_view(context: RequestContext, place: Membership) -> dict[str, Any]:
    connection, artifact = context.connection, place.artifact
    rows, total = stored_entries(connection, artifact.id, [], 0, PAGE_SIZE_MAX)
    users = [find_run_by_id(connection, run_id) for run_id in runs_using(connection, artifact.id)]
    maker = None if artifact.run_id is None else find_run_by_id(connection, artifact.run_id)
    return {
        "name": place.collection.name,
        "type": place.collection.type,
        "digest": artifact.digest,
        "description": artifact.description,
        "metadata": strict_json(json.loads(artifact.metadata)),
        "tags": json.loads(artifact.tags),
        "size": artifact.size,
        "created_at": artifact.created_at,
        "version": f"v{place.version}",
        "made_by": _run_link(context, maker),
        "used_by": [link for link in (_run_link(context, run) for run in users) if link is not None],
        "versions": [
            _version_view(connection, other) for other in reversed(list_memberships(connection, place.collection))
        ],
        "file_count": total,
        "files": [
            {
                "name": row.path,
                "size": row.size,
                "url": context.download_url(f"/storage/{entry_place(row)}/{row.path}"),
            }
            for row in rows
        ],
    }


def _lineage(request: Request) -> Response:
    """The graph around a run (``run``) or a version of an artifact (``artifact``, as name:version)."""
    query = request.query_params
    with services_of(request).database.read() as connection:
        project, context = project_of(request, connection)
        if "run" in query:
            run = find_run(connection, RunKey(query["run"], project.name, project.entity))
            if run is None:
                raise HTTPException(404, f"run {query['run']} was not found")
            middle = (RUN, run.id)
        else:
            name, _, label = query.get("artifact", "").rpartition(":")
            middle = (ARTIFACT, _known_membership(connection, context, project, name, label).artifact.id)
        return StrictJSONResponse(lineage(connection, context.user, middle))


def _known_membership(
    connection: Connection, context: RequestContext, project: Project, name: str, label: str
) -> Membership:
    collection = find_collection(connection, project.id, name)
    place = None if collection is None else find_membership(connection, collection, label)
    if place is None or place.artifact.expired_at(context.now):
        raise HTTPException(404, f"artifact {name}:{label} was not found")
    return place


def _version_view(connection: Connection, place: Membership) -> dict[str, Any]:
    labels = [alias for _, alias in aliases_of(connection, place.artifact.id, place.collection.id)]
    created_at, size = place.artifact.created_at, place.artifact.size
    return {"version": f"v{place.version}", "aliases": labels, "created_at": created_at, "size": size}


def _run_link(context: RequestContext, run: Run | None) -> dict[str, str] | None:
    if run is None or not context.user.may_see(run):
        return None
    return {"entity": run.entity, "project": run.project, "id": run.name, "name": run.display_name}


def _sweeps(request: Request) -> Response:
    with services_of(request).database.read() as connection:
        project, _context = project_of(request, connection)
        views = [_sweep_view(connection, sweep) for sweep in list_sweeps(connection, project.id)]
    return StrictJSONResponse({"sweeps": views})


def _sweep_view(connection: Connection, sweep: Sweep) -> dict[str, Any]:
    runs = runs_of_sweep(connection, sweep)
    metric, maximize = metric_of(sweep.settings)
    return {
        "id": sweep.name,
        "name": sweep.display_name or sweep.settings.get("name") or sweep.name,
        "method": sweep.checked.method,
        "state": sweep.state,
        "metric": metric,
        "maximize": maximize,
        "best": best_loss(sweep, runs),
        "runs": len(runs),
        "expected": runs_expected(sweep.checked),
        "created_at": sweep.created_at,
    }


def _known_sweep(request: Request, connection: Connection, project: Project) -> Sweep:
    sweep = find_sweep(connection, project.id, request.path_params["sweep"])
    if sweep is None:
        raise HTTPException(404, f"sweep {request.path_params['sweep']} was not found")
    return sweep


def _sweep(request: Request) -> Response:
    with services_of(request).database.read() as connection:
        project, context = project_of(request, connection)
        sweep = _known_sweep(request, connection, project)
        runs = [run_view(run, context.now) for run in runs_of_sweep(connection, sweep)]
        view = {**_sweep_view(connection, sweep), "config": sweep.config, "members": runs[-PAGE_SIZE_MAX:]}
    return StrictJSONResponse(view)


def _next_of_sweep(request: Request) -> Response:
    view: dict[str, Any] = {"next": [], "why": ""}
    with services_of(request).database.read() as connection:
        project, context = project_of(request, connection)
        sweep = _known_sweep(request, connection, project)
        try:
            view["next"] = next_proposals(connection, sweep, context.now, metric_history(context), _NEXT_SHOWN)
        except SweepConfigError as error:
            view["why"] = str(error)
    return StrictJSONResponse(view)


def _change_sweep(request: Request) -> Response:
    state = _SWEEP_STATES.get(request.path_params["state"])
    if state is None:
        raise HTTPException(400, f"a sweep can be asked to {', '.join(_SWEEP_STATES)}")
    with services_of(request).database.write() as connection:
        project, context = project_of(request, connection, change=True)
        sweep = _known_sweep(request, connection, project)
        update_sweep(connection, sweep.id, {"state": state, "updated_at": context.now})
    return StrictJSONResponse({"state": state})


_PROJECT = "/api/projects/{entity}/{project}"

PROJECT_API_ROUTES = [
    Route(_PROJECT + "/artifacts", _artifacts),
    Route(_PROJECT + "/artifacts/{name}/{version}", _artifact),
    Route(_PROJECT + "/lineage", _lineage),
    Route(_PROJECT + "/sweeps", _sweeps),
    Route(_PROJECT + "/sweeps/{sweep}", _sweep),
    Route(_PROJECT + "/sweeps/{sweep}/next", _next_of_sweep),
    Route(_PROJECT + "/sweeps/{sweep}/{state}", _change_sweep, methods=["POST"]),
]
