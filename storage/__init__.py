"""A run's log: an append-only, crash-proof record of everything that happened to the run.

What is promised:

* `Log.append` has returned: the record survives the death of the process, by whatever means. It stands in the page
  cache of the operating system, in the log's tail.
* `Log.flush` has returned, or about a second has passed: it survives a power loss too. It stands in an LMDB segment
  behind a full sync.
* A power loss takes at most a suffix of the records of that last second, never one in the middle, and the next opening
  counts what is missing.
* Reading never delays the writer, and nothing that is read was not written: every byte is covered by a checksum that
  also covers the record's number and kind.
* A disk that is full, read-only or failing never raises out of `append`: records wait in memory up to
  `MEMORY_BYTES_MAX`, and what could not be kept is counted in `Log.lost`.

The shape of it (FORMAT.md documents every byte):

    append ──► tail (one write) ──► block (zstd) ──► segment (LMDB, full sync) ──► Reader ──► RunState
                    └── the writer died: recover() does the same from the files ──┘

`_format` holds the layouts, `_encode` and `_decode` the records; `_log` and `_committer` write, `_reader` reads,
`_recovery` what happens in between when nobody closed the log. `_state` folds records into the run that they describe.
"""

from ._console import ConsoleLine
from ._errors import (
    ForeignFile,
    LogClosed,
    LogDamaged,
    LogError,
    LogInUse,
    LogNotFound,
    LogUnavailable,
    NewerFormat,
    UnstorableValue,
)
from ._folder import find_run_id, is_log_file, segments
from ._format import COMMIT_SECONDS, FORMAT_VERSION, MEMORY_BYTES_MAX, RECORD_BYTES_MAX, ROW_KEYS_MAX
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

__all__ = [
    "COMMIT_SECONDS", "FORMAT_VERSION", "MEMORY_BYTES_MAX", "READ_BYTES", "RECORD_BYTES_MAX", "ROW_KEYS_MAX",
    "UNKNOWN_LAYOUT", "Alert", "Artifact", "Completed", "ConfigChange", "Console", "ConsoleLine", "Entry", "Exit",
    "FileSaved", "ForeignFile", "Labels", "Log", "LogClosed", "LogDamaged", "LogError", "LogInUse", "LogNotFound",
    "LogUnavailable", "MetricDefinition", "MetricRules", "NewerFormat", "Preempting", "Reader", "Record",
    "Recovered", "Row", "RowFlag", "RunStart", "RunState", "Scalar", "Shape", "Stream", "SummaryChange",
    "SystemMetrics", "Telemetry", "UnstorableValue", "Writer", "WriterLost", "boot_id", "dump_json", "find_run_id",
    "is_log_file", "recover", "segments",
]  # fmt: skip
