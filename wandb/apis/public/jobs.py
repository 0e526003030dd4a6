"""Launch queues of the public Api, and the runs that wait in them."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any, Dict, List, Mapping, Optional

from ..._terminal import termlog, termwarn
from ...errors import CommError
from .._errors import RefusedError, RequestError
from .._source import Source
from .runs import Run, RunNotFoundError

if TYPE_CHECKING:
    from ._api_queues import QueuesPart

# The project in which an entity's queues are.
QUEUES_PROJECT = "model-registry"
RESOURCES = ("local-container", "local-process", "kubernetes", "sagemaker", "gcp-vertex")
_NAME_MAX = 64
_POLL_SECONDS = 5.0

_QUEUE = """
query GetRunQueueMetadata($projectName: String!, $entityName: String!, $runQueue: String!) {
  project(name: $projectName, entityName: $entityName) {
    runQueue(name: $runQueue) { id access defaultResourceConfigID prioritizationMode externalLinks }
  }
}
"""

_CONFIG = """
query GetDefaultResourceConfig($entityName: String!, $id: ID!) {
  entity(name: $entityName) { defaultResourceConfig(id: $id) { config resource templateVariables { name schema } } }
}
"""

_ITEMS = """
query GetRunQueueItems($projectName: String!, $entityName: String!, $runQueue: String!) {
  project(name: $projectName, entityName: $entityName) {
    runQueue(name: $runQueue) { runQueueItems(first: 100) { edges { node { id state associatedRunId } } } }
  }
}
"""

_ITEM = """
query GetRunQueueItem($projectName: String!, $entityName: String!, $runQueue: String!, $itemId: ID!) {
  project(name: $projectName, entityName: $entityName) {
    runQueue(name: $runQueue) { runQueueItem(id: $itemId) { id state associatedRunId } }
  }
}
"""

_DELETE_ITEM = """
mutation DeleteFromRunQueue($queueID: ID!, $runQueueItemId: ID!) {
  deleteFromRunQueue(input: {queueID: $queueID, runQueueItemId: $runQueueItemId}) { success clientMutationId }
}
"""

_DELETE_QUEUE = """
mutation DeleteRunQueue($id: ID!) { deleteRunQueues(input: {queueIDs: [$id]}) { success clientMutationId } }
"""

_CREATE_CONFIG = """
mutation CreateDefaultResourceConfig($entityName: String!, $resource: String!, $config: JSONString!,
    $templateVariables: JSONString) {
  createDefaultResourceConfig(input: {entityName: $entityName, resource: $resource, config: $config,
      templateVariables: $templateVariables}) {
    defaultResourceConfigID success
  }
}
"""

_CREATE_QUEUE = """
mutation CreateRunQueue($entity: String!, $project: String!, $queueName: String!, $access: RunQueueAccessType!,
    $prioritizationMode: RunQueuePrioritizationMode, $defaultResourceConfigID: ID) {
  createRunQueue(input: {entityName: $entity, projectName: $project, queueName: $queueName, access: $access,
      prioritizationMode: $prioritizationMode, defaultResourceConfigID: $defaultResourceConfigID}) {
    success queueID
  }
}
"""

_UPSERT_QUEUE = """
mutation UpsertRunQueue($entityName: String!, $projectName: String!, $queueName: String!, $resourceType: String!,
    $resourceConfig: JSONString!, $templateVariables: JSONString, $prioritizationMode: RunQueuePrioritizationMode,
    $externalLinks: JSONString) {
  upsertRunQueue(input: {entityName: $entityName, projectName: $projectName, queueName: $queueName,
      resourceType: $resourceType, resourceConfig: $resourceConfig, templateVariables: $templateVariables,
      prioritizationMode: $prioritizationMode, externalLinks: $externalLinks}) {
    success configSchemaValidationErrors
  }
}
"""


class QueuedRun:
    """A run that waits in a queue for an agent, or that an agent has taken from it.

    >>> wandb.Api().run_queue(wandb.Api().default_entity, "a-queue").items
    []
    """

    def __init__(
        self,
        source: Source,
        entity: str,
        project: str,
        queue_name: str,
        run_queue_item_id: str,
        project_queue: str = QUEUES_PROJECT,
        priority: Optional[int] = None,
    ) -> None:
        self._source, self._entity, self._project = source, entity, project
        self._queue_name, self._id = queue_name, run_queue_item_id
        self.project_queue, self.priority = project_queue, priority
        self._run: Optional[Run] = None

    @property
    def id(self) -> str:
        """What the server calls the item."""
        return self._id

    @property
    def entity(self) -> str:
        """The user or team that owns the queue."""
        return self._entity

    @property
    def project(self) -> str:
        """Where the run will be."""
        return self._project

    @property
    def queue_name(self) -> str:
        """The queue's name."""
        return self._queue_name

    @property
    def state(self) -> str:
        """pending, leased, claimed, failed and so on, now. Raises ValueError where the queue has no such item."""
        return str(self._item()["state"]).lower()

    def wait_until_running(self) -> Run:
        """Return the run when an agent has started it. Raises CommError where it never will."""
        while self._run is None:
            item = self._item()
            if item.get("associatedRunId"):
                try:
                    self._run = Run(self._source, self._entity, self._project, item["associatedRunId"])
                    break
                except RunNotFoundError:
                    pass  # the agent has named the run, which is still to begin
            elif str(item["state"]).lower() == "failed":
                raise CommError(f"the agent could not start {self!r}")
            else:
                termlog("Waiting for run to start", repeat=False)
            time.sleep(_POLL_SECONDS)
        return self._run

    def wait_until_finished(self) -> Run:
        """Return the run when it has ended. Raises CommError."""
        run = self.wait_until_running()
        run.wait_until_finished()
        run.load(force=True)
        return run

    def delete(self, delete_artifacts: bool = False) -> None:
        """Take the run out of the queue. Raises CommError. `delete_artifacts` changes nothing: it has none yet."""
        queue = _find_queue(self._source, self.entity, self.queue_name, self.project_queue)
        self._source.execute(_DELETE_ITEM, {"queueID": queue["id"], "runQueueItemId": self.id})

    def _item(self) -> Dict[str, Any]:
        variables = _names(self.entity, self.queue_name, self.project_queue)
        try:
            queue = _of_queue(self._source.execute(_ITEM, {**variables, "itemId": self.id}))
            found = queue.get("runQueueItem")
        except RefusedError:  # servers of some years ago only list
            queue = _of_queue(self._source.execute(_ITEMS, variables))
            nodes = (edge["node"] for edge in queue["runQueueItems"]["edges"])
            found = next((node for node in nodes if str(node["id"]) == self.id), None)
        if found is None:
            raise RequestError(f"the queue {self.queue_name} of {self.entity} has no item {self.id}")
        item: Dict[str, Any] = found
        return item

    def __repr__(self) -> str:
        return f"<QueuedRun {self.queue_name} ({self.id})>"


