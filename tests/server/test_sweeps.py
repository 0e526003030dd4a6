"""Sweeps and agents: what is tried, what an agent is told, and what a lost answer changes."""

from __future__ import annotations

import json
from typing import Any

import pytest
from live_server import LiveServer

from wandb.server._limits import HEARTBEAT_SILENCE_SECONDS_MAX
from wandb.server._sweeps import checked_config
from wandb.sweeps import SweepConfigError

UPSERT = """mutation S($id: ID, $config: String, $state: String) { upsertSweep(input: {id: $id, config: $config,
    state: $state, projectName: "demo"}) { sweep { id name state runCountExpected } } }"""
AGENT = """mutation A($sweep: String!) { createAgent(input: {host: "h", projectName: "demo", sweep: $sweep}) {
    agent { id } } }"""
BEAT = """mutation B($id: ID!, $runState: JSONString) { agentHeartbeat(input: {id: $id, metrics: "{}",
    runState: $runState}) { commands } }"""
GRID = "method: grid\nmetric: {name: loss, goal: minimize}\nparameters: {a: {values: [1, 2]}, b: {value: 3}}\n"


def begin(server: LiveServer, config: str = GRID) -> tuple[Any, str]:
    sweep = server.execute(UPSERT, config=config)["upsertSweep"]["sweep"]
    return sweep, server.execute(AGENT, sweep=sweep["name"])["createAgent"]["agent"]["id"]


def beat(server: LiveServer, agent: str, **busy: bool) -> list[Any]:
    answer = server.execute(BEAT, id=agent, runState=json.dumps(busy))["agentHeartbeat"]["commands"]
    commands = json.loads(answer)
    assert isinstance(commands, list)
    return commands


def state(server: LiveServer, sweep: Any) -> str:
    query = 'query S($name: String!) { project(name: "demo") { sweep(sweepName: $name) { state } } }'
    return str(server.execute(query, name=sweep["name"])["project"]["sweep"]["state"])


def finish(server: LiveServer, run: str, loss: float) -> None:
    body = {"files": {"wandb-summary.json": {"offset": 0, "content": [json.dumps({"loss": loss})]}}}
    server.stream({**body, "complete": True, "exitcode": 0}, name=run)


def test_a_grid_is_tried_point_by_point_and_then_over(server: LiveServer) -> None:
    sweep, agent = begin(server)
    assert sweep["runCountExpected"] == 2
    seen = []
    for _ in range(2):
        (command,) = beat(server, agent)
        seen.append(command["args"])
        assert beat(server, agent, **{command["run_id"]: True}) == []
        finish(server, command["run_id"], 1.0)
    assert seen == [{"a": {"value": 1}, "b": {"value": 3}}, {"a": {"value": 2}, "b": {"value": 3}}]
    assert beat(server, agent) == [{"type": "exit"}]
    assert state(server, sweep) == "FINISHED"


def test_an_agent_whose_answer_was_lost_gets_the_same_run_again(server: LiveServer) -> None:
    _sweep, agent = begin(server)
    (first,) = beat(server, agent)
    (again,) = beat(server, agent)
    assert again == first
    (third,) = beat(server, agent)
    assert third["run_id"] != first["run_id"]
    assert server.run("state", name=first["run_id"])["state"] == "failed"


ENQUEUE = """mutation E($id: ID!, $config: JSONString!, $name: String) { enqueueSweepRun(input: {id: $id,
    config: $config, displayName: $name}) { id runQueueItemId } }"""


def test_a_run_of_ones_own_comes_before_what_is_searched_and_counts(server: LiveServer) -> None:
    sweep, agent = begin(server)
    wanted = json.dumps({"a": 1, "b": 3, "extra": {"deep": True}})
    made = server.execute(ENQUEUE, id=sweep["id"], config=wanted, name="by hand")["enqueueSweepRun"]["id"]
    assert server.run("state displayName sweepName", name=made) == {
        "state": "pending", "displayName": "by hand", "sweepName": sweep["name"],
    }  # fmt: skip
    (command,) = beat(server, agent)
    assert command["run_id"] == made
    assert command["args"] == {"a": {"value": 1}, "b": {"value": 3}, "extra": {"value": {"deep": True}}}
    finish(server, made, 1.0)
    (other,) = beat(server, agent)
    assert other["args"]["a"] == {"value": 2}, "the grid's first point was tried already"


def test_a_run_for_a_sweep_that_is_over_is_refused(server: LiveServer) -> None:
    sweep, _agent = begin(server)
    server.execute(UPSERT, id=sweep["id"], state="CANCELED")
    for config, problem in (("{}", "resume it first"), ("[]", "JSON object")):
        answer = server.post("/graphql", {"query": ENQUEUE, "variables": {"id": sweep["id"], "config": config}}).json()
        assert problem in answer["errors"][0]["message"]
        server.execute(UPSERT, id=sweep["id"], state="RUNNING")


def test_pausing_and_cancelling_reach_the_agents(server: LiveServer) -> None:
    sweep, agent = begin(server)
    (command,) = beat(server, agent)
    server.execute(UPSERT, id=sweep["id"], state="PAUSED")
    assert beat(server, agent) == []
    server.execute(UPSERT, id=sweep["id"], state="CANCELED")
    assert beat(server, agent, **{command["run_id"]: True}) == [{"type": "stop", "run_id": command["run_id"]}]
    assert beat(server, agent) == [{"type": "exit"}]


