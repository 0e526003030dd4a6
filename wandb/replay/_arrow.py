"""A history as Arrow tables and Parquet files: batches of bounded size, with one type a column for the whole run."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING, Any, List, Mapping, Sequence

from wandb_storage import Column, Columns

from ._json import strict_json
from ._needs import need
from ._types import DOUBLE, INTEGER, JSON, TEXT, TRUTH

if TYPE_CHECKING:
    import pyarrow

    from ._history import History
    from ._replay import Replay
    from ._selection import Selection

INSTALL = '"wandb[parquet]"'


def arrow_schema(kinds: Mapping[str, str]) -> pyarrow.Schema:
    """A field for each key. Raises Error where pyarrow is not installed."""
    arrow = need("pyarrow", INSTALL, "a table of Arrow")
    types = {
        DOUBLE: arrow.float64(), INTEGER: arrow.int64(), TRUTH: arrow.bool_(), TEXT: arrow.string(),
        JSON: arrow.string(),
    }  # fmt: skip
    # Whether a column of text is text or JSON stands in its metadata.
    return arrow.schema([arrow.field(key, types[kind], metadata={"wandb": kind}) for key, kind in kinds.items()])


def to_table(history: History) -> pyarrow.Table:
    """All of it in memory."""
    schema = arrow_schema(history.types())
    import pyarrow

    return pyarrow.Table.from_batches((record_batch(batch, schema) for batch in history.columns()), schema)


def record_batch(batch: Columns, schema: pyarrow.Schema, run_id: str = "") -> pyarrow.RecordBatch:
    """The rows in columns of the schema; `run_id` is for a schema that begins with a column for it."""
    import pyarrow

    columns = [
        pyarrow.repeat(run_id, batch.rows) if field.metadata is None else _array(batch, field) for field in schema
    ]
    return pyarrow.RecordBatch.from_arrays(columns, schema=schema)


def _array(batch: Columns, field: pyarrow.Field) -> pyarrow.Array:
    import pyarrow

    column = batch.columns.get(field.name)
    if column is None:
        return pyarrow.nulls(batch.rows, field.type)
    if column.dtype == "object" or pyarrow.types.is_string(field.type):
        return pyarrow.array(_objects(column, field), field.type)
    made = _plain(column, batch.rows)
    return made if made.type == field.type else made.cast(field.type)


def _plain(column: Column, rows: int) -> pyarrow.Array:
    """Numbers and truths without a copy of the values."""
    import pyarrow

    valid = None if column.present is None else _bits(column.present)
    if column.dtype == "bool":
        return pyarrow.Array.from_buffers(pyarrow.bool_(), rows, [valid, _bits(column.values)])
    kind = pyarrow.float64() if column.dtype == "float64" else pyarrow.int64()
    return pyarrow.Array.from_buffers(kind, rows, [valid, pyarrow.py_buffer(column.values)])


def _bits(truths: Any) -> pyarrow.Buffer:
    """Bytes of 0 and 1 as bits."""
    import pyarrow

    whole = pyarrow.Array.from_buffers(pyarrow.uint8(), len(truths), [None, pyarrow.py_buffer(truths)])
    return whole.cast(pyarrow.bool_()).buffers()[1]


def _objects(column: Column, field: pyarrow.Field) -> List[Any]:
    """Values of several types as the column takes them."""
    kind = field.metadata[b"wandb"].decode()
    values = column.objects()
    if kind != JSON:
        return values
    there = column.present or b"\1" * len(values)
    return [strict_json(value) if present and value is not None else None for value, present in zip(values, there)]


def write_parquet(replays: Sequence[Replay], selection: Selection, file: IO[bytes]) -> None:
    """Write a Parquet file, a row group a batch; several runs are told apart by a column `run_id`."""
    need("pyarrow", INSTALL, "Parquet")
    import pyarrow
    from pyarrow import parquet

    several = len(replays) > 1
    schema = arrow_schema(selection.types(replays))
    if several:
        schema = schema.insert(0, pyarrow.field("run_id", pyarrow.string()))
    with parquet.ParquetWriter(file, schema, compression="zstd") as writer:
        for replay in replays:
            for batch in selection.batches(replay):
                writer.write_batch(record_batch(batch, schema, replay.run_id))
