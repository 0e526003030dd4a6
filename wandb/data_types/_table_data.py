"""What tables are made from: columns, arrays and frames."""

from __future__ import annotations

from typing import Any, Iterable, List, Sequence

from .._tensors import array_of, is_tensor
from ..errors import DataError
from ._figures import library_of
from ._optional import load

# Elements of such arrays are plain Python values when they are listed.
_PLAIN_KINDS = "biufU"


def as_cell(value: Any) -> Any:
    """A value as a table keeps it: tensors and arrays of other libraries are NumPy's, those of no dimension are
    numbers, and pictures and figures are media."""
    if is_tensor(value):
        array = array_of(value)
    elif _is_foreign_array(value):
        array = load("numpy", "numpy", "an array in a Table").asarray(value)
    elif library_of(value) in ("PIL", "matplotlib", "plotly"):
        from ._logged import as_media

        return as_media(value, "Table")
    else:
        return value
    return array.item() if array.ndim == 0 else array


def _is_foreign_array(value: Any) -> bool:
    if not (hasattr(value, "__array__") and hasattr(value, "shape") and hasattr(value, "dtype")):
        return False
    return type(value).__name__ != "ndarray" and not any(kind.__name__ == "generic" for kind in type(value).__mro__)


def rows_of_array(array: Any) -> Iterable[Sequence[Any]]:
    """The rows of an array: of two dimensions numbers, of more of them arrays. Raises DataError."""
    if is_tensor(array):
        array = array_of(array)
    if getattr(array, "ndim", 0) < 2:
        raise DataError(f"Table: data is an array of rows and columns, not one of shape {tuple(array.shape)}")
    if array.ndim == 2 and array.dtype.kind in _PLAIN_KINDS:
        rows: List[Sequence[Any]] = array.tolist()
        return rows
    return list(array)


def columns_of_frame(frame: Any) -> List[Any]:
    """The names of a frame's columns. Raises DataError for what is no frame, or has columns of several levels."""
    if not hasattr(frame, "columns"):
        raise DataError(f"Table: dataframe is a frame of pandas' or Polars', not a {type(frame).__name__}")
    names = [name.item() if hasattr(name, "item") else name for name in frame.columns]
    wrong = [name for name in names if type(name) not in (str, int)]
    if wrong:
        raise DataError(f"Table: columns are texts or whole numbers, unlike {wrong[0]!r}; rename the frame's columns")
    return names


def rows_of_frame(frame: Any) -> Iterable[Sequence[Any]]:
    """The rows of a frame."""
    if library_of(frame) == "polars":
        rows: List[Sequence[Any]] = frame.rows()
        return rows
    columns = [_plain(frame.iloc[:, index]) for index in range(len(frame.columns))]
    return zip(*columns)


def _plain(series: Any) -> List[Any]:
    """The cells of a column; what is missing in one that isn't of numbers is None."""
    cells: List[Any] = series.tolist()
    if getattr(series.dtype, "kind", "O") in "biuf" and not hasattr(series.dtype, "na_value"):
        return cells
    missing = series.isna()
    if missing.any():
        return [None if gone else cell for cell, gone in zip(cells, missing.tolist())]
    return cells


def column_names(columns: Sequence[Any]) -> List[Any]:
    """The names, where they can be those of a table's columns."""
    if not isinstance(columns, (list, tuple)) or any(type(column) not in (str, int) for column in columns):
        raise DataError(f"Table: columns is a list of texts or whole numbers, not {columns!r}")
    if len(set(columns)) != len(columns):
        raise DataError(f"Table: each column has a name of its own, unlike in {list(columns)}")
    return list(columns)


def one_each(value: Any, count: int, what: str) -> List[Any]:
    """What is said of each column, where one value may stand for all."""
    values = value if isinstance(value, list) else [value] * count
    if len(values) != count:
        raise DataError(f"Table: {what} has {len(values)} entries for {count} columns")
    return values
