"""Charts of the Vega language that users made, by entity and name, for `wandb.plot_table` to speak of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from graphql import GraphQLError
from sqlalchemy import Column, Connection, Float, String, Table, Text, select

from ._database import upsert
from ._graphql import Resolvers
from ._names import name_problem
from ._resolvers import allowed_entity
from ._services import RequestContext
from ._tables import metadata
from ._values import parse_object

ACCESSES = ("PRIVATE", "PUBLIC")

custom_charts = Table(
    "custom_charts",
    metadata,
    Column("entity", String, primary_key=True),
    Column("name", String, primary_key=True),
    Column("display_name", Text, nullable=False),
    Column("type", String, nullable=False),
    Column("access", String, nullable=False),
    Column("spec", Text, nullable=False),
    Column("updated_at", Float, nullable=False),
)


@dataclass(frozen=True)
class CustomChart:
    """A row of ``custom_charts``."""

    entity: str
    name: str
    display_name: str
    type: str
    access: str
    spec: str
    updated_at: float

    @property
    def id(self) -> str:
        return f"{self.entity}/{self.name}"


def find_custom_chart(connection: Connection, entity: str, name: str) -> CustomChart | None:
    here = (custom_charts.c.entity == entity) & (custom_charts.c.name == name)
    row = connection.execute(select(custom_charts).where(here)).first()
    return CustomChart(**row._mapping) if row is not None else None


def _create(_: None, context: RequestContext, input: dict[str, Any]) -> dict[str, Any]:
    """Keep a chart; one of the same name is replaced."""
    entity = allowed_entity(context, input["entity"])
    problem = name_problem("chart", input["name"])
    if problem:
        raise GraphQLError(problem)
    access = input["access"].upper()
    if access not in ACCESSES:
        raise GraphQLError(f"the access of a chart is {' or '.join(ACCESSES)}, not {input['access']!r}")
    if parse_object(input["spec"]) is None:
        raise GraphQLError("the spec of a chart must be a JSON object inside a string")
    names = (input["displayName"], input["type"])
    chart = CustomChart(entity, input["name"], *names, access, input["spec"], context.now)
    upsert(context.connection, custom_charts, [dict(vars(chart))], ("entity", "name"))
    return {"chart": chart}


def _chart(_: None, context: RequestContext, entity: str, name: str) -> CustomChart | None:
    found = find_custom_chart(context.connection, entity, name)
    visible = found is not None and (found.access == "PUBLIC" or context.user.may_use(entity))
    return found if visible else None


CUSTOM_CHART_RESOLVERS: Resolvers = {
    "Query": {"customChart": _chart},
    "Mutation": {"createCustomChart": _create},
    "CustomChart": {
        "displayName": lambda chart, context: chart.display_name,
        "chartType": lambda chart, context: chart.type,
    },
}
