"""The endpoints that logging clients use: GraphQL, the run stream, file bytes."""

from __future__ import annotations

import mimetypes
from collections.abc import AsyncIterator
from typing import Any

from sqlalchemy import Connection
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, Response

from ._access import base_url_of, require_entity, require_key, require_user, services_of
from ._auth import User
from ._body import read_body
from ._files import StoredFile, find_file, record_file
from ._graphql import GraphQLExecutor, parse_graphql_request
from ._json_response import StrictJSONResponse
from ._limits import GRAPHQL_BYTES_MAX, STREAM_BYTES_MAX
from ._names import RunKey, file_name_problem
from ._services import RequestContext, Services
from ._store import Run, find_run, run_exists
from ._stream import apply_stream_request, parse_stream_request

# Types that a browser may show from this origin. Anything else, HTML above all, could run
# scripts with the session of whoever opens it, and is only offered as a download.
_SHOWN_TYPES = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp", "image/bmp"})


class _RollbackError(Exception):
    """Carries a response out of a transaction that must not be kept."""

    def __init__(self, response: dict[str, Any]) -> None:
        super().__init__("undone")
        self.response = response


async def graphql(request: Request) -> Response:
    # Before the body: reading and parsing are work that only users may cause.
    user = await run_in_threadpool(_user_of_key, request)
    body = await read_body(request, GRAPHQL_BYTES_MAX)
    return StrictJSONResponse(await run_in_threadpool(_answer_graphql, request, user, body))


def _user_of_key(request: Request) -> User:
    with services_of(request).database.read() as connection:
        return require_key(request, connection)


def _answer_graphql(request: Request, user: User, body: bytes) -> dict[str, Any]:
    services = services_of(request)
    executor = request.app.state.executor
    assert isinstance(executor, GraphQLExecutor)
    query, variables, operation = parse_graphql_request(body)
    database = services.database
    transaction = database.write if executor.is_mutation(query) else database.read
    after_commit = []
    try:
        with transaction() as connection:
            context = RequestContext(services, connection, user, base_url_of(request), services.clock())
            response = executor.execute(query, variables, operation, context)
            if "errors" in response:
                raise _RollbackError(response)
            after_commit = context.after_commit
    except _RollbackError as rollback:
        return rollback.response
    for action in after_commit:
        action()
    return response


async def file_stream(request: Request) -> Response:
    user = await run_in_threadpool(_user_of_key, request)
    body = await read_body(request, STREAM_BYTES_MAX)
    return StrictJSONResponse(await run_in_threadpool(_answer_stream, request, user, body))


def _answer_stream(request: Request, user: User, body: bytes) -> dict[str, Any]:
    services = services_of(request)
    stream_request = parse_stream_request(body)
    with services.database.write() as connection:
        run = _run_of_path(request, connection, user)
        return apply_stream_request(connection, run, stream_request, services.clock())


def _run_of_path(request: Request, connection: Connection, user: User) -> Run:
    parameters = request.path_params
    require_entity(user, parameters["entity"])
    key = RunKey(parameters["run"], parameters["project"], parameters["entity"])
    run = find_run(connection, key)
    if run is None:
        raise HTTPException(404, f"run {'/'.join(reversed(key))!r} was not found")
    return run


async def put_file(request: Request) -> Response:
    """Take the bytes of a file. The signed URL is the credential."""
    services = services_of(request)
    run_id, name = _signed_target(request, services)
    if file_name_problem(name):
        raise HTTPException(400, file_name_problem(name) or "")
    length = request.headers.get("content-length", "")
    if length.isdigit() and int(length) > services.file_bytes_max:
        raise HTTPException(413, f"the file is larger than {services.file_bytes_max} bytes")
    await run_in_threadpool(_require_run, services, run_id)
    size, md5 = await services.files.put(run_id, name, _bytes_of(request), services.file_bytes_max)
    stored = StoredFile(run_id, name, size, md5, services.clock())
    await run_in_threadpool(_record, services, stored)
    return Response(headers={"ETag": f'"{md5}"'})


async def _bytes_of(request: Request) -> AsyncIterator[bytes]:
    async for piece in request.stream():
        yield piece


def _require_run(services: Services, run_id: int) -> None:
    with services.database.read() as connection:
        if not run_exists(connection, run_id):
            raise HTTPException(404, "the run of this file was deleted")


def _record(services: Services, stored: StoredFile) -> None:
    with services.database.write() as connection:
        # The run may have been deleted while the bytes came in.
        if not run_exists(connection, stored.run_id):
            services.files.delete_run(stored.run_id)
            raise HTTPException(404, "the run of this file was deleted")
        record_file(connection, stored)


def get_signed_file(request: Request) -> Response:
    """Serve the bytes of a file. The signed URL is the credential."""
    services = services_of(request)
    run_id, name = _signed_target(request, services)
    return _file_response(services, run_id, name)


def get_run_file(request: Request) -> Response:
    """Serve the bytes of a file to a user."""
    services = services_of(request)
    with services.database.read() as connection:
        run = _run_of_path(request, connection, require_user(request, connection))
    return _file_response(services, run.id, request.path_params["name"])


def _signed_target(request: Request, services: Services) -> tuple[int, str]:
    run_id, name = request.path_params["run_id"], request.path_params["name"]
    method = "GET" if request.method == "HEAD" else request.method
    problem = services.signer.problem(
        method,
        run_id,
        name,
        request.query_params.get("expires", ""),
        request.query_params.get("signature", ""),
        services.clock(),
    )
    if problem:
        raise HTTPException(403, problem)
    return run_id, name


def _file_response(services: Services, run_id: int, name: str) -> Response:
    with services.database.read() as connection:
        stored = find_file(connection, run_id, name)
    path = services.files.path(run_id, name)
    if stored is None or not path.is_file():
        raise HTTPException(404, f"file {name!r} was not found")
    media_type = mimetypes.guess_type(name)[0] or "application/octet-stream"
    return FileResponse(
        path,
        media_type=media_type,
        filename=name.rpartition("/")[2],
        content_disposition_type="inline" if media_type in _SHOWN_TYPES else "attachment",
    )
