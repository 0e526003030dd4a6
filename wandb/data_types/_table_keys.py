"""Links between tables: keys, and the numbers of rows."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Dict, Mapping

from ..errors import DataError, UsageError
from ._column_types import INVALID, NumberType, StringType, Type
from ._sink import Json

if TYPE_CHECKING:
    from ._table import Table


class TableKey(str):
    """A cell of a key: a text that knows the column which it is a key of."""

    _table: Table
    _col_name: Any

    def set_table(self, table: Table, col_name: Any) -> None:
        """Say where it is a key. Raises UsageError where the table has no such column."""
        if col_name not in table.columns:
            raise UsageError(f"the table has no column {col_name!r} for a key to be in")
        self._table, self._col_name = table, col_name


class TableIndex(int):
    """The number of a row, which knows its table."""

    _table: Table

    def set_table(self, table: Table) -> None:
        """Say whose row it is."""
        self._table = table

    def get_row(self) -> Dict[Any, Any]:
        """The row's cells by their columns."""
        return dict(zip(self._table.columns, self._table.data[self]))


class PrimaryKeyType(Type):
    """The texts by which rows are told apart."""

    name = "primaryKey"
    legacy_names = ("wandb.TablePrimaryKey",)

    def assign_type(self, other: Type) -> Type:
        return self if isinstance(other, (StringType, PrimaryKeyType)) else INVALID


class ForeignKeyType(Type):
    """Keys of another table's rows."""

    name = "foreignKey"
    legacy_names = ("wandb.TableForeignKey",)
    classes = (TableKey,)

    def __init__(self, table: Table, col_name: Any) -> None:
        if col_name not in table.columns:
            raise UsageError(f"the other table has no column {col_name!r}")
        super().__init__(table=table, col_name=col_name)

    @classmethod
    def from_obj(cls, obj: Any) -> Type:
        return cls(obj._table, obj._col_name)

    def assign_type(self, other: Type) -> Type:
        same = (
            isinstance(other, ForeignKeyType)
            and self.params["table"] is other.params["table"]
            and self.params["col_name"] == other.params["col_name"]
        )
        return self if same or isinstance(other, StringType) else INVALID

    def to_json(self, artifact: Any = None) -> Json:
        return {
            "wb_type": self.name,
            "params": {"table": _add(self.params["table"], artifact), "col_name": self.params["col_name"]},
        }

    @classmethod
    def from_json(cls, json_obj: Mapping[str, Any], artifact: Any = None) -> Type:
        return cls(_get(json_obj, artifact), json_obj["params"]["col_name"])

    def __repr__(self) -> str:
        return f"Foreignkey({self.params['col_name']})"


class ForeignIndexType(Type):
    """Numbers of another table's rows."""

    name = "foreignIndex"
    legacy_names = ("wandb.TableForeignIndex",)
    classes = (TableIndex,)

    def __init__(self, table: Table) -> None:
        super().__init__(table=table)

    @classmethod
    def from_obj(cls, obj: Any) -> Type:
        return cls(obj._table)

    def assign_type(self, other: Type) -> Type:
        same = isinstance(other, ForeignIndexType) and self.params["table"] is other.params["table"]
        return self if same or isinstance(other, NumberType) else INVALID

    def to_json(self, artifact: Any = None) -> Json:
        return {"wb_type": self.name, "params": {"table": _add(self.params["table"], artifact)}}

    @classmethod
    def from_json(cls, json_obj: Mapping[str, Any], artifact: Any = None) -> Type:
        return cls(_get(json_obj, artifact))

    def __repr__(self) -> str:
        return "Foreignindex"


def is_key(dtype: Type) -> bool:
    """Whether a column of this type links to a table."""
    return isinstance(dtype, (PrimaryKeyType, ForeignKeyType, ForeignIndexType))


def _add(table: Table, artifact: Any) -> str:
    if artifact is None:
        raise UsageError("a table that links to another one is written into an artifact, which takes both")
    # The name is replaced by one that the content gives, so any will do that no other table has.
    return str(artifact.add(table, f"media/tables/t_{os.urandom(4).hex()}").path)


def _get(json_obj: Mapping[str, Any], artifact: Any) -> Table:
    from ._table import Table

    name = json_obj["params"]["table"]
    table = None if artifact is None else artifact.get(name)
    if not isinstance(table, Table):
        raise DataError(f"the artifact has no table {name} that another one links to")
    return table
