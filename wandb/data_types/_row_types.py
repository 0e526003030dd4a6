"""What a table's columns hold, kept up to date row by row.

Most rows are like one before: what their cells are is found out once for each combination of Python types.
"""

from __future__ import annotations

import datetime
from typing import Any, Dict, List, Sequence, Tuple

from ..errors import DataError
from ._column_types import InvalidType, Type, type_of
from ._composite_types import TypedDictType, UnionType

Kinds = Tuple[type, ...]

# The type of such a cell depends on its class alone, NaN excepted.
_STABLE = frozenset({int, float, str, bool, type(None), datetime.datetime, datetime.date})
# Columns of these types look at the value.
_BY_VALUE = frozenset({"const", "classesId"})
# A table whose rows are all different must not fill the memory with what they look like.
_KNOWN_MAX = 1000


class RowTypes:
    """The types of columns, by their names."""

    def __init__(self) -> None:
        self.by_column: Dict[Any, Type] = {}
        self._known: Dict[Kinds, List[int]] = {}  # rows that change nothing -> columns in which they must have no NaN

    def set(self, column: Any, dtype: Type) -> None:
        """Say what a column holds."""
        self.by_column[column] = dtype
        self._known.clear()

    def remove(self, column: Any) -> None:
        """Forget a column."""
        del self.by_column[column]
        self._known.clear()

    def knows(self, row: Sequence[Any]) -> bool:
        """Whether the row is like one before, and the columns hold it as they are."""
        numbers = self._known.get(tuple(map(type, row)))
        return numbers is not None and (not numbers or all(row[index] == row[index] for index in numbers))

    def take(self, row: Sequence[Any]) -> None:
        """Put a row into the columns. Raises DataError where a cell can't be, and changes nothing then."""
        kinds = tuple(map(type, row))
        changed = False
        assigned: List[Type] = []
        for dtype, cell in zip(self.by_column.values(), row):
            try:
                found = dtype.assign(cell)
            except RecursionError:
                raise DataError("a cell is nested too deep; does it contain itself?") from None
            if isinstance(found, InvalidType):
                cells = dict(zip(self.by_column, row))
                raise DataError(f"Data row contained incompatible types:\n{self.as_type().explain(cells)}")
            changed = changed or found != dtype
            assigned.append(found)
        if changed:
            self.by_column.update(zip(self.by_column, assigned))
            self._known.clear()
        elif all(map(_is_stable, kinds, self.by_column.values())) and len(self._known) < _KNOWN_MAX:
            self._known[kinds] = [
                index for index, dtype in enumerate(self.by_column.values())
                if kinds[index] is float and isinstance(dtype.assign(None), InvalidType)
            ]  # fmt: skip

    def as_type(self) -> TypedDictType:
        """The type of a row."""
        return TypedDictType(self.by_column)


def _is_stable(kind: type, dtype: Type) -> bool:
    """Whether any cell of this class is in the column what the one at hand is."""
    allowed = dtype.params["allowed_types"] if isinstance(dtype, UnionType) else (dtype,)
    return (kind in _STABLE or _is_scalar(kind)) and not any(one.name in _BY_VALUE for one in allowed)


def _is_scalar(kind: type) -> bool:
    """Whether this is one of NumPy's numbers."""
    return hasattr(kind, "dtype") and hasattr(kind, "item") and any(one.__name__ == "generic" for one in kind.__mro__)


def cast_all(cells: Sequence[Any], dtype: Type, what: str) -> Type:
    """What a column's type becomes with all its cells."""
    for cell in cells:
        found = dtype.assign(cell)
        if isinstance(found, InvalidType):
            raise DataError(f"{what}: existing data {cell!r}, of type {type_of(cell)}, cannot be cast to {dtype}")
        dtype = found
    return dtype
