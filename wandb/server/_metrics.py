"""Figures about the server for Prometheus, at ``/metrics``: requests by route, lines taken in, what is kept.

Whoever asks for them sends an administrator's API key, as the password of ``basic_auth``: names of nobody are among
them, but how busy a team is may be its own business.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, PlatformCollector, ProcessCollector
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from sqlalchemy import func, select
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ._access import require_key, services_of
from ._database import Database
from ._stream import StreamRequest
from ._tables import files, projects, runs, users

# From an answer out of memory to the longest that a client waits for.
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_STREAMS = {"h": "history", "e": "events", "l": "output"}
UNKNOWN_ROUTE = "(none)"


class Metrics:
    """Of one application."""

    def __init__(self, database: Database) -> None:
        self.registry = CollectorRegistry()
        labels = ["method", "route"]
        self.requests = Counter("wandb_requests", "Answered requests.", [*labels, "status"], registry=self.registry)
        self.seconds = Histogram(
            "wandb_request_seconds", "From a request's headers to the end of its answer.", labels, buckets=_SECONDS,
            registry=self.registry,
        )  # fmt: skip
        self.in_flight = Gauge("wandb_requests_in_flight", "Requests that wait for an answer.", registry=self.registry)
        self.received = Counter("wandb_received_bytes", "Bytes of requests' bodies.", labels, registry=self.registry)
        self.sent = Counter("wandb_sent_bytes", "Bytes of answers' bodies.", labels, registry=self.registry)
        self.lines = Counter("wandb_lines", "Lines of runs that were taken in.", ["stream"], registry=self.registry)
        for stream in _STREAMS.values():
            self.lines.labels(stream)
        self.registry.register(_Kept(database))
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)

    def count_lines(self, request: StreamRequest) -> None:
        for kind, lines in request.lines.items():
            self.lines.labels(_STREAMS[kind]).inc(len(lines.contents))


class _Kept:
    """What the database holds, counted when somebody asks."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def describe(self) -> Iterator[Metric]:
        """Nothing needs to be counted for a name to be known."""
        yield from ()

    def collect(self) -> Iterator[Metric]:
        with self._database.read() as connection:
            states = connection.execute(select(runs.c.state, func.count()).group_by(runs.c.state)).all()
            counts = {
                name: connection.execute(select(func.count()).select_from(table)).scalar_one()
                for name, table in (("projects", projects), ("users", users), ("run_files", files))
            }
            size = connection.execute(select(func.sum(files.c.size))).scalar_one() or 0
        family = GaugeMetricFamily("wandb_runs", "Runs, by the state that they were last heard in.", labels=["state"])
        for state, count in states:
            family.add_metric([state], count)
        yield family
        for name, count in counts.items():
            yield GaugeMetricFamily(f"wandb_{name}", f"{name.replace('_', ' ').capitalize()}.", value=count)
        yield GaugeMetricFamily("wandb_run_file_bytes", "Bytes of runs' files.", value=int(size))


class Measure:
    """Counts and times every request, under the route that it took and not under its address."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app, self._metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status, received, sent, start = 500, 0, 0, time.perf_counter()

        async def count_received() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body") or b"")
            return message

        async def count_sent(message: Message) -> None:
            nonlocal status, sent
            if message["type"] == "http.response.start":
                status = message["status"]
            sent += len(message.get("body") or b"")
            await send(message)

        metrics = self._metrics
        with metrics.in_flight.track_inprogress():
            try:
                await self._app(scope, count_received, count_sent)
            finally:
                labels = (scope["method"] if scope["method"] in _METHODS else "(other)", route_of(scope))
                metrics.requests.labels(*labels, str(status)).inc()
                metrics.seconds.labels(*labels).observe(time.perf_counter() - start)
                metrics.received.labels(*labels).inc(received)
                metrics.sent.labels(*labels).inc(sent)


_METHODS = frozenset({"GET", "HEAD", "POST", "PUT"})


def route_of(scope: Scope) -> str:
    """The route that a request took, with the names of its parameters in the place of what they were."""
    routes: dict[Any, str] = scope["app"].state.route_names
    return routes.get(scope.get("endpoint"), UNKNOWN_ROUTE)


def show_metrics(request: Request) -> Response:
    with services_of(request).database.read() as connection:
        if not require_key(request, connection).admin:
            raise HTTPException(403, "only an administrator is told the server's figures")
    metrics: Metrics = request.app.state.metrics
    return Response(generate_latest(metrics.registry), media_type=CONTENT_TYPE_LATEST)
