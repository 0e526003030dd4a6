"""The retry policy: which failures pass, and how long to wait. Data and functions without a loop or a clock.

| what happens                                         | what follows                                                |
|------------------------------------------------------|-------------------------------------------------------------|
| no connection, time-out, DNS, TLS, proxy             | again, for ever, 1 s to 60 s apart; one request at a time   |
|                                                      | finds out whether the server is back, for all runs          |
| malformed reply, 408, 425, 5xx except 501, 3xx       | again, for ever, 1 s to 60 s apart; `Retry-After` overrides |
| 429, and 503 with `Retry-After`                      | the same, and it holds for all runs of this server          |
| 409 to UpsertBucket                                  | again: two writers met                                      |
| 401, 403                                             | the destination waits for other credentials                 |
| 400, 413, 422 to lines of a run                      | halved until the item is found; that item is parked alone   |
| 400, 404, 409, 410, 413, 422, 501, 200 with errors   | parked with the server's words                              |

A file's URL carries its own credential, so 401 and 403 there park that file. `_items` does the halving, and
`Breaker` keeps one broken server from being asked by every run.
"""

from __future__ import annotations

import email.utils
import json
import time
from typing import Any, Callable, Mapping, Optional

import tenacity

from ._errors import CredentialsRefused, Refused, TooLarge, TransientError, UploadError

BACKOFF_SECONDS_MIN = 1.0
BACKOFF_SECONDS_MAX = 60.0
# A server that names a longer wait is asked again after this one: a slip in its header must not park a run for years.
RETRY_AFTER_SECONDS_MAX = 3600.0
# The protocol's cadence for a server that names none: one stream request of a living run in this time. A server may
# name a shorter interval, but not one that makes a busy loop of the stream.
TRANSMIT_SECONDS = 15.0
TRANSMIT_SECONDS_MIN = 0.2
TRANSMIT_SECONDS_MAX = 60.0
# Of a server's answer, this much is kept: a page of HTML says no more than its beginning.
SERVER_WORDS_MAX = 500


class _Wait(tenacity.wait.wait_base):
    """What the server named; otherwise exponential, with jitter so that many clients don't return together."""

    _backoff = tenacity.wait_exponential_jitter(
        initial=BACKOFF_SECONDS_MIN, max=BACKOFF_SECONDS_MAX, exp_base=2, jitter=BACKOFF_SECONDS_MIN
    )

    def __call__(self, retry_state: tenacity.RetryCallState) -> float:
        error = retry_state.outcome.exception() if retry_state.outcome is not None else None
        if isinstance(error, TransientError) and error.retry_after is not None:
            return min(max(error.retry_after, 0.0), RETRY_AFTER_SECONDS_MAX)
        return float(self._backoff(retry_state))


_POLICY = tenacity.Retrying(
    wait=_Wait(), retry=tenacity.retry_if_exception_type(TransientError), stop=tenacity.stop_never
)


class Attempts:
    """The failures in a row of one item. The caller waits as long as `failed` says, by its own clock."""

    def __init__(self) -> None:
        self.count = 0
        self.since: Optional[float] = None  # wall time of the first failure of this row
        self._call = _new_call()

    def failed(self, error: TransientError, now: float) -> float:
        """Seconds to wait before the next attempt."""
        self.count += 1
        self.since = now if self.since is None else self.since
        self._call.set_exception((type(error), error.with_traceback(None), None))
        wait = float(_POLICY.wait(self._call))
        self._call.prepare_for_next_attempt()
        return wait

    def succeeded(self) -> None:
        if self.count:
            self.count, self.since, self._call = 0, None, _new_call()


