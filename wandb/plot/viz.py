"""Tables that a named view of the page draws, as clients of 2020 log them."""

from __future__ import annotations

import dataclasses
from typing import Any, Dict, Tuple

from ..data_types import Table
from ..errors import Error


@dataclasses.dataclass
class VisualizeSpec:
    """The view."""

    name: str
    key: str = ""

    @property
    def config_value(self) -> Dict[str, Any]:
        """What the run's config says of it."""
        return {"id": self.name, "historyFieldSettings": {"x-axis": "_step", "key": self.key}}

    @property
    def config_key(self) -> Tuple[str, str, str]:
        """Where it says so."""
        return "_wandb", "viz", self.key


@dataclasses.dataclass
class Visualize:
    """A table and the view that draws it."""

    table: Table
    spec: VisualizeSpec

    def set_key(self, key: str) -> None:
        """Say under which key it is logged."""
        self.spec.key = key

    def _log_chart(self, run: Any, key: str) -> Dict[str, Table]:
        """What is logged in its place: tables by their keys."""
        self.set_key(key)
        run._keep_labels("viz", key, self.spec.config_value)
        return {key: self.table}


def visualize(id: str, value: Table) -> Visualize:
    """A table, drawn by the view that is called `id`.

    >>> import wandb
    >>> wandb.visualize("wandb/metrics/v1", wandb.Table(columns=["a"], data=[[1]])).spec.name
    'wandb/metrics/v1'

    Raises Error for what is no table.
    """
    if not isinstance(value, Table):
        raise Error(f"Expected `value` to be `wandb.Table` type, instead got {type(value).__name__}")
    return Visualize(value, VisualizeSpec(id))
