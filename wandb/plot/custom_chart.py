"""Charts that a Vega specification draws."""

from __future__ import annotations

import dataclasses
from typing import Any, Dict, List, Mapping, Optional, Tuple

from ..data_types import Table
from ..errors import Error

_TABLES_SECTION = "Custom Chart Tables"


@dataclasses.dataclass
class CustomChartSpec:
    """How a chart is drawn: the specification, and what in it comes from which column."""

    spec_name: str
    fields: Dict[str, Any]
    string_fields: Dict[str, Any]
    key: str = ""
    panel_type: str = "Vega2"
    split_table: bool = False

    @property
    def table_key(self) -> str:
        """The key under which the table is logged. Raises Error before the chart has a key."""
        if not self.key:
            raise Error("a chart gets its key when it is logged: run.log({'key': chart})")
        return f"{_TABLES_SECTION}/{self.key}_table" if self.split_table else f"{self.key}_table"

    @property
    def config_value(self) -> Dict[str, Any]:
        """What the run's config says of the chart."""
        table = {
            "name": "summaryTable", "args": [{"name": "tableKey", "value": self.table_key}], "fields": [],
        }  # fmt: skip
        names = ("id", "name", "_defaultColorIndex")
        run_fields: List[Dict[str, Any]] = [{"name": name, "fields": []} for name in names]
        runs = {
            "name": "runSets", "args": [{"name": "runSets", "value": "${runSets}"}], "fields": [*run_fields, table],
        }  # fmt: skip
        return {
            "panel_type": self.panel_type,
            "panel_config": {
                "panelDefId": self.spec_name,
                "fieldSettings": self.fields,
                "stringSettings": self.string_fields,
                "transform": {"name": "tableWithLeafColNames"},
                "userQuery": {"queryFields": [runs]},
            },
        }

    @property
    def config_key(self) -> Tuple[str, str, str]:
        """Where it says so."""
        return "_wandb", "visualize", self.key


@dataclasses.dataclass
class CustomChart:
    """A table and how it is drawn."""

    table: Table
    spec: CustomChartSpec

    def set_key(self, key: str) -> None:
        """Say under which key it is logged."""
        self.spec.key = key

    def _log_chart(self, run: Any, key: str) -> Dict[str, Table]:
        """What is logged in its place: tables by their keys."""
        self.set_key(key)
        run._keep_labels("visualize", key, self.spec.config_value)
        return {self.spec.table_key: self.table}


def plot_table(
    vega_spec_name: str,
    data_table: Table,
    fields: Mapping[str, Any],
    string_fields: Optional[Mapping[str, Any]] = None,
    split_table: bool = False,
) -> CustomChart:
    """A chart of a table, drawn by a Vega specification that the server knows.

    >>> import wandb
    >>> table = wandb.Table(columns=["x", "y"], data=[[1, 2]])
    >>> chart = wandb.plot_table("wandb/line/v0", table, {"x": "x", "y": "y"}, {"title": "A line"})
    >>> chart.spec.string_fields
    {'title': 'A line'}

    fields: from the specification's fields to the table's columns. string_fields: its texts. split_table: show the
    table in a section of its own. Raises Error for what is no table.
    """
    if not isinstance(data_table, Table):
        raise Error(f"Expected `data_table` to be `wandb.Table` type, instead got {type(data_table).__name__}")
    spec = CustomChartSpec(vega_spec_name, dict(fields), dict(string_fields or {}), split_table=split_table)
    return CustomChart(data_table, spec)
