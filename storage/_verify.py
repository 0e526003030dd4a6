"""`verify`: is every byte of a log what was written? It reads everything, writes nothing, and goes on behind damage.

A log whose writer lives is read as its readers do; what waits in its tail is then no finding. The severity of a report:

    0   intact: every record is there, and the log was closed, or is being written
    1   something is left to do that loses nothing: `recover` it
    2   damage: bytes are not what was written, or records are missing; see `salvage`

What is no log at all raises LogNotFound, ForeignFile or NewerFormat.
"""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from typing import Dict, List, NamedTuple, Optional, Tuple

from ._checkpoint import read_checkpoint
from ._decode import RowDecoder, Undecodable, decode
from ._errors import LogDamaged
from ._folder import find_run_id, segment_paths
from ._format import Frame
from ._home import log_folder
from ._owner import Writer
from ._records import RECORD_TYPES, Row, Shape, WriterLost
from ._segment import mapped_errors
from ._survey import Damage, Gap, Progress, Survey
from ._tail import tail_paths

INTACT, LEFTOVERS, DAMAGED = 0, 1, 2

# The kind of a record that stands in the place of one that a salvage could not find.
MISSING_KIND = 0
# A log that somebody recovers, or begins to write, while it is walked looks damaged to the walk.
_WALKS_MAX = 3


class VerifiedSegment(NamedTuple):
    """One file of the log."""

    path: Path
    number: int
    first_sequence: Optional[int]  # None: its identity can't be read
    blocks: int
    records: int
    bytes: int
    sealed: bool


class VerifyReport(NamedTuple):
    """What a walk over a log found."""

    folder: Path
    run_id: str
    log_uuid: str  # empty where nothing tells it
    writer: Optional[Writer]  # the living one
    closed: bool  # nobody will write the last segment any more
    first_sequence: int  # above 1 where retention has removed segments
    last_sequence: int
    records: int
    rows: int
    kinds: Dict[str, int]  # records by the name of their kind
    unknown_kinds: int  # records of kinds that this version doesn't know
    segments: List[VerifiedSegment]
    blocks: int
    bytes: int  # of the log's files
    raw_bytes: int  # of its records, before compression
    checksums: int  # that are right
    tail_records: int  # that are not yet in a segment
    torn_bytes: int  # at the end of the tail: an append that had not returned
    lost_records: int  # that earlier recoveries and salvages found missing, and said so in the log
    gaps: List[Gap]
    damages: List[Damage]  # each, up to a limit
    leftovers: List[Path]  # files that mean nothing, or were put aside by a recovery

    @property
    def missing(self) -> int:
        """Records that should be there, by their numbers."""
        return sum(gap.records for gap in self.gaps)

    @property
    def first_damage(self) -> Optional[Damage]:
        return self.damages[0] if self.damages else None

    @property
    def severity(self) -> int:
        if self.damages or self.gaps:
            return DAMAGED
        return INTACT if self.closed or self.writer is not None else LEFTOVERS


def verify(folder: Path, progress: Optional[Progress] = None) -> VerifyReport:
    """Walk the log in a folder. `progress` is called with the bytes done, and all.

    Raises LogNotFound, ForeignFile or NewerFormat where there is no log that can be read, LogUnavailable where the
    system refuses.
    """
    folder = log_folder(folder)
    for _ in range(_WALKS_MAX - 1):
        before = _fingerprint(folder)
        report = _verify(folder, progress)
        if report.severity != DAMAGED or _fingerprint(folder) == before:
            return report
    return _verify(folder, progress)


