"""Resolvers of launch queues, their items and their agents."""

from __future__ import annotations

import json
from typing import Any

from graphql import GraphQLError

from ._auth import user_by_id
from ._graphql import Resolvers
from ._limits import QUEUE_ITEMS_OF_AN_AGENT_MAX, QUEUE_SPEC_CHARACTERS_MAX
from ._names import name_problem, parse_storage_number, storage_id
from ._queue_items import (
    Item,
    acknowledge,
    belongs_to,
    delete_item,
    end,
    fail,
    give_back,
    item_by_id,
    keep,
    list_items,
    pop,
    push,
    run_to_resume,
    warn,
)
from ._queues import (
    LaunchAgent,
    Queue,
    ResourceConfig,
    create_launch_agent,
    create_resource_config,
    delete_queue,
    ensure_queue,
    find_queue,
    launch_agent_by_id,
    list_queues,
    queue_by_id,
    resource_config_by_id,
    update_launch_agent,
)
from ._resolvers import allowed_entity, allowed_project, connection_of, project_for_writing, require_allowed
from ._services import RequestContext, iso_time
from ._store import Project, project_by_id
from ._values import parse_object

_SUCCESS = {"success": True}


def _allow(context: RequestContext, project_id: int) -> None:
    project = project_by_id(context.connection, project_id)
    assert project is not None
    require_allowed(context, project)
    if not _is_inside(project, context):
        raise GraphQLError(f"queues of {project.entity!r} are for who may use it")


def _is_inside(project: Project, context: RequestContext) -> bool:
    """Machines and commands are none of the business of who reads a public project."""
    return context.user.may_use(project.entity)


def _queue(context: RequestContext, text: str) -> Queue:
    number = parse_storage_number("RunQueue", text)
    queue = None if number is None else queue_by_id(context.connection, number)
    if queue is None or not queue.is_open_to(context.user.id):
        raise GraphQLError(f"queue {text!r} was not found")
    _allow(context, queue.project_id)
    return queue


def _named_queue(context: RequestContext, input: dict[str, Any]) -> Queue:
    project = allowed_project(context, input.get("entityName"), input.get("projectName"))
    queue = None if project is None else find_queue(context.connection, project.id, input["queueName"])
    if queue is None or not queue.is_open_to(context.user.id):
        raise GraphQLError(f"queue {input['queueName']!r} was not found")
    return queue


def _item(context: RequestContext, text: str) -> Item:
    number = parse_storage_number("RunQueueItem", text)
    item = None if number is None else item_by_id(context.connection, number)
    queue = None if item is None else queue_by_id(context.connection, item.queue_id)
    if item is None or queue is None or not queue.is_open_to(context.user.id):
        raise GraphQLError(f"queue item {text!r} was not found")
    _allow(context, queue.project_id)
    return item


def _create_queue(_: None, context: RequestContext, input: dict[str, Any]) -> dict[str, Any]:
    entity = allowed_entity(context, input.get("entityName"))
    project, _made = project_for_writing(context, entity, input.get("projectName"))
    problem = name_problem("queue", input["queueName"])
    if problem:
        raise GraphQLError(problem)
    known = find_queue(context.connection, project.id, input["queueName"])
    if known is not None and not known.is_open_to(context.user.id):
        raise GraphQLError(f"a queue {known.name!r} of {entity}/{project.name} is somebody's own; choose another name")
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
    priority = None if queue.prioritization_mode == "DISABLED" else input.get("priority")
    item = push(context.connection, queue.id, spec, priority, context.now)
    return {"runQueueItemId": _item_id(item), "runSpec": spec}


def _item_id(item: Item) -> str:
    return storage_id("RunQueueItem", str(item.id))


def _pop(_: None, context: RequestContext, input: dict[str, Any]) -> dict[str, Any] | None:
    queue = _named_queue(context, input)
    agent = _agent_or_none(context, input.get("launchAgentId"))
    number = None if agent is None else agent.id
    item = pop(context.connection, queue.id, number, input.get("gpusMax"), context.now, context.services.since)
    if item is None:
        return None
    resumed = run_to_resume(context.connection, item)
    told = {"runQueueItemId": _item_id(item), "runSpec": json.loads(item.spec)}
    return {**told, "handed": item.handed, "runToResume": resumed}


