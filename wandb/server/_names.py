"""Names: which ones are allowed, how storage ids spell them, and the names that the server makes.

A storage id is the base64 of ``Kind:v1:name:project:entity``. Clients treat it as opaque but keep
it for years in scripts, so it is made of names and not of row numbers.
"""

from __future__ import annotations

import base64
import binascii
import re
import secrets
import string
from typing import NamedTuple

from ._limits import FILE_NAME_CHARACTERS_MAX, NAME_CHARACTERS_MAX

# The characters that would break a URL path, a storage id or a filter expression.
_FORBIDDEN = re.compile(r"[/\\#?%:\x00-\x1f\x7f]")
# First parts of the server's own URLs, beside which an entity's pages stand.
_RESERVED = frozenset(
    "account api artifactsV2 files graphql healthz login logout metrics sandbox share static storage".split()  # noqa: SIM905
)
_RUN_ID_ALPHABET = string.ascii_lowercase + string.digits

_ADJECTIVES = """
    amber ample azure bold brave breezy bright brisk calm candid cedar clear clever copper coral
    cosmic crisp dapper daring deft distant eager early earnest easy ember fabled fair fleet
    floral fresh gentle gilded glad golden grand hardy hazel honest humble indigo ivory jolly
    keen kind lively lucid lunar mellow misty noble olive patient placid proud quick quiet
    radiant rapid rosy rustic scarlet serene silver sleek snowy solar spry steady sunny swift
    tidy tranquil velvet vivid warm wise witty zesty
""".split()  # noqa: SIM905 - a literal of one word a line would hide the words
_NOUNS = """
    acorn anchor aurora badger bay beacon birch bison brook canyon cedar cloud comet cove crane
    creek delta dune eagle ember falcon fern finch fjord forest fox garden glacier glade grove
    harbor harvest heron hill island juniper lagoon lake lark lynx maple marsh meadow meteor moon
    moss mountain oak ocean orchard osprey otter pebble pine plain planet pond prairie rain raven
    reef ridge river robin sea shore sky spring spruce star stone storm stream summit sun swan
    thicket tide trail tundra valley violet wave willow wind wolf wren
""".split()  # noqa: SIM905 - a literal of one word a line would hide the words


class RunKey(NamedTuple):
    """What a run's storage id says."""

    name: str
    project: str
    entity: str


def name_problem(kind: str, name: str) -> str | None:
    """Say what is wrong with the name of an entity, project or run; None when it is fine."""
    if not name or name.strip() != name:
        return f"{kind} name {name!r} is empty or begins or ends with a space"
    if len(name) > NAME_CHARACTERS_MAX:
        return f"{kind} name is {len(name)} characters long; the limit is {NAME_CHARACTERS_MAX}"
    if name in (".", ".."):
        return f"{kind} name {name!r} has a meaning in URLs; choose another"
    if kind == "entity" and name in _RESERVED:
        return f"entity name {name!r} is reserved for the server's own pages"
    found = _FORBIDDEN.search(name)
    if found:
        return f"{kind} name {name!r} contains {found.group()!r}, which is not allowed in names"
    return None


def file_name_problem(name: str) -> str | None:
    """Say what is wrong with a run file's name.

    Nothing on the server is ever stored under this name, but clients that download a run join it
    to a folder of theirs, so a name that climbs out of that folder must not be accepted.
    """
    if not name or len(name) > FILE_NAME_CHARACTERS_MAX:
        return f"a file name must have 1 to {FILE_NAME_CHARACTERS_MAX} characters"
    if "\\" in name or any(ord(character) < 32 for character in name):
        return f"file name {name!r} contains a backslash or a control character"
    parts = name.split("/")
    if any(part in ("", ".", "..") for part in parts) or re.match(r"[A-Za-z]:", name):
        return f"file name {name!r} is not a plain relative path"
    return None


def storage_id(kind: str, *names: str) -> str:
    return base64.b64encode(":".join((kind, "v1", *names)).encode()).decode()


def run_storage_id(key: RunKey) -> str:
    return storage_id("Run", *key)


def parse_run_storage_id(text: str) -> RunKey | None:
    """Read a run's storage id; None for anything else."""
    try:
        parts = base64.b64decode(text, validate=True).decode().split(":")
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return None
    if len(parts) != 5 or parts[:2] != ["Run", "v1"]:
        return None
    return RunKey(*parts[2:])


def parse_storage_number(kind: str, text: str) -> int | None:
    """Read the storage id of something that is known by a number; None for anything else."""
    try:
        parts = base64.b64decode(text, validate=True).decode().split(":")
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return None
    if len(parts) != 3 or parts[:2] != [kind, "v1"] or not re.fullmatch(r"[0-9]{1,18}", parts[2]):
        return None
    return int(parts[2])


def parse_project_id(text: str) -> tuple[str, str] | None:
    """The project and the entity in a project's storage id; None for anything else."""
    try:
        parts = base64.b64decode(text, validate=True).decode().split(":")
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return None
    return (parts[2], parts[3]) if len(parts) == 4 and parts[:2] == ["Project", "v1"] else None


def parse_file_id(text: str) -> tuple[int, str] | None:
    """The run's number and the name in a run file's storage id; None for anything else."""
    try:
        parts = base64.b64decode(text, validate=True).decode().split(":", 3)
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return None
    if len(parts) != 4 or parts[:2] != ["File", "v1"] or not re.fullmatch(r"[0-9]{1,18}", parts[2]):
        return None
    return int(parts[2]), parts[3]


def new_run_id() -> str:
    return "".join(secrets.choice(_RUN_ID_ALPHABET) for _ in range(8))


def new_display_name(number: int) -> str:
    """A name that a person can say, ending in the run's number within its project."""
    return f"{secrets.choice(_ADJECTIVES)}-{secrets.choice(_NOUNS)}-{number}"


def sanitized_user_name(login: str) -> str:
    """Turn the login of the operating system into an entity name."""
    cleaned = re.sub(r"[^a-z0-9_-]+", "-", login.lower()).strip("-")
    cleaned = cleaned[:64] or "local"
    return f"{cleaned}-user" if cleaned in _RESERVED else cleaned