def _verify(folder: Path, progress: Optional[Progress]) -> VerifyReport:
    survey = Survey(folder, progress)
    census = Census(survey)
    for frames in survey.batches():
        census.count(frames)
    identity = survey.identity
    if identity is not None and identity.first_sequence > 1:
        try:
            read_checkpoint(folder, survey.run_id, identity.log_uuid)
        except LogDamaged as error:
            survey.damages.append(Damage(error.message, error.path or folder, None))
    segments = [
        VerifiedSegment(
            one.path, one.index, one.identity.first_sequence if one.identity is not None else None,
            one.blocks, one.records, one.bytes, one.sealed,
        )
        for one in survey.segments
    ]  # fmt: skip
    return VerifyReport(
        folder=folder, run_id=survey.run_id, log_uuid=identity.log_uuid if identity is not None else "",
        writer=survey.writer, closed=survey.writer is None and survey.segments[-1].sealed and not survey.tail_records,
        first_sequence=census.first_sequence or (identity.first_sequence if identity is not None else 1),
        last_sequence=census.last_sequence, records=census.records,
        rows=census.kinds[Row.kind], kinds=census.names(), unknown_kinds=census.unknown_kinds, segments=segments,
        blocks=survey.blocks, bytes=survey.log_bytes, raw_bytes=survey.raw_bytes, checksums=survey.checksums,
        tail_records=survey.tail_records, torn_bytes=survey.torn_bytes, lost_records=census.lost_records,
        gaps=survey.gaps, damages=survey.damages, leftovers=_leftovers(folder, survey.run_id),
    )  # fmt: skip


class Census:
    """Counts records, and checks that each is one."""

    def __init__(self, survey: Survey) -> None:
        self.kinds: Counter[int] = Counter()
        self.first_sequence = self.last_sequence = 0
        self.lost_records = 0
        self._survey = survey
        # A walk has met every shape by the time that a row refers to it, or the shape is gone.
        self._rows = RowDecoder(lambda sequence: None)

    @property
    def records(self) -> int:
        return sum(self.kinds.values())

    @property
    def unknown_kinds(self) -> int:
        return sum(count for kind, count in self.kinds.items() if kind not in RECORD_TYPES and kind != MISSING_KIND)

    def names(self) -> Dict[str, int]:
        named = {kind: record_type.__name__ for kind, record_type in RECORD_TYPES.items()}
        named[MISSING_KIND] = "missing"
        return {named.get(kind, f"kind {kind}"): count for kind, count in sorted(self.kinds.items())}

    def count(self, frames: List[Frame]) -> List[Frame]:
        """Take these records into account; returns those that can be decoded."""
        self.first_sequence = self.first_sequence or frames[0][0]
        self.last_sequence = frames[-1][0]
        sound = [frame for frame in frames if self._is_sound(frame)]
        self.kinds.update(kind for _, kind, _ in sound)
        return sound

    def _is_sound(self, frame: Frame) -> bool:
        sequence, kind, payload = frame
        try:
            if kind == Row.kind:
                self._rows.decode(payload)
                return True
            record = decode(kind, payload)
            if isinstance(record, Shape):
                self._rows.add_shape(sequence, record)
            elif isinstance(record, WriterLost):
                self.lost_records += record.lost_records
        except Undecodable as error:
            self._survey.damaged_record(sequence, str(error))
            return False
        return True


def _leftovers(folder: Path, run_id: str) -> List[Path]:
    """Files of interrupted creations, and tails that a recovery could not read to their end and put aside."""
    names = (f".run-{run_id}.", f"run-{run_id}.tail-")
    with mapped_errors(folder):
        return sorted(
            path for path in folder.iterdir()
            if path.name.startswith(names) and path.name.endswith((".new", ".new-lock", ".damaged"))
        )  # fmt: skip


def _fingerprint(folder: Path) -> List[Tuple[str, int, int]]:
    """Changes when somebody writes the log."""
    run_id = find_run_id(folder)
    with mapped_errors(folder):
        paths = [path for _, path in segment_paths(folder, run_id)] + list(tail_paths(folder, run_id))
    found = []
    for path in paths:
        try:
            status = os.stat(path)
        except OSError:
            continue  # a tail that isn't there; a segment that can't be had is the walk's to tell
        found.append((path.name, status.st_size, status.st_mtime_ns))
    return found