def test_a_cap_ends_a_random_search(server: LiveServer) -> None:
    _sweep, agent = begin(server, "method: random\nrun_cap: 1\nparameters: {x: {min: 0.0, max: 1.0}}\n")
    (command,) = beat(server, agent)
    assert 0 <= command["args"]["x"]["value"] <= 1
    finish(server, command["run_id"], 1.0)
    assert beat(server, agent) == [{"type": "exit"}]


@pytest.mark.parametrize(
    ("config", "problem"),
    [
        ("[1]", "must be an object"),
        ("method: grid\nparameters: {x: {min: 0.0, max: 1.0}}", "a grid needs"),
        ("method: odd\nparameters: {x: {value: 1}}", "choose 'grid', 'random', 'bayes'"),
        ("method: bayes\nparameters: {x: {value: 1}}", "'bayes' needs to know"),
        (
            "a: &a [1,1,1,1,1,1,1,1,1,1]\n"
            + "".join(f"{chr(98 + n)}: &{chr(98 + n)} [{','.join(['*' + chr(97 + n)] * 10)}]\n" for n in range(6)),
            "too large",
        ),
        ("{", "not YAML"),
    ],
)
def test_a_configuration_that_cannot_be_searched_says_why(config: str, problem: str) -> None:
    with pytest.raises(SweepConfigError, match=problem):
        checked_config(config)


def test_keys_that_mean_nothing_are_left_out_with_a_warning(server: LiveServer) -> None:
    upsert = UPSERT.replace("{ id name state runCountExpected } }", "{ id } configValidationWarnings }")
    config = "method: random\nodd: 1\nparameters: {x: {value: 1, step: 2}}\n"
    warnings = server.execute(upsert, config=config)["upsertSweep"]["configValidationWarnings"]
    assert ["odd" in warnings[0], "parameters.x.step" in warnings[1], len(warnings)] == [True, True, 2]


def test_what_a_silent_agent_had_not_begun_goes_to_the_next(server: LiveServer) -> None:
    sweep, agent = begin(server)
    (first,) = beat(server, agent)
    other = server.execute(AGENT, sweep=sweep["name"])["createAgent"]["agent"]["id"]
    (second,) = beat(server, other)
    assert second["run_id"] != first["run_id"]
    finish(server, second["run_id"], 1.0)
    assert beat(server, other) == []  # the first agent may still begin its run
    server.clock.advance(HEARTBEAT_SILENCE_SECONDS_MAX + 1)
    (again,) = beat(server, other)
    assert (again["run_id"], again["args"]) == (first["run_id"], first["args"])


def test_a_preempted_run_is_resumed_by_one_agent(server: LiveServer) -> None:
    sweep, agent = begin(server)
    (first,) = beat(server, agent)
    row = json.dumps({"_step": 0, "loss": 1.0})
    body = {"files": {"wandb-history.jsonl": {"offset": 0, "content": [row]}}, "preempting": True}
    server.stream(body, name=first["run_id"])
    server.clock.advance(HEARTBEAT_SILENCE_SECONDS_MAX + 1)
    one, two = (server.execute(AGENT, sweep=sweep["name"])["createAgent"]["agent"]["id"] for _ in "12")
    (again,) = beat(server, one)
    assert (again["type"], again["run_id"], again["args"]) == ("resume", first["run_id"], first["args"])
    (other,) = beat(server, two)
    assert (other["type"], other["args"]["a"]) == ("run", {"value": 2})


def test_a_run_that_comes_to_nothing_is_stopped_early(server: LiveServer) -> None:
    _sweep, agent = begin(
        server,
        "method: random\nmetric: {name: loss}\nparameters: {a: {min: 0.0, max: 1.0}}\n"
        "early_terminate: {type: hyperband, min_iter: 2, eta: 2}\n",
    )
    for number in range(3):
        (command,) = beat(server, agent)
        rows = [json.dumps({"_step": step, "loss": float(number)}) for step in range(3)]
        body: dict[str, Any] = {"files": {"wandb-history.jsonl": {"offset": 0, "content": rows}}}
        server.stream(body, name=command["run_id"])
        told = beat(server, agent, **{command["run_id"]: True})
        assert told == ([{"type": "stop", "run_id": command["run_id"]}] if number == 2 else [])
        server.stream({"complete": True, "exitcode": 0}, name=command["run_id"])


def test_a_local_controller_decides(server: LiveServer) -> None:
    sweep, agent = begin(server, "controller: {type: local}\n" + GRID)
    assert beat(server, agent) == []
    upsert = """mutation C($id: ID, $controller: JSONString) { upsertSweep(input: {id: $id, controller: $controller}) {
        sweep { scheduler } } }"""
    entry = {"id": "e1", "data": {"args": {"z": {"value": 5}}}}
    server.execute(upsert, id=sweep["id"], controller=json.dumps({"schedule": [entry]}))
    (command,) = beat(server, agent)
    assert command["args"] == {"z": {"value": 5}}
    told = server.execute(upsert, id=sweep["id"], controller=json.dumps({"earlystop": [command["run_id"]]}))
    assert json.loads(told["upsertSweep"]["sweep"]["scheduler"]) == {
        "scheduled": [{"id": "e1", "runid": command["run_id"]}]
    }
    assert beat(server, agent, **{command["run_id"]: True}) == [{"type": "stop", "run_id": command["run_id"]}]
