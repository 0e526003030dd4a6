"""Projects and runs: the rows as values, how they are found, made and changed.

Every function takes a connection, so the caller decides what belongs to one transaction.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, overload

from sqlalchemy import Connection, Select, bindparam, delete, func, insert, select, update

from ._auth import User
from ._blocks import drop_blocks
from ._limits import HEARTBEAT_SILENCE_SECONDS_MAX
from ._lines import EVENTS, HISTORY, LOG, copy_rows, delete_lines, forget_rows_after, last_step
from ._names import RunKey, new_display_name
from ._tables import files, project_people, projects, runs, share_links, users
from ._values import parse_object
from ._writers import forget_writers

# States a client may set by itself; the others follow from what the run does.
SETTABLE_STATES = frozenset({"running", "pending", "finished", "failed", "crashed", "killed"})


@dataclass(frozen=True)
class Project:
    """A row of ``projects``."""

    id: int
    entity: str
    name: str
    description: str
    created_at: float
    runs_made: int
    access: str

    @property
    def project_id(self) -> int:
        return self.id


@dataclass(frozen=True)
class Run:
    """A row of ``runs`` with the names around it."""

    id: int
    project_id: int
    user_id: int
    name: str
    display_name: str
    notes: str | None
    tags: str
    run_group: str | None
    job_type: str | None
    sweep: str | None
    commit_hash: str | None
    repo: str | None
    program: str | None
    host: str | None
    config: str
    summary: str
    state: str
    exit_code: int | None
    preempting: bool
    stop_requested: bool
    created_at: float
    heartbeat_at: float
    finished_at: float | None
    history_count: int
    events_count: int
    log_count: int
    last_step: int | None
    rewrites: int
    project: str
    entity: str
    access: str
    user: str

    @property
    def key(self) -> RunKey:
        return RunKey(self.name, self.project, self.entity)

    def state_at(self, now: float) -> str:
        """The state to show: a run that fell silent has crashed, or was preempted as it said."""
        if self.state != "running" or now - self.heartbeat_at <= HEARTBEAT_SILENCE_SECONDS_MAX:
            return "preempting" if self.state == "running" and self.preempting else self.state
        return "preempted" if self.preempting else "crashed"


def line_count(run: Run, kind: str) -> int:
    return {HISTORY: run.history_count, EVENTS: run.events_count, LOG: run.log_count}[kind]


def find_project(connection: Connection, entity: str, name: str) -> Project | None:
    row = connection.execute(select(projects).where(projects.c.entity == entity, projects.c.name == name)).first()
    return Project(**row._mapping) if row is not None else None


def project_by_id(connection: Connection, project_id: int) -> Project | None:
    row = connection.execute(select(projects).where(projects.c.id == project_id)).first()
    return Project(**row._mapping) if row is not None else None


def ensure_project(connection: Connection, entity: str, name: str, now: float) -> tuple[Project, bool]:
    """Find or make a project; the second value says whether it was made."""
    found = find_project(connection, entity, name)
    if found is not None:
        return found, False
    connection.execute(insert(projects).values(entity=entity, name=name, description="", created_at=now, runs_made=0))
    made = find_project(connection, entity, name)
    assert made is not None
    return made, True


def rename_project(connection: Connection, project: Project, name: str) -> None:
    connection.execute(update(projects).where(projects.c.id == project.id).values(name=name))


def describe_project(connection: Connection, project: Project, text: str) -> None:
    connection.execute(update(projects).where(projects.c.id == project.id).values(description=text))


def delete_project(connection: Connection, project: Project) -> None:
    """Delete a project that has no runs any more."""
    for table in (project_people, share_links):
        connection.execute(delete(table).where(table.c.project_id == project.id))
    connection.execute(delete(projects).where(projects.c.id == project.id))


def list_projects(connection: Connection, entity: str | None = None) -> list[Project]:
    query = select(projects).order_by(projects.c.created_at, projects.c.id)
    if entity is not None:
        query = query.where(projects.c.entity == entity)
    return [Project(**row._mapping) for row in connection.execute(query)]


def project_activity(connection: Connection) -> dict[int, tuple[int, float | None]]:
    """For each project the number of its runs and when the last of them was heard."""
    found = connection.execute(
        select(runs.c.project_id, func.count(), func.max(runs.c.heartbeat_at)).group_by(runs.c.project_id)
    )
    return {row[0]: (row[1], row[2]) for row in found}


def _runs_with_names() -> Select[Any]:
    return (
        select(
            runs,
            projects.c.name.label("project"),
            projects.c.entity.label("entity"),
            projects.c.access.label("access"),
            users.c.name.label("user"),
        )
        .join(projects, projects.c.id == runs.c.project_id)
        .join(users, users.c.id == runs.c.user_id)
    )


def find_run(connection: Connection, key: RunKey) -> Run | None:
    row = connection.execute(
        _runs_with_names().where(
            runs.c.name == key.name,
            projects.c.name == key.project,
            projects.c.entity == key.entity,
        )
    ).first()
    return Run(**row._mapping) if row is not None else None


def find_run_id(connection: Connection, key: RunKey) -> int | None:
    query = select(runs.c.id).join(projects, projects.c.id == runs.c.project_id)
    named = (runs.c.name == key.name) & (projects.c.name == key.project) & (projects.c.entity == key.entity)
    return connection.execute(query.where(named)).scalar()


def runs_for_change(connection: Connection, run_ids: Iterable[int]) -> list[Run]:
    """Runs by their numbers, kept from others who write runs until the transaction ends."""
    # All take them in the same order, so that no two wait for each other.
    query = _runs_with_names().where(runs.c.id.in_(list(run_ids))).order_by(runs.c.id).with_for_update(of=runs)
    return [Run(**row._mapping) for row in connection.execute(query)]


def find_run_by_id(connection: Connection, run_id: int) -> Run | None:
    row = connection.execute(_runs_with_names().where(runs.c.id == run_id)).first()
    return Run(**row._mapping) if row is not None else None


def run_by_id(connection: Connection, run_id: int) -> Run:
    row = connection.execute(_runs_with_names().where(runs.c.id == run_id)).one()
    return Run(**row._mapping)


def run_exists(connection: Connection, run_id: int) -> bool:
    return connection.execute(select(runs.c.id).where(runs.c.id == run_id)).first() is not None


def list_runs(connection: Connection, project_id: int) -> list[Run]:
    """All runs of a project, oldest first."""
    found = connection.execute(
        _runs_with_names().where(runs.c.project_id == project_id).order_by(runs.c.created_at, runs.c.id)
    )
    return [Run(**row._mapping) for row in found]


class RunsByTime(Sequence[Run]):
    """All runs of a project in the order of a time, of which only those are read that are asked for."""

    def __init__(self, connection: Connection, project_id: int, column: str, descending: bool) -> None:
        self._connection, self._project_id = connection, project_id
        self._order = (runs.c[column].desc() if descending else runs.c[column], runs.c.id)

    def __len__(self) -> int:
        found = select(func.count()).select_from(runs).where(runs.c.project_id == self._project_id)
        return self._connection.execute(found).scalar_one()

    @overload
    def __getitem__(self, place: int) -> Run: ...
    @overload
    def __getitem__(self, place: slice) -> list[Run]: ...
    def __getitem__(self, place: int | slice) -> Run | list[Run]:
        if isinstance(place, int):
            return self[place : place + 1][0]
        start, stop, _ = place.indices(len(self))
        query = _runs_with_names().where(runs.c.project_id == self._project_id).order_by(*self._order)
        found = self._connection.execute(query.offset(start).limit(max(0, stop - start)))
        return [Run(**row._mapping) for row in found]


def create_run(connection: Connection, project: Project, user: User, name: str, now: float) -> Run:
    number = project.runs_made + 1
    connection.execute(update(projects).where(projects.c.id == project.id).values(runs_made=number))
    made = connection.execute(
        insert(runs).values(
            project_id=project.id,
            user_id=user.id,
            name=name,
            display_name=new_display_name(number),
            tags="[]",
            config="{}",
            summary="{}",
            state="running",
            preempting=False,
            stop_requested=False,
            created_at=now,
            heartbeat_at=now,
            history_count=0,
            events_count=0,
            log_count=0,
            rewrites=0,
        )
    )
    assert made.inserted_primary_key is not None
    return run_by_id(connection, made.inserted_primary_key[0])


def update_run(connection: Connection, run_id: int, values: dict[str, Any]) -> None:
    if values:
        connection.execute(update(runs).where(runs.c.id == run_id).values(**values))


def update_runs(connection: Connection, values: dict[int, dict[str, Any]]) -> None:
    """Set columns of several runs."""
    alike: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for run_id, columns in values.items():
        alike.setdefault(tuple(sorted(columns)), []).append({"run_number": run_id, **columns})
    for names, rows in alike.items():
        changed = update(runs).where(runs.c.id == bindparam("run_number"))
        connection.execute(changed.values({name: bindparam(name) for name in names}), rows)


def delete_run(connection: Connection, run_id: int) -> None:
    drop_blocks(connection, run_id)
    forget_writers(connection, run_id)
    delete_lines(connection, run_id)
    for table in (files, share_links):
        connection.execute(delete(table).where(table.c.run_id == run_id))
    connection.execute(delete(runs).where(runs.c.id == run_id))


def merged_config(old: str, new: str) -> str:
    """The config that a client's new one makes of the old one.

    Clients send the whole config each time, so user keys are replaced. Three things under
    ``_wandb`` are the server's to remember, because a later session of the run or the public Api
    does not send them again: the environments of earlier sessions (``e``), the metric definitions
    (``m``) and the telemetry (``t``), by which a resuming client knows that the run really began.
    """
    before, after = parse_object(old) or {}, parse_object(new) or {}
    kept = before.get("_wandb")
    if not isinstance(kept, dict) or not isinstance(kept.get("value"), dict):
        return new
    entry = after.get("_wandb")
    if not isinstance(entry, dict) or not isinstance(entry.get("value"), dict):
        return json.dumps({**after, "_wandb": kept})
    value = dict(entry["value"])
    old_value = kept["value"]
    if isinstance(old_value.get("e"), dict) and isinstance(value.get("e", {}), dict):
        value["e"] = {**old_value["e"], **value.get("e", {})}
    for name in ("t", "m"):
        if not value.get(name) and old_value.get(name):
            value[name] = old_value[name]
    if value == entry["value"]:
        return new
    return json.dumps({**after, "_wandb": {**entry, "value": value}})


class BranchPoint(NamedTuple):
    """Where a forked run left its parent."""

    run: str
    step: int


def branch_point(config: str) -> BranchPoint | None:
    """The parent that a config names, as clients write it for a forked run."""
    entry = (parse_object(config) or {}).get("_wandb")
    value = entry.get("value") if isinstance(entry, dict) else None
    point = value.get("branch_point") if isinstance(value, dict) else None
    if not isinstance(point, dict) or not isinstance(point.get("run_id"), str):
        return None
    step = point.get("step")
    return BranchPoint(point["run_id"], int(step)) if isinstance(step, (int, float)) else None


def inherit_history(connection: Connection, parent: Run, run_id: int, last_kept: int) -> None:
    """Copy the parent's rows up to a step, numbered from 0."""
    count = copy_rows(connection, parent.id, run_id, last_kept)
    update_run(connection, run_id, {"history_count": count, "last_step": last_step(connection, run_id)})


def rewind_history(connection: Connection, run: Run, last_kept: int) -> int:
    """Forget the history after a step; the new line count is returned."""
    count, first_gone = forget_rows_after(connection, run.id, last_kept)
    drop_blocks(connection, run.id, HISTORY, first_gone)
    forget_writers(connection, run.id, HISTORY)
    left = {"history_count": count, "last_step": last_step(connection, run.id)}
    update_run(connection, run.id, {**left, "rewrites": run.rewrites + 1})
    return count
