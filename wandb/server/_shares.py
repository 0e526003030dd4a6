"""Who sees a project besides the rule for all: people let into a restricted one, and whoever has a link to it.

A link lets its holder look at one project without an account, until it expires or is ended. As of keys, only a keyed
hash of it is stored.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import Connection, delete, insert, select, update

from ._auth import ServerSecret, User
from ._store import Project
from ._tables import members, project_people, projects, share_links, users

_PURPOSE = "share"


@dataclass(frozen=True)
class ShareLink:
    """A link, without what makes it work."""

    id: int
    by: str
    created_at: float
    expires_at: float


def set_access(connection: Connection, project: Project, access: str) -> None:
    connection.execute(update(projects).where(projects.c.id == project.id).values(access=access))


def people_of(connection: Connection, project: Project) -> list[str]:
    """Names of those who were let into a project."""
    query = select(users.c.name).join(project_people, project_people.c.user_id == users.c.id)
    return list(connection.scalars(query.where(project_people.c.project_id == project.id).order_by(users.c.name)))


def set_people(connection: Connection, project: Project, user_ids: Iterable[int]) -> None:
    connection.execute(delete(project_people).where(project_people.c.project_id == project.id))
    rows = [{"project_id": project.id, "user_id": number} for number in sorted(set(user_ids))]
    if rows:
        connection.execute(insert(project_people), rows)


def create_share_link(
    connection: Connection, secret: ServerSecret, project: Project, user: User, now: float, seconds: float
) -> str:
    """Make a link's token. It is not kept, so this is the only time it can be seen."""
    token = secrets.token_urlsafe(32)
    row = {"project_id": project.id, "user_id": user.id, "created_at": now, "expires_at": now + seconds}
    connection.execute(insert(share_links).values(digest=secret.digest(_PURPOSE, token), **row))
    return token


def list_share_links(connection: Connection, project: Project, now: float) -> list[ShareLink]:
    """The links of a project that work, the newest first."""
    columns = (share_links.c.id, users.c.name.label("by"), share_links.c.created_at, share_links.c.expires_at)
    query = select(*columns).join(users, users.c.id == share_links.c.user_id).order_by(share_links.c.id.desc())
    query = query.where(share_links.c.project_id == project.id, share_links.c.expires_at > now)
    return [ShareLink(**row._mapping) for row in connection.execute(query)]


def end_share_link(connection: Connection, project: Project, number: int) -> bool:
    """Make a link worthless; False when it is none of the project's."""
    here = (share_links.c.id == number) & (share_links.c.project_id == project.id)
    return bool(connection.execute(delete(share_links).where(here)).rowcount)


def shared_projects(connection: Connection, secret: ServerSecret, tokens: Iterable[str], now: float) -> frozenset[int]:
    """The projects that links with these tokens lead to."""
    digests = [secret.digest(_PURPOSE, token) for token in tokens]
    query = select(share_links.c.project_id).where(share_links.c.digest.in_(digests), share_links.c.expires_at > now)
    return frozenset(connection.scalars(query)) if digests else frozenset()


def delete_expired_share_links(connection: Connection, now: float) -> None:
    connection.execute(delete(share_links).where(share_links.c.expires_at <= now))


def remove_member(connection: Connection, team: str, user_id: int) -> None:
    """Take a user out of a team, with what they were let into there and the links that they made."""
    connection.execute(delete(members).where(members.c.team == team, members.c.user_id == user_id))
    of_team = select(projects.c.id).where(projects.c.entity == team)
    for table in (project_people, share_links):
        connection.execute(delete(table).where(table.c.user_id == user_id, table.c.project_id.in_(of_team)))
