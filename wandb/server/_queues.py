"""Launch queues and the agents that serve them. What stands in queues is in ``_queue_items``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

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

from ._queue_items import delete_items
from ._tables import metadata

resource_configs = Table(
    "resource_configs",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("entity", String, nullable=False),
    Column("resource", String, nullable=False),
    # JSON objects.
    Column("config", Text, nullable=False),
    Column("variables", Text, nullable=False),
)

queues = Table(
    "run_queues",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("project_id", ForeignKey("projects.id"), nullable=False),
    Column("name", String, nullable=False),
    Column("access", String, nullable=False),
    Column("prioritization_mode", String),
    Column("default_config_id", ForeignKey("resource_configs.id")),
    Column("external_links", Text),
    Column("created_by", Integer, nullable=False),
    Column("created_at", Float, nullable=False),
    Unique("project_id", "name"),
)

launch_agents = Table(
    "launch_agents",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("project_id", ForeignKey("projects.id"), nullable=False),
    # Storage ids of queues, as a JSON list.
    Column("queues", Text, nullable=False),
    Column("hostname", Text, nullable=False),
    Column("status", String, nullable=False),
    Column("heartbeat_at", Float, nullable=False),
)


@dataclass(frozen=True)
class Queue:
    """A row of ``run_queues``."""

    id: int
    project_id: int
    name: str
    access: str
    prioritization_mode: str | None
    default_config_id: int | None
    external_links: str | None
    created_by: int
    created_at: float

    def is_open_to(self, user_id: int) -> bool:
        """Whether somebody of the project may see and use it."""
        return self.access != "USER" or self.created_by == user_id


@dataclass(frozen=True)
class ResourceConfig:
    """A row of ``resource_configs``: what runs of a queue are given unless their item says otherwise."""

    id: int
    entity: str
    resource: str
    config: str
    variables: str


@dataclass(frozen=True)
class LaunchAgent:
    """A row of ``launch_agents``."""

    id: int
    project_id: int
    queues: str
    hostname: str
    status: str
    heartbeat_at: float


def find_queue(connection: Connection, project_id: int, name: str) -> Queue | None:
    row = connection.execute(select(queues).where(queues.c.project_id == project_id, queues.c.name == name)).first()
    return Queue(**row._mapping) if row is not None else None


def queue_by_id(connection: Connection, queue_id: int) -> Queue | None:
    row = connection.execute(select(queues).where(queues.c.id == queue_id)).first()
    return Queue(**row._mapping) if row is not None else None


def list_queues(connection: Connection, project_id: int) -> list[Queue]:
    query = select(queues).where(queues.c.project_id == project_id).order_by(queues.c.id)
    return [Queue(**row._mapping) for row in connection.execute(query)]


def ensure_queue(connection: Connection, project_id: int, name: str, values: dict[str, Any], now: float) -> Queue:
    """Make a queue, or change what is given of the one that is there."""
    if find_queue(connection, project_id, name) is None:
        connection.execute(insert(queues).values(project_id=project_id, name=name, created_at=now, **values))
    else:
        changed = {column: value for column, value in values.items() if value is not None and column != "created_by"}
        condition = (queues.c.project_id == project_id) & (queues.c.name == name)
        if changed:
            connection.execute(update(queues).where(condition).values(**changed))
    found = find_queue(connection, project_id, name)
    assert found is not None
    return found


def create_resource_config(
    connection: Connection, entity: str, resource: str, config: str, variables: str
) -> ResourceConfig:
    row = {"entity": entity, "resource": resource, "config": config, "variables": variables}
    made = connection.execute(insert(resource_configs).values(**row))
    assert made.inserted_primary_key is not None
    return ResourceConfig(made.inserted_primary_key[0], **row)


def resource_config_by_id(connection: Connection, config_id: int) -> ResourceConfig | None:
    row = connection.execute(select(resource_configs).where(resource_configs.c.id == config_id)).first()
    return ResourceConfig(**row._mapping) if row is not None else None


def delete_queue(connection: Connection, queue: Queue) -> None:
    delete_items(connection, queue.id)
    connection.execute(delete(queues).where(queues.c.id == queue.id))


def delete_project_queues(connection: Connection, project_id: int) -> None:
    for queue in list_queues(connection, project_id):
        delete_queue(connection, queue)
    connection.execute(delete(launch_agents).where(launch_agents.c.project_id == project_id))


def create_launch_agent(connection: Connection, project_id: int, served: str, hostname: str, now: float) -> LaunchAgent:
    row = {"project_id": project_id, "queues": served, "hostname": hostname, "status": "POLLING", "heartbeat_at": now}
    made = connection.execute(insert(launch_agents).values(**row))
    assert made.inserted_primary_key is not None
    agent = launch_agent_by_id(connection, made.inserted_primary_key[0])
    assert agent is not None
    return agent


def list_launch_agents(connection: Connection, project_id: int) -> list[LaunchAgent]:
    query = select(launch_agents).where(launch_agents.c.project_id == project_id).order_by(launch_agents.c.id)
    return [LaunchAgent(**row._mapping) for row in connection.execute(query)]


def launch_agent_by_id(connection: Connection, agent_id: int) -> LaunchAgent | None:
    row = connection.execute(select(launch_agents).where(launch_agents.c.id == agent_id)).first()
    return LaunchAgent(**row._mapping) if row is not None else None


def update_launch_agent(connection: Connection, agent_id: int, status: str | None, now: float) -> None:
    values = {"heartbeat_at": now, **({"status": status} if status else {})}
    connection.execute(update(launch_agents).where(launch_agents.c.id == agent_id).values(**values))
