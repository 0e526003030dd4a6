"""Launch queues: who gets an item, for how long it is his, and what becomes of it when he dies."""

from __future__ import annotations

import collections
import json
import threading
from pathlib import Path
from typing import Any

import pytest
import requests
from live_server import LiveServer

from wandb.server._limits import QUEUE_HANDED_MAX, QUEUE_LEASE_SECONDS

CREATE = 'mutation { createRunQueue(input: {projectName: "demo", queueName: "q", access: PROJECT}) { queueID } }'
AGENT = """mutation A($queue: ID!) { createLaunchAgent(input: {projectName: "demo", runQueues: [$queue],
    hostname: "machine"}) { launchAgentId } }"""
PUSH = """mutation P($spec: JSONString!, $priority: Int) { pushToRunQueueByName(input: {projectName: "demo",
    queueName: "q", runSpec: $spec, priority: $priority}) { runQueueItemId } }"""
POP = """mutation P($agent: ID) { popFromRunQueue(input: {projectName: "demo", queueName: "q", launchAgentId: $agent}) {
    runQueueItemId runSpec handed runToResume } }"""
ACKNOWLEDGE = """mutation A($item: ID!, $run: String!, $agent: ID) { ackRunQueueItem(input: {runQueueItemId: $item,
    runName: $run, launchAgentId: $agent}) { success } }"""
KEEP = """mutation K($agent: ID!, $items: [ID!]!) { keepRunQueueItems(input: {launchAgentId: $agent,
    runQueueItemIds: $items}) { lost } }"""
FINISH = """mutation F($agent: ID!, $item: ID!, $code: Int!) { finishRunQueueItem(input: {launchAgentId: $agent,
    runQueueItemId: $item, exitCode: $code}) { success runQueueItem { state } } }"""
RETURN = """mutation R($agent: ID!, $item: ID!) { returnRunQueueItem(input: {launchAgentId: $agent,
    runQueueItemId: $item, message: "the machine goes"}) { success } }"""
ITEM = """query I($item: ID!) { project(name: "demo") { runQueue(name: "q") { runQueueItem(id: $item) {
    state handed exitCode message events associatedRunId launchAgent { hostname } } } } }"""


class Queue:
    """A queue of a server, and what agents do with it."""

    def __init__(self, server: LiveServer) -> None:
        self.server = server
        self.id = server.execute(CREATE)["createRunQueue"]["queueID"]

    def agent(self) -> str:
        return str(self.server.execute(AGENT, queue=self.id)["createLaunchAgent"]["launchAgentId"])

    def push(self, priority: int | None = None, **spec: Any) -> str:
        spec = {"entity": self.server.user, "project": "demo", **spec}
        pushed = self.server.execute(PUSH, spec=json.dumps(spec), priority=priority)["pushToRunQueueByName"]
        return str(pushed["runQueueItemId"])

    def pop(self, agent: str | None) -> Any:
        return self.server.execute(POP, agent=agent)["popFromRunQueue"]

    def popped(self, agent: str | None) -> str | None:
        found = self.pop(agent)
        return None if found is None else str(found["runQueueItemId"])

    def begin(self, agent: str, run: str) -> str:
        """Take the next item and begin it."""
        item = self.popped(agent)
        assert item is not None
        assert self.acknowledge(item, run, agent)
        return item

    def acknowledge(self, item: str, run: str, agent: str | None) -> bool:
        return bool(self.server.execute(ACKNOWLEDGE, item=item, run=run, agent=agent)["ackRunQueueItem"]["success"])

    def lost(self, agent: str, *items: str) -> list[str]:
        return list(self.server.execute(KEEP, agent=agent, items=items)["keepRunQueueItems"]["lost"])

    def finish(self, agent: str, item: str, code: int) -> str:
        told = self.server.execute(FINISH, agent=agent, item=item, code=code)["finishRunQueueItem"]
        return str(told["runQueueItem"]["state"]) if told["success"] else "not its own"

    def item(self, item: str) -> Any:
        return self.server.execute(ITEM, item=item)["project"]["runQueue"]["runQueueItem"]

    def wait(self) -> None:
        """For as long as silent agents keep what they have."""
        self.server.clock.advance(QUEUE_LEASE_SECONDS + 1)


@pytest.fixture
def queue(server: LiveServer) -> Queue:
    return Queue(server)


def test_what_a_dead_agent_had_is_given_to_one_other(queue: Queue) -> None:
    item = queue.push()
    dead, *others = queue.agent(), queue.agent(), queue.agent()
    assert queue.begin(dead, "r1") == item
    queue.wait()
    assert [queue.popped(other) for other in others] == [item, None]
    assert queue.lost(dead, item) == [item]
    assert queue.finish(dead, item, 0) == "not its own"
    assert queue.finish(others[0], item, 0) == "FINISHED"


