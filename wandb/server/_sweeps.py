"""Sweeps and their agents: rows, and what an agent is told to do when it says that it is alive.

A run is made when it is handed to an agent, as ``pending``. An agent that asks again without having begun it, because
the answer got lost, gets the same run again; one that asks a third time does not.
"""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml
from sqlalchemy import (
    Column,
    Connection,
    Float,
    ForeignKey,
    Integer,
    String,
    Table,
    Text,
    delete,
    insert,
    select,
    update,
)
from sqlalchemy import UniqueConstraint as Unique

from .._filters import lookup
from ._auth import User, user_by_id
from ._limits import NESTING_MAX, SWEEP_CHARACTERS_MAX, SWEEP_NODES_MAX
from ._names import new_run_id, run_storage_id
from ._store import Project, Run, create_run, list_runs, project_by_id, update_run
from ._sweep_search import (
    METHODS,
    SweepConfigError,
    Trial,
    grid_point,
    grid_size,
    nested,
    parameters_of,
    promising_point,
    random_point,
)
from ._tables import metadata
from ._values import finite_number

STATES = ("PENDING", "RUNNING", "PAUSED", "FINISHED", "CANCELED", "STOPPED")
_OVER = ("FINISHED", "CANCELED", "STOPPED")
_ALIVE = ("running", "pending", "preempting")
_HANDED_MAX = 2

