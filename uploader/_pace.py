"""When a run's next request to its stream may go out: at once at first, then as often as the server permits.

| what waits in the log             | the next request goes out                                                   |
|-----------------------------------|-----------------------------------------------------------------------------|
| less than a batch                 | after the server's interval, 15 s where it names none                       |
| a full batch, or the run's end    | at once, but as far apart as the server's RateLimit headers ask for         |
| nothing                           | after `HEARTBEAT_SECONDS`, as a sign of life                                |
"""

from __future__ import annotations

from typing import Callable

from ._retry import pace, transmit_seconds
from ._transport import StreamReply

# How often a living run's log is looked at, and one that has long been quiet.
POLL_SECONDS = 0.5
QUIET_POLL_SECONDS = 1.5
QUIET_SECONDS = 15.0
# A sign of life is due when nothing has been sent for so long.
HEARTBEAT_SECONDS = 30.0


class Pace:
    """Of one run, by the caller's clock."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._interval = transmit_seconds({})
        self.apart = 0.0  # seconds between requests while a backlog waits
        self._due = self._due_full = self._sent_at = self._grew_at = clock()

    def note_reply(self, reply: StreamReply) -> None:
        self._sent_at = self._clock()
        self.apart = pace(reply.headers) or 0.0
        self._interval = transmit_seconds(reply.values)

    def acknowledged(self, at_once: bool, used: bool) -> float:
        """A batch has been acknowledged: the seconds until there is more to do. `at_once`: more is waiting, or the run
        has ended. `used`: there was something to send; what the stream doesn't carry uses up nothing."""
        self._grew_at = self._clock()
        self._due_full = self._clock() + self.apart
        if at_once:
            self._due = self._due_full
            return self.apart
        self._due = self._clock() + (max(self._interval, self.apart) if used else 0.0)
        return self.poll_seconds()

    def wait_seconds(self) -> float:
        """Until less than a full batch may go out."""
        return max(0.0, self._due - self._clock())

    def takes_full_batch(self) -> bool:
        return self._clock() >= self._due_full

    def beat_is_due(self) -> bool:
        return self._clock() - self._sent_at >= HEARTBEAT_SECONDS

    def poll_seconds(self) -> float:
        """Until the log is looked at again."""
        quiet = self._clock() - self._grew_at > QUIET_SECONDS
        return QUIET_POLL_SECONDS if quiet else min(POLL_SECONDS, self._interval)
