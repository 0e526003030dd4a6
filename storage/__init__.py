"""A run's log: an append-only, crash-proof record of everything that happened to the run.

What is promised, and what proves it (in `tests/`; `python -m tests.crash` runs the campaigns, RESULTS.md there has the
last long ones):

* `Log.append` has returned: the record survives the death of the process, by whatever means. It stands in the page
  cache of the operating system, in the log's tail.
  Proof: `crash/kill.py`, `stress/test_forks_and_ends.py::test_a_process_that_ends_while_its_threads_log_loses_nothing`.
* `Log.flush` has returned, or about a second has passed: it survives a power loss too. It stands in an LMDB segment
  behind a full sync.
  Proof: `crash/power_loss.py`.
* A power loss takes at most a suffix of the records of that last second, never one in the middle, and the next opening
  counts what is missing.
  Proof: `crash/power_loss.py`, `fault/test_the_disk_lies.py::test_records_of_a_tail_behind_a_gap_are_counted_not_read`.
* `durability` chooses what `append` waits for (`PROMISES`). `"process"` (the default): what `append` has returned for
  survives the death of the process, and in about a second a power loss. `"power"`: what `append` has returned for
  survives a power loss, unless the disk refused, which a warning says.
  Proof: `crash/kill.py` and `crash/power_loss.py` with both, `storage/test_durability.py`.
* What a record names, a file of media say, is durable before the record is (`Log.sync_first`): no durable record
  names a file that a power loss has taken.
  Proof: `crash/power_loss.py`.
* Reading never delays the writer, and nothing that is read was not written: every byte is covered by a checksum that
  also covers the record's number and kind.
  Proof: `stress/test_stopped_and_moved.py::test_a_stopped_reader_delays_nobody`, `fault/flips.py`, `fault/fuzz.py`.
* Child processes write lanes (`create_lane`), for which the same is promised. Whoever holds the log's lock merges them
  into it: each record once, in its lane's order, in an order that is stored.
  Proof: `storage/test_lanes.py`, `sdk/test_children.py`, `crash/kill.py`.
* A disk that is full, read-only or failing never raises out of `append`: records wait in memory up to
  `MEMORY_BYTES_MAX`, and what could not be kept is counted in `Log.lost`. Who wants to know asks `Log.refusal`.
  Proof: `fault/failing_calls.py`, `fault/test_starved.py`,
  `sdk/test_log_call.py::test_strict_mode_raises_where_the_disk_refuses`.
* A log that was closed never reads as a shorter one: what a damaged disk takes back is an error, and counted by the
  recovery, which removes nothing that it couldn't read.
  Proof: `fault/test_the_disk_lies.py::test_a_closed_log_that_was_taken_back_is_an_error_and_then_a_loss_with_evidence`,
  `fault/test_the_disk_lies.py::test_frames_behind_a_header_that_proves_nothing_are_kept_aside`.
* One writer at a time, whatever forks, spawns or shares the folder; the second is told who the first is.
  Proof: `stress/test_forks_and_ends.py::test_a_child_that_opens_its_parents_log_is_refused`,
  `stress/test_containers.py::test_containers_with_equal_pids_are_told_apart`.
* All of this for any sequence of operations, and for runs of any length in constant memory.
  Proof: `model/test_log_model.py::test_a_log_holds_what_a_list_would_hold`, `bench/long_run.py`.
* Nothing is removed to make room that a server lacks, and what was removed is still in the fold of the log.
  Proof: `storage/test_retention.py`.
* On a network filesystem the log is on a local disk until it is closed; a crash at any step of its way there or home
  leaves one whole log.
  Proof: `storage/test_away.py`.

The shape of it (FORMAT.md documents every byte):

    append ──► tail (one write) ──► block (zstd) ──► segment (LMDB, full sync) ──► Reader ──► RunState
       ▲            └── the writer died: recover() does the same from the files ──┘
       └── what lanes have committed, as FromLane records

`_format` holds the layouts, `_encode` and `_decode` the records; `_log` and `_committer` write, `_reader` reads,
`_recovery` what happens in between when nobody closed the log. `_lanes` and `_merge` are about lanes. `_state` folds
records into the run that they describe, `_column_fold` and `_row_fold` do so many rows at a time.
`_verify` and `_salvage` go through damaged logs by way of `_survey`, which reads on behind damage, as no `Reader` does.
`_retention` removes what servers have, and `_checkpoint` keeps what it added up to. `_filesystem` knows where no live
log should be; there `_away` sends it to a local disk and brings it home, and `_home` knows where it is meanwhile.
`_seek` finds the record at which a run passed a step or a moment.
`_official_import` makes a log of a run that the official client has written: `_official_frames` finds the records in
its file, `_protobuf` and `_official_records` read them, `_official_fold` says the same in records of ours.
`_staging` keeps the files of artifacts beside the log until a server has them, `_staging_writer` puts them there;
`_object_cache` holds what was downloaded or uploaded, and by way of `_growing_file` what has arrived of a large file;
`_digests` and `_bulk_copy` are what they share.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

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
from ._folder import IMPORT_SUFFIX, find_run_id, is_log_file, segments
from ._format import COMMIT_SECONDS, FORMAT_VERSION, MEMORY_BYTES_MAX, PROMISES, RECORD_BYTES_MAX, ROW_KEYS_MAX
from ._home import log_folder
from ._lock_file import LockFile, read_held
from ._log import Log
from ._owner import Writer, boot_id
from ._records import (
    Alert,
    Artifact,
    ConfigChange,
    Console,
    Environment,
    Exit,
    FileSaved,
    FromLane,
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
from ._rows import UNKNOWN_LAYOUT, dump_json, merge_values

if TYPE_CHECKING:
    from ._away import bring_home, create_away, local_root, make_private_folder, send_away, writer_elsewhere
    from ._bulk_copy import copy_file
    from ._checkpoint import Beginning, beginning
    from ._column_fold import ColumnFold, read_columns
    from ._columns import Column, Columns
    from ._console import ConsoleLine, ConsoleLines
    from ._decode import Undecodable
    from ._digests import (
        ALGORITHMS,
        MD5,
        XXH128,
        DigestUnavailable,
        ManifestDigest,
        encoded,
        hash_descriptor,
        hex_of,
        new_hash,
    )
    from ._filesystem import Filesystem, FilesystemKind, filesystem_of
    from ._lanes import create_lane, for_another_log, living_lanes, row_of_lane
    from ._object_cache import CacheUse, ObjectCache, give_away, write_from
    from ._official_import import OfficialImport, find_import, import_official, official_file, official_folder
    from ._protobuf import protobuf_fields
    from ._reader import READ_BYTES, Entry, Reader
    from ._retention import Acknowledged, DiskUse, RemovedSegment, RetentionReport, disk_use, retain
    from ._row_fold import Folded, RowFold
    from ._salvage import SalvageReport, salvage
    from ._seek import find_beyond
    from ._staging import (
        ARTIFACTS_FOLDER,
        FileSlice,
        OwnerFile,
        Staged,
        StagedEntry,
        StagedHeader,
        artifact_folder,
        is_being_made,
        staged_artifacts,
    )
    from ._staging_writer import Added, StagingWriter
    from ._state import Completed, RunState
    from ._summary import MetricRules
    from ._survey import Damage, Gap
    from ._verify import VerifiedSegment, VerifyReport, verify

__all__ = [
    "ALGORITHMS", "ARTIFACTS_FOLDER", "COMMIT_SECONDS", "FORMAT_VERSION", "IMPORT_SUFFIX", "MD5", "MEMORY_BYTES_MAX",
    "PROMISES", "READ_BYTES", "RECORD_BYTES_MAX", "ROW_KEYS_MAX", "UNKNOWN_LAYOUT", "XXH128", "Acknowledged", "Added",
    "Alert", "Artifact", "Beginning", "CacheUse", "Column", "ColumnFold", "Columns", "Completed", "ConfigChange",
    "Console", "ConsoleLine", "ConsoleLines", "Damage", "DigestUnavailable", "DiskUse", "Entry", "Environment",
    "Exit", "FileSaved", "FileSlice", "Filesystem", "FilesystemKind", "Folded", "ForeignFile", "FromLane", "Gap",
    "Labels", "LockFile", "Log", "LogClosed", "LogDamaged", "LogElsewhere", "LogError", "LogInUse", "LogNotFound",
    "LogUnavailable", "ManifestDigest", "MetricDefinition", "MetricRules", "NewerFormat", "ObjectCache",
    "OfficialImport", "OwnerFile", "Preempting", "Reader", "Record", "Recovered", "RemovedSegment", "RetentionReport",
    "Row", "RowFlag", "RowFold", "RunStart", "RunState", "SalvageReport", "Scalar", "Shape", "Staged", "StagedEntry",
    "StagedHeader", "StagingWriter", "Stream", "SummaryChange", "SystemMetrics", "Telemetry", "Undecodable",
    "UnstorableValue", "VerifiedSegment", "VerifyReport", "Writer", "WriterLost", "artifact_folder", "beginning",
    "boot_id", "bring_home", "copy_file", "create_away", "create_lane", "disk_use", "dump_json", "encoded",
    "filesystem_of", "find_beyond", "find_import", "find_run_id", "for_another_log", "give_away", "hash_descriptor",
    "hex_of", "import_official", "is_being_made", "is_log_file", "living_lanes", "local_root", "log_folder",
    "make_private_folder", "merge_values", "new_hash", "official_file", "official_folder", "protobuf_fields",
    "read_columns", "read_held", "recover", "retain", "row_of_lane", "salvage", "segments", "send_away",
    "staged_artifacts", "verify", "write_from", "writer_elsewhere",
]  # fmt: skip

# What no training process needs is loaded when it is first used: every import costs the start of every run.
_HOMES = {
    "ALGORITHMS": "._digests",
    "ARTIFACTS_FOLDER": "._staging",
    "Acknowledged": "._retention",
    "Added": "._staging_writer",
    "Beginning": "._checkpoint",
    "CacheUse": "._object_cache",
    "Column": "._columns",
    "ColumnFold": "._column_fold",
    "Columns": "._columns",
    "Completed": "._state",
    "ConsoleLine": "._console",
    "ConsoleLines": "._console",
    "Damage": "._survey",
    "DigestUnavailable": "._digests",
    "DiskUse": "._retention",
    "Entry": "._reader",
    "FileSlice": "._staging",
    "Filesystem": "._filesystem",
    "FilesystemKind": "._filesystem",
    "Folded": "._row_fold",
    "Gap": "._survey",
    "MD5": "._digests",
    "ManifestDigest": "._digests",
    "MetricRules": "._summary",
    "ObjectCache": "._object_cache",
    "OfficialImport": "._official_import",
    "OwnerFile": "._staging",
    "READ_BYTES": "._reader",
    "Reader": "._reader",
    "RemovedSegment": "._retention",
    "RetentionReport": "._retention",
    "RowFold": "._row_fold",
    "RunState": "._state",
    "SalvageReport": "._salvage",
    "Staged": "._staging",
    "StagedEntry": "._staging",
    "StagedHeader": "._staging",
    "StagingWriter": "._staging_writer",
    "Undecodable": "._decode",
    "VerifiedSegment": "._verify",
    "VerifyReport": "._verify",
    "XXH128": "._digests",
    "artifact_folder": "._staging",
    "beginning": "._checkpoint",
    "bring_home": "._away",
    "copy_file": "._bulk_copy",
    "create_away": "._away",
    "create_lane": "._lanes",
    "disk_use": "._retention",
    "encoded": "._digests",
    "filesystem_of": "._filesystem",
    "find_beyond": "._seek",
    "find_import": "._official_import",
    "for_another_log": "._lanes",
    "give_away": "._object_cache",
    "hash_descriptor": "._digests",
    "hex_of": "._digests",
    "import_official": "._official_import",
    "is_being_made": "._staging",
    "living_lanes": "._lanes",
    "local_root": "._away",
    "make_private_folder": "._away",
    "new_hash": "._digests",
    "official_file": "._official_import",
    "official_folder": "._official_import",
    "protobuf_fields": "._protobuf",
    "read_columns": "._column_fold",
    "retain": "._retention",
    "row_of_lane": "._lanes",
    "salvage": "._salvage",
    "send_away": "._away",
    "staged_artifacts": "._staging",
    "verify": "._verify",
    "write_from": "._object_cache",
    "writer_elsewhere": "._away",
}


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'wandb_storage' has no attribute {name!r}")
    value = getattr(importlib.import_module(home, __name__), name)
    globals()[name] = value
    return value
