"""Sweeps and their agents: rows, and what an agent is told to do when it says that it is alive.

A run is made when it is handed to an agent, as ``pending``. An agent that asks again without having begun it, because
the answer got lost, gets the same run again; one that asks a third time does not.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Mapping, Sequence
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
from ..sweeps import (
    OVER,
    Answer,
    Checked,
    Plan,
    SweepConfigError,
    SweepRun,
    Trial,
    answer,
    check_leniently,
    check_searchable,
    nested,
    upcoming,
    values_of,
)
from ._auth import User, user_by_id
from ._limits import HEARTBEAT_SILENCE_SECONDS_MAX, NESTING_MAX, SWEEP_CHARACTERS_MAX, SWEEP_NODES_MAX
from ._names import new_run_id, run_storage_id
from ._store import Project, Run, create_run, list_runs, project_by_id, update_run
from ._tables import metadata
from ._values import finite_number, parse_object

# Of a run, the values of its sweep's metric, the oldest first.
MetricHistory = Callable[[Run, str], Sequence[float]]

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
    created_at: float
    updated_at: float
    heartbeat_at: float

    @property
    def settings(self) -> dict[str, Any]:
        return parse_sweep_config(self.config)

    @property
    def checked(self) -> Checked:
        return checked_config(self.config)


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
    """The configuration in a YAML text. Raises SweepConfigError."""
    if len(text) > SWEEP_CHARACTERS_MAX:
        raise SweepConfigError((), f"has more than {SWEEP_CHARACTERS_MAX} characters")
    try:
        config = yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise SweepConfigError((), f"is not YAML: {error}") from None
    if not isinstance(config, dict):
        raise SweepConfigError((), f"must be an object with 'method' and 'parameters', not {type(config).__name__}")
    # A few lines of YAML that refer to each other can mean more than a machine can hold.
    _count_nodes(config, [0], 0)
    return config


@functools.lru_cache(maxsize=256)
def checked_config(text: str) -> Checked:
    """The same, checked; what it leaves out stands in its warnings. Raises SweepConfigError."""
    checked = check_leniently(parse_sweep_config(text))
    check_searchable(checked)
    return checked


def _count_nodes(value: Any, seen: list[int], depth: int) -> None:
    seen[0] += 1
    if seen[0] > SWEEP_NODES_MAX or depth > NESTING_MAX:
        raise SweepConfigError((), "is too large or nested too deeply")
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
    row = {"project_id": project.id, "user_id": user.id, "name": name, "state": "PENDING"}
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


def heartbeat(
    connection: Connection, agent: Agent, busy: Mapping[str, Any], now: float, history: MetricHistory
) -> list[dict[str, Any]]:
    """Note that an agent lives, and say what it has to do. ``busy`` has its runs that are alive."""
    # Whoever else asks about this sweep waits until this answer is written down.
    connection.execute(select(sweeps.c.id).where(sweeps.c.id == agent.sweep_id).with_for_update())
    sweep = sweep_by_id(connection, agent.sweep_id)
    assert sweep is not None
    connection.execute(update(agents).where(agents.c.id == agent.id).values(heartbeat_at=now))
    update_sweep(connection, sweep.id, {"heartbeat_at": now})
    alive = [name for name, lives in busy.items() if lives]
    for run in runs_of_sweep(connection, sweep):
        # What a run itself has to say may still be on its way.
        if run.name in alive and run.state in ("pending", "running"):
            update_run(connection, run.id, {"state": "running", "heartbeat_at": now})
    runs = runs_of_sweep(connection, sweep)
    plan = Plan(_plan(sweep).get("schedule") or (), _scheduled(sweep))
    trials = _trials(connection, sweep, runs, now, history)
    given = answer(sweep.name, sweep.checked, sweep.state, str(agent.id), alive, trials, plan)
    for run in runs:
        if run.name in given.failed:
            update_run(connection, run.id, {"state": "failed", "finished_at": now})
    return _carry_out(connection, sweep, agent, given, {run.name: run for run in runs}, now)


def next_proposals(
    connection: Connection, sweep: Sweep, now: float, history: MetricHistory, count: int
) -> list[dict[str, Any]]:
    """The arguments of the runs that would begin next. Raises SweepConfigError where nothing can be proposed."""
    if sweep.state in OVER:
        return []
    if sweep.checked.local:
        entry = Plan(_plan(sweep).get("schedule") or (), _scheduled(sweep)).next()
        return [] if entry is None else [entry["data"]["args"]]
    trials = [run.trial for run in _trials(connection, sweep, runs_of_sweep(connection, sweep), now, history)]
    return [nested(values) for values in upcoming(sweep.name, sweep.checked, trials, count)]


def _carry_out(
    connection: Connection, sweep: Sweep, agent: Agent, given: Answer, runs: Mapping[str, Run], now: float
) -> list[dict[str, Any]]:
    if given.stop:
        return [{"type": "stop", "run_id": name} for name in given.stop]
    if given.hand_again is not None:
        run = runs[given.hand_again]
        if given.resume:
            update_run(connection, run.id, {"state": "pending", "preempting": False})
        _hand(connection, agent, run, agent.run_handed + 1 if agent.run == run.name and not given.resume else 1)
        arguments = json.loads(run.config)
        if run.history_count:  # the config is the program's by now
            arguments = nested(values_of(sweep.checked.parameters, arguments))
        return [_command(sweep, run, arguments, "resume" if run.history_count else "run")]
    if given.planned is not None:
        arguments = given.planned["data"]["args"]
        run = _begin(connection, sweep, agent, arguments, now)
        entry = {"id": given.planned["id"], "runid": run.name}
        update_sweep(connection, sweep.id, {"scheduler": json.dumps({"scheduled": [*_scheduled(sweep), entry]})})
        return [_command(sweep, run, arguments)]
    if given.begin is not None:
        arguments = nested(given.begin)
        return [_command(sweep, _begin(connection, sweep, agent, arguments, now), arguments)]
    if given.finished:
        update_sweep(connection, sweep.id, {"state": "FINISHED", "updated_at": now})
    return [{"type": "exit"}] if given.leave else []


def enqueue_run(
    connection: Connection, sweep: Sweep, user: User, config: Mapping[str, Any], display_name: str | None, now: float
) -> Run:
    """Make a run that somebody wants tried. It has no agent, so the next one that asks gets it."""
    wrapped = all(isinstance(value, dict) and "value" in value for value in config.values())
    run = _make_run(
        connection, sweep, user, config if wrapped else nested({(key,): config[key] for key in config}), now
    )
    if display_name:
        update_run(connection, run.id, {"display_name": display_name})
    return run


def _begin(connection: Connection, sweep: Sweep, agent: Agent, arguments: Mapping[str, Any], now: float) -> Run:
    user = user_by_id(connection, sweep.user_id)
    assert user is not None
    run = _make_run(connection, sweep, user, arguments, now)
    update_sweep(connection, sweep.id, {"state": "RUNNING", "updated_at": now})
    _hand(connection, agent, run, 1)
    return run


def _make_run(connection: Connection, sweep: Sweep, user: User, arguments: Mapping[str, Any], now: float) -> Run:
    project = project_by_id(connection, sweep.project_id)
    assert project is not None
    run = create_run(connection, project, user, new_run_id(), now)
    update_run(connection, run.id, {"state": "pending", "sweep": sweep.name, "config": json.dumps(arguments)})
    return run


def _hand(connection: Connection, agent: Agent, run: Run, handed: int) -> None:
    begun = json.dumps(list(dict.fromkeys([*json.loads(agent.runs), run.name])))
    values = {"run": run.name, "run_handed": handed, "runs": begun}
    connection.execute(update(agents).where(agents.c.id == agent.id).values(**values))


def _trials(
    connection: Connection, sweep: Sweep, runs: Sequence[Run], now: float, history: MetricHistory
) -> list[SweepRun]:
    checked = sweep.checked
    metric = checked.metric["name"] if checked.metric is not None else None
    curves = metric is not None and (checked.early_terminate is not None or "target" in (checked.metric or {}))
    holders = {agent.run: agent for agent in list_agents(connection, sweep.id)}
    stopping = set(_plan(sweep).get("earlystop") or ())
    found = []
    for run in runs:
        values: Sequence[float] = ()
        if curves and metric is not None:
            values = history(run, metric)
        elif metric is not None:
            last = finite_number(lookup(json.loads(run.summary), metric))
            values = () if last is None else (last,)
        trial = Trial(values_of(checked.parameters, json.loads(run.config)), run.state_at(now), values)
        holder = holders.get(run.name)
        lives = holder is not None and now - holder.heartbeat_at <= HEARTBEAT_SILENCE_SECONDS_MAX
        stops = run.stop_requested or run.name in stopping
        handed = holder.run_handed if holder is not None else 0
        found.append(SweepRun(run.name, trial, str(holder.id) if holder is not None else "", lives, handed, stops))
    return found


def _plan(sweep: Sweep) -> dict[str, Any]:
    return parse_object(sweep.controller or "") or {}


def _scheduled(sweep: Sweep) -> list[Any]:
    return list((parse_object(sweep.scheduler or "") or {}).get("scheduled") or ())


def _command(sweep: Sweep, run: Run, arguments: Mapping[str, Any], kind: str = "run") -> dict[str, Any]:
    return {
        "type": kind,
        "run_id": run.name,
        "run_storage_id": run_storage_id(run.key),
        "program": sweep.settings.get("program"),
        "args": arguments,
        "logs": [],
    }


def best_loss(sweep: Sweep, runs: list[Run]) -> float | None:
    """The best value of the sweep's metric in the runs' summaries."""
    name, maximize = metric_of(sweep.settings)
    found = [finite_number(lookup(json.loads(run.summary), name)) for run in runs] if name else []
    values = [value for value in found if value is not None]
    return (max if maximize else min)(values) if values else None