def _agent_or_none(context: RequestContext, text: str | None) -> LaunchAgent | None:
    """An agent where it is known: one of another server's time may go on asking."""
    return None if text is None else _launch_agent(None, context, text)


def _acknowledge(_: None, context: RequestContext, input: dict[str, Any]) -> dict[str, bool]:
    item = _item(context, input["runQueueItemId"])
    agent = _agent_or_none(context, input.get("launchAgentId"))
    number = None if agent is None else agent.id
    return {"success": acknowledge(context.connection, item, input["runName"], number, context.now)}


def _keep(_: None, context: RequestContext, input: dict[str, Any]) -> dict[str, Any]:
    agent = _known_agent(context, input["launchAgentId"])
    kept = input["runQueueItemIds"]
    if len(kept) > QUEUE_ITEMS_OF_AN_AGENT_MAX:
        raise GraphQLError(f"an agent keeps at most {QUEUE_ITEMS_OF_AN_AGENT_MAX} items, not {len(kept)}")
    numbers = {text: parse_storage_number("RunQueueItem", text) for text in kept}
    known = [number for number in numbers.values() if number is not None]
    lost = {None, *keep(context.connection, known, agent.id, context.now)}
    update_launch_agent(context.connection, agent.id, "RUNNING" if kept else "POLLING", context.now)
    return {"lost": [text for text, number in numbers.items() if number in lost]}


def _finish(_: None, context: RequestContext, input: dict[str, Any]) -> dict[str, Any]:
    item = _item_of(context, input)
    if item is not None:
        item = end(context.connection, item, input["exitCode"], input.get("message"), context.now)
    return {"success": item is not None, "runQueueItem": item}


def _return(_: None, context: RequestContext, input: dict[str, Any]) -> dict[str, Any]:
    item = _item_of(context, input)
    if item is not None:
        item = give_back(context.connection, item, input.get("message"), context.now)
    return {"success": item is not None, "runQueueItem": item}


def _item_of(context: RequestContext, input: dict[str, Any]) -> Item | None:
    """An item that the agent still has."""
    agent = _known_agent(context, input["launchAgentId"])
    item = _item(context, input["runQueueItemId"])
    return item if belongs_to(context.connection, item, agent.id) else None


def _fail(_: None, context: RequestContext, input: dict[str, Any]) -> dict[str, bool]:
    item = _item(context, input["runQueueItemId"])
    fail(context.connection, item, input.get("message"), input.get("stage"), context.now)
    return _SUCCESS


def _warn(_: None, context: RequestContext, input: dict[str, Any]) -> dict[str, bool]:
    item = _item(context, input["runQueueItemId"])
    warn(context.connection, item, input.get("message"), input.get("stage"), context.now)
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
    agent = _known_agent(context, input["launchAgentId"])
    update_launch_agent(context.connection, agent.id, input.get("agentStatus"), context.now)
    return _SUCCESS


def _known_agent(context: RequestContext, text: str) -> LaunchAgent:
    agent = _launch_agent(None, context, text)
    if agent is None:
        raise GraphQLError(f"launch agent {text!r} was not found")
    return agent


def _agent_of(item: Item, context: RequestContext) -> LaunchAgent | None:
    return None if item.agent_id is None else launch_agent_by_id(context.connection, item.agent_id)


def _project_queue(project: Project, context: RequestContext, name: str) -> Queue | None:
    queue = find_queue(context.connection, project.id, name) if _is_inside(project, context) else None
    return queue if queue is not None and queue.is_open_to(context.user.id) else None


def _project_queues(project: Project, context: RequestContext) -> list[Queue]:
    found = list_queues(context.connection, project.id) if _is_inside(project, context) else []
    return [queue for queue in found if queue.is_open_to(context.user.id)]


def _queue_items(
    queue: Queue, context: RequestContext, after: str | None = None, first: int | None = None
) -> dict[str, Any]:
    return connection_of(list_items(context.connection, queue.id), after, first)


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
        "runQueues": _project_queues,
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
        "keepRunQueueItems": _keep,
        "finishRunQueueItem": _finish,
        "returnRunQueueItem": _return,
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
        "launchAgent": _agent_of,
        "exitCode": lambda item, context: item.exit_code,
        "events": lambda item, context: json.loads(item.events),
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
