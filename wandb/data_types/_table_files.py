"""Tables as files: what a run's page reads, and what an artifact holds.

The run's file has the first rows, with names in the place of media. The artifact's has all, with types and media, and
is read back. Arrays of an artifact's table are in files of their own, a column each, unless they are short.
"""

from __future__ import annotations

import io
import itertools
import json
import math
import operator
import zipfile
import zlib
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

from ..errors import DataError
from ._base import WBValue
from ._cells import from_milliseconds, plain_cell
from ._column_types import NumberType, TimestampType, Type, type_from_json
from ._composite_types import ListType, NDArrayType, TypedDictType, UnionType
from ._content import Content
from ._html import check_text_size
from ._increments import in_order
from ._json import dump_media_json
from ._limits import ARRAYS_BYTES_MAX, CELLS_MAX
from ._optional import load
from ._plotly import as_lists
from ._sink import Json

Types = Mapping[Any, Type]

# Arrays of one dimension and at most so many numbers stay in their cells: embeddings, for which pages have views.
_LISTED_MAX = 150
_PLAIN = frozenset({int, str, bool, type(None), float})
_JSON = (list, dict, int, str, float, type(None))
# Says which cells of a column of arrays are None.
_NONE_SUFFIX = ".is_none"


def run_file(columns: Sequence[Any], rows: Sequence[Sequence[Any]]) -> Content:
    """The file of a run, which its page reads."""
    cells = rows if _all_plain(rows) else [[_shown(cell) for cell in row] for row in rows]
    encoded = dump_media_json({"columns": list(columns), "data": cells}, "Table")
    check_text_size(len(encoded), "Table")
    return Content.of_bytes(encoded, ".table.json")


def artifact_json(columns: Sequence[Any], rows: Sequence[Sequence[Any]], types: Types, artifact: Any) -> Json:
    """The JSON object of an artifact's table; media and arrays go into the artifact. Raises DataError."""
    if len(rows) * len(columns) > CELLS_MAX:
        raise DataError(
            f"Table: {len(rows) * len(columns):,} cells are above the limit of {CELLS_MAX:,}; log a part of them, or "
            "save them as a Parquet file in an artifact"
        )
    written = dict(types)
    stored: List[int] = []
    for index, column in enumerate(columns):
        array = _array_type(types[column])
        if array is None:
            continue
        shape = array.params["shape"]
        if len(shape) == 1 and shape[0] <= _LISTED_MAX:
            written[column] = ListType(NumberType, shape[0])
        else:
            stored.append(index)
            place = _store_arrays([row[index] for row in rows], str(column), shape, artifact)
            written[column] = _placed(types[column], place)
    return {
        "_type": "table",
        "columns": list(columns),
        "data": _cells(rows, stored, artifact),
        "ncols": len(columns),
        "nrows": len(rows),
        "column_types": TypedDictType(_sortable(written)).to_json(artifact),
    }


def _sortable(types: Types) -> Types:
    """Names of which some are numbers and some texts are texts, so that JSON can have them in order."""
    if len({type(column) for column in types}) < 2:
        return types
    return {str(column): dtype for column, dtype in types.items()}


def _cells(rows: Sequence[Sequence[Any]], stored: Sequence[int], artifact: Any) -> List[Sequence[Any]]:
    if not stored and _all_plain(rows) and not _any_nan(rows):
        return list(rows)
    return [[None if index in stored else plain_cell(cell, artifact) for index, cell in enumerate(row)] for row in rows]


def _all_plain(rows: Sequence[Sequence[Any]]) -> bool:
    return _PLAIN.issuperset(map(type, itertools.chain.from_iterable(rows)))


def _any_nan(rows: Sequence[Sequence[Any]]) -> bool:
    cells = list(itertools.chain.from_iterable(rows))
    return any(map(operator.ne, cells, cells))