def test_an_agent_that_gives_signs_of_life_keeps_what_it_has(queue: Queue) -> None:
    items = [queue.push(), queue.push()]
    agent = queue.agent()
    assert queue.begin(agent, "r1") == items[0]
    assert queue.popped(agent) == items[1]
    for _ in range(5):
        queue.server.clock.advance(QUEUE_LEASE_SECONDS - 1)
        assert queue.lost(agent, *items) == []
        assert queue.popped(queue.agent()) is None


def test_an_item_of_an_official_agent_is_the_runs_once_it_is_acknowledged(queue: Queue) -> None:
    """Those agents say that they live, but not which items they have."""
    item = queue.push()
    agent = queue.agent()
    assert queue.popped(agent) == item
    assert queue.acknowledge(item, "r1", None)
    queue.wait()
    assert queue.popped(queue.agent()) is None
    assert queue.item(item)["state"] == "CLAIMED"


def test_a_run_that_outlives_its_agent_is_not_begun_again(queue: Queue) -> None:
    server = queue.server
    item = queue.push()
    queue.begin(queue.agent(), "r1")
    server.upsert("r1")
    server.clock.advance(QUEUE_LEASE_SECONDS - 1)
    server.stream({}, "r1")
    server.clock.advance(2)
    assert queue.popped(queue.agent()) is None
    server.stream({"complete": True, "exitcode": 0}, "r1")
    queue.wait()
    assert queue.popped(queue.agent()) is None
    assert (queue.item(item)["state"], queue.item(item)["exitCode"]) == ("FINISHED", 0)


def test_a_failed_item_is_tried_again_as_often_as_it_may(queue: Queue) -> None:
    item = queue.push(retries=2)
    agent = queue.agent()
    states = []
    for attempt in range(3):
        assert queue.begin(agent, f"r{attempt}") == item
        states.append(queue.finish(agent, item, 3))
    assert states == ["PENDING", "PENDING", "FAILED"]
    found = queue.item(item)
    assert (found["handed"], found["exitCode"]) == (3, 3)
    assert [event["what"] for event in found["events"]] == [
        "pushed", *["popped", "started", "failed, is tried again"] * 2, "popped", "started", "failed",
    ]  # fmt: skip
    assert found["launchAgent"] == {"hostname": "machine"}


def test_a_preempted_run_is_gone_on_with_by_the_next_agent(queue: Queue) -> None:
    item, agent = queue.push(), queue.agent()
    queue.begin(agent, "r1")
    queue.server.upsert("r1")
    queue.server.stream({"preempting": True}, "r1")
    assert queue.finish(agent, item, 143) == "PENDING"
    found = queue.pop(queue.agent())
    assert (found["runQueueItemId"], found["runToResume"], found["handed"]) == (item, "r1", 2)
    queue.server.stream({"complete": True, "exitcode": 143}, "r1")
    assert queue.server.run("state", name="r1")["state"] == "preempted"


def test_an_item_that_asks_for_more_gpus_than_there_are_stays(queue: Queue) -> None:
    large, small = queue.push(gpus=4), queue.push(gpus=1)
    query = POP.replace("launchAgentId: $agent", "launchAgentId: $agent, gpusMax: 2")
    assert queue.server.execute(query, agent=queue.agent())["popFromRunQueue"]["runQueueItemId"] == small
    assert queue.server.execute(query, agent=queue.agent())["popFromRunQueue"] is None
    assert queue.popped(queue.agent()) == large


def test_what_an_agent_gives_back_is_there_at_once_with_its_place_in_the_line(queue: Queue) -> None:
    first, _second = queue.push(), queue.push()
    agent = queue.agent()
    queue.begin(agent, "r1")
    assert queue.server.execute(RETURN, agent=agent, item=first)["returnRunQueueItem"]["success"]
    found = queue.pop(queue.agent())
    assert (found["runQueueItemId"], found["runToResume"]) == (first, None)
    assert not queue.server.execute(RETURN, agent=agent, item=first)["returnRunQueueItem"]["success"]


def test_an_item_that_ends_every_agent_is_not_handed_out_for_ever(queue: Queue) -> None:
    item = queue.push()
    for number in range(QUEUE_HANDED_MAX):
        assert queue.begin(queue.agent(), f"r{number}") == item
        queue.wait()
    assert queue.popped(queue.agent()) is None
    found = queue.item(item)
    assert found["state"] == "FAILED"
    assert f"handed to {QUEUE_HANDED_MAX} agents" in found["message"]