class Breaker:
    """Whether a server may be asked: closed while it answers; after a failure that all its runs share, open until the
    wait is over, and then for one request, whose outcome decides. Used under the caller's lock."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._attempts = Attempts()
        self._until = 0.0
        self._probing = False

    @property
    def open(self) -> bool:
        return self._attempts.count > 0

    @property
    def since(self) -> float:
        """Wall time of the first failure; only while open."""
        return self._attempts.since or 0.0

    def wait_seconds(self) -> Optional[float]:
        """Until a request may go out; None while the outcome of one is awaited."""
        if not self.open:
            return 0.0
        return None if self._probing else max(0.0, self._until - self._clock())

    def take(self) -> bool:
        """Whether a request may go out now. While open, only one may until `failed`, `succeeded` or `put_back`."""
        if self.wait_seconds() != 0.0:
            return False
        self._probing = self.open
        return True

    def failed(self, error: TransientError, now: float) -> float:
        """Seconds to wait. Requests that were under way when the server went away count as one failure."""
        if self.open and not self._probing:
            return max(0.0, self._until - self._clock())
        self._probing = False
        wait = self._attempts.failed(error, now)
        self._until = self._clock() + wait
        return wait

    def succeeded(self) -> None:
        self._probing = False
        self._attempts.succeeded()

    def put_back(self) -> None:
        """What was taken led to no request."""
        self._probing = False


def _new_call() -> tenacity.RetryCallState:
    return tenacity.RetryCallState(_POLICY, None, (), {})


def classify(status: int, headers: Mapping[str, str], body: bytes, what: str, conflict_passes: bool) -> UploadError:
    """The error for a reply that is no success. `what` names the request and the server."""
    words = server_words(body)
    message = f"{what}: {status} {words}".rstrip()
    if status in (401, 403):
        return CredentialsRefused(message)
    if status == 413:
        return TooLarge(message, status)
    passes = status in (408, 425, 429) or (status == 409 and conflict_passes)
    if passes or 300 < status < 400 or (status >= 500 and status != 501):
        # A redirect passes too: a captive portal redirects everything, for as long as nobody has signed in.
        where = f" (it points to {headers['Location']}; set base_url to that)" if headers.get("Location") else ""
        wait = parse_retry_after(headers.get("Retry-After"))
        if status == 429 and wait is None:
            wait = pace(headers)
        return TransientError(message + where, wait, throttled=status == 429 or (status == 503 and wait is not None))
    return Refused(message, status)


def parse_retry_after(value: Optional[str]) -> Optional[float]:
    """Seconds, from a number or a date; None where there is neither."""
    if not value:
        return None
    try:
        seconds = float(value)
        return seconds if seconds >= 0 else None  # false for NaN
    except ValueError:
        pass
    try:
        return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - time.time())
    except (TypeError, ValueError, OverflowError):
        return None


def server_words(body: bytes) -> str:
    """The server's reason, out of one of the forms that W&B servers use; otherwise the start of the text."""
    text = body[: 4 * SERVER_WORDS_MAX].decode("utf-8", "replace").strip()
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return " ".join(text.split())[:SERVER_WORDS_MAX]
    if isinstance(value, dict):
        errors = value.get("errors")
        if isinstance(errors, list) and errors:
            said = [str(error.get("message", error)) if isinstance(error, dict) else str(error) for error in errors]
            return "; ".join(said)[:SERVER_WORDS_MAX]
        error = value.get("error", value.get("message", value.get("detail")))
        if isinstance(error, dict):
            error = error.get("message", error)
        if error is not None:
            return str(error)[:SERVER_WORDS_MAX]
    return text[:SERVER_WORDS_MAX]


def pace(headers: Mapping[str, str]) -> Optional[float]:
    """Seconds between requests that a server's RateLimit headers allow; None where it sends none."""
    try:
        remaining = float(headers["RateLimit-Remaining"])
        reset = float(headers["RateLimit-Reset"])
    except (KeyError, ValueError):
        return None
    if not (remaining >= 0 and reset >= 0):
        return None
    # One request in ten seconds is slow enough for any quota, and keeps a run's heartbeat alive.
    return min(reset / max(remaining, 0.1), 10.0)


def transmit_seconds(reply: Mapping[str, Any]) -> float:
    """Between two stream requests of a living run, as the server's last reply has it."""
    limits = reply.get("limits")
    seconds = limits.get("transmit_seconds") if isinstance(limits, dict) else None
    if not isinstance(seconds, (int, float)) or isinstance(seconds, bool) or not seconds > 0:
        return TRANSMIT_SECONDS
    return min(max(float(seconds), TRANSMIT_SECONDS_MIN), TRANSMIT_SECONDS_MAX)
