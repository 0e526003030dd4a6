"""Teams: entities that several users share, each with a role.

A viewer reads, a member also changes, an administrator of the team also says who is in it. A service account is a user
that belongs to one team and signs in with keys only.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Column, Connection, Float, ForeignKey, String, Table, Text, func, insert, select

from ._artifact_tables import blobs
from ._auth import ADMIN, User, user_by_name
from ._database import upsert
from ._tables import files, members, metadata, projects, runs, users

teams = Table(
    "teams",
    metadata,
    Column("name", String, primary_key=True),
    Column("created_at", Float, nullable=False),
)

service_accounts = Table(
    "service_accounts",
    metadata,
    Column("user_id", ForeignKey("users.id"), primary_key=True),
    Column("team", ForeignKey("teams.name"), nullable=False),
    Column("description", Text, nullable=False),
)


@dataclass(frozen=True)
class Member:
    """A user of a team."""

    user_id: int
    name: str
    role: str
    service: bool


def team_exists(connection: Connection, name: str) -> bool:
    return connection.execute(select(teams.c.name).where(teams.c.name == name)).first() is not None


def list_teams(connection: Connection) -> list[str]:
    return list(connection.scalars(select(teams.c.name).order_by(teams.c.name)))


def teams_of(connection: Connection, user: User) -> list[str]:
    """The teams that a user belongs to."""
    query = select(members.c.team).where(members.c.user_id == user.id).order_by(members.c.team)
    return list(connection.scalars(query))


def create_team(connection: Connection, name: str, admin: User, now: float) -> bool:
    """Make a team with its first administrator; False when the name is taken by a team or a user."""
    if team_exists(connection, name) or user_by_name(connection, name) is not None:
        return False
    connection.execute(insert(teams).values(name=name, created_at=now))
    set_member(connection, name, admin.id, ADMIN)
    return True


def set_member(connection: Connection, team: str, user_id: int, role: str) -> None:
    upsert(connection, members, [{"team": team, "user_id": user_id, "role": role}], ("team", "user_id"))


def list_members(connection: Connection, team: str) -> list[Member]:
    query = (
        select(users.c.id, users.c.name, members.c.role, service_accounts.c.user_id.label("service"))
        .join(members, members.c.user_id == users.c.id)
        .join(service_accounts, service_accounts.c.user_id == users.c.id, isouter=True)
        .where(members.c.team == team)
        .order_by(users.c.name)
    )
    return [Member(row.id, row.name, row.role, row.service is not None) for row in connection.execute(query)]


def record_service_account(connection: Connection, user: User, team: str, description: str) -> None:
    connection.execute(insert(service_accounts).values(user_id=user.id, team=team, description=description))


def stored_bytes(connection: Connection, entity: str) -> int:
    """The bytes of an entity's run files and artifacts."""
    of_runs = (
        select(func.sum(files.c.size))
        .join(runs, runs.c.id == files.c.run_id)
        .join(projects, projects.c.id == runs.c.project_id)
    )
    of_artifacts = select(func.sum(blobs.c.size)).join(projects, projects.c.id == blobs.c.project_id)
    sums = [connection.execute(query.where(projects.c.entity == entity)).scalar() for query in (of_runs, of_artifacts)]
    return sum(int(size or 0) for size in sums)
