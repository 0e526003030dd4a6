"""What this package raises.

    Error
    ├── UsageError            a call that makes no sense here; the message says which one does
    │   ├── ConfigError       a config key would change its value
    │   └── UnsupportedError  something that doesn't exist here
    ├── CommError             a server said no, or can't be reached
    │   └── AuthenticationError
    └── DataError             (also TypeError and ValueError) a value that can't be stored; names the key and the type

`DataError` is a TypeError and a ValueError because scripts written for other clients catch either.
"""

from __future__ import annotations


class Error(Exception):
    """The base of everything that this package raises on its own account.

    >>> import wandb
    >>> try:
    ...     wandb.log({"loss": 0.5})
    ... except wandb.Error as error:
    ...     print(error.message)
    You must call wandb.init() before wandb.log()
    """

    @property
    def message(self) -> str:
        """What happened, and what to do about it."""
        return str(self)


class UsageError(Error):
    """A call that makes no sense here.

    >>> import wandb
    >>> try:
    ...     wandb.init(mode="offline", resume="must")
    ... except wandb.UsageError as error:
    ...     print(error)
    resume="must" needs the id of the run: wandb.init(id=..., resume="must")
    """


class ConfigError(UsageError):
    """A config key would change its value, which takes `allow_val_change=True`."""


class UnsupportedError(UsageError):
    """Something that doesn't exist here, on this system or at this server."""


class CommError(Error):
    """A server said no, or can't be reached.

    >>> issubclass(CommError, Error)
    True
    """


class AuthenticationError(CommError):
    """The API key is missing, malformed or refused."""


class DataError(Error, TypeError, ValueError):
    """A value that can't be stored."""
