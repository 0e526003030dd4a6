"""Resolvers of users, their keys, and teams."""

from __future__ import annotations

import secrets
from typing import Any

from graphql import GraphQLError

from ._auth import (
    ADMIN,
    MEMBER,
    ROLES,
    User,
    create_api_key,
    create_user,
    delete_api_key,
    key_hints,
    list_users,
    user_by_name,
)
from ._graphql import Resolvers
from ._limits import PAGE_SIZE_MAX
from ._names import name_problem, parse_storage_number, sanitized_user_name, storage_id
from ._resolvers import connection_of, entity_view
from ._services import RequestContext, iso_time
from ._shares import remove_member
from ._teams import (
    Member,
    create_team,
    list_members,
    record_service_account,
    set_member,
    stored_bytes,
    team_exists,
)

_SUCCESS = {"success": True}


def _users(_: None, context: RequestContext, query: str | None = None) -> dict[str, Any]:
    """Users whose name has a text. People find each other by name; more than that nobody learns."""
    found = [user for user in list_users(context.connection) if (query or "").lower() in user.name.lower()]
    return connection_of(found, None, PAGE_SIZE_MAX)


def _create_user(_: None, context: RequestContext, input: dict[str, Any]) -> dict[str, Any]:
    if not context.user.admin:
        raise GraphQLError("only an administrator makes users")
    name = _name_of_address(input["email"])
    if user_by_name(context.connection, name) is not None or team_exists(context.connection, name):
        raise GraphQLError(f"the name {name!r} is taken")
    return {"user": create_user(context.connection, name, bool(input.get("admin")), context.now)}


def _name_of_address(address: str) -> str:
    """The name of a user who is known by a mail address: what stands before the host."""
    return sanitized_user_name(address.partition("@")[0])


def _generate_key(_: None, context: RequestContext, input: dict[str, Any]) -> dict[str, Any]:
    """The answer to this is the only place where a key can be seen."""
    key = create_api_key(context.connection, context.services.secret, context.user, context.now)
    number, _hint = key_hints(context.connection, context.user)[-1]
    return {"apiKey": {"id": storage_id("ApiKey", str(number)), "name": key, "description": input.get("description")}}


def _delete_key(_: None, context: RequestContext, input: dict[str, Any]) -> dict[str, bool]:
    number = parse_storage_number("ApiKey", input["id"])
    if number is None or not delete_api_key(context.connection, context.user, number):
        raise GraphQLError(f"API key {input['id']!r} was not found")
    return _SUCCESS


def _create_team(_: None, context: RequestContext, input: dict[str, Any]) -> dict[str, Any]:
    name = input["teamName"]
    admin = context.user
    if input.get("teamAdminUserName") and input["teamAdminUserName"] != admin.name:
        if not admin.admin:
            raise GraphQLError("only an administrator makes a team for somebody else")
        admin = known_user(context, input["teamAdminUserName"])
    make_team(context, name, admin)
    return {"entity": entity_view(name)}


def make_team(context: RequestContext, name: str, admin: User) -> None:
    problem = name_problem("entity", name)
    if problem:
        raise GraphQLError(problem)
    if not create_team(context.connection, name, admin, context.now):
        raise GraphQLError(f"the name {name!r} is taken")


def known_user(context: RequestContext, name: str) -> User:
    user = user_by_name(context.connection, name)
    if user is None:
        raise GraphQLError(f"user {name!r} was not found")
    return user


def _led_team(context: RequestContext, input: dict[str, Any]) -> str:
    name = input.get("entityName") or ""
    if not team_exists(context.connection, name) or not context.user.may_lead(name):
        raise GraphQLError(f"team {name!r} was not found, or you are not an administrator of it")
    return name


