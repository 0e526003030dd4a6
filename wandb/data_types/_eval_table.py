"""Tables of evaluations: which columns went in, which came out, and how that was scored."""

from __future__ import annotations

from typing import Any, Dict, List, Optional, Sequence

from .._terminal import termwarn
from ..errors import DataError, UsageError
from ._base import media_home
from ._sink import RUN, Json
from ._table import ColumnKey, Table


class EvalTable(Table):
    """A table whose columns are inputs, outputs and scores.

    >>> import wandb
    >>> table = wandb.EvalTable(
    ...     input_columns=["question"], output_columns=["answer"], score_columns=["correct"],
    ...     data=[["why?", "because", True], ["how?", "so", False]],
    ... )
    >>> table.columns, table.score_summary()
    (['question', 'answer', 'correct'], {'correct': 0.5})

    input_columns, output_columns, score_columns: the roles of the columns; without `columns` they are the columns. A
    column without a role is an output.
    backend, unsupported_media_mode: accepted for callers of W&B's client, which sends such tables to Weave. Here they
    are tables of the run like others, on any server, with their roles and the means of the scores.

    Raises DataError for a role of a column that the table doesn't have.
    """

    _log_type = "eval-table"

    def __init__(
        self,
        columns: Optional[Sequence[ColumnKey]] = None,
        data: Any = None,
        rows: Any = None,
        dataframe: Any = None,
        dtype: Any = None,
        optional: Any = True,
        allow_mixed_types: bool = False,
        log_mode: str = "IMMUTABLE",
        *,
        input_columns: Optional[Sequence[str]] = None,
        output_columns: Optional[Sequence[str]] = None,
        score_columns: Optional[Sequence[str]] = None,
        backend: Optional[str] = None,
        unsupported_media_mode: str = "stub",
    ) -> None:
        if log_mode != "IMMUTABLE":
            raise UsageError("EvalTable currently only supports log_mode='IMMUTABLE'.")
        if backend is not None:
            termwarn(f"EvalTable: backend={backend!r} has no effect; the table is kept with the run", repeat=False)
        self._roles: Dict[str, List[str]] = {
            "input_columns": list(input_columns or ()),
            "output_columns": list(output_columns or ()),
            "score_columns": list(score_columns or ()),
        }
        named = [column for role in self._roles.values() for column in role]
        if columns is None and dataframe is None and named:
            columns = list(dict.fromkeys(named))
        super().__init__(columns, data, rows, dataframe, dtype, optional, allow_mixed_types, log_mode)
        known = {str(column) for column in self.columns}
        unknown = [column for column in named if str(column) not in known]
        if unknown:
            raise DataError(f"EvalTable: the table has no column {unknown[0]!r} to be input, output or score")

    def score_summary(self) -> Dict[str, float]:
        """The means of the scores that are numbers."""
        result = {}
        for column in self._roles["score_columns"]:
            scores = [score for score in self.get_column(column) if isinstance(score, (int, float))]
            if scores:
                result[str(column)] = sum(scores) / len(scores)
        return result

    def to_json(self, run_or_artifact: Any) -> Json:
        """The JSON object of a table, with the roles of its columns."""
        result = super().to_json(run_or_artifact)
        assigned = {column for role in self._roles.values() for column in role}
        rest = [str(column) for column in self.columns if column not in assigned]
        result.update(self._roles, output_columns=[*self._roles["output_columns"], *rest])
        if media_home(run_or_artifact) == RUN:
            result["scores"] = self.score_summary()
        return result

    @classmethod
    def with_suffix(cls, name: str, filetype: str = "json") -> str:
        """The name of an artifact's entry: that of a table, as which it is read back."""
        return Table.with_suffix(name, filetype)
