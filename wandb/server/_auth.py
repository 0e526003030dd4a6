"""Who is asking: API keys, browser sessions and one-time sign-in links.

Secrets are random and at least 160 bits long. They are stored as HMAC-SHA256 under the server's
secret: guessing is hopeless at that length, so a slow password hash would only slow down every
request, and the HMAC key makes a copied database useless without the secret beside it.
"""

from __future__ import annotations

import base64
import binascii
import getpass
import hashlib
import hmac
import os
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from sqlalchemy import Connection, Select, delete, insert, select

from ._limits import SESSION_SECONDS, SIGN_IN_LINK_SECONDS
from ._names import sanitized_user_name
from ._tables import api_keys, members, project_people, tickets, users

_SECRET_BYTES = 32
SECRET_FILE = "secret"  # noqa: S105 - a name
SECRET_VARIABLE = "WANDB_SERVER_SECRET"  # noqa: S105 - a name


# What a member of a team may do: read; also change; also say who is in the team.
VIEWER, MEMBER, ADMIN = ROLES = ("viewer", "member", "admin")

# Who sees a project: whoever may use its entity; of a team its administrators and those who were let in; every user of
# the server. To change it takes the same role in each.
PRIVATE, RESTRICTED, PUBLIC = ACCESSES = ("PRIVATE", "RESTRICTED", "PUBLIC")


class Place(Protocol):
    """A project, or what lies in one."""

    @property
    def entity(self) -> str: ...
    @property
    def project_id(self) -> int: ...
    @property
    def access(self) -> str: ...


@dataclass(frozen=True)
class User:
    """Somebody who may use the server, with the teams that they are in and their role in each."""

    id: int
    name: str
    admin: bool
    teams: tuple[tuple[str, str], ...] = ()
    # Restricted projects that they were let into, and what links let them look at: projects, and single runs.
    let_in: frozenset[int] = frozenset()
    shared: frozenset[int] = frozenset()
    shared_runs: frozenset[int] = frozenset()

    @property
    def is_guest(self) -> bool:
        """Whether this is somebody without an account, who sees what links lead to and nothing else."""
        return not self.name

    def may_use(self, entity: str) -> bool:
        """Everybody owns the entity of their name and reads in their teams; an administrator may use every entity."""
        return self.admin or entity == self.name or self._role(entity) is not None

    def may_change(self, entity: str) -> bool:
        return self.admin or entity == self.name or self._role(entity) in (MEMBER, ADMIN)

    def may_lead(self, entity: str) -> bool:
        return self.admin or entity == self.name or self._role(entity) == ADMIN

    def may_see(self, place: Place) -> bool:
        if place.project_id in self.shared or (place.access == PUBLIC and not self.is_guest):
            return True
        return self.may_use(place.entity) and self._is_let_in(place)

    def may_edit(self, place: Place) -> bool:
        return self.may_change(place.entity) and self._is_let_in(place)

    def _is_let_in(self, place: Place) -> bool:
        return place.access != RESTRICTED or place.project_id in self.let_in or self.may_lead(place.entity)

    def _role(self, entity: str) -> str | None:
        return dict(self.teams).get(entity)


@dataclass(frozen=True)
class ServerSecret:
    """The key of all HMACs of one data directory."""

    value: bytes

    def digest(self, purpose: str, text: str) -> str:
        """Keyed hash; the purpose keeps a signature of one kind from passing as another."""
        message = f"{purpose}\n{text}".encode()
        return hmac.new(self.value, message, hashlib.sha256).hexdigest()

    def matches(self, purpose: str, text: str, digest: str) -> bool:
        return hmac.compare_digest(self.digest(purpose, text).encode(), digest.encode("utf-8", "replace"))

    @property
    def server_id(self) -> str:
        """Tells servers on one host apart, for instance in cookie names. Not secret."""
        return self.digest("server-id", "")[:8]


def load_secret(data: Path) -> ServerSecret:
    """Read the secret of a data directory, making it on first use, readable by the owner only.

    Servers that share a database have one secret, which the environment gives them.
    """
    shared = os.environ.get(SECRET_VARIABLE)
    if shared is not None:
        if not re.fullmatch(r"[0-9a-fA-F]{64}", shared):
            raise RuntimeError(f"{SECRET_VARIABLE} must be 64 hexadecimal digits: `openssl rand -hex 32`")
        return ServerSecret(bytes.fromhex(shared))
    path = data / SECRET_FILE
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        pass
    else:
        with os.fdopen(handle, "wb") as file:
            file.write(secrets.token_bytes(_SECRET_BYTES))
            file.flush()
            os.fsync(file.fileno())
    value = path.read_bytes()
    if len(value) != _SECRET_BYTES:
        raise RuntimeError(
            f"{path} holds {len(value)} bytes instead of {_SECRET_BYTES}; restore it from a "
            "backup, or delete it and make new keys with `wandb server key`"
        )
    return ServerSecret(value)


def ensure_first_user(connection: Connection, secret: ServerSecret, now: float) -> str | None:
    """Make the local user when there is nobody yet, and return the new key; None otherwise."""
    if connection.execute(select(users.c.id).limit(1)).first() is not None:
        return None
    try:
        login = getpass.getuser()
    except (OSError, KeyError, ImportError):
        # A container may run under a user id that has no name.
        login = "local"
    name = sanitized_user_name(login)
    connection.execute(insert(users).values(name=name, admin=True, created_at=now))
    return create_api_key(connection, secret, first_user(connection), now)


