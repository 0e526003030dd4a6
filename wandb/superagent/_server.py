"""The server that holds queues, as agents and those who push ask it: the operations of W&B's launch agents, and those
by which a server of this project gives leases.

A server that has no leases, W&B's own, is spoken to as the official agents do: what is acknowledged is the agent's, and
a job whose agent dies stays so.
"""

from __future__ import annotations

import base64
import binascii
import json
from typing import Any, Collection, Dict, List, Mapping, NamedTuple, Optional, Sequence, Set

from ..apis._client import Client
from ..errors import CommError

# Where the official client's queues are, unless they are said to be elsewhere.
QUEUES_PROJECT = "model-registry"
_PAGE = 500

_QUEUES = """query ProjectRunQueues($entity: String, $projectName: String!) {
  project(entityName: $entity, name: $projectName) { runQueues { id name createdBy access } }
}"""
_CREATE = """mutation CreateRunQueue($entity: String, $project: String!, $queueName: String!,
    $access: RunQueueAccessType!, $prioritizationMode: RunQueuePrioritizationMode) {
  createRunQueue(input: {entityName: $entity, projectName: $project, queueName: $queueName, access: $access,
      prioritizationMode: $prioritizationMode}) { success queueID }
}"""
_DELETE = """mutation DeleteRunQueue($id: ID!) { deleteRunQueues(input: {queueIDs: [$id]}) { success } }"""
_PUSH = """mutation pushToRunQueueByName($entityName: String!, $projectName: String!, $queueName: String!,
    $runSpec: JSONString!%s) {
  pushToRunQueueByName(input: {entityName: $entityName, projectName: $projectName, queueName: $queueName,
      runSpec: $runSpec%s}) { runQueueItemId }
}"""
_POP = """mutation popFromRunQueue($entity: String!, $project: String!, $queueName: String!, $launchAgentId: ID%s) {
  popFromRunQueue(input: {entityName: $entity, projectName: $project, queueName: $queueName,
      launchAgentId: $launchAgentId%s}) { runQueueItemId runSpec %s }
}"""
_AGENT = """mutation createLaunchAgent($entity: String!, $project: String!, $queues: [ID!]!, $hostname: String!,
    $agentConfig: JSONString, $version: String) {
  createLaunchAgent(input: {entityName: $entity, projectName: $project, runQueues: $queues, hostname: $hostname,
      agentConfig: $agentConfig, version: $version}) { launchAgentId }
}"""
_UPDATE = """mutation updateLaunchAgent($agentId: ID!, $agentStatus: String) {
  updateLaunchAgent(input: {launchAgentId: $agentId, agentStatus: $agentStatus}) { success }
}"""
_ACKNOWLEDGE = """mutation ackRunQueueItem($itemId: ID!, $runId: String!%s) {
  ackRunQueueItem(input: {runQueueItemId: $itemId, runName: $runId%s}) { success }
}"""
_FAIL = """mutation failRunQueueItem($runQueueItemId: ID!, $message: String!, $stage: String!) {
  failRunQueueItem(input: {runQueueItemId: $runQueueItemId, message: $message, stage: $stage}) { success }
}"""
_KEEP = """mutation keepRunQueueItems($agent: ID!, $items: [ID!]!) {
  keepRunQueueItems(input: {launchAgentId: $agent, runQueueItemIds: $items}) { lost }
}"""
_FINISH = """mutation finishRunQueueItem($agent: ID!, $item: ID!, $exitCode: Int!, $message: String) {
  finishRunQueueItem(input: {launchAgentId: $agent, runQueueItemId: $item, exitCode: $exitCode, message: $message}) {
    success runQueueItem { state }
  }
}"""
_RETURN = """mutation returnRunQueueItem($agent: ID!, $item: ID!, $message: String) {
  returnRunQueueItem(input: {launchAgentId: $agent, runQueueItemId: $item, message: $message}) { success }
}"""
_ITEMS = """query GetRunQueueItems($entity: String, $project: String!, $queue: String!, $first: Int, $after: String) {
  project(name: $project, entityName: $entity) { runQueue(name: $queue) { id prioritizationMode
    runQueueItems(first: $first, after: $after) {
      edges { node { id state priority associatedRunId runSpec message createdAt %s } }
      pageInfo { endCursor hasNextPage }
    } } }
}"""
_MORE_OF_ITEMS = "stage gpus handed exitCode events launchAgent { hostname heartbeatAt }"
_REMOVE = """mutation DeleteFromRunQueue($queue: ID!, $item: ID!) {
  deleteFromRunQueue(input: {queueID: $queue, runQueueItemId: $item}) { success }
}"""
_VIEWER = "query Viewer { viewer { username entity } }"


