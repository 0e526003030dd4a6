"""What this package raises.

    Error
    ├── UsageError            a call that makes no sense here; the message says which one does
    │   └── ConfigError       a config key would change its value
    ├── CommError             a server said no, or can't be reached
    │   └── AuthenticationError
    └── DataError             (also TypeError and ValueError) a value that can't be stored; names the key and the type

`DataError` is a TypeError and a ValueError because scripts written for other clients catch either.
"""

from __future__ import annotations


class Error(Exception):
    """The base of everything that this package raises on its own account."""

    @property
    def message(self) -> str:
        """What happened, and what to do about it."""
        return str(self)


class UsageError(Error):
    """A call that makes no sense here."""


class ConfigError(UsageError):
    """A config key would change its value, which takes `allow_val_change=True`."""


class CommError(Error):
    """A server said no, or can't be reached."""


class AuthenticationError(CommError):
    """The API key is missing, malformed or refused."""


class DataError(Error, TypeError, ValueError):
    """A value that can't be stored."""
