"""Two tables of an artifact, joined for its page."""

from __future__ import annotations

import base64
import os
from typing import Any, Dict, List, Union

from ..errors import DataError, UsageError
from ._base import Media, media_home
from ._partitioned_table import PartitionedTable
from ._sink import RUN, Json
from ._table import Table

_SUFFIX = ".table.json"


class JoinedTable(Media):
    """Two tables that belong together row by row.

    >>> import wandb
    >>> questions = wandb.Table(columns=["id", "question"], data=[[1, "why?"]])
    >>> answers = wandb.Table(columns=["id", "answer"], data=[[1, "because"]])
    >>> joined = wandb.JoinedTable(questions, answers, "id")
    >>> joined.rows()
    [{'id': 1, 'question': 'why?', 'answer': 'because'}]

    table1, table2: tables, entries of artifacts that hold one, or the names of such entries in the artifact that the
    joined table is added to. join_key: the column by which they are joined, or that of each.

    Raises DataError.
    """

    _log_type = "joined-table"

    def __init__(self, table1: Any, table2: Any, join_key: Union[str, List[str]]) -> None:
        super().__init__()
        if not isinstance(join_key, str) and not (isinstance(join_key, (list, tuple)) and len(join_key) == 2):
            raise DataError(f"JoinedTable: join_key is the name of a column, or a list of two, not {join_key!r}")
        for number, table in enumerate((table1, table2), 1):
            if not _is_table(table):
                raise DataError(f"JoinedTable: table{number} is a Table, or an entry or a name that ends in {_SUFFIX}")
        self._table1, self._table2 = table1, table2
        self._join_key = join_key

    def rows(self) -> List[Any]:
        """The rows of both tables together, as dictionaries, where the keys are equal. Raises UsageError for tables
        that are only named."""
        if not isinstance(self._table1, Table) or not isinstance(self._table2, Table):
            raise UsageError("rows of a JoinedTable are there when it is made of tables, or read from an artifact")
        first, second = (self._join_key,) * 2 if isinstance(self._join_key, str) else self._join_key
        partners: Dict[Any, List[Dict[Any, Any]]] = {}
        for _, row in self._table2.iterrows():
            cells = dict(zip(self._table2.columns, row))
            partners.setdefault(cells[second], []).append(cells)
        result = []
        for _, row in self._table1.iterrows():
            cells = dict(zip(self._table1.columns, row))
            result += [{**cells, **partner} for partner in partners.get(cells[first], ())]
        return result

    def to_json(self, run_or_artifact: Any) -> Json:
        """The JSON object, for an artifact, or for a run once the table is in an artifact."""
        if media_home(run_or_artifact) == RUN:
            return in_run_by_reference(self)
        return {
            "_type": self._log_type,
            "table1": self._in(run_or_artifact, self._table1, 1),
            "table2": self._in(run_or_artifact, self._table2, 2),
            "join_key": self._join_key,
        }

    def _in(self, artifact: Any, table: Any, number: int) -> str:
        """The name of the entry that holds a table, which is added where it isn't there."""
        if isinstance(table, (Table, PartitionedTable)):
            source = table._artifact_source
            name = os.path.basename(source.name) if source is not None and source.name else f"t{number}_{id(self)}"
            return str(artifact.add(table, name).path)
        if hasattr(table, "ref_url"):
            digest = base64.standard_b64decode(table.digest).hex()[:20]
            kind = table.path.split(".")[-2]
            return str(artifact.add_reference(table.ref_url(), f"{digest}.{kind}.json")[0].path)
        if table not in artifact.manifest.entries:
            raise DataError(f"JoinedTable: the artifact has no {table}; add that table first, with Artifact.add")
        return str(table)

    @classmethod
    def from_json(cls, json_obj: Json, source_artifact: Any) -> JoinedTable:
        """The joined table again, with its tables."""
        tables = [source_artifact.get(json_obj[name]) or json_obj[name] for name in ("table1", "table2")]
        return cls(tables[0], tables[1], json_obj["join_key"])

    def bind_to_run(self, *arguments: Any, **more: Any) -> None:
        """Raises UsageError: a joined table is part of an artifact."""
        raise UsageError("JoinedTables cannot be bound to runs; add them to an artifact")

    def _log_to(self, run: Any, key: str, step: Union[int, str]) -> None:
        run._keep_table(self, f"run-{run.id}-{key}", "run_table", key, False)

    def _eq_debug(self, other: object, should_assert: bool = False) -> bool:
        same = (
            isinstance(other, JoinedTable)
            and self._join_key == other._join_key
            and (self._table1, self._table2) == (other._table1, other._table2)
        )
        if should_assert and not same:
            raise AssertionError(f"{self!r} and {other!r} differ")
        return same

    def __eq__(self, other: object) -> bool:
        return self._eq_debug(other)

    __hash__ = None


def in_run_by_reference(table: Media) -> Json:
    """What a run holds of a table that lives in an artifact. Raises UsageError while it is in none."""
    url = table._get_artifact_entry_ref_url()
    if url is None:
        raise UsageError(f"a {type(table).__name__} must first be added to an Artifact before logging it to a Run")
    return {"_type": table._log_type, "artifact_path": url}


def _is_table(table: Any) -> bool:
    if isinstance(table, str):
        return table.endswith(_SUFFIX)
    return isinstance(table, (Table, PartitionedTable)) or (
        hasattr(table, "ref_url") and str(table.path).endswith(_SUFFIX)
    )
