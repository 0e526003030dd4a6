"""Resolvers of launch queues, their items and their agents."""

from __future__ import annotations

import json
from typing import Any

from graphql import GraphQLError

from ._auth import user_by_id
from ._graphql import Resolvers
from ._limits import QUEUE_SPEC_CHARACTERS_MAX
from ._names import name_problem, parse_storage_number, storage_id
from ._queues import (
    CLAIMED,
    FAILED,
    Item,
    LaunchAgent,
    Queue,
    ResourceConfig,
    create_launch_agent,
    create_resource_config,
    delete_item,
    delete_queue,
    ensure_queue,
    find_queue,
    item_by_id,
    launch_agent_by_id,
    list_items,
    list_queues,
    pop,
    push,
    queue_by_id,
    resource_config_by_id,
    update_item,
    update_launch_agent,
)
from ._resolvers import allowed_entity, connection_of, project_for_writing
from ._services import RequestContext, iso_time
from ._store import Project, find_project, project_by_id
from ._values import parse_object

_SUCCESS = {"success": True}


def _allow(context: RequestContext, project_id: int) -> None:
    project = project_by_id(context.connection, project_id)
    assert project is not None
    allowed_entity(context, project.entity)


def _queue(context: RequestContext, text: str) -> Queue:
    number = parse_storage_number("RunQueue", text)
    queue = None if number is None else queue_by_id(context.connection, number)
    if queue is None:
        raise GraphQLError(f"queue {text!r} was not found")
    _allow(context, queue.project_id)
    return queue


def _named_queue(context: RequestContext, input: dict[str, Any]) -> Queue:
    entity = allowed_entity(context, input.get("entityName"))
    project = find_project(context.connection, entity, input.get("projectName") or "")
    queue = None if project is None else find_queue(context.connection, project.id, input["queueName"])
    if queue is None:
        raise GraphQLError(f"queue {input['queueName']!r} was not found")
    return queue


def _item(context: RequestContext, text: str) -> Item:
    number = parse_storage_number("RunQueueItem", text)
    item = None if number is None else item_by_id(context.connection, number)
    queue = None if item is None else queue_by_id(context.connection, item.queue_id)
    if item is None or queue is None:
        raise GraphQLError(f"queue item {text!r} was not found")
    _allow(context, queue.project_id)
    return item


def _create_queue(_: None, context: RequestContext, input: dict[str, Any]) -> dict[str, Any]:
    entity = allowed_entity(context, input.get("entityName"))
    project, _made = project_for_writing(context, entity, input.get("projectName"))
    problem = name_problem("queue", input["queueName"])
    if problem:
        raise GraphQLError(problem)
    config_id: int | None = None
    if input.get("defaultResourceConfigID"):
        config_id = _resource_config(context, input["defaultResourceConfigID"]).id
    elif input.get("resourceConfig"):
        config_id = _new_config(context, entity, input["resourceType"], input["resourceConfig"], input).id
    values = {
        "access": input.get("access") or "PROJECT",
        "prioritization_mode": input.get("prioritizationMode"),
        "default_config_id": config_id,
        "external_links": input.get("externalLinks"),
        "created_by": context.user.id,
    }
    queue = ensure_queue(context.connection, project.id, input["queueName"], values, context.now)
    return {"success": True, "queueID": storage_id("RunQueue", str(queue.id)), "configSchemaValidationErrors": None}


def _new_config(
    context: RequestContext, entity: str, resource: str, config: str, input: dict[str, Any]
) -> ResourceConfig:
    variables = input.get("templateVariables") or "{}"
    for text in (config, variables):
        if len(text) > QUEUE_SPEC_CHARACTERS_MAX or parse_object(text) is None:
            raise GraphQLError("the configuration of a queue's resources must be JSON objects inside of strings")
    return create_resource_config(context.connection, entity, resource, config, variables)


def _create_config(_: None, context: RequestContext, input: dict[str, Any]) -> dict[str, Any]:
    entity = allowed_entity(context, input.get("entityName"))
    made = _new_config(context, entity, input["resource"], input["config"], input)
    return {"success": True, "defaultResourceConfigID": storage_id("ResourceConfig", str(made.id))}


def _resource_config(context: RequestContext, text: str) -> ResourceConfig:
    number = parse_storage_number("ResourceConfig", text)
    found = None if number is None else resource_config_by_id(context.connection, number)
    if found is None:
        raise GraphQLError(f"resource configuration {text!r} was not found")
    allowed_entity(context, found.entity)
    return found


def _entity_config(entity: dict[str, Any], context: RequestContext, id: str) -> dict[str, Any] | None:
    found = _resource_config(context, id)
    if found.entity != entity["name"]:
        return None
    variables = [{"name": name, "schema": schema} for name, schema in json.loads(found.variables).items()]
    return {"config": found.config, "resource": found.resource, "templateVariables": variables}


def _delete_queues(_: None, context: RequestContext, input: dict[str, Any]) -> dict[str, Any]:
    for text in input["queueIDs"]:
        delete_queue(context.connection, _queue(context, text))
    return {**_SUCCESS, "clientMutationId": input.get("clientMutationId")}


def _push_by_name(_: None, context: RequestContext, input: dict[str, Any]) -> dict[str, Any]:
    return _push(context, _named_queue(context, input), input)


def _push_by_id(_: None, context: RequestContext, input: dict[str, Any]) -> dict[str, Any]:
    return _push(context, _queue(context, input["queueID"]), input)


def _push(context: RequestContext, queue: Queue, input: dict[str, Any]) -> dict[str, Any]:
    spec = input["runSpec"]
    if len(spec) > QUEUE_SPEC_CHARACTERS_MAX or parse_object(spec) is None:
        raise GraphQLError(
            f"runSpec must be a JSON object inside a string of at most {QUEUE_SPEC_CHARACTERS_MAX} characters"
        )
    item = push(context.connection, queue, spec, input.get("priority"), context.now)
    return {"runQueueItemId": _item_id(item), "runSpec": spec}


