"""Tables: rows of cells, which may be media."""

from __future__ import annotations

from typing import Any, Callable, Dict, Iterable, Iterator, List, Mapping, Optional, Sequence, Tuple, Union

from .._terminal import termwarn
from ..errors import DataError, UsageError
from ._base import Media, WBValue, media_home
from ._column_types import AnyType, Type, UnknownType, type_of
from ._composite_types import TypedDictType, optional_type, type_from_dtype
from ._content import Content
from ._figures import library_of
from ._increments import Increments
from ._optional import load
from ._row_types import RowTypes, cast_all
from ._sink import RUN, Json
from ._table_data import as_cell, column_names, columns_of_frame, one_each, rows_of_array, rows_of_frame
from ._table_files import artifact_json, read_rows, run_file
from ._table_keys import ForeignIndexType, ForeignKeyType, PrimaryKeyType, TableIndex, TableKey, is_key

ColumnKey = Union[str, int]
LOG_MODES = ("IMMUTABLE", "MUTABLE", "INCREMENTAL")


class Table(Media):
    """Rows of cells under named columns. Cells are numbers, texts, times, lists, arrays and media.

    >>> import wandb
    >>> table = wandb.Table(columns=["question", "score"], data=[["why?", 0.5]])
    >>> table.add_data("how?", 0.75)
    >>> table.add_column("passed", [False, True])
    >>> table.add_computed_columns(lambda index, row: {"percent": 100 * row["score"]})
    >>> table.columns, table.data[1]
    (['question', 'score', 'passed', 'percent'], ['how?', 0.75, True, 75.0])
    >>> with wandb.init(mode="offline") as run:
    ...     run.log({"answers": table})
    >>> run.summary["answers"]["nrows"]
    2

    columns: their names, texts or whole numbers. data: rows, an array of NumPy's or a frame of pandas' or Polars'.
    dataframe: a frame, whose columns are the table's. rows: rows, as older callers pass them.
    dtype: what the columns hold, one for all or one a column: a Python type, a class of this package, a value that is
    the only one, or lists and dictionaries of them. Without it a column is of the type of its first cell.
    optional: whether cells may be None, for all columns or for each. allow_mixed_types: any cell goes into any column.
    log_mode: an "IMMUTABLE" table is logged once, a "MUTABLE" one again after a change, of an "INCREMENTAL" one each
    `log` keeps the rows that came since the one before.

    A run's page shows the first `MAX_ROWS` rows from the run's file, and up to `MAX_ARTIFACT_ROWS` from an artifact
    that is logged with it. Raises DataError for cells that don't fit, and for rows of another length.
    """

    MAX_ROWS = 10_000
    MAX_ARTIFACT_ROWS = 200_000
    _log_type = "table"
    _folder = "media/table"

    def __init__(
        self,
        columns: Optional[Sequence[ColumnKey]] = None,
        data: Any = None,
        rows: Optional[Iterable[Iterable[Any]]] = None,
        dataframe: Any = None,
        dtype: Any = None,
        optional: Union[bool, List[bool]] = True,
        allow_mixed_types: bool = False,
        log_mode: Optional[str] = "IMMUTABLE",
    ) -> None:
        super().__init__()
        if log_mode not in LOG_MODES:
            raise DataError(f"Table: log_mode is one of {', '.join(LOG_MODES)}, not {log_mode!r}")
        self.log_mode: str = log_mode
        self.data: List[List[Any]] = []
        self._increments = Increments() if log_mode == "INCREMENTAL" else None
        self._types = RowTypes()
        self._pk_col: Optional[ColumnKey] = None
        self._has_links = False
        if dataframe is None and library_of(data) in ("pandas", "polars"):
            dataframe, data = data, None
        names = ["Input", "Output", "Expected"] if columns is None else columns
        self.columns: List[ColumnKey] = column_names(names if dataframe is None else columns_of_frame(dataframe))
        self._set_types(AnyType if allow_mixed_types else dtype, optional)
        if dataframe is not None:
            self._extend(rows_of_frame(dataframe))
        elif data is not None and hasattr(data, "shape"):
            self._extend(rows_of_array(data))
        else:
            self._extend(data if data is not None else rows or ())

    def _set_types(self, dtype: Any, may_be_none: Union[bool, List[bool]]) -> None:
        dtypes = one_each(UnknownType() if dtype is None else dtype, len(self.columns), "dtype")
        optionals = one_each(may_be_none, len(self.columns), "optional")
        for column, one, is_optional in zip(self.columns, dtypes, optionals):
            self.cast(column, one, is_optional)

    # --- rows ---------------------------------------------------------------------------------------------------------

    def add_data(self, *data: Any) -> None:
        """Add a row, one value a column. Raises DataError for another number of them, or a value that doesn't fit."""
        self._before_change()
        self._add(data)
        self._after_append()

    def add_row(self, *row: Any) -> None:
        """`add_data`, as older callers call it."""
        self.add_data(*row)

    def _extend(self, rows: Any) -> None:
        try:
            for row in rows:
                self._add(tuple(row))
        except TypeError as error:
            if isinstance(error, DataError):
                raise
            raise DataError(f"Table: data is rows of cells: {error}") from error

    def _add(self, row: Tuple[Any, ...]) -> None:
        if len(row) != len(self.columns):
            raise DataError(
                f"This table expects {len(self.columns)} columns: {self.columns}, found {len(row)}; pass one value a "
                "column"
            )
        if not self._types.knows(row):
            row = tuple(map(self._cell, row))
            for column, cell in zip(self.columns, row):
                if isinstance(cell, (TableKey, TableIndex)) and not is_key(self._types.by_column[column]):
                    self.cast(column, type_of(cell))
            self._types.take(row)
        self.data.append(list(row))
        if self._has_links:
            self._link(self.data[-1])

    # --- columns ------------------------------------------------------------------------------------------------------

    def add_column(self, name: str, data: Iterable[Any], optional: bool = False) -> None:
        """Add a column, one value a row. Raises DataError; the table is then as before."""
        self._refuse_increments("add_column")
        if not isinstance(name, str) or name in self.columns:
            raise DataError(f"add_column: {name!r} is no new name for a column")
        values = [self._cell(value) for value in data]
        if self.columns and len(values) != len(self.data):
            raise DataError(f"add_column: the table has {len(self.data)} rows, and {len(values)} values were passed")
        self._before_change()
        rows = self.data if self.columns else [[] for _ in values]
        dtype = cast_all(values, optional_type(UnknownType(), optional), f"the column {name!r}")
        for row, value in zip(rows, values):
            row.append(value)
        self.data = rows
        self.columns.append(name)
        self._types.set(name, dtype)
        self._link_all()

    def add_computed_columns(self, fn: Callable[[int, Dict[Any, Any]], Mapping[str, Any]]) -> None:
        """Add columns whose values `fn` computes from the number of a row and its cells by column."""
        added: Dict[str, List[Any]] = {}
        for index, row in enumerate(self.data):
            computed = fn(index, dict(zip(self.columns, row)))
            if not isinstance(computed, Mapping):
                raise DataError(f"add_computed_columns: a dictionary is expected for a row, not {computed!r}")
            for name, value in computed.items():
                added.setdefault(name, []).append(value)
        for name, values in added.items():
            self.add_column(name, values)

    def cast(self, col_name: ColumnKey, dtype: Any, optional: bool = False) -> Type:
        """Say what a column holds; return the type. `dtype` is that of the constructor.

        Raises DataError where a cell doesn't fit.
        """
        if col_name not in self.columns:
            raise DataError(f"the table has no column {col_name!r}, only {self.columns}")
        self._before_change()
        wanted = type_from_dtype(dtype)
        if is_key(wanted):
            self._check_key(col_name, wanted, optional)
        index = self.columns.index(col_name)
        cells = [row[index] for row in self.data]
        found = cast_all(cells, optional_type(wanted, optional), f"the column {col_name!r}")
        self._types.set(col_name, found)
        self._link_all()
        return found

    def get_column(self, name: ColumnKey, convert_to: Optional[str] = None) -> Any:
        """The cells of a column as a list, or with convert_to="numpy" as an array, media as their numbers."""
        if name not in self.columns:
            raise DataError(f"the table has no column {name!r}, only {self.columns}")
        if convert_to not in (None, "numpy"):
            raise DataError(f'get_column: convert_to is "numpy" or None, not {convert_to!r}')
        index = self.columns.index(name)
        cells = [row[index] for row in self.data]
        if convert_to is None:
            return cells
        numpy = load("numpy", "numpy", 'get_column with convert_to="numpy"')
        return numpy.array([cell.to_data_array() if isinstance(cell, WBValue) else cell for cell in cells])

    def get_index(self) -> List[TableIndex]:
        """The numbers of the rows; in another table's column they link to the rows."""
        return [index for index, _ in self.iterrows()]

    def index_ref(self, index: int) -> TableIndex:
        """The number of a row; in another table's column it links to the row."""
        reference = TableIndex(index)
        reference.set_table(self)
        return reference

    def iterrows(self) -> Iterator[Tuple[TableIndex, List[Any]]]:
        """(number, cells) of each row."""
        for position, row in enumerate(self.data):
            yield self.index_ref(position), row

    def get_dataframe(self) -> Any:
        """A frame of pandas'."""
        return load("pandas", "pandas", "get_dataframe").DataFrame.from_records(self.data, columns=self.columns)

    # --- links --------------------------------------------------------------------------------------------------------

    def set_pk(self, col_name: ColumnKey) -> None:
        """Let the texts of a column be what rows are told apart by."""
        self.cast(col_name, PrimaryKeyType())

    def set_fk(self, col_name: ColumnKey, table: Table, table_col: ColumnKey) -> None:
        """Let the texts of a column be keys in the column `table_col` of another table."""
        self.cast(col_name, ForeignKeyType(table, table_col))

    def _cell(self, cell: Any) -> Any:
        """A cell as it is kept; the number of a row of this table is only a number in it."""
        return int(cell) if isinstance(cell, TableIndex) and cell._table is self else as_cell(cell)

    def _check_key(self, column: ColumnKey, dtype: Type, may_be_none: bool) -> None:
        if may_be_none:
            raise UsageError("Primary keys, foreign keys, and foreign indexes cannot be optional.")
        if dtype.params.get("table") is self:
            raise UsageError("a table can't link to itself")
        if isinstance(dtype, PrimaryKeyType) and self._pk_col not in (None, column):
            raise UsageError(f"a table has one primary key, and {self._pk_col!r} is it")

    def _link_all(self) -> None:
        self._pk_col = next(
            (column for column, one in self._types.by_column.items() if isinstance(one, PrimaryKeyType)), None
        )
        self._has_links = any(map(is_key, self._types.by_column.values()))
        if self._has_links:
            for row in self.data:
                self._link(row)

    def _link(self, row: List[Any]) -> None:
        """Let the cells that are keys or numbers of rows know whose."""
        for index, (column, dtype) in enumerate(self._types.by_column.items()):
            if isinstance(dtype, ForeignIndexType):
                if not isinstance(row[index], TableIndex):
                    row[index] = TableIndex(row[index])
                    row[index].set_table(dtype.params["table"])
            elif is_key(dtype):
                key = TableKey(row[index])
                key.set_table(dtype.params.get("table", self), dtype.params.get("col_name", column))
                row[index] = key

    # --- log modes ----------------------------------------------------------------------------------------------------

    def has_been_logged(self) -> bool:
        """Whether a run or an artifact has the table."""
        return self._run is not None or self._artifact_target is not None

    def _before_change(self) -> None:
        if self.log_mode == "MUTABLE":
            self._forget_place()
        elif self.log_mode == "IMMUTABLE" and self.has_been_logged():
            termwarn(
                "a Table with log_mode='IMMUTABLE' is changed after it was logged, and logging it again has no effect. "
                "With log_mode='MUTABLE' each state can be logged, with 'INCREMENTAL' what is added",
                repeat=False,
            )

    def _after_append(self) -> None:
        if self._increments is not None and self.has_been_logged():
            self._increments.next(self._get_artifact_entry_ref_url())
            self._forget_place()

    def _forget_place(self) -> None:
        self._run = self._run_path = self._artifact_target = self._content = None

    def _refuse_increments(self, what: str) -> None:
        if self._increments is not None:
            raise UsageError(f"{what}: a table with log_mode='INCREMENTAL' only gets rows; use 'MUTABLE'")

    # --- where it goes ------------------------------------------------------------------------------------------------

    def _log_to(self, run: Any, key: str, step: Union[int, str]) -> None:
        increments = self._increments
        if increments is None:
            run._keep_table(self, f"run-{run.id}-{key}", "run_table", key, False)
        else:
            increments.begin(run, key)
            name = f"run-{run.id}-incr-{key}"
            run._keep_table(self, name, increments.ARTIFACT_TYPE, increments.entry(key), True)
        self.bind_to_run(run, key, step)
        if increments is not None:
            increments.logged = len(self.data)

    def _ready_content(self) -> Content:
        self._content = run_file(self.columns, self._unlogged()[: self.MAX_ROWS])
        return self._content

    def _unlogged(self) -> List[List[Any]]:
        """The rows that the next `log` keeps."""
        return self.data if self._increments is None else self.data[self._increments.logged :]

    def to_json(self, run_or_artifact: Any) -> Json:
        """The JSON object, for the run that the table is bound to, or for an artifact."""
        if media_home(run_or_artifact) == RUN:
            result = super().to_json(run_or_artifact)
            result.update(_type="table-file", ncols=len(self.columns), nrows=len(self.data), log_mode=self.log_mode)
        else:
            result = artifact_json(self.columns, self._kept(run_or_artifact), self._types.by_column, run_or_artifact)
            result["log_mode"] = self.log_mode
        if self._increments is not None:
            result.update(self._increments.to_json())
            if result["_type"] == "table-file":
                result["_type"] = "incremental-table-file"
        return result

    def _kept(self, artifact: Any) -> List[List[Any]]:
        """The rows that go into an artifact."""
        rows, limit = self._unlogged(), Table.MAX_ARTIFACT_ROWS
        if len(rows) <= limit:
            return rows
        message = (
            f"Table row limit exceeded: table has {len(rows):,} rows, limit is {limit:,}. Raise it with "
            "wandb.Table.MAX_ARTIFACT_ROWS = N, or save the rows as a Parquet file in an artifact"
        )
        if _is_strict():
            raise DataError(message)
        termwarn(f"{message}. The first {limit:,} are kept", repeat=False)
        return rows[:limit]

    @classmethod
    def from_json(cls, json_obj: Json, source_artifact: Any) -> Table:
        """The table again, from an artifact's object."""
        types, rows = read_rows(json_obj, source_artifact)
        table = cls(columns=json_obj["columns"], log_mode=json_obj.get("log_mode") or "IMMUTABLE")
        table.data = rows
        if types is None:
            table._set_types(None, True)
        else:
            for column in table.columns:
                table._types.set(column, types[str(column)])
        table._link_all()
        return table

    # --- comparing ----------------------------------------------------------------------------------------------------

    @property
    def _column_types(self) -> TypedDictType:
        return self._types.as_type()

    def _difference(self, other: object) -> str:
        """What two tables differ in, or ""."""
        if not isinstance(other, Table):
            return f"a {type(other).__name__} is no table"
        for what, own, others in (
            ("rows", len(self.data), len(other.data)),
            ("columns", self.columns, other.columns),
            ("types", self._types.by_column, other._types.by_column),
        ):
            if own != others:
                return f"{what}: {own} and {others}"
        for index, (row, others_row) in enumerate(zip(self.data, other.data)):
            for column, cell, others_cell in zip(self.columns, row, others_row):
                same = cell == others_cell
                if not (same.all() if hasattr(same, "all") else same):
                    return f"row {index}, column {column!r}: {cell!r} and {others_cell!r}"
        return ""

    def _eq_debug(self, other: object, should_assert: bool = False) -> bool:
        difference = "" if self is other else self._difference(other)
        if should_assert and difference:
            raise AssertionError(difference)
        return not difference

    def __eq__(self, other: object) -> bool:
        return self._eq_debug(other)

    __hash__ = None


def _is_strict() -> bool:
    from .. import run

    return run is not None and (run.settings.strict or run.settings.table_raise_on_max_row_limit_exceeded)
