"""How often one caller may ask: whoever asks more often is told when to come again.

A caller is known by the key or the session that it sends, and by its address where it sends neither, or a wrong one.
"""

from __future__ import annotations

import hashlib
import math
import time
from collections import OrderedDict
from collections.abc import Callable

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ._json_response import StrictJSONResponse
from ._limits import (
    CALLERS_MAX,
    FAILURES_AT_ONCE_MAX,
    FAILURES_PER_SECOND_MAX,
    REQUESTS_AT_ONCE_MAX,
    REQUESTS_PER_SECOND_MAX,
)

Clock = Callable[[], float]


class Buckets:
    """A bucket for each caller, which fills up with `rate` tokens a second to `most`. Used by one thread."""

    def __init__(self, rate: float, most: float, clock: Clock = time.monotonic) -> None:
        self._rate, self._most, self._clock = rate, most, clock
        self._levels: OrderedDict[str, tuple[float, float]] = OrderedDict()  # caller -> tokens, and when

    def wait_seconds(self, caller: str) -> float:
        """Until the caller has a token; 0 where it has one."""
        return max(0.0, (1.0 - self._level(caller)) / self._rate)

    def take(self, caller: str) -> None:
        self._levels[caller] = (self._level(caller) - 1.0, self._clock())
        self._levels.move_to_end(caller)
        if len(self._levels) > CALLERS_MAX:
            self._levels.popitem(last=False)  # whoever was silent longest has a full bucket, or nearly

    def _level(self, caller: str) -> float:
        tokens, since = self._levels.get(caller, (self._most, 0.0))
        return min(self._most, tokens + (self._clock() - since) * self._rate)


class RateLimit:
    """Answers 429 to whoever asks too often, before anything else is done."""

    def __init__(
        self, app: ASGIApp, per_second: float = REQUESTS_PER_SECOND_MAX, clock: Clock = time.monotonic
    ) -> None:
        self._app = app
        at_once = max(REQUESTS_AT_ONCE_MAX * per_second / REQUESTS_PER_SECOND_MAX, 1.0)
        self._requests = Buckets(per_second, at_once, clock)
        self._failures = Buckets(FAILURES_PER_SECOND_MAX, FAILURES_AT_ONCE_MAX, clock)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = Request(scope)
        address = request.client.host if request.client is not None else ""
        caller = _caller(request) or address
        wait = max(self._requests.wait_seconds(caller), self._failures.wait_seconds(address))
        if wait:
            answer = StrictJSONResponse(
                {"error": "too many requests; come again later"}, 429, {"Retry-After": str(math.ceil(wait))}
            )
            await answer(scope, receive, send)
            return
        self._requests.take(caller)

        async def watch(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] == 401:
                self._failures.take(address)
            await send(message)

        await self._app(scope, receive, watch)


def _caller(request: Request) -> str:
    credential = request.headers.get("authorization") or request.headers.get("cookie")
    return hashlib.blake2b(credential.encode(), digest_size=16).hexdigest() if credential else ""
