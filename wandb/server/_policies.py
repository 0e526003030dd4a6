"""Policies: what an organization, a team, a user or a project says of its runs' settings.

A policy is a JSON object, setting -> {"value": ..., "enforced": bool}. Clients ask for all that hold for a project,
keep the answer, and apply it to later runs; what a setting means is theirs to know. One server is one organization.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, Connection, Float, String, Table, Text, delete, insert, select

from ._auth import User
from ._tables import metadata

ORGANIZATION, TEAM, USER, PROJECT = "ORGANIZATION", "TEAM", "USER", "PROJECT"
# The organization has no name of its own here.
ORGANIZATION_NAME = ""

# A policy holds a few dozen settings; every client of the server fetches and keeps it.
POLICY_CHARACTERS_MAX = 32 * 1024
_SETTING = re.compile(r"[a-z][a-z0-9_]{0,63}")

policies = Table(
    "policies",
    metadata,
    Column("scope", String, primary_key=True),
    # Of a project: entity/project.
    Column("name", String, primary_key=True),
    Column("document", Text, nullable=False),
    Column("updated_at", Float, nullable=False),
    Column("updated_by", String, nullable=False),
)


@dataclass(frozen=True)
class Policy:
    """A row of ``policies``."""

    scope: str
    name: str
    document: str
    updated_at: float
    updated_by: str


def policy_problem(document: Any) -> str | None:
    """Say what is wrong with a policy; None when it is fine."""
    if not isinstance(document, dict):
        return 'a policy is an object: {"console": {"value": "off", "enforced": true}}'
    for name, entry in document.items():
        if not _SETTING.fullmatch(name):
            return f"{name!r} is not the name of a setting"
        if not isinstance(entry, dict) or not set(entry) <= {"value", "enforced"} or entry.get("value") is None:
            return f'the entry of {name!r} must be {{"value": ..., "enforced": true or false}}'
        if not isinstance(entry.get("enforced", False), bool):
            return f"'enforced' of {name!r} must be true or false"
    return None


def policies_for(connection: Connection, user: User, entity: str, project: str | None) -> list[Policy]:
    """Those that hold for a user's runs in a project, from the widest scope to the narrowest."""
    names = {ORGANIZATION: ORGANIZATION_NAME, TEAM: entity, USER: user.name}
    if project:
        names[PROJECT] = project_policy_name(entity, project)
    found = [find_policy(connection, scope, name) for scope, name in names.items()]
    return [policy for policy in found if policy is not None]


def find_policy(connection: Connection, scope: str, name: str) -> Policy | None:
    row = connection.execute(select(policies).where(policies.c.scope == scope, policies.c.name == name)).first()
    return Policy(**row._mapping) if row is not None else None


def set_policy(connection: Connection, policy: Policy, content: dict[str, Any]) -> None:
    """Replace a policy; an empty one is removed."""
    connection.execute(delete(policies).where(policies.c.scope == policy.scope, policies.c.name == policy.name))
    if content:
        connection.execute(insert(policies).values(**vars(policy)))


def project_policy_name(entity: str, project: str) -> str:
    return f"{entity}/{project}"


def parse_policy(text: str) -> Any:
    """The JSON of a policy; None where it is none."""
    if len(text) > POLICY_CHARACTERS_MAX:
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