def first_user(connection: Connection) -> User:
    row = connection.execute(select(users).order_by(users.c.id).limit(1)).one()
    return User(row.id, row.name, row.admin)


def create_api_key(connection: Connection, secret: ServerSecret, user: User, now: float) -> str:
    """Make a key and return it. It is not kept, so this is the only time it can be seen."""
    # Forty characters without a prefix: every client release accepts that form.
    key = secrets.token_hex(20)
    connection.execute(
        insert(api_keys).values(user_id=user.id, digest=secret.digest("api-key", key), hint=key[-4:], created_at=now)
    )
    return key


def user_of_key(connection: Connection, secret: ServerSecret, key: str) -> User | None:
    return _user_by(
        connection,
        select(api_keys.c.user_id).where(api_keys.c.digest == secret.digest("api-key", key)),
    )


def key_hints(connection: Connection, user: User) -> list[tuple[int, str]]:
    """The number and the last characters of each key of a user."""
    found = connection.execute(
        select(api_keys.c.id, api_keys.c.hint).where(api_keys.c.user_id == user.id).order_by(api_keys.c.id)
    )
    return [(row.id, row.hint) for row in found]


def key_in_header(headers: Mapping[str, str]) -> str | None:
    """The API key of an ``Authorization: Basic`` header; the user name in it is ignored."""
    scheme, _, rest = headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        decoded = base64.b64decode(rest.strip(), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return None
    return decoded.partition(":")[2] or None


def create_session(connection: Connection, secret: ServerSecret, user: User, now: float) -> str:
    return _create_ticket(connection, secret, "session", user, now + SESSION_SECONDS)


def user_of_session(connection: Connection, secret: ServerSecret, token: str, now: float) -> User | None:
    return _user_by(connection, _valid_ticket(secret, "session", token, now))


def end_session(connection: Connection, secret: ServerSecret, token: str) -> None:
    connection.execute(delete(tickets).where(tickets.c.digest == secret.digest("session", token)))


def create_sign_in_token(connection: Connection, secret: ServerSecret, user: User, now: float) -> str:
    return _create_ticket(connection, secret, "sign-in", user, now + SIGN_IN_LINK_SECONDS)


def redeem_sign_in_token(connection: Connection, secret: ServerSecret, token: str, now: float) -> User | None:
    """The user a sign-in link was made for. The link is spent by this."""
    user = _user_by(connection, _valid_ticket(secret, "sign-in", token, now))
    connection.execute(delete(tickets).where(tickets.c.digest == secret.digest("sign-in", token)))
    return user


def _create_ticket(connection: Connection, secret: ServerSecret, kind: str, user: User, expires_at: float) -> str:
    token = secrets.token_urlsafe(32)
    connection.execute(
        insert(tickets).values(digest=secret.digest(kind, token), kind=kind, user_id=user.id, expires_at=expires_at)
    )
    return token


def _valid_ticket(secret: ServerSecret, kind: str, token: str, now: float) -> Select[Any]:
    return select(tickets.c.user_id).where(
        tickets.c.digest == secret.digest(kind, token),
        tickets.c.kind == kind,
        tickets.c.expires_at > now,
    )


def delete_expired_tickets(connection: Connection, now: float) -> None:
    connection.execute(delete(tickets).where(tickets.c.expires_at <= now))


def user_by_id(connection: Connection, user_id: int) -> User | None:
    return _user(connection, select(users).where(users.c.id == user_id))


def user_by_name(connection: Connection, name: str) -> User | None:
    return _user(connection, select(users).where(users.c.name == name))


def list_users(connection: Connection) -> list[User]:
    """All users by name, without their teams."""
    return [User(row.id, row.name, row.admin) for row in connection.execute(select(users).order_by(users.c.name))]


def create_user(connection: Connection, name: str, admin: bool, now: float) -> User:
    connection.execute(insert(users).values(name=name, admin=admin, created_at=now))
    user = user_by_name(connection, name)
    assert user is not None
    return user


def delete_api_key(connection: Connection, user: User, number: int) -> bool:
    """Make a key of a user worthless; False when it is not theirs."""
    found = connection.execute(delete(api_keys).where(api_keys.c.id == number, api_keys.c.user_id == user.id))
    return bool(found.rowcount)


def _user_by(connection: Connection, user_id: Select[Any]) -> User | None:
    return _user(connection, select(users).where(users.c.id == user_id.scalar_subquery()))


def _user(connection: Connection, query: Select[Any]) -> User | None:
    row = connection.execute(query).first()
    if row is None:
        return None
    roles = connection.execute(select(members.c.team, members.c.role).where(members.c.user_id == row.id)).all()
    # Only of a team's projects some are closed to some of it.
    places = select(project_people.c.project_id).where(project_people.c.user_id == row.id)
    let_in = connection.scalars(places) if roles else ()
    return User(row.id, row.name, row.admin, tuple((role.team, role.role) for role in roles), frozenset(let_in))
