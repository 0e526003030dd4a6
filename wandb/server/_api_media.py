"""The JSON endpoints of what a run holds besides numbers: media, files, and the files of artifacts that media refer to.

==========================================  ======================================================
``GET /api/runs/{entity}/{project}/{run}``   (the run, see ``_api``)
``GET  .../media``                           keys of media, and the lines and steps that have them
``GET  .../media/values``                    these media (``key line``, the line several times)
``GET  .../files``                           the run's files
``GET /api/artifact-files/{client_id}/{name}``  a file of an artifact by its maker's id for it
==========================================  ======================================================
"""

from __future__ import annotations

import json

from sqlalchemy import Connection
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from .._sampling import evenly
from ._access import require_user, run_of_path, services_of
from ._api_runs import tagged
from ._artifact_commit import entry_place
from ._artifacts import Artifact, collection_by_id, stored_entries
from ._auth import User
from ._blocks import quiet_blocks
from ._client_ids import artifacts_by_client_id
from ._files import list_files
from ._limits import DOWNLOAD_URL_SECONDS, MEDIA_STEPS_MAX, MEDIA_VALUES_MAX
from ._lines import HISTORY, iterate_lines
from ._media import value_at
from ._values import strict_json


def _media(request: Request) -> Response:
    services = services_of(request)
    with services.database.read() as connection:
        run = run_of_path(request, connection, require_user(request, connection))
        quiet = quiet_blocks(connection, run.id, HISTORY)
        index = services.media.index(run)
        with index.lock:
            index.catch_up(connection, run, quiet, services.index_rows_max)
            keys = {name: (key.kind, list(key.lines), list(key.steps)) for name, key in index.keys.items()}
            complete = index.next_line >= run.history_count
    views = {}
    for name, (kind, lines, steps) in sorted(keys.items()):
        places = list(evenly(range(len(lines)), MEDIA_STEPS_MAX))
        views[name] = {
            "kind": kind,
            "count": len(lines),
            "lines": [lines[place] for place in places],
            "steps": [steps[place] for place in places],
        }
    return tagged(request, {"complete": complete, "keys": views})


def _media_values(request: Request) -> Response:
    key, asked = request.query_params.get("key", ""), request.query_params.getlist("line")
    if not asked or len(asked) > MEDIA_VALUES_MAX or not all(line.isdecimal() and len(line) < 16 for line in asked):
        raise HTTPException(400, f"'line' must be 1 to {MEDIA_VALUES_MAX} line numbers")
    values = []
    with services_of(request).database.read() as connection:
        run = run_of_path(request, connection, require_user(request, connection))
        for line in map(int, asked):
            for number, step, content in iterate_lines(connection, run.id, HISTORY, line, line + 1):
                value = value_at(json.loads(content), key)
                values.append({"line": number, "step": step, "value": strict_json(value)})
    return tagged(request, {"values": values})


def _files(request: Request) -> Response:
    with services_of(request).database.read() as connection:
        run = run_of_path(request, connection, require_user(request, connection))
        stored = list_files(connection, run.id)
    views = [{"name": file.name, "size": file.size, "updated_at": file.updated_at} for file in stored]
    return tagged(request, {"files": views})


def _artifact_file(request: Request) -> Response:
    """Lead to a file of an artifact, which a table names by the id that its maker gave the artifact."""
    services = services_of(request)
    name = request.path_params["name"]
    with services.database.read() as connection:
        user = require_user(request, connection)
        artifact = _readable_artifact(connection, user, request.path_params["client_id"])
        found, _total = stored_entries(connection, artifact.id, [name], 0, 1)
    if not found:
        raise HTTPException(404, f"the artifact has no file {name!r}")
    path = f"/storage/{entry_place(found[0])}/{name}"
    return RedirectResponse(services.signer.url("GET", path, services.clock() + DOWNLOAD_URL_SECONDS), 303)


def _readable_artifact(connection: Connection, user: User, client_id: str) -> Artifact:
    for artifact in artifacts_by_client_id(connection, client_id):
        home = collection_by_id(connection, artifact.collection_id)
        if home is not None and user.may_see(home):
            return artifact
    raise HTTPException(404, "the artifact was not found")


_RUN = "/api/runs/{entity}/{project}/{run}"

MEDIA_API_ROUTES = [
    Route(_RUN + "/media", _media),
    Route(_RUN + "/media/values", _media_values),
    Route(_RUN + "/files", _files),
    Route("/api/artifact-files/{client_id}/{name:path}", _artifact_file),
]
