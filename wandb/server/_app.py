"""The application: all routes, the security headers, and errors as JSON."""

from __future__ import annotations

import errno
import logging
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

from sqlalchemy.exc import DataError, DBAPIError, InterfaceError, OperationalError
from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ._access import services_of
from ._api import API_ROUTES
from ._api_media import MEDIA_API_ROUTES
from ._api_project import PROJECT_API_ROUTES
from ._api_runs import RUNS_API_ROUTES
from ._api_settings import SETTINGS_API_ROUTES
from ._api_shares import SHARE_API_ROUTES
from ._body import BodiesInFlight, BodyEncodingError, BodyTooLargeError, TooManyBodiesError
from ._bytes import DigestMismatchError
from ._custom_charts import CUSTOM_CHART_RESOLVERS
from ._graphql import GraphQLExecutor, GraphQLRequestError, Resolver, Resolvers
from ._json_response import StrictJSONResponse
from ._limits import (
    BODIES_BYTES_MAX,
    BODY_SILENCE_SECONDS_MAX,
    FILE_BYTES_MAX,
    INDEXED_ROWS_PER_REQUEST,
    REQUESTS_PER_SECOND_MAX,
)
from ._metrics import Measure, Metrics, show_metrics
from ._pages import PAGE_ROUTES
from ._partial import UploadSupersededError
from ._patience import ImpatientBodies
from ._protocol import file_stream, graphql
from ._rates import RateLimit
from ._request_log import RequestLog
from ._resolvers import RESOLVERS
from ._resolvers_artifact_changes import ARTIFACT_CHANGE_RESOLVERS
from ._resolvers_artifact_edits import ARTIFACT_EDIT_RESOLVERS
from ._resolvers_artifacts import ARTIFACT_RESOLVERS
from ._resolvers_policies import POLICY_RESOLVERS
from ._resolvers_projects import PROJECT_CHANGE_RESOLVERS
from ._resolvers_queues import QUEUE_RESOLVERS
from ._resolvers_run import RUN_RESOLVERS
from ._resolvers_run_changes import CHANGE_RESOLVERS
from ._resolvers_run_info import RUN_INFO_RESOLVERS
from ._resolvers_sweeps import SWEEP_RESOLVERS
from ._resolvers_teams import TEAM_RESOLVERS
from ._sandbox import SANDBOX_ROUTES
from ._services import Clock, open_services
from ._storage import STORAGE_ROUTES
from ._stream import StreamFormatError

_logger = logging.getLogger(__name__)

# Scripts and styles come from this server's own files only; nothing may be framed, nothing may
# be sent elsewhere.
_CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data: blob:",
        "media-src 'self'",
        "frame-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)

_HEADERS = {
    "Content-Security-Policy": _CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    # Sign-in links carry a token in their address.
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
}

_ERROR_STATUS: dict[type[Exception], int] = {
    BodyTooLargeError: 413,
    BodyEncodingError: 400,
    DigestMismatchError: 400,
    UploadSupersededError: 409,
    StreamFormatError: 400,
    GraphQLRequestError: 400,
    # A text with a NUL character cannot be stored in PostgreSQL.
    DataError: 400,
    # A text with half of a surrogate pair cannot be stored.
    UnicodeEncodeError: 400,
}

# What passes by itself, or when somebody makes room.
_UNAVAILABLE = (OperationalError, InterfaceError, OSError)
_PASSING = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO})
_RETRY_AFTER_SECONDS = 5


def create_app(
    data: Path,
    *,
    clock: Clock = time.time,
    file_bytes_max: int = FILE_BYTES_MAX,
    index_rows_max: int = INDEXED_ROWS_PER_REQUEST,
    database_url: str | None = None,
    files_url: str | None = None,
    requests_per_second: float = REQUESTS_PER_SECOND_MAX,
    body_silence_seconds: float = BODY_SILENCE_SECONDS_MAX,
    bodies_bytes_max: int = BODIES_BYTES_MAX,
    public_url: str | None = None,
    log_requests: bool = False,
) -> Starlette:
    """The server over one data directory, as an ASGI application.

    The clock is what tells time everywhere in the server; tests pass their own. The bounds are the
    ones whose default is too large to be met in a test, or a matter of the machine. Behind a proxy
    `public_url` is the address at which clients reach the server.
    """
    services = open_services(data, clock, file_bytes_max, index_rows_max, database_url, files_url, public_url)
    metrics = Metrics(services.database)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        services.indexer.start()
        services.ingest.start()
        yield
        services.ingest.stop()
        services.indexer.stop()
        services.database.close()

    app = Starlette(
        routes=[
            *_PROTOCOL_ROUTES,
            Mount("", routes=_DASHBOARD_ROUTES, middleware=[_COMPRESSION]),
        ],
        middleware=[
            *([Middleware(RequestLog)] if log_requests else []),
            Middleware(Measure, metrics=metrics),
            Middleware(_SecurityHeaders),
            Middleware(RateLimit, per_second=requests_per_second),
            Middleware(BodiesInFlight, bytes_max=bodies_bytes_max),
            Middleware(ImpatientBodies, silence_seconds=body_silence_seconds),
        ],
        exception_handlers={
            HTTPException: _http_error,
            ClientDisconnect: _client_gone,
            **dict.fromkeys(_ERROR_STATUS, _request_error),
            **dict.fromkeys(_UNAVAILABLE, _unavailable),
            TooManyBodiesError: _busy,
            Exception: _internal_error,
        },
        lifespan=lifespan,
    )
    app.state.services = services
    app.state.metrics = metrics
    app.state.route_names = _route_names(app.routes)
    app.state.executor = _executor()
    return app


