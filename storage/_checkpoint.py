"""What the records of removed segments add up to, so that a log without its beginning still tells the whole run.

`run-ID.checkpoint` holds the fold of all records up to one. Retention writes it before it removes what the fold was
made of, and a fold of the log begins with it (`beginning`): the step at which a resumed run goes on, its config, its
summary. One line of JSON about the file, then the state as JSON, which the line's checksum covers.
"""

from __future__ import annotations

import json
import os
import zlib
from pathlib import Path
from typing import NamedTuple, Optional

from ._errors import LogDamaged, LogUnavailable, NewerFormat
from ._reader import Reader
from ._segment import fsync_path
from ._state import RunState

CHECKPOINT_FORMAT = 1
# A state holds no rows; a summary or a config of this size would be a mistake.
_BYTES_MAX = 256 << 20


class Beginning(NamedTuple):
    """Where the fold of a log begins."""

    sequence: int  # the last record that `state` has taken: 0 for a whole log
    state: RunState


def checkpoint_path(folder: Path, run_id: str) -> Path:
    return folder / f"run-{run_id}.checkpoint"


def beginning(reader: Reader) -> Beginning:
    """The state with which a fold of the log begins, and the record behind which it goes on.

    Raises LogDamaged where segments have been removed and the checkpoint is not what was written.
    """
    before = reader.first_sequence - 1
    if not before:
        return Beginning(0, RunState())
    found = read_checkpoint(reader.folder, reader.run_id, reader.identity.log_uuid)
    if found is None:
        return Beginning(before, RunState())
    # A crash between the checkpoint and the removal leaves records that are in the state already.
    return found if found.sequence >= before else Beginning(before, found.state)


def read_checkpoint(folder: Path, run_id: str, log_uuid: str) -> Optional[Beginning]:
    """None where there is none. Raises LogDamaged where it is not what was written."""
    path = checkpoint_path(folder, run_id)
    try:
        with open(path, "rb") as file:
            raw = file.read(_BYTES_MAX)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise LogUnavailable(f"can't be read: {error.strerror}", path) from error
    return _parse(raw, path, log_uuid)


def write_checkpoint(folder: Path, run_id: str, log_uuid: str, found: Beginning) -> None:
    """Replace the checkpoint, durably and in one step. Raises OSError."""
    path = checkpoint_path(folder, run_id)
    body = json.dumps(found.state.snapshot()).encode()
    header = {
        "format": CHECKPOINT_FORMAT, "run_id": run_id, "log_uuid": log_uuid, "sequence": found.sequence,
        "checksum": zlib.crc32(body),
    }  # fmt: skip
    temporary = path.with_name(f".{path.name}.new")
    fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with open(fd, "wb") as file:
        file.write(json.dumps(header).encode() + b"\n" + body)
        file.flush()
        os.fsync(fd)
    os.replace(temporary, path)
    fsync_path(folder)


def _parse(raw: bytes, path: Path, log_uuid: str) -> Beginning:
    first, _, body = raw.partition(b"\n")
    try:
        header = json.loads(first)
        if int(header["format"]) > CHECKPOINT_FORMAT:
            raise NewerFormat(f"written in format {header['format']}; upgrade wandb", path)
        if header["log_uuid"] != log_uuid:
            raise LogDamaged("the checkpoint of another log; move it away", path)
        if header["checksum"] != zlib.crc32(body):
            raise LogDamaged("the checkpoint is not what was written", path)
        return Beginning(int(header["sequence"]), RunState.restore(json.loads(body)))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise LogDamaged("the checkpoint is not what was written", path) from None