class Popped(NamedTuple):
    """What was taken from a queue."""

    item: str
    spec: Any
    handed: int = 1  # how often agents were given it by now
    run_to_resume: str = ""


class QueueServer:
    """The queues of one project of a server. Safe between threads. Every method raises wandb.CommError."""

    def __init__(self, client: Client, entity: Optional[str], project: str = QUEUES_PROJECT) -> None:
        """entity: a user or team; the key's own default for None."""
        self.client, self.project = client, project
        if not entity:
            viewer = client.execute(_VIEWER).get("viewer") or {}
            entity = viewer.get("entity") or viewer.get("username")
        self.entity = str(entity)
        self._leases: Optional[bool] = None

    @property
    def has_leases(self) -> bool:
        """Whether an agent's signs of life keep its jobs, and its death gives them back."""
        if self._leases is None:
            self._leases = self.client.supports("QUEUE_LEASES")
        return self._leases

    # --- queues -------------------------------------------------------------------------------------------------------

    def queues(self) -> List[Dict[str, Any]]:
        """`id`, `name`, `createdBy` and `access` of each."""
        project = self.client.execute(_QUEUES, {"entity": self.entity, "projectName": self.project})["project"]
        return list((project or {}).get("runQueues") or ())

    def create(self, name: str, priorities: bool = True, private: bool = False) -> str:
        """Make a queue; returns its id. priorities: whether items have some. private: for whoever made it alone."""
        variables = {
            "entity": self.entity, "project": self.project, "queueName": name,
            "access": "USER" if private else "PROJECT", "prioritizationMode": "V0" if priorities else "DISABLED",
        }  # fmt: skip
        made = self.client.execute(_CREATE, variables, repeatable=False)["createRunQueue"]
        if not made["success"]:
            raise CommError(f"{self.client.base_url} didn't make the queue {name}")
        return str(made["queueID"])

    def delete(self, queue_id: str) -> None:
        """With everything that is in it."""
        self.client.execute(_DELETE, {"id": queue_id})

    def push(self, queue: str, spec: Mapping[str, Any], priority: Optional[int] = None) -> str:
        """Put a job into a queue; returns the id of the item. priority: 0 comes first, 2 is usual."""
        variables: Dict[str, Any] = {**self._names(queue), "runSpec": json.dumps(spec)}
        declared, passed = "", ""
        if priority is not None:
            variables["priority"] = priority
            declared, passed = ", $priority: Int", ", priority: $priority"
        pushed = self.client.execute(_PUSH % (declared, passed), variables, repeatable=False)["pushToRunQueueByName"]
        return str(pushed["runQueueItemId"])

    def items(self, queue: str) -> List[Dict[str, Any]]:
        """Everything in a queue, in its order. Raises CommError where there is no such queue."""
        found: List[Dict[str, Any]] = []
        after: Optional[str] = None
        while True:
            page = self._queue(queue, after)["runQueueItems"]
            found += [edge["node"] for edge in page["edges"]]
            if not page["pageInfo"]["hasNextPage"]:
                return found
            after = page["pageInfo"]["endCursor"]

    def remove(self, queue: str, item: str) -> None:
        """Take an item out of a queue. An agent that runs it stops."""
        self.client.execute(_REMOVE, {"queue": self._queue(queue, None)["id"], "item": item})

    def _queue(self, name: str, after: Optional[str]) -> Dict[str, Any]:
        more = _MORE_OF_ITEMS if self.has_leases else ""
        variables = {
            "entity": self.entity, "project": self.project, "queue": name, "first": _PAGE, "after": after,
        }  # fmt: skip
        project = self.client.execute(_ITEMS % more, variables)["project"]
        queue: Optional[Dict[str, Any]] = (project or {}).get("runQueue")
        if queue is None:
            raise CommError(f"there is no queue {name!r} in {self.entity}/{self.project} at {self.client.base_url}")
        return queue

    def _names(self, queue: str) -> Dict[str, Any]:
        return {"entityName": self.entity, "projectName": self.project, "queueName": queue}

    # --- agents -------------------------------------------------------------------------------------------------------

    def register(self, queue_ids: Sequence[str], hostname: str, config: Mapping[str, Any], version: str) -> str:
        """A new agent; returns its id."""
        variables = {
            "entity": self.entity, "project": self.project, "queues": list(queue_ids), "hostname": hostname,
            "agentConfig": json.dumps(config), "version": version,
        }  # fmt: skip
        return str(self.client.execute(_AGENT, variables, repeatable=False)["createLaunchAgent"]["launchAgentId"])

    def pop(self, queue: str, agent: str, gpus: Optional[int]) -> Optional[Popped]:
        """The next job of a queue that asks for no more GPUs than that; None for none."""
        variables: Dict[str, Any] = {
            "entity": self.entity, "project": self.project, "queueName": queue, "launchAgentId": agent,
        }  # fmt: skip
        declared = passed = more = ""
        if self.has_leases:
            declared, passed, more = ", $gpusMax: Int", ", gpusMax: $gpusMax", "handed runToResume"
            variables["gpusMax"] = gpus
        # An answer that gets lost is a lease that runs out: asking again could take a second job.
        found = self.client.execute(_POP % (declared, passed, more), variables, repeatable=False)["popFromRunQueue"]
        if found is None:
            return None
        spec = json.loads(found["runSpec"]) if isinstance(found["runSpec"], str) else found["runSpec"]
        item = str(found["runQueueItemId"])
        return Popped(item, spec, int(found.get("handed") or 1), found.get("runToResume") or "")

    def acknowledge(self, agent: str, item: str, run: str) -> bool:
        """Say as which run a job begins. Whether the agent may begin it."""
        variables = {"itemId": item, "runId": run}
        declared = passed = ""
        if self.has_leases:
            declared, passed = ", $agent: ID", ", launchAgentId: $agent"
            variables["agent"] = agent
        answer = self.client.execute(_ACKNOWLEDGE % (declared, passed), variables)["ackRunQueueItem"]
        return bool(answer and answer["success"])

    def keep(self, agent: str, items: Collection[str]) -> Set[str]:
        """Say that an agent and its jobs live. The jobs that are not its own any more."""
        if not self.has_leases:
            self.client.execute(_UPDATE, {"agentId": agent, "agentStatus": "RUNNING" if items else "POLLING"})
            return set()
        return set(self.client.execute(_KEEP, {"agent": agent, "items": list(items)})["keepRunQueueItems"]["lost"])

    def finish(self, agent: str, item: str, exit_code: int, message: str) -> str:
        """Say how a job ended; returns what becomes of it, PENDING where it is tried again, and "" where it was another
        agent's by now."""
        if not self.has_leases:
            if exit_code:
                self._fail(item, message, "run")
            return "FAILED" if exit_code else "FINISHED"
        variables = {"agent": agent, "item": item, "exitCode": exit_code, "message": message or None}
        answer = self.client.execute(_FINISH, variables)["finishRunQueueItem"]
        return str(answer["runQueueItem"]["state"]) if answer["success"] else ""

    def fail(self, agent: str, item: str, message: str, stage: str) -> None:
        """Say that a job can't be run, here or anywhere."""
        if not self.has_leases or item not in self.keep(agent, [item]):
            self._fail(item, message, stage)

    def give_back(self, agent: str, item: str, message: str) -> bool:
        """Let another agent have a job. Whether it was this agent's still."""
        if self.has_leases:
            variables = {"agent": agent, "item": item, "message": message}
            return bool(self.client.execute(_RETURN, variables)["returnRunQueueItem"]["success"])
        self._fail(item, message, "agent")
        return True

    def leave(self, agent: str) -> None:
        """Say that an agent ends."""
        self.client.execute(_UPDATE, {"agentId": agent, "agentStatus": "KILLED"})

    def _fail(self, item: str, message: str, stage: str) -> None:
        self.client.execute(_FAIL, {"runQueueItemId": item, "message": message, "stage": stage})


def item_number(item: str) -> str:
    """What people call an item: its number, where the server's id holds one.

    >>> item_number("UnVuUXVldWVJdGVtOnYxOjEy")
    '12'
    """
    try:
        number = base64.b64decode(item, validate=True).decode().rpartition(":")[2]
    except (binascii.Error, ValueError):
        return item
    return number if number.isdecimal() else item
