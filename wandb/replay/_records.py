"""The records of a log, one by one, for whoever wants to know exactly what it holds."""

from __future__ import annotations

import base64
import dataclasses
from typing import IO, Any, Dict, Iterator, Optional, Sequence

from wandb_storage import Entry, FromLane, LogDamaged, Reader, Record, Row

from ._json import strict_json
from ._replay import Replay
from ._selection import Selection

# What of a row is its encoding, and stands in its values.
_ENCODING = ("doubles", "integers", "json")


def write_records(replays: Sequence[Replay], selection: Selection, file: IO[str]) -> None:
    """A JSON document a line: `sequence`, `kind`, and the record's fields. Of several runs each has a `run_id`."""
    for replay in replays:
        several = {"run_id": replay.run_id} if len(replays) > 1 else {}
        for entry in _entries(replay):
            file.write(strict_json({**several, **_fields(entry)}) + "\n")
            selection.progress(isinstance(entry.record, Row))


def _entries(replay: Replay) -> Iterator[Entry]:
    """Up to the moment, and the damage, where there is one."""
    last = replay.scan().last_sequence
    with Reader(replay.folder) as reader:
        try:
            yield from reader.entries(stop=last + 1)
        except LogDamaged:
            return


def _fields(entry: Entry) -> Dict[str, Any]:
    return {"sequence": entry.sequence, **_record(entry.record, entry.kind)}


def _record(record: Optional[Record], kind: int) -> Dict[str, Any]:
    if record is None:
        return {"kind": f"unknown ({kind})"}
    fields = {field.name: getattr(record, field.name) for field in dataclasses.fields(record)}
    if isinstance(record, Row):
        fields = {name: value for name, value in fields.items() if name not in _ENCODING}
    if isinstance(record, FromLane):
        fields.pop("payload")
        fields["record"] = _record(record.record, record.record_kind)
    return {"kind": type(record).__name__, **{name: _plain(value) for name, value in fields.items()}}


def _plain(value: Any) -> Any:
    return base64.b64encode(value).decode() if isinstance(value, bytes) else value
