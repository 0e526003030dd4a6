"""What a run tells of the program: the part of `wandb-metadata.json` that `init` knows without looking anywhere."""

from __future__ import annotations

import os
import re
import sys
import time
from typing import TYPE_CHECKING, Any, Dict, Iterator, Sequence

from ._jupyter import notebook_path

if TYPE_CHECKING:
    from .wandb_settings import Settings

# `--tokenizer`, `--max_tokens` and `--author` are no secrets.
_SECRET_NAME = re.compile(
    r"(^|[^a-z])(key|token|pass|pwd|credentials?|auth|jwt)$|(api|access|secret|private).?key|secret|passw|passphrase",
    re.I,
)
# What services hand out as keys, known by their beginnings, and a key of a W&B server.
_SECRET_VALUE = re.compile(
    r"(sk|pk|rk|ghp|gho|ghs|ghu|github_pat|glpat|hf|xox[abp]|AKIA|ASIA|AIza|ya29|eyJ)[-_.]?[A-Za-z0-9_.-]{12,}"
    r"|([A-Za-z0-9]+-)?[0-9a-f]{40}"
)
_URL_CREDENTIALS = re.compile(r"(?<=://)[^/@\s]+@")
_HIDDEN = "…"


def program_path(settings: Settings) -> str:
    """The script or notebook that runs, as the user would name it; empty in an interactive session."""
    if settings.program:
        return settings.program
    main = sys.modules.get("__main__")
    path = getattr(main, "__file__", None)
    return str(path) if path else notebook_path(settings)


def describe_environment(program: str, settings: Settings, start: float) -> Dict[str, Any]:
    """The interpreter, the program and its arguments: what settings leave of it."""
    if settings.x_disable_meta:
        return {}
    described: Dict[str, Any] = {
        "python": f"{_implementation()} {sys.version.split()[0]}",
        "startedAt": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(start)),
        "host": settings.host or os.uname().nodename,
        "executable": settings.x_executable or sys.executable,
        "root": os.getcwd(),
        "args": list(redacted(sys.argv[1:])),
    }
    if program:
        described["program"] = program
    for name in ("docker", "email", "username"):
        if getattr(settings, name):
            described[name] = getattr(settings, name)
    return described


def _implementation() -> str:
    return "CPython" if sys.implementation.name == "cpython" else sys.implementation.name.capitalize()


def redacted(arguments: Sequence[str]) -> Iterator[str]:
    """Arguments without their secrets: what a name promises, before a `=` or as the argument before, and what looks
    like a key.

    >>> list(redacted(["--lr=0.1", "--api-key", "abc", "TOKEN=abc", "https://me:abc@host/x"]))
    ['--lr=0.1', '--api-key', '…', 'TOKEN=…', 'https://host/x']
    """
    promised = False
    for argument in arguments:
        name, separator, value = argument.partition("=")
        secret = _SECRET_NAME.search(name.strip("-")) is not None
        if promised and not argument.startswith("-"):
            yield _HIDDEN
        elif separator and (secret or _SECRET_VALUE.fullmatch(value)):
            yield f"{name}={_HIDDEN}"
        elif _SECRET_VALUE.fullmatch(argument):
            yield _HIDDEN
        else:
            yield without_credentials(argument)
        promised = secret and not separator and argument.startswith("-")


def has_secret_name(name: str) -> bool:
    """Whether a variable's name promises a secret."""
    return _SECRET_NAME.search(name) is not None


def without_credentials(url: str) -> str:
    """An address without user and password."""
    return _URL_CREDENTIALS.sub("", url)
