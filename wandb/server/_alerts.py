"""Alerts that a run's script raised, for the people who look at the run."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Column, Connection, Float, ForeignKey, Integer, String, Table, Text, delete, insert, select

from ._limits import ALERTS_MAX
from ._tables import metadata

alerts = Table(
    "alerts",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("run_id", ForeignKey("runs.id"), nullable=False, index=True),
    Column("title", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("severity", String, nullable=False),
    Column("created_at", Float, nullable=False),
)


@dataclass(frozen=True)
class Alert:
    """A row of ``alerts`` but for its number."""

    run_id: int
    title: str
    text: str
    severity: str
    created_at: float


def add_alert(connection: Connection, alert: Alert, wait_seconds: float) -> bool:
    """Keep an alert, unless one of the same title came less than ``wait_seconds`` ago; False then."""
    same = (alerts.c.run_id == alert.run_id) & (alerts.c.title == alert.title)
    recent = select(alerts.c.id).where(same, alerts.c.created_at > alert.created_at - wait_seconds)
    if wait_seconds > 0 and connection.execute(recent.limit(1)).first() is not None:
        return False
    connection.execute(insert(alerts).values(**vars(alert)))
    # A script that raises an alert at every step must not fill the database.
    kept = select(alerts.c.id).where(alerts.c.run_id == alert.run_id).order_by(alerts.c.id.desc()).limit(ALERTS_MAX)
    oldest = min(connection.scalars(kept))
    connection.execute(delete(alerts).where(alerts.c.run_id == alert.run_id, alerts.c.id < oldest))
    return True


def list_alerts(connection: Connection, run_id: int) -> list[Alert]:
    """The alerts of a run, newest first."""
    columns = [column for column in alerts.c if column.name != "id"]
    query = select(*columns).where(alerts.c.run_id == run_id).order_by(alerts.c.id.desc())
    return [Alert(**row._mapping) for row in connection.execute(query)]


def delete_alerts(connection: Connection, run_id: int) -> None:
    connection.execute(delete(alerts).where(alerts.c.run_id == run_id))