class RunQueue:
    """A queue of runs that wait for agents. What it is like is asked when it is first looked at.

    >>> queue = wandb.Api().create_run_queue("a-queue", type="local-process")
    >>> queue.type, queue.access
    ('local-process', 'PROJECT')
    """

    def __init__(self, source: Source, name: str, entity: str, prioritization_mode: Optional[str] = None) -> None:
        self._source, self._name, self._entity = source, name, entity
        self._prioritization_mode = prioritization_mode
        self._facts: Optional[Dict[str, Any]] = None
        self._config: Optional[Dict[str, Any]] = None

    @classmethod
    def create(
        cls,
        name: str,
        resource: str,
        entity: Optional[str] = None,
        prioritization_mode: Optional[str] = None,
        config: Optional[Mapping[str, Any]] = None,
        template_variables: Optional[Mapping[str, Any]] = None,
    ) -> RunQueue:
        """`Api.create_run_queue`, with the Api of the environment."""
        from .api import Api

        return Api().create_run_queue(name, resource, entity, prioritization_mode, config, template_variables)

    @property
    def name(self) -> str:
        """The queue's name."""
        return self._name

    @property
    def entity(self) -> str:
        """The user or team that owns the queue."""
        return self._entity

    @property
    def id(self) -> str:
        """What the server calls the queue. Raises CommError where it has none of that name."""
        return str(self._metadata["id"])

    @property
    def access(self) -> str:
        """Who may use it: PROJECT, or USER, who made it."""
        return str(self._metadata["access"])

    @property
    def prioritization_mode(self) -> Optional[str]:
        """DISABLED, or V0, where each run has a priority."""
        mode: Optional[str] = self._prioritization_mode or self._metadata.get("prioritizationMode")
        return mode

    @property
    def external_links(self) -> Dict[str, str]:
        """Links that the queue's page shows: label -> URL."""
        links = self._metadata.get("externalLinks") or {}
        links = json.loads(links) if isinstance(links, str) else links
        return {one["label"]: one["url"] for one in links.get("links", ())}

    @property
    def type(self) -> Optional[str]:
        """What the queue's runs run on: local-process, kubernetes and so on."""
        resource: Optional[str] = self._resources.get("resource")
        return resource

    @property
    def default_resource_config(self) -> Dict[str, Any]:
        """What each run gets, where it doesn't say otherwise."""
        return _parsed(self._resources.get("config")) or {}

    @property
    def template_variables(self) -> Any:
        """What of the config each run may choose."""
        return self._resources.get("templateVariables") or {}

    @property
    def items(self) -> List[QueuedRun]:
        """The runs in the queue, at most the first hundred."""
        queue = _of_queue(self._source.execute(_ITEMS, _names(self.entity, self.name)))
        return [
            QueuedRun(self._source, self.entity, QUEUES_PROJECT, self.name, edge["node"]["id"])
            for edge in queue["runQueueItems"]["edges"]
        ]

    def delete(self) -> None:
        """Delete the queue. Raises CommError."""
        answer = self._source.execute(_DELETE_QUEUE, {"id": self.id})
        if not answer["deleteRunQueues"]["success"]:
            raise CommError(f"{self._source.base_url} didn't delete the queue {self.name}")
        self._facts = self._config = None

    @property
    def _metadata(self) -> Dict[str, Any]:
        if self._facts is None:
            self._facts = _find_queue(self._source, self.entity, self.name)
        return self._facts

    @property
    def _resources(self) -> Dict[str, Any]:
        if self._config is None:
            number = self._metadata.get("defaultResourceConfigID")
            answer = self._source.execute(_CONFIG, {"entityName": self.entity, "id": number}) if number else {}
            self._config = (answer.get("entity") or {}).get("defaultResourceConfig") or {}
        return self._config

    def __repr__(self) -> str:
        return f"<RunQueue {self.entity}/{self.name}>"


