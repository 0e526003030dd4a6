"""Clients that are slow on purpose, or gone without a word: they hold a connection for so long and no longer.

Two places see to it. Before a request has begun nobody but the protocol knows of a connection, so `impatient` makes
one that closes it. The body of a request is waited for by the application, through `ImpatientBodies`.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ._json_response import StrictJSONResponse
from ._limits import (
    BODY_BYTES_PER_SECOND_MIN,
    BODY_SILENCE_SECONDS_MAX,
    HEADER_BYTES_MAX,
    HEADERS_SECONDS_MAX,
    UNREAD_BYTES_MAX,
)


class SlowBodyError(Exception):
    """The body of a request doesn't go on."""


class ImpatientBodies:
    """Ends a request whose body stops coming, or comes too slowly to be meant."""

    def __init__(self, app: ASGIApp, silence_seconds: float = BODY_SILENCE_SECONDS_MAX) -> None:
        self._app, self._silence = app, silence_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in ("GET", "HEAD"):
            await self._app(scope, receive, send)
            return
        whole, answered = False, False
        start, received = time.monotonic(), 0

        async def receive_in_time() -> Message:
            nonlocal whole, received
            if whole:  # now somebody waits for the client to go away
                return await receive()
            # With each byte the deadline moves on: at the least rate it stays where it is.
            left = start + self._silence + received / BODY_BYTES_PER_SECOND_MIN - time.monotonic()
            try:
                message = await asyncio.wait_for(receive(), max(0.001, min(left, self._silence)))
            except asyncio.TimeoutError:
                raise SlowBodyError from None
            received += len(message.get("body") or b"")
            whole = not message.get("more_body")
            return message

        async def read_rest() -> None:
            """A connection that ends while its client still sends takes the answer along."""
            until = received + UNREAD_BYTES_MAX
            while not whole and received < until:
                await receive_in_time()

        async def watch(message: Message) -> None:
            nonlocal answered
            if message["type"] == "http.response.start" and not answered:
                answered = True
                if not whole and not _waits_for_leave(scope):
                    with contextlib.suppress(SlowBodyError, asyncio.TimeoutError):
                        await asyncio.wait_for(read_rest(), self._silence)
            await send(message)

        try:
            await self._app(scope, receive_in_time, watch)
        except SlowBodyError:
            if not answered:
                # What is left of the body is not waited for: the connection ends with the answer.
                headers = {"Connection": "close"}
                await StrictJSONResponse({"error": "the body doesn't go on"}, 408, headers)(scope, receive, send)


def _waits_for_leave(scope: Scope) -> bool:
    """Whether the client sends its body only when it is told to go on."""
    return any(name == b"expect" for name, _ in scope["headers"])


def impatient(protocol: type[Any], seconds: float = HEADERS_SECONDS_MAX) -> type[Any]:
    """A protocol of uvicorn's that closes connections on which no request begins, or one begins and doesn't go on."""

    class Impatient(protocol):  # type: ignore[misc]
        _late: asyncio.TimerHandle | None = None
        _header_bytes = 0

        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            self._wait_for_headers()

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            self._header_bytes += len(data)
            self._wait_for_headers()
            if self._header_bytes > HEADER_BYTES_MAX:
                self._give_up()

        def connection_lost(self, exc: Exception | None) -> None:
            self._stop_waiting()
            super().connection_lost(exc)

        def on_response_complete(self) -> None:
            super().on_response_complete()
            self._wait_for_headers()

        def _wait_for_headers(self) -> None:
            if self.cycle is not None and not self.cycle.response_complete:
                self._stop_waiting()
                self._header_bytes = 0
            elif self._late is None:
                self._late = asyncio.get_running_loop().call_later(seconds, self._give_up)

        def _stop_waiting(self) -> None:
            if self._late is not None:
                self._late.cancel()
                self._late = None

        def _give_up(self) -> None:
            self._stop_waiting()
            if not self.transport.is_closing():
                self.transport.close()

    return Impatient
