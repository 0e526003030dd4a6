"""What can go wrong on the way to a server, as exceptions.

    UploadError
    ├── TransientError        the server or the way to it fails for now: tried again for ever
    │   └── ReplyTooLong          it says more than fits; less can be asked
    ├── CredentialError       the API key is missing, malformed or unreadable
    │   └── CredentialsRefused    the server refuses it: everything to this server waits for another key
    ├── Refused               the server refuses this request for good: the item is parked with the server's words
    │   └── TooLarge          because of its size: it is split first
    ├── UploaderRunning       another process holds the lock
    └── NotUploadable         the folder holds nothing for this destination

Every message says what happened, where, and what to do about it.
"""

from __future__ import annotations

from typing import Optional


class UploadError(Exception):
    """Something can't be brought to the server."""


class TransientError(UploadError):
    """The server, or the way to it, fails for now."""

    def __init__(
        self, message: str, retry_after: Optional[float] = None, unreachable: bool = False, throttled: bool = False
    ) -> None:
        super().__init__(message)
        self.retry_after = retry_after  # seconds, where the server named them
        self.unreachable = unreachable  # nothing came back
        self.throttled = throttled  # the server wants fewer requests from this client

    @property
    def shared(self) -> bool:
        """Whether the same holds for every run that goes to this server."""
        return self.unreachable or self.throttled


class ReplyTooLong(TransientError):
    """A reply is longer than any honest one should be."""


class CredentialError(UploadError):
    """The API key is missing, malformed, or in a netrc file that can't be read."""


class CredentialsRefused(CredentialError):
    """The server wants another API key."""


class Refused(UploadError):
    """The server refuses a request for good."""

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status  # 0: not by an HTTP status

    @property
    def may_be_a_part(self) -> bool:
        """Whether a smaller request may pass, because it is something in this one that the server doesn't take."""
        return self.status in (400, 413, 422)


class TooLarge(Refused):
    """The server refuses a request because of its size."""


class UploaderRunning(UploadError):
    """Another process uploads what this one was about to upload."""


class NotUploadable(UploadError):
    """The folder holds nothing for this destination."""
