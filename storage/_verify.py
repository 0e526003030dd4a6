"""`verify`: is every byte of a log what was written? It reads everything, writes nothing, and goes on behind damage.

A log whose writer lives is read as its readers do; what waits in its tail is then no finding. The severity of a report:

    0   intact: every record is there, and the log was closed, or is being written
    1   something is left to do that loses nothing: `recover` it, which also takes over what waits in lanes
    2   damage: bytes are not what was written, or records are missing; see `salvage`

What is no log at all raises LogNotFound, ForeignFile or NewerFormat.
"""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from typing import Dict, Iterator, List, NamedTuple, Optional, Tuple

from ._checkpoint import read_checkpoint
from ._decode import RowDecoder, Undecodable, decode, decode_inner
from ._errors import LogDamaged, LogError, LogNotFound
from ._folder import find_run_id, is_put_aside, lane_paths, segment_paths
from ._format import Frame
from ._home import log_folder
from ._lanes import LaneRecord, lane_id
from ._owner import Writer
from ._records import RECORD_TYPES, FromLane, Row, Shape, WriterLost
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
    lanes: int  # logs of child processes that are not yet merged into this one
    lane_records: int  # that wait there

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
        if self.writer is not None:
            return INTACT
        return INTACT if self.closed and not self.lane_records else LEFTOVERS


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
    lanes, lane_records = _walk_lanes(survey, census)
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
        rows=census.rows, kinds=census.names(), unknown_kinds=census.unknown_kinds, segments=segments,
        blocks=survey.blocks, bytes=survey.log_bytes, raw_bytes=survey.raw_bytes, checksums=survey.checksums,
        tail_records=survey.tail_records, torn_bytes=survey.torn_bytes, lost_records=census.lost_records,
        gaps=survey.gaps, damages=survey.damages, leftovers=_leftovers(folder, survey.run_id),
        lanes=lanes, lane_records=lane_records,
    )  # fmt: skip


def _walk_lanes(survey: Survey, census: Census) -> Tuple[int, int]:
    """(lanes, records that wait there); their damage is noted as the log's."""
    lanes = waiting = 0
    for lane in survey_lanes(survey, census):
        lanes += 1
        waiting += sum(1 for _ in lane.records())
        lane.note_damage()
    return lanes, waiting


class SurveyedLane:
    """A lane, as it is when nothing is taken for granted."""

    def __init__(self, path: Path, main: Survey, merged: Dict[int, int]) -> None:
        self._path, self._main, self._merged = path, main, merged
        self._survey = Survey(path)
        self._rows = RowDecoder(lambda sequence: None)

    def records(self) -> Iterator[LaneRecord]:
        """Those that are intact and not merged, but for shapes."""
        for frames in self._survey.batches():
            identity = self._survey.identity
            lane = lane_id(identity.log_uuid) if identity is not None else 0
            for sequence, kind, payload in frames:
                try:
                    record = self._rows.decode(payload) if kind == Row.kind else decode(kind, payload)
                    if isinstance(record, Shape):
                        self._rows.add_shape(sequence, record)
                    elif sequence > self._merged.get(lane, 0):
                        yield LaneRecord(lane, sequence, kind, payload, record)
                except Undecodable as error:
                    self._survey.damaged_record(sequence, str(error))

    def note_damage(self) -> None:
        """Let the main log's report name what is wrong with the lane."""
        self._main.damages.extend(self._survey.damages)
        for gap in self._survey.gaps:
            self._main.damages.append(Damage(f"records {gap.first} to {gap.last} are missing", self._path, None))


def survey_lanes(survey: Survey, census: Census) -> Iterator[SurveyedLane]:
    """The lanes of a log that was walked to its end."""
    with mapped_errors(survey.folder):
        paths = lane_paths(survey.folder)
    for path in paths:
        try:
            yield SurveyedLane(path, survey, census.merged)
        except LogNotFound:
            continue  # its maker never came to the log
        except LogError as error:
            survey.damages.append(Damage(error.message, error.path or path, error.position))


class Census:
    """Counts records, and checks that each is one."""

    def __init__(self, survey: Survey) -> None:
        self.kinds: Counter[int] = Counter()
        self.first_sequence = self.last_sequence = 0
        self.lost_records = 0
        self._lane_rows = 0
        self.merged: Dict[int, int] = {}  # lane -> its last record that is here
        self._survey = survey
        # A walk has met every shape by the time that a row refers to it, or the shape is gone.
        self._rows = RowDecoder(lambda sequence: None)

    @property
    def records(self) -> int:
        return sum(self.kinds.values())

    @property
    def rows(self) -> int:
        """The log's own, and those that came from lanes."""
        return self.kinds[Row.kind] + self._lane_rows

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
            elif isinstance(record, FromLane):
                inner = decode_inner(record, self._rows)
                self.lost_records += inner.lost_records if isinstance(inner, WriterLost) else 0
                self._lane_rows += isinstance(inner, Row)
                self.merged[record.lane] = max(record.sequence, self.merged.get(record.lane, 0))
        except Undecodable as error:
            self._survey.damaged_record(sequence, str(error))
            return False
        return True


def _leftovers(folder: Path, run_id: str) -> List[Path]:
    """Files of interrupted creations and removals; tails and lanes that could not be read to their end and were put
    aside."""
    names = (f".run-{run_id}.", f"run-{run_id}.tail-")
    with mapped_errors(folder):
        return sorted(
            path for path in folder.iterdir()
            if (path.name.startswith(names) and path.name.endswith((".new", ".new-lock", ".damaged")))
            or is_put_aside(path.name)
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
