"""Sweeps and agents: what is tried, what an agent is told, and what a lost answer changes."""

from __future__ import annotations

import json
import math
import random
from typing import Any

import pytest
from live_server import LiveServer

from wandb.server._sweep_search import SweepConfigError, Trial, grid_point, nested, parameters_of, promising_point
from wandb.server._sweeps import parse_sweep_config

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


def test_bayesian_search_finds_a_valley_sooner_than_chance() -> None:
    config = parse_sweep_config("method: bayes\nmetric: {name: l}\nparameters: {x: {min: 0.0, max: 1.0}}\n")
    parameters = parameters_of(config)
    best = []
    for seed in range(5):
        source = random.Random(seed)
        trials: list[Trial] = []
        for _ in range(15):
            point = promising_point(parameters, trials, source)
            trials.append(Trial(point, (point[("x",)] - 0.73) ** 2))
        best.append(math.sqrt(min(trial.loss for trial in trials)))
    assert max(best) < 0.02


def test_nested_parameters_stay_nested() -> None:
    text = "method: grid\nparameters: {o: {parameters: {lr: {values: [1, 2]}, m: {value: 0}}}, s: {value: 7}}\n"
    parameters = parameters_of(parse_sweep_config(text))
    point = grid_point(parameters, 1)
    assert point is not None
    assert nested(point) == {"o": {"value": {"lr": 2, "m": 0}}, "s": {"value": 7}}
    assert grid_point(parameters, 2) is None


@pytest.mark.parametrize(
    ("config", "problem"),
    [
        ("[1]", "must be an object"),
        ("method: grid\nparameters: {x: {min: 0.0, max: 1.0}}", "a grid needs"),
        ("method: odd\nparameters: {x: {value: 1}}", "one of grid, random, bayes"),
        ("method: random\nparameters: {x: {distribution: odd}}", "not known"),
        ("method: random\nparameters: {x: {distribution: log_uniform_values, min: 0, max: 1}}", "can't be drawn"),
        ("method: grid\nparameters: {x: {min: 1, max: 9000}, y: {min: 1, max: 9000}}", "the limit is"),
        ("method: bayes\nparameters: {x: {value: 1}}", "bayes needs 'metric'"),
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
        parse_sweep_config(config)
