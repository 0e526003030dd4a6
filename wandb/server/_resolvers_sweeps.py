"""Resolvers of sweeps and their agents."""

from __future__ import annotations

import json
from typing import Any

from graphql import GraphQLError

from .._filters import FilterError, RowView, matches, ordered, parse_filter, sortable_time
from ..sweeps import OVER, STATES, SweepConfigError, runs_expected
from ._filters import run_view
from ._graphql import Resolvers
from ._limits import HEARTBEAT_SILENCE_SECONDS_MAX
from ._lines import HISTORY
from ._names import parse_storage_number, storage_id
from ._resolvers import allowed_entity, allowed_project, connection_of, project_for_writing, require_allowed
from ._series import charts_of
from ._services import RequestContext, iso_time
from ._store import Project, Run, list_runs, project_by_id, update_run
from ._sweeps import (
    Agent,
    MetricHistory,
    Sweep,
    agent_by_id,
    best_loss,
    checked_config,
    create_agent,
    create_sweep,
    enqueue_run,
    find_sweep,
    heartbeat,
    list_agents,
    list_sweeps,
    runs_of_sweep,
    sweep_by_id,
    update_sweep,
)
from ._values import parse_object

# A run is judged by its first rows; Hyperband's brackets beyond so many are a matter of days.
_CURVE_ROWS_MAX = 1_000_000


def _project_of(sweep: Sweep, context: RequestContext) -> Project:
    project = project_by_id(context.connection, sweep.project_id)
    assert project is not None
    return project


def _project_sweep(project: Project, context: RequestContext, sweepName: str | None = None) -> Sweep | None:
    return find_sweep(context.connection, project.id, sweepName or "")


def _project_sweeps(
    project: Project,
    context: RequestContext,
    after: str | None = None,
    first: int | None = None,
    filters: str | None = None,
    order: str | None = None,
) -> dict[str, Any]:
    views = [RowView(sweep, _values(sweep)) for sweep in list_sweeps(context.connection, project.id)]
    try:
        expression = parse_filter(filters)
        found = ordered([view for view in views if matches(view, expression)], order or "-created_at")
    except FilterError as error:
        raise GraphQLError(str(error)) from None
    return connection_of([view.row for view in found], after, first)


def _values(sweep: Sweep) -> dict[str, Any]:
    created = sortable_time(sweep.created_at)
    names = {"displayName": sweep.display_name, "display_name": sweep.display_name}
    return {"name": sweep.name, "state": sweep.state, "created_at": created, "createdAt": created, **names}


def _upsert_sweep(_: None, context: RequestContext, input: dict[str, Any]) -> dict[str, Any]:
    sweep = _sweep_to_change(context, input) if input.get("id") else None
    names = {"displayName": "display_name", "description": "description"}
    same = {name: name for name in ("controller", "scheduler", "config")}
    values = {column: input[name] for name, column in {**names, **same}.items() if input.get(name) is not None}
    warnings = _check_config(values["config"]) if "config" in values else []
    if input.get("state") is not None:
        if input["state"] not in STATES:
            raise GraphQLError(f"{input['state']!r} is not a state of a sweep")
        values["state"] = input["state"]
    if sweep is None:
        if "config" not in values:
            raise GraphQLError("a new sweep needs a configuration")
        entity = allowed_entity(context, input.get("entityName"))
        project, _made = project_for_writing(context, entity, input.get("projectName"))
        values.pop("state", None)
        sweep = create_sweep(context.connection, project, context.user, values, context.now)
        _take_prior_runs(sweep, project, context, input.get("priorRunsFilters"))
    else:
        update_sweep(context.connection, sweep.id, {**values, "updated_at": context.now})
    return {"sweep": sweep_by_id(context.connection, sweep.id), "configValidationWarnings": warnings}


def _take_prior_runs(sweep: Sweep, project: Project, context: RequestContext, filters: str | None) -> None:
    """Runs that are no trials yet become some of this sweep."""
    if not filters:
        return
    try:
        expression = parse_filter(filters)
    except FilterError as error:
        raise GraphQLError(str(error)) from None
    for run in list_runs(context.connection, project.id):
        if run.sweep is None and matches(run_view(run, context.now), expression):
            update_run(context.connection, run.id, {"sweep": sweep.name})


def _check_config(text: str) -> list[str]:
    """What is accepted, but hardly meant."""
    try:
        return checked_config(text).warnings
    except SweepConfigError as error:
        raise GraphQLError(str(error)) from None


def _sweep_to_change(context: RequestContext, input: dict[str, Any]) -> Sweep:
    """A sweep by its storage id, or by its name, which old clients send in the same place."""
    number = parse_storage_number("Sweep", input["id"])
    sweep = None if number is None else sweep_by_id(context.connection, number)
    if sweep is None and input.get("projectName"):
        project = allowed_project(context, input.get("entityName"), input["projectName"])
        sweep = None if project is None else find_sweep(context.connection, project.id, input["id"])
    if sweep is None:
        raise GraphQLError(f"sweep {input['id']!r} was not found")
    require_allowed(context, _project_of(sweep, context))
    return sweep


