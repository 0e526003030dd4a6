"""A history as a data frame of pandas or polars."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Dict, List, Optional

from wandb_storage import Column

from ._arrow import to_table
from ._needs import need
from ._types import DOUBLE, INTEGER, TRUTH

if TYPE_CHECKING:
    import pandas
    import polars

    from ._history import History

_DTYPES = {DOUBLE: "float64", INTEGER: "int64", TRUTH: "bool"}


def to_polars(history: History) -> polars.DataFrame:
    """Raises Error where polars or pyarrow is not installed."""
    return need("polars", "polars", "a data frame of polars").from_arrow(to_table(history))


def to_pandas(history: History) -> pandas.DataFrame:
    """Raises Error where pandas is not installed."""
    pandas = need("pandas", "pandas", "a data frame of pandas")
    kinds = history.types()
    values: Dict[str, List[Any]] = {key: [] for key in kinds}
    missing: Dict[str, List[Any]] = {key: [] for key in kinds}
    for batch in history.columns():
        for key, kind in kinds.items():
            column = batch.columns.get(key)
            values[key].append(_values(column, _DTYPES.get(kind, "object"), batch.rows))
            missing[key].append(_missing(column, batch.rows))
    return pandas.DataFrame({key: _joined(kind, values.pop(key), missing.pop(key)) for key, kind in kinds.items()})


def _values(column: Optional[Column], dtype: str, rows: int) -> Any:
    """One batch's values, with something in the places of rows that lack the key."""
    import numpy

    stored: Any = None if column is None else column.values
    if column is None:
        return numpy.full(rows, None if dtype == "object" else float("nan") if dtype == "float64" else 0, dtype)
    if column.dtype == dtype != "object":
        return numpy.frombuffer(stored, dtype)
    if dtype == "float64" and column.dtype == "int64" and column.present is None:
        return numpy.frombuffer(stored, "int64").astype(dtype)
    objects = column.objects()
    if dtype == "float64":
        return numpy.array([float("nan") if value is None else value for value in objects], dtype)
    if dtype != "object":
        return numpy.array([value or 0 for value in objects], dtype)
    made = numpy.empty(rows, dtype)
    made[:] = objects
    return made


def _missing(column: Optional[Column], rows: int) -> Any:
    """One batch's places without a value: the key is not in the row, or it is None."""
    import numpy

    if column is None:
        return numpy.ones(rows, bool)
    if column.dtype == "object":
        return numpy.fromiter((value is None for value in column.objects()), bool, rows)
    return numpy.zeros(rows, bool) if column.present is None else numpy.frombuffer(column.present, bool) == 0


def _joined(kind: str, values: List[Any], missing: List[Any]) -> Any:
    """A column of the frame, in the type that keeps every value exact."""
    import numpy
    import pandas

    dtype = _DTYPES.get(kind, "object")
    whole = numpy.concatenate(values) if values else numpy.empty(0, dtype)
    if kind in (INTEGER, TRUTH):
        gaps = numpy.concatenate(missing) if missing else numpy.empty(0, bool)
        if gaps.any():
            array = pandas.arrays.IntegerArray if kind == INTEGER else pandas.arrays.BooleanArray
            return array(whole, gaps)
    return pandas.Series(whole, dtype=object) if dtype == "object" else whole