def _invite(_: None, context: RequestContext, input: dict[str, Any]) -> dict[str, Any]:
    """Add a user to a team. The server sends no mail, so there is nothing to wait for."""
    team = _led_team(context, input)
    user = known_user(context, input.get("username") or _name_of_address(input.get("email") or ""))
    give_role(context, team, user, input.get("role") or (ADMIN if input.get("admin") else MEMBER))
    identity = storage_id("User", str(user.id))
    return {"invite": {"id": identity, "name": user.name, "createdAt": iso_time(context.now), "toUser": user}}


def give_role(context: RequestContext, team: str, user: User, role: str) -> None:
    if role not in ROLES:
        raise GraphQLError(f"a role is one of {', '.join(ROLES)}, not {role!r}")
    if role != ADMIN:
        _require_other_admin(context, team, user.id)
    set_member(context.connection, team, user.id, role)


def take_member(context: RequestContext, team: str, number: int) -> None:
    _require_other_admin(context, team, number)
    remove_member(context.connection, team, number)


def _require_other_admin(context: RequestContext, team: str, number: int) -> None:
    others = [member for member in list_members(context.connection, team) if member.user_id != number]
    if not any(member.role == ADMIN for member in others):
        raise GraphQLError("a team needs an administrator; make somebody else one first")


def _delete_invite(_: None, context: RequestContext, input: dict[str, Any]) -> dict[str, bool]:
    team = _led_team(context, input)
    number = parse_storage_number("User", input.get("id") or "")
    if number is None:
        raise GraphQLError(f"member {input.get('id')!r} was not found")
    take_member(context, team, number)
    return _SUCCESS


def _create_service_account(_: None, context: RequestContext, input: dict[str, Any]) -> dict[str, Any]:
    user, key = make_service_account(context, _led_team(context, input), input["description"])
    return {"user": user, "apiKey": {"id": storage_id("ApiKey", user.name), "name": key}}


def make_service_account(context: RequestContext, team: str, description: str) -> tuple[User, str]:
    """A user of a team that nobody signs in as, and its key, which is in no other answer."""
    user = create_user(context.connection, f"{team}-service-{secrets.token_hex(4)}", False, context.now)
    record_service_account(context.connection, user, team, description)
    set_member(context.connection, team, user.id, MEMBER)
    return user, create_api_key(context.connection, context.services.secret, user, context.now)


def _members(entity: dict[str, Any], context: RequestContext) -> list[Member]:
    # Who reads a public project learns nothing more of its team.
    return list_members(context.connection, entity["name"]) if context.user.may_use(entity["name"]) else []


def _storage_bytes(entity: dict[str, Any], context: RequestContext) -> int:
    return stored_bytes(context.connection, entity["name"]) if context.user.may_use(entity["name"]) else 0


TEAM_RESOLVERS: Resolvers = {
    "Query": {"users": _users},
    "Mutation": {
        "createUser": _create_user,
        "generateApiKey": _generate_key,
        "deleteApiKey": _delete_key,
        "createTeam": _create_team,
        "createInvite": _invite,
        "deleteInvite": _delete_invite,
        "createServiceAccount": _create_service_account,
    },
    "Entity": {
        "isTeam": lambda entity, context: team_exists(context.connection, entity["name"]),
        "entityType": lambda entity, context: "TEAM" if team_exists(context.connection, entity["name"]) else "USER",
        "available": lambda entity, context: False,
        "readOnly": lambda entity, context: not context.user.may_change(entity["name"]),
        "readOnlyAdmin": lambda entity, context: False,
        "privateOnly": lambda entity, context: False,
        "codeSavingEnabled": lambda entity, context: True,
        "defaultAccess": lambda entity, context: "PRIVATE",
        "isPaid": lambda entity, context: False,
        "storageBytes": _storage_bytes,
        "members": _members,
    },
    "Member": {
        "id": lambda member, context: storage_id("User", str(member.user_id)),
        "username": lambda member, context: member.name,
        "admin": lambda member, context: member.role == ADMIN,
        "pending": lambda member, context: False,
        "email": lambda member, context: "",
        "accountType": lambda member, context: "SERVICE" if member.service else "USER",
    },
}