def _item_id(item: Item) -> str:
    return storage_id("RunQueueItem", str(item.id))


def _pop(_: None, context: RequestContext, input: dict[str, Any]) -> dict[str, Any] | None:
    item = pop(context.connection, _named_queue(context, input), context.now)
    return None if item is None else {"runQueueItemId": _item_id(item), "runSpec": json.loads(item.spec)}


def _acknowledge(_: None, context: RequestContext, input: dict[str, Any]) -> dict[str, bool]:
    item = _item(context, input["runQueueItemId"])
    update_item(context.connection, item.id, {"state": CLAIMED, "run": input["runName"]})
    return _SUCCESS


def _fail(_: None, context: RequestContext, input: dict[str, Any]) -> dict[str, bool]:
    item = _item(context, input["runQueueItemId"])
    values = {"state": FAILED, "message": input.get("message"), "stage": input.get("stage")}
    update_item(context.connection, item.id, values)
    return _SUCCESS


def _warn(_: None, context: RequestContext, input: dict[str, Any]) -> dict[str, bool]:
    item = _item(context, input["runQueueItemId"])
    update_item(context.connection, item.id, {"message": input.get("message"), "stage": input.get("stage")})
    return _SUCCESS


def _delete_item(_: None, context: RequestContext, input: dict[str, Any]) -> dict[str, Any]:
    delete_item(context.connection, _item(context, input["runQueueItemId"]))
    return {**_SUCCESS, "clientMutationId": input.get("clientMutationId")}


def _create_agent(_: None, context: RequestContext, input: dict[str, Any]) -> dict[str, Any]:
    entity = allowed_entity(context, input.get("entityName"))
    project, _made = project_for_writing(context, entity, input.get("projectName"))
    for text in input["runQueues"]:
        _queue(context, text)
    served = json.dumps(input["runQueues"])
    agent = create_launch_agent(context.connection, project.id, served, input["hostname"], context.now)
    return {"launchAgentId": storage_id("LaunchAgent", str(agent.id))}


def _launch_agent(_: None, context: RequestContext, id: str) -> LaunchAgent | None:
    number = parse_storage_number("LaunchAgent", id)
    agent = None if number is None else launch_agent_by_id(context.connection, number)
    if agent is not None:
        _allow(context, agent.project_id)
    return agent


def _update_agent(_: None, context: RequestContext, input: dict[str, Any]) -> dict[str, bool]:
    agent = _launch_agent(None, context, input["launchAgentId"])
    if agent is None:
        raise GraphQLError(f"launch agent {input['launchAgentId']!r} was not found")
    update_launch_agent(context.connection, agent.id, input.get("agentStatus"), context.now)
    return _SUCCESS


def _project_queue(project: Project, context: RequestContext, name: str) -> Queue | None:
    return find_queue(context.connection, project.id, name)


def _queue_items(
    queue: Queue, context: RequestContext, after: str | None = None, first: int | None = None
) -> dict[str, Any]:
    return connection_of(list_items(context.connection, queue), after, first)


def _queue_item(queue: Queue, context: RequestContext, id: str) -> Item | None:
    item = _item(context, id)
    return item if item.queue_id == queue.id else None


def _created_by(queue: Queue, context: RequestContext) -> str | None:
    user = user_by_id(context.connection, queue.created_by)
    return None if user is None else user.name


QUEUE_RESOLVERS: Resolvers = {
    "Query": {"launchAgent": _launch_agent},
    "Project": {
        "runQueue": _project_queue,
        "runQueues": lambda project, context: list_queues(context.connection, project.id),
    },
    "Mutation": {
        "createDefaultResourceConfig": _create_config,
        "createRunQueue": _create_queue,
        "upsertRunQueue": _create_queue,
        "deleteRunQueues": _delete_queues,
        "pushToRunQueue": _push_by_id,
        "pushToRunQueueByName": _push_by_name,
        "popFromRunQueue": _pop,
        "ackRunQueueItem": _acknowledge,
        "failRunQueueItem": _fail,
        "updateRunQueueItemWarning": _warn,
        "deleteFromRunQueue": _delete_item,
        "createLaunchAgent": _create_agent,
        "updateLaunchAgent": _update_agent,
    },
    "Entity": {"defaultResourceConfig": _entity_config},
    "RunQueue": {
        "id": lambda queue, context: storage_id("RunQueue", str(queue.id)),
        "createdBy": _created_by,
        "prioritizationMode": lambda queue, context: queue.prioritization_mode,
        "defaultResourceConfigID": lambda queue, context: (
            None if queue.default_config_id is None else storage_id("ResourceConfig", str(queue.default_config_id))
        ),
        "externalLinks": lambda queue, context: queue.external_links,
        "runQueueItems": _queue_items,
        "runQueueItem": _queue_item,
    },
    "RunQueueItem": {
        "id": lambda item, context: _item_id(item),
        "associatedRunId": lambda item, context: item.run,
        "runSpec": lambda item, context: json.loads(item.spec),
        "createdAt": lambda item, context: iso_time(item.created_at),
    },
    "LaunchAgent": {
        "id": lambda agent, context: storage_id("LaunchAgent", str(agent.id)),
        "name": lambda agent, context: agent.hostname,
        "runQueues": lambda agent, context: json.loads(agent.queues),
        "agentStatus": lambda agent, context: agent.status,
        "stopPolling": lambda agent, context: False,
        "heartbeatAt": lambda agent, context: iso_time(agent.heartbeat_at),
    },
}