def _enqueue_run(_: None, context: RequestContext, input: dict[str, Any]) -> dict[str, Any]:
    sweep = _sweep_to_change(context, input)
    config = parse_object(input["config"])
    if config is None:
        raise GraphQLError("config must be a JSON object inside a string")
    if sweep.state in OVER:
        raise GraphQLError(
            f"sweep {sweep.name} is {sweep.state.lower()}, no agent asks for runs of it; resume it first"
        )
    run = enqueue_run(context.connection, sweep, context.user, config, input.get("displayName"), context.now)
    return {"id": run.name}


def _create_agent(_: None, context: RequestContext, input: dict[str, Any]) -> dict[str, Any]:
    project = allowed_project(context, input.get("entityName"), input.get("projectName"))
    sweep = None if project is None else find_sweep(context.connection, project.id, input["sweep"])
    if sweep is None:
        raise GraphQLError(f"sweep {input['sweep']!r} was not found")
    return {"agent": create_agent(context.connection, sweep, input["host"], context.now)}


def _heartbeat(_: None, context: RequestContext, input: dict[str, Any]) -> dict[str, Any]:
    number = parse_storage_number("Agent", input["id"])
    agent = None if number is None else agent_by_id(context.connection, number)
    sweep = None if agent is None else sweep_by_id(context.connection, agent.sweep_id)
    if agent is None or sweep is None:
        raise GraphQLError(f"agent {input['id']!r} was not found")
    require_allowed(context, _project_of(sweep, context))
    try:
        busy = json.loads(input.get("runState") or "{}")
    except (ValueError, RecursionError):
        busy = None
    if not isinstance(busy, dict):
        raise GraphQLError("runState must be a JSON object inside a string")
    commands = heartbeat(context.connection, agent, busy, context.now, metric_history(context))
    return {"agent": agent_by_id(context.connection, agent.id), "commands": json.dumps(commands)}


def metric_history(context: RequestContext) -> MetricHistory:
    """Reads the curves by which runs are stopped early."""

    def read(run: Run, metric: str) -> list[float]:
        charts = charts_of(context.connection, context.services.tails, run, HISTORY, "_step")
        found = charts.columns.buckets([metric], 0, 0, min(charts.columns.end, _CURVE_ROWS_MAX)).get(metric)
        return [] if found is None else [float(value) for value in found.last]

    return read


def _sweep_runs(
    sweep: Sweep, context: RequestContext, after: str | None = None, first: int | None = None
) -> dict[str, Any]:
    return connection_of(runs_of_sweep(context.connection, sweep), after, first)


def _sweep_agent(sweep: Sweep, context: RequestContext, agentName: str) -> Agent | None:
    found = list_agents(context.connection, sweep.id)
    number = parse_storage_number("Agent", agentName)
    return next((agent for agent in found if agent.name == agentName or agent.id == number), None)


def _agent_runs(
    agent: Agent,
    context: RequestContext,
    after: str | None = None,
    before: str | None = None,
    first: int | None = None,
    last: int | None = None,
    order: str | None = None,
) -> dict[str, Any]:
    sweep = sweep_by_id(context.connection, agent.sweep_id)
    assert sweep is not None
    begun = set(json.loads(agent.runs))
    runs = [run for run in runs_of_sweep(context.connection, sweep) if run.name in begun]
    return connection_of(runs[-last:] if last else runs, after, first)


SWEEP_RESOLVERS: Resolvers = {
    "Project": {
        "sweep": _project_sweep,
        "sweeps": _project_sweeps,
        "totalSweeps": lambda project, context: len(list_sweeps(context.connection, project.id)),
    },
    "Mutation": {
        "upsertSweep": _upsert_sweep,
        "createAgent": _create_agent,
        "agentHeartbeat": _heartbeat,
        "enqueueSweepRun": _enqueue_run,
    },
    "Sweep": {
        "id": lambda sweep, context: storage_id("Sweep", str(sweep.id)),
        "project": _project_of,
        "displayName": lambda sweep, context: sweep.display_name,
        "method": lambda sweep, context: sweep.checked.method,
        "bestLoss": lambda sweep, context: best_loss(sweep, runs_of_sweep(context.connection, sweep)),
        "earlyStopJobRunning": lambda sweep, context: False,
        "createdAt": lambda sweep, context: iso_time(sweep.created_at),
        "updatedAt": lambda sweep, context: iso_time(sweep.updated_at),
        "heartbeatAt": lambda sweep, context: iso_time(sweep.heartbeat_at),
        "runCount": lambda sweep, context: len(runs_of_sweep(context.connection, sweep)),
        "runCountExpected": lambda sweep, context: runs_expected(sweep.checked),
        "runs": _sweep_runs,
        "agents": lambda sweep, context: {
            "edges": [{"node": agent} for agent in list_agents(context.connection, sweep.id)]
        },
        "agent": _sweep_agent,
    },
    "Agent": {
        "id": lambda agent, context: storage_id("Agent", str(agent.id)),
        "state": lambda agent, context: (
            "RUNNING" if context.now - agent.heartbeat_at <= HEARTBEAT_SILENCE_SECONDS_MAX else "KILLED"
        ),
        "totalRuns": lambda agent, context: len(json.loads(agent.runs)),
        "createdAt": lambda agent, context: iso_time(agent.created_at),
        "heartbeatAt": lambda agent, context: iso_time(agent.heartbeat_at),
        "runs": _agent_runs,
    },
}
