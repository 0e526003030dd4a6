"""Users and keys, for whoever has the data directory: the command line's part of looking after a server.

It works beside a running server, which looks at the database for each request.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, delete, func, select

from ._auth import User, create_api_key, create_user, ensure_first_user, first_user, list_users, user_by_name
from ._database import DatabaseUrlError
from ._formats import DatabaseVersionError
from ._names import name_problem
from ._services import DATABASE_FILE, Services, open_services
from ._tables import api_keys, members, project_people, share_links, tickets
from ._teams import set_member, team_exists


class AdministrationError(Exception):
    """It can't be done; the message says what to do."""


@dataclass(frozen=True)
class KnownUser:
    """A user with what they may use."""

    name: str
    admin: bool
    teams: tuple[tuple[str, str], ...]
    keys: int


@contextmanager
def administered(data: Path, database_url: str | None) -> Iterator[Administration]:
    """The users of a data directory. Raises AdministrationError."""
    if database_url is None and not (data / DATABASE_FILE).exists():
        raise AdministrationError(
            f"there is no server data in {data}; start `wandb server` once, or name the directory with --data"
        )
    try:
        services = open_services(data, time.time, database_url=database_url)
    except (DatabaseVersionError, DatabaseUrlError) as error:
        raise AdministrationError(str(error)) from None
    try:
        with services.database.write() as connection:
            ensure_first_user(connection, services.secret, services.clock())
            yield Administration(services, connection)
    finally:
        services.database.close()


class Administration:
    """All of it is one transaction."""

    def __init__(self, services: Services, connection: Connection) -> None:
        self._services, self._connection = services, connection

    def new_key(self, name: str | None) -> tuple[str, str]:
        """Another key for a user, the first one without a name: the name and the key."""
        user = first_user(self._connection) if name is None else self._user(name)
        return user.name, create_api_key(self._connection, self._services.secret, user, self._services.clock())

    def add_user(self, name: str, admin: bool, team: str | None, role: str) -> str:
        """Make a user; the key is returned."""
        problem = name_problem("entity", name)
        if problem:
            raise AdministrationError(problem)
        if user_by_name(self._connection, name) is not None or team_exists(self._connection, name):
            raise AdministrationError(f"the name {name!r} is taken; `wandb server key --user {name}` makes another key")
        if team is not None and not team_exists(self._connection, team):
            raise AdministrationError(f"team {team!r} was not found; make it on the account page, or with createTeam")
        user = create_user(self._connection, name, admin, self._services.clock())
        if team is not None:
            set_member(self._connection, team, user.id, role)
        return create_api_key(self._connection, self._services.secret, user, self._services.clock())

    def users(self) -> list[KnownUser]:
        counted = select(api_keys.c.user_id, func.count()).group_by(api_keys.c.user_id)
        keys: dict[int, int] = {row[0]: row[1] for row in self._connection.execute(counted)}
        found = []
        for one in list_users(self._connection):
            user = self._user(one.name)
            found.append(KnownUser(user.name, user.admin, user.teams, keys.get(user.id, 0)))
        return found

    def disable_user(self, name: str) -> None:
        """Nobody comes in as this user any more, or by a link of theirs. The last administrator stays."""
        user = self._user(name)
        if user.admin and not any(one.admin and one.keys and one.name != name for one in self.users()):
            raise AdministrationError(f"{name!r} is the only administrator with a key; make another one first")
        for table in (api_keys, tickets, members, project_people, share_links):
            self._connection.execute(delete(table).where(table.c.user_id == user.id))

    def _user(self, name: str) -> User:
        user = user_by_name(self._connection, name)
        if user is None:
            raise AdministrationError(f"user {name!r} was not found; `wandb server user list` shows who is there")
        return user
