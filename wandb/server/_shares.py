"""Who sees a project besides the rule for all: people let into a restricted one, and whoever has a link to it.

A link lets its holder look at one project, or at one run and nothing else of its project, without an account, until it
expires or is ended. As of keys, only a keyed hash of it is stored.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import Connection, delete, insert, select, update

from ._auth import ServerSecret, User
from ._store import Project, Run
from ._tables import members, project_people, projects, runs, share_links, users

_PURPOSE = "share"


@dataclass(frozen=True)
class ShareLink:
    """A link, without what makes it work."""

    id: int
    by: str
    created_at: float
    expires_at: float
    # The name of the one run that it shows.
    run: str | None


@dataclass(frozen=True)
class Shared:
    """What links lead to: all of some projects, and some runs."""

    projects: frozenset[int]
    runs: frozenset[int]


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
    connection: Connection,
    secret: ServerSecret,
    project: Project,
    run: Run | None,
    user: User,
    now: float,
    seconds: float,
) -> str:
    """Make the token of a link to a project, or to a run of it. It is not kept, so this is the only time it can be
    seen."""
    token = secrets.token_urlsafe(32)
    link = insert(share_links).values(
        project_id=project.id,
        run_id=None if run is None else run.id,
        user_id=user.id,
        digest=secret.digest(_PURPOSE, token),
        created_at=now,
        expires_at=now + seconds,
    )
    connection.execute(link)
    return token


def list_share_links(connection: Connection, project: Project, now: float) -> list[ShareLink]:
    """The links of a project that work, the newest first."""
    links = share_links.join(users, users.c.id == share_links.c.user_id)
    links = links.outerjoin(runs, runs.c.id == share_links.c.run_id)
    columns = (share_links.c.id, users.c.name.label("by"), share_links.c.created_at, share_links.c.expires_at)
    query = select(*columns, runs.c.name.label("run")).select_from(links).order_by(share_links.c.id.desc())
    query = query.where(share_links.c.project_id == project.id, share_links.c.expires_at > now)
    return [ShareLink(**row._mapping) for row in connection.execute(query)]


def end_share_link(connection: Connection, project: Project, number: int) -> bool:
    """Make a link worthless; False when it is none of the project's."""
    here = (share_links.c.id == number) & (share_links.c.project_id == project.id)
    return bool(connection.execute(delete(share_links).where(here)).rowcount)


def shared_by(connection: Connection, secret: ServerSecret, tokens: Iterable[str], now: float) -> Shared | None:
    """What links with these tokens lead to; None where none of them works."""
    digests = [secret.digest(_PURPOSE, token) for token in tokens]
    query = select(share_links.c.project_id, share_links.c.run_id).where(
        share_links.c.digest.in_(digests), share_links.c.expires_at > now
    )
    found = connection.execute(query).all() if digests else []
    if not found:
        return None
    whole = frozenset(link.project_id for link in found if link.run_id is None)
    return Shared(whole, frozenset(link.run_id for link in found if link.run_id is not None))


def delete_expired_share_links(connection: Connection, now: float) -> None:
    connection.execute(delete(share_links).where(share_links.c.expires_at <= now))


def remove_member(connection: Connection, team: str, user_id: int) -> None:
    """Take a user out of a team, with what they were let into there and the links that they made."""
    connection.execute(delete(members).where(members.c.team == team, members.c.user_id == user_id))
    of_team = select(projects.c.id).where(projects.c.entity == team)
    for table in (project_people, share_links):
        connection.execute(delete(table).where(table.c.user_id == user_id, table.c.project_id.in_(of_team)))