_RESOLVERS = (
    RESOLVERS,
    RUN_RESOLVERS,
    RUN_INFO_RESOLVERS,
    CHANGE_RESOLVERS,
    ARTIFACT_RESOLVERS,
    ARTIFACT_CHANGE_RESOLVERS,
    ARTIFACT_EDIT_RESOLVERS,
    PROJECT_CHANGE_RESOLVERS,
    SWEEP_RESOLVERS,
    QUEUE_RESOLVERS,
    TEAM_RESOLVERS,
    POLICY_RESOLVERS,
    CUSTOM_CHART_RESOLVERS,
)


def _route_names(routes: Iterable[BaseRoute]) -> dict[Any, str]:
    """What answers a request -> the route; the pages of the dashboard, which are one shell, have one name."""
    names: dict[Any, str] = {}
    for route in routes:
        if isinstance(route, Mount) and not route.path:
            names.update(_route_names(route.routes))
        elif isinstance(route, Mount):
            names[route.app] = route.path
        elif isinstance(route, Route):
            names[route.endpoint] = "(page)" if route.endpoint in names else route.path
    return names


@lru_cache(maxsize=1)
def _executor() -> GraphQLExecutor:
    """Of all applications of a process: reading the schema takes longer than anything else at the start."""
    return GraphQLExecutor(_merged_resolvers())


def _merged_resolvers() -> Resolvers:
    merged: dict[str, dict[str, Resolver]] = {}
    for group in _RESOLVERS:
        for type_name, fields in group.items():
            merged.setdefault(type_name, {}).update(fields)
    return merged


class _SecurityHeaders:
    """Adds the headers to every response, errors included."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                if scope.get("scheme") == "https":
                    MutableHeaders(scope=message)["Strict-Transport-Security"] = "max-age=31536000"
                headers = MutableHeaders(scope=message)
                # A document that is shut off has a policy of its own.
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, send_with_headers)


def _health(request: Request) -> Response:
    """Answers when the database can be read."""
    with services_of(request).database.read() as connection:
        connection.exec_driver_sql("SELECT 1")
    return StrictJSONResponse({"status": "ok"})


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return StrictJSONResponse({"error": error.detail}, status_code=error.status_code, headers=error.headers)


async def _client_gone(request: Request, error: Exception) -> Response:
    """Nobody reads this; clients that go away in the middle are no fault of the server's."""
    return Response(status_code=400)


async def _request_error(request: Request, error: Exception) -> Response:
    return StrictJSONResponse({"error": str(error)}, status_code=_ERROR_STATUS[type(error)])


async def _unavailable(request: Request, error: Exception) -> Response:
    """The disk is full, or the database is away: clients come again, and lose nothing until then."""
    if isinstance(error, OSError) and error.errno not in _PASSING:
        raise error
    reason = str(error.orig).strip() if isinstance(error, DBAPIError) else str(error)
    _logger.warning("%s %s: %s", request.method, request.scope["path"], reason)
    headers = {"Retry-After": str(_RETRY_AFTER_SECONDS)}
    return StrictJSONResponse({"error": f"this can't be stored now: {reason}"}, status_code=503, headers=headers)


async def _busy(request: Request, error: Exception) -> Response:
    return StrictJSONResponse({"error": str(error)}, status_code=503, headers={"Retry-After": "1"})


async def _internal_error(request: Request, error: Exception) -> Response:
    # The traceback goes to the server's log; clients retry after a 500.
    return StrictJSONResponse({"error": "the server failed to answer; its log says why"}, status_code=500)


# Level 5 makes a table a fifth of its size in a millisecond for each hundred kilobytes.
_COMPRESSION = Middleware(GZipMiddleware, minimum_size=1000, compresslevel=5)

_DASHBOARD_ROUTES = [
    *API_ROUTES,
    *PROJECT_API_ROUTES,
    *RUNS_API_ROUTES,
    *MEDIA_API_ROUTES,
    *SETTINGS_API_ROUTES,
    *SHARE_API_ROUTES,
    *SANDBOX_ROUTES,
    *PAGE_ROUTES,
]

_PROTOCOL_ROUTES = [
    Route("/graphql", graphql, methods=["POST"]),
    Route("/files/{entity}/{project}/{run}/file_stream", file_stream, methods=["POST"]),
    *STORAGE_ROUTES,
    Route("/healthz", _health),
    Route("/metrics", show_metrics),
]
