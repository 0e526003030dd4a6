"""A run at a glance, for lists of many: its state and its size, without reading all of its log."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import Optional

from wandb_storage import ColumnFold, ForeignFile, LogElsewhere, LogError, Reader, RunStart, RunState, beginning

from .._run_folders import RunFolder
from ._ended import explain
from ._scan import Scan, Until

# A log of this size is read in about 20 ms; of a larger one only the ends are.
FOLD_BYTES_MAX = 1 << 20
# An exit is followed by at most a few records: last lines of the console, the loss of a writer that was killed while it
# closed the log.
_LAST_RECORDS = 64


@dataclasses.dataclass(frozen=True)
class Glance:
    """What a list shows of a run."""

    folder: Path
    run_id: str
    offline: bool
    # As `Ended.state`; `unreadable`; `damaged` for a log that can't be read to its end; `elsewhere` for one on another
    # machine; `official` for one of the official client, which `wandb sync` imports.
    state: str
    bytes: int  # on disk, with its files
    name: Optional[str] = None
    project: Optional[str] = None
    started: float = 0.0
    records: int = 0  # the number of the last record
    committed: int = 0  # of the last one that survives a power loss
    rows: Optional[int] = None  # None: the log is too large to count them in a glance
    error: Optional[LogError] = None


def glance(run: RunFolder) -> Glance:
    """Look at a run."""
    size = disk_bytes(run.path)
    try:
        with Reader(run.path) as reader:
            if _log_bytes(reader.folder) <= FOLD_BYTES_MAX:
                return _fold(run, reader, size)
            return _look_at_ends(run, reader, size)
    except LogElsewhere as error:
        return Glance(run.path, run.run_id, run.offline, "elsewhere", size, error=error)
    except LogError as error:
        return Glance(run.path, run.run_id, run.offline, _why_not(run.path, error), size, error=error)


def _why_not(folder: Path, error: LogError) -> str:
    if not isinstance(error, ForeignFile):
        return "unreadable"
    from wandb_storage import official_file  # which only such a file needs, and is slow to load

    return "unreadable" if official_file(folder) is None else "official"


def _fold(run: RunFolder, reader: Reader, size: int) -> Glance:
    before, state = beginning(reader)
    found = _read(reader, before + 1, state)
    return _glance(run, reader, found, size, found.state.start, found.state.rows)


def _look_at_ends(run: RunFolder, reader: Reader, size: int) -> Glance:
    first = next((entry.record for entry in reader.entries()), None)
    start = first if isinstance(first, RunStart) else beginning(reader).state.start
    last = reader.last_committed()
    found = _read(reader, max(reader.first_sequence, last - _LAST_RECORDS), RunState())
    return _glance(run, reader, found, size, start, None)


def _read(reader: Reader, start: int, state: RunState) -> Scan:
    found = Scan(state=state, first_sequence=start, last_sequence=start - 1)
    fold = ColumnFold(reader, state, (), on_entry=lambda entry, completed: found.take(entry))
    try:
        for _ in fold.batches(start):
            pass  # only their number is of interest
    except LogError as error:
        found.damage = error
    found.last_sequence = max(found.last_sequence, fold.last_sequence)
    fold.finish()
    found.writer = reader.writer()
    return found


def _glance(run: RunFolder, reader: Reader, found: Scan, size: int, start: RunStart, rows: Optional[int]) -> Glance:
    state = "damaged" if found.damage is not None else explain(run.path, reader.run_id, found, Until()).state
    return Glance(
        run.path, run.run_id, run.offline, state, size, start.name, start.project, start.time,
        found.last_sequence, _committed(reader), rows, found.damage,
    )  # fmt: skip


def _committed(reader: Reader) -> int:
    try:
        return reader.last_committed()
    except LogError:
        return 0  # of a damaged log nobody knows


def _log_bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.glob("run-*") if path.is_file())


def disk_bytes(folder: Path) -> int:
    """What a folder takes on the disk."""
    total = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.lstat(os.path.join(parent, name)).st_blocks * 512
            except FileNotFoundError:
                continue  # a temporary file of a living writer
    return total