def _shown(cell: Any) -> Any:
    """A cell as a page shows it that can't follow references: media as the names of their classes."""
    if type(cell) in _PLAIN:
        return cell
    if isinstance(cell, WBValue):
        return type(cell).__name__
    plain = as_lists(cell)
    return plain if isinstance(plain, _JSON) else plain_cell(plain)


# --- arrays -----------------------------------------------------------------------------------------------------------


def _array_type(dtype: Type) -> Optional[NDArrayType]:
    allowed = dtype.params["allowed_types"] if isinstance(dtype, UnionType) else (dtype,)
    return next((one for one in allowed if isinstance(one, NDArrayType)), None)


def _placed(dtype: Type, place: Dict[str, str]) -> Type:
    """The type with the place of its numbers."""
    if isinstance(dtype, UnionType):
        return UnionType([_placed(one, place) for one in dtype.params["allowed_types"]])
    return NDArrayType(dtype.params["shape"], place) if isinstance(dtype, NDArrayType) else dtype


def _store_arrays(cells: Sequence[Any], key: str, shape: Sequence[int], artifact: Any) -> Dict[str, str]:
    """Put a column of arrays into a file of the artifact; return its place."""
    numpy = load("numpy", "numpy", "a Table of arrays")
    missing = [cell is None for cell in cells]
    empty = numpy.full(shape, numpy.nan)
    arrays = {key: numpy.array([empty if gone else cell for cell, gone in zip(cells, missing)])}
    if any(missing):
        arrays[key + _NONE_SUFFIX] = numpy.array(missing)
    if arrays[key].dtype.hasobject:
        raise DataError(f"Table: the arrays in the column {key!r} are of objects, which can't be stored; use numbers")
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, array in arrays.items():
            # Without a time of its own the same column is the same file.
            with packed.open(zipfile.ZipInfo(f"{name}.npy", (1980, 1, 1, 0, 0, 0)), "w", force_zip64=True) as entry:
                numpy.lib.format.write_array(entry, array, allow_pickle=False)
    content = Content.of_bytes(file.getvalue(), ".npz")
    path = artifact._keep_media(content, lambda hashed: f"media/serialized_data/{hashed.md5[:20]}{hashed.extension}")
    return {"path": path, "key": key}


