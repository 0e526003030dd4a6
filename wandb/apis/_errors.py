"""What a server's answers raise beyond `wandb.errors`.

CommError
├── RefusedError          the server answered, and said no
├── TooMuchError          an answer is longer than what is read at once
└── RequestError          (ValueError) what is asked for makes no sense, or isn't there
    └── RunNotFoundError
"""

from __future__ import annotations

from ..errors import CommError


class RefusedError(CommError):
    """The server answered, and said no."""

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status  # of HTTP; 0 where the answer itself holds the errors


class TooMuchError(CommError):
    """An answer is longer than what is read at once; less can be asked."""


class RequestError(CommError, ValueError):
    """What is asked for makes no sense, or isn't there. Scripts catch it as the one or as the other."""


class RunNotFoundError(RequestError):
    """There is no such run.

    >>> try:
    ...     wandb.Api().run("digits/no-such-run")
    ... except RunNotFoundError as error:
    ...     print(str(error).partition(" at ")[0].replace(wandb.Api().default_entity, "me"))
    there is no run me/digits/no-such-run
    """
