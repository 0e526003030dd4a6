"""A table whose rows are in several tables of an artifact's folder."""

from __future__ import annotations

from typing import Any, Iterator, List, Optional, Tuple, Union

from ..errors import DataError, UsageError
from ._base import Media, media_home
from ._sink import RUN, Json


class PartitionedTable(Media):
    """All the tables in a folder of an artifact, as one.

    >>> import wandb
    >>> wandb.data_types.PartitionedTable("parts").to_json.__doc__ is not None
    True

    parts_path: the folder in the artifact. The parts, whose columns are the same, are read one after the other, so that
    never more than one is in memory.
    """

    _log_type = "partitioned-table"

    def __init__(self, parts_path: str) -> None:
        super().__init__()
        self.parts_path = parts_path
        self._artifact: Any = None
        self._parts: List[str] = []

    def to_json(self, run_or_artifact: Any) -> Json:
        """The JSON object, for an artifact, or for a run once the table is in an artifact."""
        if media_home(run_or_artifact) != RUN:
            return {"_type": self._log_type, "parts_path": self.parts_path}
        from ._joined_table import in_run_by_reference

        return in_run_by_reference(self)

    @classmethod
    def from_json(cls, json_obj: Json, source_artifact: Any) -> PartitionedTable:
        """The table again."""
        table = cls(json_obj["parts_path"])
        table._artifact = source_artifact
        prefix = table.parts_path.rstrip("/") + "/"
        table._parts = sorted(path for path in source_artifact.manifest.entries if path.startswith(prefix))
        return table

    def iterrows(self) -> Iterator[Tuple[int, List[Any]]]:
        """(number, cells) of each row. Raises DataError where parts differ in their columns."""
        columns: Optional[List[Any]] = None
        number = 0
        for path in self._parts:
            part = self._artifact.get(path)
            columns = part.columns if columns is None else columns
            if columns != part.columns:
                raise DataError(f"Table parts have non-matching columns. {columns} != {part.columns} in {path}")
            for _, row in part.iterrows():
                yield number, row
                number += 1

    def bind_to_run(self, *arguments: Any, **more: Any) -> None:
        """Raises UsageError: a partitioned table is part of an artifact."""
        raise UsageError("PartitionedTables cannot be bound to runs; add them to an artifact")

    def _log_to(self, run: Any, key: str, step: Union[int, str]) -> None:
        run._keep_table(self, f"run-{run.id}-{key}", "run_table", key, False)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PartitionedTable) and self.parts_path == other.parts_path

    __hash__ = None