def test_a_queue_without_priorities_keeps_the_order_in_which_items_came(queue: Queue) -> None:
    create = CREATE.replace("access: PROJECT", "access: PROJECT, prioritizationMode: DISABLED")
    queue.server.execute(create)
    items = [queue.push(priority=3), queue.push(priority=0)]
    assert [queue.popped(queue.agent()) for _ in items] == items


def test_a_queue_of_one_users_own_is_not_there_for_others(queue: Queue) -> None:
    """Of a team: both may write to its project."""
    server = queue.server
    create = CREATE.replace('projectName: "demo"', 'entityName: "crew", projectName: "shared"')
    query = """query Q { project(entityName: "crew", name: "shared") { runQueues { name }
        runQueue(name: "mine") { name } } }"""
    push = PUSH.replace('projectName: "demo",', 'entityName: "crew", projectName: "shared",').replace('"q"', '"mine"')
    with server.as_new_user("other") as other:
        server.execute('mutation { createTeam(input: {teamName: "crew"}) { entity { name } } }')
        invite = 'mutation { createInvite(input: {entityName: "crew", username: "other"}) { invite { id } } }'
        server.execute(invite)

        def ask(document: str, **variables: Any) -> Any:
            body = {"query": document, "variables": variables, "operationName": ""}
            return other.post(f"{server.url}/graphql", json=body, timeout=30).json()

        server.execute(create)
        mine = server.execute(create.replace('"q"', '"mine"').replace("PROJECT", "USER"))["createRunQueue"]["queueID"]
        item = server.execute(push, spec="{}")["pushToRunQueueByName"]["runQueueItemId"]
        assert ask(query)["data"]["project"] == {"runQueues": [{"name": "q"}], "runQueue": None}
        shown = other.get(f"{server.url}/api/projects/crew/shared/queues", timeout=30).json()["queues"]
        assert [one["name"] for one in shown] == ["q"]
        refused = [
            ask(push, spec="{}"),
            ask(AGENT, queue=mine),
            ask(ACKNOWLEDGE, item=item, run="r1"),
            ask(create.replace('"q"', '"mine"')),
        ]
    assert [answer["errors"][0]["message"] for answer in refused] == [
        "queue 'mine' was not found",
        f"queue {mine!r} was not found",
        f"queue item {item!r} was not found",
        "a queue 'mine' of crew/shared is somebody's own; choose another name",
    ]


def test_a_server_that_was_away_gives_agents_time_to_be_heard(tmp_path: Path) -> None:
    with LiveServer(tmp_path / "data") as before:
        before.clock.advance(-3600)
        queue = Queue(before)
        item, agent = queue.push(), queue.agent()
        queue.begin(agent, "r1")
    with LiveServer(tmp_path / "data") as after:
        queue.server = after
        assert queue.popped(queue.agent()) is None
        assert queue.lost(agent, item) == []
        queue.wait()
        assert queue.popped(queue.agent()) == item


def test_two_hundred_agents_on_one_queue_get_each_item_once(queue: Queue) -> None:
    """At the same time; and what every fourth of them dies with is handed out once more, to one of the others."""
    server, agents_count = queue.server, 200
    everything = {queue.push() for _ in range(agents_count)}
    agents = [queue.agent() for _ in range(agents_count)]
    taken: dict[str, list[str]] = {agent: [] for agent in agents}
    barrier = threading.Barrier(agents_count)

    def take(agent: str) -> None:
        barrier.wait()
        with requests.Session() as session:
            session.trust_env, session.auth = False, ("api", server.key)
            while True:
                body = {"query": POP, "variables": {"agent": agent}, "operationName": ""}
                answer = session.post(f"{server.url}/graphql", json=body, timeout=60).json()
                item = answer["data"]["popFromRunQueue"]
                if item is None:
                    return
                taken[agent].append(item["runQueueItemId"])

    def all_take(those: list[str]) -> None:
        barrier.reset()
        threads = [threading.Thread(target=take, args=(agent,)) for agent in those]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    all_take(agents)
    assert collections.Counter(item for items in taken.values() for item in items) == dict.fromkeys(everything, 1)
    dead = set(agents[::4])
    left = {item for agent in dead for item in taken.pop(agent)}
    server.clock.advance(QUEUE_LEASE_SECONDS - 1)
    for agent, items in taken.items():
        assert queue.lost(agent, *items) == []
    server.clock.advance(2)
    taken = {agent: [] for agent in taken}
    barrier = threading.Barrier(len(taken))
    all_take(list(taken))
    assert collections.Counter(item for items in taken.values() for item in items) == dict.fromkeys(left, 1)
