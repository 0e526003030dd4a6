"""Resolvers of settings policies: which hold for a project, and setting one."""

from __future__ import annotations

from typing import Any

from graphql import GraphQLError

from ._graphql import Resolvers
from ._names import name_problem
from ._policies import (
    ORGANIZATION,
    ORGANIZATION_NAME,
    POLICY_CHARACTERS_MAX,
    PROJECT,
    TEAM,
    Policy,
    parse_policy,
    policies_for,
    policy_problem,
    project_policy_name,
    set_policy,
)
from ._resolvers import allowed_entity, require_allowed
from ._services import RequestContext, iso_time
from ._store import find_project


def _settings_policies(
    _: None, context: RequestContext, entityName: str | None = None, projectName: str | None = None
) -> list[Policy]:
    entity = allowed_entity(context, entityName)
    return policies_for(context.connection, context.user, entity, _seen(context, entity, projectName))


def _seen(context: RequestContext, entity: str, name: str | None) -> str | None:
    """The name of a project, unless the user may not see it. Policies may be there before the project is."""
    project = find_project(context.connection, entity, name) if name else None
    return name if project is None or context.user.may_see(project) else None


def _set_settings_policy(_: None, context: RequestContext, input: dict[str, Any]) -> dict[str, Any]:
    text = input["document"]
    content = parse_policy(text)
    problem = policy_problem(content)
    if problem:
        limit = f" (at most {POLICY_CHARACTERS_MAX} characters)" if len(text) > POLICY_CHARACTERS_MAX else ""
        raise GraphQLError(problem + limit)
    scope = input["scope"]
    policy = Policy(scope, _policy_name(context, scope, input), text, context.now, context.user.name)
    set_policy(context.connection, policy, content)
    return {"policy": policy if content else None}


def _policy_name(context: RequestContext, scope: str, input: dict[str, Any]) -> str:
    """What a policy is stored under. Raises GraphQLError where it isn't the user's to decide."""
    if scope in (ORGANIZATION, TEAM) and not context.user.admin:
        raise GraphQLError(
            f"only an administrator sets the policy of {'an organization' if scope == ORGANIZATION else 'a team'}"
        )
    if scope == ORGANIZATION:
        return ORGANIZATION_NAME
    entity = allowed_entity(context, input.get("entityName"))
    if scope != PROJECT:
        return entity
    project = input.get("projectName") or ""
    problem = name_problem("project", project)
    if problem:
        raise GraphQLError(problem)
    found = find_project(context.connection, entity, project)
    if found is not None:
        require_allowed(context, found)
    return project_policy_name(entity, project)


POLICY_RESOLVERS: Resolvers = {
    "Query": {"settingsPolicies": _settings_policies},
    "Mutation": {"setSettingsPolicy": _set_settings_policy},
    "SettingsPolicy": {
        "updatedAt": lambda policy, context: iso_time(policy.updated_at),
        "updatedBy": lambda policy, context: policy.updated_by,
    },
}
