"""A run's log: an append-only, crash-proof record of everything that happened to the run.

What is promised:

* `Log.append` has returned: the record survives the death of the process, by whatever means. It stands in the page
  cache of the operating system, in the log's tail.
* `Log.flush` has returned, or about a second has passed: it survives a power loss too. It stands in an LMDB segment
  behind a full sync.
* A power loss takes at most a suffix of the records of that last second, never one in the middle, and the next opening
  counts what is missing.
* `durability` chooses what `append` waits for. `"process"` (the default): what it has returned for survives the death
  of the process, and within about a second a power loss. `"power"`: what it has returned for survives a power loss,
  unless the disk refused, which a warning says.
* Reading never delays the writer, and nothing that is read was not written: every byte is covered by a checksum that
  also covers the record's number and kind.
* A disk that is full, read-only or failing never raises out of `append`: records wait in memory up to
  `MEMORY_BYTES_MAX`, and what could not be kept is counted in `Log.lost`.
* Nothing is removed to make room that a server lacks, and what was removed is still in the fold of the log
  (`tests/storage/test_retention.py`).
* On a network filesystem the log is on a local disk until it is closed; a crash at any step of its way there or home
  leaves one whole log (`tests/storage/test_away.py`).

The shape of it (FORMAT.md documents every byte):

    append ──► tail (one write) ──► block (zstd) ──► segment (LMDB, full sync) ──► Reader ──► RunState
                    └── the writer died: recover() does the same from the files ──┘

`_format` holds the layouts, `_encode` and `_decode` the records; `_log` and `_committer` write, `_reader` reads,
`_recovery` what happens in between when nobody closed the log. `_state` folds records into the run that they describe.
`_verify` and `_salvage` go through damaged logs by way of `_survey`, which reads on behind damage, as no `Reader` does.
`_retention` removes what servers have, and `_checkpoint` keeps what it added up to. `_filesystem` knows where no live
log should be; there `_away` sends it to a local disk and brings it home, and `_home` knows where it is meanwhile.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from ._checkpoint import Beginning, beginning
from ._console import ConsoleLine
from ._errors import (
    ForeignFile,
    LogClosed,
    LogDamaged,
    LogElsewhere,
    LogError,
    LogInUse,
    LogNotFound,
    LogUnavailable,
    NewerFormat,
    UnstorableValue,
)
from ._folder import find_run_id, is_log_file, segments
from ._format import COMMIT_SECONDS, FORMAT_VERSION, MEMORY_BYTES_MAX, RECORD_BYTES_MAX, ROW_KEYS_MAX
from ._home import log_folder
from ._log import Log
from ._owner import Writer, boot_id
from ._reader import READ_BYTES, Entry, Reader
from ._records import (
    Alert,
    Artifact,
    ConfigChange,
    Console,
    Exit,
    FileSaved,
    Labels,
    MetricDefinition,
    Preempting,
    Record,
    Row,
    RowFlag,
    RunStart,
    Scalar,
    Shape,
    Stream,
    SummaryChange,
    SystemMetrics,
    Telemetry,
    WriterLost,
)
from ._recovery import Recovered, recover
from ._rows import UNKNOWN_LAYOUT, dump_json
from ._state import Completed, RunState
from ._summary import MetricRules

if TYPE_CHECKING:
    from ._away import bring_home, create_away, local_root, make_private_folder, send_away, writer_elsewhere
    from ._filesystem import Filesystem, FilesystemKind, filesystem_of
    from ._retention import Acknowledged, DiskUse, RemovedSegment, RetentionReport, disk_use, retain
    from ._salvage import SalvageReport, salvage
    from ._survey import Damage, Gap
    from ._verify import VerifiedSegment, VerifyReport, verify

__all__ = [
    "COMMIT_SECONDS", "FORMAT_VERSION", "MEMORY_BYTES_MAX", "READ_BYTES", "RECORD_BYTES_MAX", "ROW_KEYS_MAX",
    "UNKNOWN_LAYOUT", "Acknowledged", "Alert", "Artifact", "Beginning", "Completed", "ConfigChange", "Console",
    "ConsoleLine", "Damage", "DiskUse", "Entry", "Exit", "FileSaved", "Filesystem", "FilesystemKind", "ForeignFile",
    "Gap", "Labels", "Log", "LogClosed", "LogDamaged", "LogElsewhere", "LogError", "LogInUse", "LogNotFound",
    "LogUnavailable", "MetricDefinition", "MetricRules", "NewerFormat", "Preempting", "Reader", "Record", "Recovered",
    "RemovedSegment", "RetentionReport", "Row", "RowFlag", "RunStart", "RunState", "SalvageReport", "Scalar", "Shape",
    "Stream", "SummaryChange", "SystemMetrics", "Telemetry", "UnstorableValue", "VerifiedSegment", "VerifyReport",
    "Writer", "WriterLost", "beginning", "boot_id", "bring_home", "create_away", "disk_use", "dump_json",
    "filesystem_of", "find_run_id", "is_log_file", "local_root", "log_folder",
    "make_private_folder", "recover", "retain", "salvage",
    "segments", "send_away", "verify", "writer_elsewhere",
]  # fmt: skip

# What no training process needs is loaded when it is first used: every import costs the start of every run.
_HOMES = {
    "bring_home": "._away",
    "create_away": "._away",
    "local_root": "._away",
    "make_private_folder": "._away",
    "send_away": "._away",
    "Acknowledged": "._retention",
    "Damage": "._survey",
    "DiskUse": "._retention",
    "Filesystem": "._filesystem",
    "FilesystemKind": "._filesystem",
    "Gap": "._survey",
    "RemovedSegment": "._retention",
    "RetentionReport": "._retention",
    "SalvageReport": "._salvage",
    "VerifiedSegment": "._verify",
    "VerifyReport": "._verify",
    "disk_use": "._retention",
    "filesystem_of": "._filesystem",
    "retain": "._retention",
    "salvage": "._salvage",
    "verify": "._verify",
    "writer_elsewhere": "._away",
}


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'wandb_storage' has no attribute {name!r}")
    value = getattr(importlib.import_module(home, __name__), name)
    globals()[name] = value
    return value