def create_queue(
    api: QueuesPart, name: str, resource: str, entity: str, mode: Optional[str], config: Mapping[str, Any],
    variables: Optional[Mapping[str, Any]],
) -> RunQueue:  # fmt: skip
    """See `Api.create_run_queue`."""
    mode = _check(name, resource, mode)
    api.create_project(QUEUES_PROJECT, entity)
    made = api.source.execute(_CREATE_CONFIG, {
        "entityName": entity, "resource": resource, "config": json.dumps({"resource_args": {resource: config}}),
        "templateVariables": json.dumps(variables or {}),
    })["createDefaultResourceConfig"]  # fmt: skip
    if made["success"]:
        made = api.source.execute(_CREATE_QUEUE, {
            "entity": entity, "project": QUEUES_PROJECT, "queueName": name, "access": "PROJECT",
            "prioritizationMode": mode, "defaultResourceConfigID": made["defaultResourceConfigID"],
        })["createRunQueue"]  # fmt: skip
    if not made["success"]:
        raise CommError(f"{api.source.base_url} didn't make the queue {name}")
    return RunQueue(api.source, name, entity, mode)


def upsert_queue(
    api: QueuesPart, name: str, config: Mapping[str, Any], resource: str, entity: str,
    variables: Optional[Mapping[str, Any]], links: Optional[Mapping[str, str]], mode: Optional[str],
) -> RunQueue:  # fmt: skip
    """See `Api.upsert_run_queue`."""
    mode = _check(name, resource, mode)
    api.create_project(QUEUES_PROJECT, entity)
    made = api.source.execute(_UPSERT_QUEUE, {
        "entityName": entity, "projectName": QUEUES_PROJECT, "queueName": name, "resourceType": resource,
        "resourceConfig": json.dumps({"resource_args": {resource: config}}), "prioritizationMode": mode,
        "templateVariables": json.dumps(variables) if variables else None,
        "externalLinks": json.dumps({"links": [{"label": label, "url": url} for label, url in (links or {}).items()]}),
    })["upsertRunQueue"]  # fmt: skip
    if not made["success"]:
        raise CommError(f"{api.source.base_url} didn't make the queue {name}")
    for problem in made.get("configSchemaValidationErrors") or ():
        termwarn(f"the configuration of the queue {name}: {problem}")
    return RunQueue(api.source, name, entity, mode)


def _check(name: str, resource: str, mode: Optional[str]) -> Optional[str]:
    """The mode as servers know it. Raises ValueError for what is none, or no name or resource."""
    if not 1 <= len(name) <= _NAME_MAX:
        raise RequestError(f"the name of a queue has 1 to {_NAME_MAX} characters, not {len(name)}")
    if resource not in RESOURCES:
        raise RequestError(f"the type of a queue is one of {', '.join(RESOURCES)}, not {resource!r}")
    if mode and mode.upper() not in ("V0", "DISABLED"):
        raise RequestError(f"prioritization_mode is 'V0', 'DISABLED' or None, not {mode!r}")
    return mode.upper() if mode else None


def _names(entity: str, queue: str, project: str = QUEUES_PROJECT) -> Dict[str, str]:
    return {"entityName": entity, "projectName": project, "runQueue": queue}


def _find_queue(source: Source, entity: str, queue: str, project: str = QUEUES_PROJECT) -> Dict[str, Any]:
    return _of_queue(source.execute(_QUEUE, _names(entity, queue, project)))


def _of_queue(answer: Dict[str, Any]) -> Dict[str, Any]:
    found: Optional[Dict[str, Any]] = (answer.get("project") or {}).get("runQueue")
    if found is None:
        raise CommError("there is no such queue")
    return found


def _parsed(value: Any) -> Any:
    return json.loads(value) if isinstance(value, str) else value
