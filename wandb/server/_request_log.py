"""What the server did, as lines of JSON: one a request, and everything that goes wrong.

Addresses hold tokens and signatures, bodies hold what users log, headers hold keys: none of these is in a line. There
is the route instead, and the names of the entity, the project and the run where the route has them.
"""

from __future__ import annotations

import json
import logging
import sys
import time
import uuid
from datetime import datetime, timezone
from typing import Any

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ._metrics import route_of

_log = logging.getLogger("wandb.server.requests")
_NAMES = ("entity", "project", "run")
REQUEST_ID = "X-Request-ID"


class RequestLog:
    """A line for every request. Its id is in the answer, so that who complains can name it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        identity, status, sent, start = uuid.uuid4().hex, 500, 0, time.perf_counter()

        async def watch(message: Message) -> None:
            nonlocal status, sent
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)[REQUEST_ID] = identity
            sent += len(message.get("body") or b"")
            await send(message)

        try:
            await self._app(scope, receive, watch)
        finally:
            parameters = scope.get("path_params") or {}
            client = scope.get("client")
            facts = {
                "request": identity, "method": scope["method"][:16], "route": route_of(scope), "status": status,
                "milliseconds": round((time.perf_counter() - start) * 1000, 1), "bytes": sent,
                "client": client[0] if client else None, "user": (scope.get("state") or {}).get("user"),
                **{name: str(parameters[name])[:200] for name in _NAMES if name in parameters},
            }  # fmt: skip
            _log.log(logging.ERROR if status >= 500 else logging.INFO, "request", extra={"facts": facts})


class JSONLines(logging.Formatter):
    """A record as one line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, timezone.utc).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(), "logger": record.name, "event": record.getMessage(),
            **getattr(record, "facts", {}),
        }  # fmt: skip
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


def log_as_json(requests: bool) -> None:
    """Let everything that this process logs be lines of JSON on standard error, and with `requests` every request."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JSONLines())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
    _log.setLevel(logging.INFO if requests else logging.ERROR)
