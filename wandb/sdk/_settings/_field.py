"""What is known about one setting."""

from __future__ import annotations

from typing import Any

from ._kinds import Kind

_INERT = "Accepted, and has no effect here."


class Field:
    """A setting, before its class gives it a name.

    secret: never shown. policy: a policy of the server may set it.
    inert: callers of the official client set it, and it has no effect here.
    """

    def __init__(self, default: Any, parse: Kind, help: str, secret: bool, policy: bool, inert: bool) -> None:
        self.default, self.parse, self.help = default, parse, help
        self.secret, self.policy, self.inert = secret, policy, inert


def setting(parse: Kind, help: str, *, default: Any, secret: bool = False, policy: bool = False) -> Any:
    """A setting, in the body of a settings class."""
    return Field(default, parse, help, secret, policy, False)


def accepted(parse: Kind, *, default: Any, secret: bool = False, policy: bool = False) -> Any:
    """A setting that has no effect, in the body of a settings class."""
    return Field(default, parse, _INERT, secret, policy, True)
