"""The retry policy: which failures pass, and how long to wait. Data and functions without a loop or a clock.

| what happens                                   | what follows                                                     |
|------------------------------------------------|------------------------------------------------------------------|
| no connection, time-out, malformed reply       | again, for ever, 1 s to 60 s apart                               |
| 408, 425, 429, 5xx except 501, 3xx             | the same; `Retry-After` overrides the wait                       |
| 409 to UpsertBucket                            | the same: two writers met                                        |
| 401, 403                                       | the destination waits for other credentials                      |
| 413                                            | the batch is split, then parked                                  |
| 400, 404, 409, 410, 422, 501, 200 with errors  | parked with the server's words                                   |
"""

from __future__ import annotations

import email.utils
import json
import time
from typing import Mapping, Optional

import tenacity

from ._errors import CredentialsRefused, Refused, TooLarge, TransientError, UploadError

BACKOFF_SECONDS_MIN = 1.0
BACKOFF_SECONDS_MAX = 60.0
# A server that names a longer wait is asked again after this one: a slip in its header must not park a run for years.
RETRY_AFTER_SECONDS_MAX = 3600.0
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
        return TransientError(message + where, parse_retry_after(headers.get("Retry-After")))
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