sweeps = Table(
    "sweeps",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("project_id", ForeignKey("projects.id"), nullable=False),
    Column("user_id", ForeignKey("users.id"), nullable=False),
    Column("name", String, nullable=False),
    Column("display_name", Text),
    Column("description", Text),
    # YAML, as it came.
    Column("config", Text, nullable=False),
    Column("state", String, nullable=False),
    Column("controller", Text),
    Column("scheduler", Text),
    # Points that were handed out; the place in a grid.
    Column("handed", Integer, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("updated_at", Float, nullable=False),
    Column("heartbeat_at", Float, nullable=False),
    Unique("project_id", "name"),
)

agents = Table(
    "sweep_agents",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("sweep_id", ForeignKey("sweeps.id"), nullable=False, index=True),
    Column("name", String, nullable=False),
    Column("host", Text, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("heartbeat_at", Float, nullable=False),
    # The run that it was told to begin last, and how often.
    Column("run", String),
    Column("run_handed", Integer, nullable=False),
    # All runs that it was told to begin, as a JSON list.
    Column("runs", Text, nullable=False),
)


@dataclass(frozen=True)
class Sweep:
    """A row of ``sweeps``."""

    id: int
    project_id: int
    user_id: int
    name: str
    display_name: str | None
    description: str | None
    config: str
    state: str
    controller: str | None
    scheduler: str | None
    handed: int
    created_at: float
    updated_at: float
    heartbeat_at: float

    @property
    def settings(self) -> dict[str, Any]:
        return parse_sweep_config(self.config)


@dataclass(frozen=True)
class Agent:
    """A row of ``sweep_agents``."""

    id: int
    sweep_id: int
    name: str
    host: str
    created_at: float
    heartbeat_at: float
    run: str | None
    run_handed: int
    runs: str


def parse_sweep_config(text: str) -> dict[str, Any]:
    """The configuration in a YAML text, checked as far as the search relies on it."""
    if len(text) > SWEEP_CHARACTERS_MAX:
        raise SweepConfigError(f"a sweep's configuration has at most {SWEEP_CHARACTERS_MAX} characters")
    try:
        config = yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise SweepConfigError(f"the sweep's configuration is not YAML: {error}") from None
    if not isinstance(config, dict):
        raise SweepConfigError("a sweep's configuration must be an object with 'method' and 'parameters'")
    # A few lines of YAML that refer to each other can mean more than a machine can hold.
    _count_nodes(config, [0], 0)
    config.setdefault("method", "random")
    if config["method"] not in (*METHODS, "custom"):
        raise SweepConfigError(f"a sweep's method is one of {', '.join(METHODS)}, not {config['method']!r}")
    if config["method"] in METHODS:
        parameters = parameters_of(config)
        if config["method"] == "grid":
            grid_size(parameters)
        if config["method"] == "bayes" and not metric_of(config)[0]:
            raise SweepConfigError("bayes needs 'metric' with the name to optimize")
    return config


def _count_nodes(value: Any, seen: list[int], depth: int) -> None:
    seen[0] += 1
    if seen[0] > SWEEP_NODES_MAX or depth > NESTING_MAX:
        raise SweepConfigError("the sweep's configuration is too large or nested too deeply")
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for item in inner:
        _count_nodes(item, seen, depth + 1)


def metric_of(config: Mapping[str, Any]) -> tuple[str, bool]:
    """The name of what a sweep optimizes, and whether more of it is better."""
    metric = config.get("metric")
    if not isinstance(metric, Mapping):
        return "", False
    return str(metric.get("name") or ""), metric.get("goal") == "maximize"


def find_sweep(connection: Connection, project_id: int, name: str) -> Sweep | None:
    row = connection.execute(select(sweeps).where(sweeps.c.project_id == project_id, sweeps.c.name == name)).first()
    return Sweep(**row._mapping) if row is not None else None


def sweep_by_id(connection: Connection, sweep_id: int) -> Sweep | None:
    row = connection.execute(select(sweeps).where(sweeps.c.id == sweep_id)).first()
    return Sweep(**row._mapping) if row is not None else None


def list_sweeps(connection: Connection, project_id: int) -> list[Sweep]:
    """All sweeps of a project, newest first."""
    query = select(sweeps).where(sweeps.c.project_id == project_id).order_by(sweeps.c.id.desc())
    return [Sweep(**row._mapping) for row in connection.execute(query)]


def create_sweep(connection: Connection, project: Project, user: User, values: dict[str, Any], now: float) -> Sweep:
    name = new_run_id()
    times = {"created_at": now, "updated_at": now, "heartbeat_at": now}
    row = {"project_id": project.id, "user_id": user.id, "name": name, "state": "PENDING", "handed": 0}
    connection.execute(insert(sweeps).values(**row, **times, **values))
    made = find_sweep(connection, project.id, name)
    assert made is not None
    return made


def update_sweep(connection: Connection, sweep_id: int, values: dict[str, Any]) -> None:
    connection.execute(update(sweeps).where(sweeps.c.id == sweep_id).values(**values))


def delete_project_sweeps(connection: Connection, project_id: int) -> None:
    of_project = select(sweeps.c.id).where(sweeps.c.project_id == project_id)
    connection.execute(delete(agents).where(agents.c.sweep_id.in_(of_project)))
    connection.execute(delete(sweeps).where(sweeps.c.project_id == project_id))


def runs_of_sweep(connection: Connection, sweep: Sweep) -> list[Run]:
    return [run for run in list_runs(connection, sweep.project_id) if run.sweep == sweep.name]


def create_agent(connection: Connection, sweep: Sweep, host: str, now: float) -> Agent:
    row = {"sweep_id": sweep.id, "name": new_run_id(), "host": host, "run_handed": 0, "runs": "[]"}
    made = connection.execute(insert(agents).values(**row, created_at=now, heartbeat_at=now))
    assert made.inserted_primary_key is not None
    agent = agent_by_id(connection, made.inserted_primary_key[0])
    assert agent is not None
    return agent


def agent_by_id(connection: Connection, agent_id: int) -> Agent | None:
    row = connection.execute(select(agents).where(agents.c.id == agent_id)).first()
    return Agent(**row._mapping) if row is not None else None


def list_agents(connection: Connection, sweep_id: int) -> list[Agent]:
    query = select(agents).where(agents.c.sweep_id == sweep_id).order_by(agents.c.id)
    return [Agent(**row._mapping) for row in connection.execute(query)]


def heartbeat(connection: Connection, agent: Agent, busy: Mapping[str, Any], now: float) -> list[dict[str, Any]]:
    """Note that an agent lives, and say what it has to do. ``busy`` has its runs that are alive."""
    sweep = sweep_by_id(connection, agent.sweep_id)
    assert sweep is not None
    connection.execute(update(agents).where(agents.c.id == agent.id).values(heartbeat_at=now))
    update_sweep(connection, sweep.id, {"heartbeat_at": now})
    alive = [name for name, lives in busy.items() if lives]
    runs = {run.name: run for run in runs_of_sweep(connection, sweep)}
    stopped = [name for name in alive if sweep.state == "CANCELED" or (name in runs and runs[name].stop_requested)]
    if stopped:
        return [{"type": "stop", "run_id": name} for name in stopped]
    if alive or sweep.state == "PAUSED":
        return []
    if sweep.state in _OVER:
        return [{"type": "exit"}]
    return _next_run(connection, sweep, agent, runs, now)


def _next_run(
    connection: Connection, sweep: Sweep, agent: Agent, runs: Mapping[str, Run], now: float
) -> list[dict[str, Any]]:
    waiting = runs.get(agent.run or "")
    if waiting is not None and waiting.state == "pending":
        if agent.run_handed < _HANDED_MAX:
            connection.execute(update(agents).where(agents.c.id == agent.id).values(run_handed=agent.run_handed + 1))
            return [_command(sweep, waiting)]
        update_run(connection, waiting.id, {"state": "failed", "finished_at": now})
    config = sweep.settings
    point = None if _is_full(config, runs) else _point(config, sweep, list(runs.values()), now)
    if point is None:
        # Runs of other agents may still go on; a sweep is over when nothing is left to begin.
        update_sweep(connection, sweep.id, {"state": "FINISHED", "updated_at": now})
        return [{"type": "exit"}]
    project, user = project_by_id(connection, sweep.project_id), user_by_id(connection, sweep.user_id)
    assert project is not None
    assert user is not None
    run = create_run(connection, project, user, new_run_id(), now)
    values = {"state": "pending", "sweep": sweep.name, "config": json.dumps(nested(point))}
    update_run(connection, run.id, values)
    update_sweep(connection, sweep.id, {"handed": sweep.handed + 1, "state": "RUNNING", "updated_at": now})
    begun = json.dumps([*json.loads(agent.runs), run.name])
    connection.execute(update(agents).where(agents.c.id == agent.id).values(run=run.name, run_handed=1, runs=begun))
    return [_command(sweep, run, nested(point))]


def _is_full(config: Mapping[str, Any], runs: Mapping[str, Run]) -> bool:
    cap = config.get("run_cap")
    return isinstance(cap, int) and len(runs) >= cap


def _point(config: Mapping[str, Any], sweep: Sweep, runs: list[Run], now: float) -> dict[tuple[str, ...], Any] | None:
    if config["method"] not in METHODS:
        return None
    parameters = parameters_of(config)
    if config["method"] == "grid":
        return grid_point(parameters, sweep.handed)
    # Seeded by the sweep and the number of the point, so that a point can be found again.
    source = random.Random(f"{sweep.name}-{sweep.handed}")
    if config["method"] == "random":
        return random_point(parameters, source)
    name, maximize = metric_of(config)
    trials = []
    for run in runs:
        loss = finite_number(lookup(json.loads(run.summary), name))
        if loss is not None and run.state_at(now) not in _ALIVE:
            tried = json.loads(run.config)
            values = {parameter.path: _tried(tried, parameter.path) for parameter in parameters}
            trials.append(Trial(values, -loss if maximize else loss))
    return promising_point(parameters, trials, source)


def _tried(config: Mapping[str, Any], path: tuple[str, ...]) -> Any:
    value = config.get(path[0])
    value = value.get("value") if isinstance(value, dict) else None
    for name in path[1:]:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _command(sweep: Sweep, run: Run, arguments: dict[str, Any] | None = None) -> dict[str, Any]:
    return {
        "type": "run",
        "run_id": run.name,
        "run_storage_id": run_storage_id(run.key),
        "program": sweep.settings.get("program"),
        "args": json.loads(run.config) if arguments is None else arguments,
        "logs": [],
    }


def best_loss(sweep: Sweep, runs: list[Run]) -> float | None:
    """The best value of the sweep's metric in the runs' summaries."""
    name, maximize = metric_of(sweep.settings)
    found = [finite_number(lookup(json.loads(run.summary), name)) for run in runs] if name else []
    values = [value for value in found if value is not None]
    return (max if maximize else min)(values) if values else None


def runs_expected(sweep: Sweep) -> int | None:
    """How many runs a sweep will have; None where it goes on until it is stopped."""
    config = sweep.settings
    cap = config.get("run_cap")
    size = grid_size(parameters_of(config)) if config["method"] == "grid" else None
    known = [number for number in (cap if isinstance(cap, int) else None, size) if number is not None]
    return min(known) if known else None