def _read_arrays(place: Mapping[str, str], count: int, artifact: Any) -> List[Any]:
    """The arrays of a column with so many rows. Raises DataError for a file that holds something else."""
    key = str(place["key"])
    try:
        with zipfile.ZipFile(artifact.get_entry(place["path"]).download()) as packed:
            cells = list(_read_array(packed, f"{key}.npy"))
            has_missing = f"{key}{_NONE_SUFFIX}.npy" in packed.namelist()
            missing = _read_array(packed, f"{key}{_NONE_SUFFIX}.npy") if has_missing else ()
    except (ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise DataError(f"the arrays of the column {key!r} can't be read from {place['path']}: {error}") from error
    if len(cells) != count:
        raise DataError(
            f"the column {key!r} has {len(cells):,} arrays in {place['path']}, and the table {count:,} rows"
        )
    return [None if gone else cell for cell, gone in zip(cells, missing)] if len(missing) else cells


def _read_array(packed: zipfile.ZipFile, name: str) -> Any:
    """An array of an archive. What its header says is believed as far as the archive is large: whoever made it must
    be able to make neither this program run code (pickled objects) nor take all of the memory."""
    numpy = load("numpy", "numpy", "a Table with arrays")
    size = packed.getinfo(name).file_size
    if size > ARRAYS_BYTES_MAX:
        raise ValueError(f"{size:,} bytes are above the limit of {ARRAYS_BYTES_MAX:,}")
    with packed.open(name) as entry:
        version = numpy.lib.format.read_magic(entry)
        read_header = getattr(numpy.lib.format, f"read_array_header_{version[0]}_{version[1]}")
        shape, in_columns, dtype = read_header(entry)
        if dtype.hasobject or math.prod(shape) * dtype.itemsize > size:
            raise ValueError("it is no array of numbers")
        data = bytearray(entry.read(math.prod(shape) * dtype.itemsize))
    return numpy.frombuffer(data, dtype).reshape(shape, order="F" if in_columns else "C")


# --- reading ----------------------------------------------------------------------------------------------------------


def read_rows(json_obj: Json, artifact: Any) -> Tuple[Optional[Types], List[List[Any]]]:
    """(types by the names of the columns, rows) of an artifact's table. Raises DataError for what is none."""
    columns = [str(column) for column in _checked_columns(json_obj)]
    rows = [_checked_row(row, len(columns)) for row in _stored_rows(json_obj, artifact)]
    if len(rows) * len(columns) > CELLS_MAX:
        raise DataError(f"a table of {len(rows) * len(columns):,} cells is above the limit of {CELLS_MAX:,}")
    types: Optional[Dict[str, Type]] = None
    arrays: Dict[int, List[Any]] = {}
    times: List[int] = []
    if json_obj.get("column_types") is not None:
        types = _read_types(json_obj["column_types"], columns, artifact)
        for index, column in enumerate(columns):
            array = _array_type(types[column])
            if array is not None and array.place is not None:
                arrays[index] = _read_arrays(array.place, len(rows), artifact)
                types[column] = _without_place(types[column])
            if _holds_times(types[column]):
                times.append(index)
    for number, row in enumerate(rows):
        for index, cell in enumerate(row):
            if isinstance(cell, dict) and "_type" in cell:
                row[index] = WBValue.init_from_json(cell, artifact) or cell
        for index in times:
            if isinstance(row[index], (int, float)):
                row[index] = from_milliseconds(row[index])
        for index, cells in arrays.items():
            row[index] = cells[number]
    return types, rows


def _checked_columns(json_obj: Json) -> List[Any]:
    columns = json_obj.get("columns")
    if not isinstance(columns, list) or not all(isinstance(column, (str, int)) for column in columns):
        raise DataError("this is no table: it has no columns with names")
    return columns


def _checked_row(row: Any, count: int) -> List[Any]:
    if not isinstance(row, list) or len(row) != count:
        raise DataError(f"this is no table of {count} columns: it has a row {str(row)[:60]}")
    return list(row)


def _read_types(json_obj: Any, columns: Sequence[str], artifact: Any) -> Dict[str, Type]:
    try:
        held = type_from_json(json_obj, artifact)
    except (AttributeError, TypeError, RecursionError) as error:
        raise DataError(f"the types of a table's columns can't be read: {error}") from error
    by_column = {str(column): dtype for column, dtype in held.params.get("type_map", {}).items()}
    if not isinstance(held, TypedDictType) or not set(columns) <= set(by_column):
        raise DataError("this is no table: not all of its columns have types")
    return by_column


def _stored_rows(json_obj: Json, artifact: Any) -> List[Any]:
    if json_obj.get("log_mode") != "INCREMENTAL":
        rows_here = json_obj.get("data")
        if not isinstance(rows_here, list):
            raise DataError("this is no table: it has no rows")
        return rows_here
    rows: List[Any] = []
    for name in in_order([path for path in artifact.manifest.entries if path.endswith(".table.json")]):
        with open(artifact.get_entry(name).download(), encoding="utf-8") as file:
            try:
                rows += json.load(file)["data"]
            except (ValueError, KeyError) as error:
                raise DataError(f"the increment {name} of a table can't be read: {error}") from error
    return rows


def _holds_times(dtype: Type) -> bool:
    allowed = dtype.params["allowed_types"] if isinstance(dtype, UnionType) else (dtype,)
    return any(isinstance(one, TimestampType) for one in allowed)


def _without_place(dtype: Type) -> Type:
    if isinstance(dtype, UnionType):
        return UnionType([_without_place(one) for one in dtype.params["allowed_types"]])
    return NDArrayType(dtype.params["shape"]) if isinstance(dtype, NDArrayType) else dtype
