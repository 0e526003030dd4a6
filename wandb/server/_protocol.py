"""The endpoints that logging clients use besides those for bytes: GraphQL and the run stream."""

from __future__ import annotations

from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from ._access import (
    base_url_of,
    known_user,
    noted,
    require_edit,
    require_key,
    run_key_of_path,
    seen_run,
    sent_key,
    services_of,
)
from ._auth import User
from ._body import read_body
from ._graphql import GraphQLExecutor, parse_graphql_request
from ._json_response import StrictJSONResponse
from ._limits import GRAPHQL_BYTES_MAX, STREAM_BYTES_MAX
from ._services import ITEM_CHANGES, OWN_TRANSACTION, RequestContext
from ._store import Run
from ._stream import parse_stream_request
from ._writers import writer_of

# A body of this size is parsed in half a millisecond, which handing it to another thread and back takes as well.
_PARSED_AT_ONCE_BYTES = 64 * 1024


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
    changes = executor.mutations(query)
    transaction = database.read if changes <= OWN_TRANSACTION else database.write
    if changes and changes <= ITEM_CHANGES:
        transaction = database.write_runs
    after_commit = []
    try:
        with transaction() as connection:
            context = RequestContext(
                services, connection, user, base_url_of(request), services.clock(), bool(changes),
                writer=writer_of(request.headers),
            )  # fmt: skip
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
    services = services_of(request)
    api_key, run_key = sent_key(request), run_key_of_path(request)
    if not services.ingest.knows(api_key):
        await run_in_threadpool(_user_of_key, request)
    body = await read_body(request, STREAM_BYTES_MAX)
    if len(body) > _PARSED_AT_ONCE_BYTES:
        stream_request = await run_in_threadpool(parse_stream_request, body)
    else:
        stream_request = parse_stream_request(body)

    def admit(user: User | None, run: Run | None) -> None:
        user = noted(request, known_user(user))
        require_edit(user, seen_run(user, run_key, run))

    answer = await services.ingest.apply(api_key, run_key, stream_request, writer_of(request.headers), admit)
    request.app.state.metrics.count_lines(stream_request)
    return StrictJSONResponse(answer)
