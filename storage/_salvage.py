"""`salvage`: every intact record of a damaged log, in a new one.

Records keep their numbers, so that rows find their shapes and everybody who knows a record by its number still does.
In the place of each record that is missing stands an empty one of kind 0, which readers skip; the log ends with a
record of what was lost. Numbers that are missing at the beginning are left out: the new log starts behind them. What
waits in lanes is taken over.

The new folder gets its name when it is complete and durable, and holds the log only, not the run's files.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import struct
import time
from pathlib import Path
from typing import List, NamedTuple, Optional

from ._blocks import pack_blocks
from ._encode import encode
from ._errors import LogDamaged, LogInUse, LogUnavailable
from ._folder import owner_path
from ._format import COMMIT_BYTES, FRAME_HEADER, Frame, seal_frame
from ._owner import Writer
from ._records import Row, WriterLost
from ._rows import RowEncoder
from ._segment import Identity, Segment, create_segment, fsync_path, mapped_errors, segment_path
from ._segment_writer import SegmentWriter
from ._survey import Damage, Gap, Progress, Survey
from ._verify import MISSING_KIND, Census, survey_lanes

# Missing records that get a place each. More than these in a row are not damage but a number that is none; and who
# reads the new log has to pass all of them.
GAP_RECORDS_MAX = 1 << 24
# An empty flatbuffer table: its size, the way to the table, a vtable of nothing, the table.
_NOTHING = struct.pack("<IIHHi", 12, 8, 4, 4, 4)


class SalvageReport(NamedTuple):
    """What a salvage has brought into the new log."""

    folder: Path
    out: Path
    run_id: str
    first_sequence: int
    last_sequence: int  # of the records that were salvaged
    records: int
    rows: int
    gaps: List[Gap]  # where records are missing
    damages: List[Damage]

    @property
    def missing(self) -> int:
        return sum(gap.records for gap in self.gaps)


def salvage(folder: Path, out: Path, progress: Optional[Progress] = None) -> SalvageReport:
    """Write every intact record of the log in `folder` to a new log in `out`, a folder that is not there yet or empty.

    Raises LogInUse while somebody writes the log, LogDamaged where no record of it is intact, LogUnavailable where
    `out` can't be had, and what `verify` raises.
    """
    survey = Survey(folder, progress)
    if survey.writer is not None:
        raise LogInUse(f"{survey.writer} is writing this log; wait for it to end", folder)
    if os.path.lexists(out) and not (out.is_dir() and not out.is_symlink() and not any(out.iterdir())):
        raise LogUnavailable("is there already; name a new folder", out)
    work = out.with_name(f".{out.name}.salvage-{os.getpid()}")
    with mapped_errors(out):
        work.mkdir()
        try:
            report = _Copy(survey, work).run(folder, out)
            os.rename(work, out)  # over an empty folder, too
            fsync_path(out.absolute().parent)
        except BaseException:
            shutil.rmtree(work, ignore_errors=True)
            raise
    return report


class _Copy:
    """One salvage under way."""

    def __init__(self, survey: Survey, folder: Path) -> None:
        self._survey, self._folder = survey, folder
        self._census = Census(survey)
        self._writer: Optional[SegmentWriter] = None
        self._gaps: List[Gap] = []
        self._raw = bytearray()
        self._first = 0  # of `_raw`
        self._next = 0
        self._lane_records = self._lane_rows = 0

    def run(self, folder: Path, out: Path) -> SalvageReport:
        survey, census = self._survey, self._census
        try:
            for frames in survey.batches():
                for frame in census.count(frames):
                    self._append(frame)
            self._append_lanes()
            if not self._next:
                raise survey.first_error or LogDamaged("no record is intact", folder)
            last = self._next - 1
            self._finish(last)
        finally:
            if self._writer is not None:
                self._writer.close()
        assert self._writer is not None
        return SalvageReport(
            folder=folder, out=out, run_id=survey.run_id, first_sequence=census.first_sequence, last_sequence=last,
            records=census.records + self._lane_records, rows=census.rows + self._lane_rows,
            gaps=self._gaps, damages=survey.damages,
        )  # fmt: skip

    def _append_lanes(self) -> None:
        """What waits in lanes comes behind the numbers that the log itself had."""
        rows = RowEncoder(self._number)
        for lane in survey_lanes(self._survey, self._census):
            for record in lane.records():
                if self._writer is None:
                    self._start(self._survey.last_sequence + 1)
                if self._next <= self._survey.last_sequence:
                    self._fill(self._survey.last_sequence + 1)
                record.put(rows, self._number)
                self._lane_records += 1
                self._lane_rows += record.kind == Row.kind
            lane.note_damage()

    def _number(self, frame: bytearray, kind: int) -> int:
        self._write(kind, bytes(frame[FRAME_HEADER.size :]))
        return self._next - 1

    def _append(self, frame: Frame) -> None:
        sequence, kind, payload = frame
        if self._writer is None:
            self._start(sequence)
        if sequence > self._next:
            self._fill(sequence)
        self._write(kind, payload)

    def _start(self, sequence: int) -> None:
        source = self._survey.identity
        # Another log than the damaged one: who has read that one must not go on here as if nothing had happened.
        identity = Identity(self._survey.run_id, os.urandom(16).hex(), 1, sequence, time.time(), stands_alone=True)
        path = segment_path(self._folder, identity.run_id, 1)
        create_segment(path, identity)
        self._writer = SegmentWriter(self._folder, identity, sequence - 1, Segment(path))
        expected = source.first_sequence if source is not None and self._survey.segments[0].identity else 1
        if sequence > expected:
            self._gaps.append(Gap(expected, sequence - 1))
        self._first = self._next = sequence

    def _fill(self, sequence: int) -> None:
        if sequence - self._next > GAP_RECORDS_MAX:
            raise LogDamaged(
                f"{sequence - self._next:,} records are missing before record {sequence}; "
                f"at most {GAP_RECORDS_MAX:,} can be bridged", self._survey.folder,
            )  # fmt: skip
        self._gaps.append(Gap(self._next, sequence - 1))
        while self._next < sequence:
            self._write(MISSING_KIND, _NOTHING)

    def _write(self, kind: int, payload: bytes) -> None:
        frame = bytearray(FRAME_HEADER.size) + payload
        seal_frame(frame, kind, self._next)
        self._raw += frame
        self._next += 1
        if len(self._raw) >= COMMIT_BYTES:
            self._commit(seal=False)

    def _commit(self, seal: bool) -> None:
        assert self._writer is not None
        if self._writer.full:
            self._writer.start_next()
        count = self._next - self._first
        self._writer.put(pack_blocks(bytes(self._raw), self._first, count) if count else [], seal)
        self._raw.clear()
        self._first = self._next

    def _finish(self, last: int) -> None:
        """End the new log, with a record of what is missing and of how the writer ended."""
        survey = self._survey
        missing = sum(gap.records for gap in self._gaps)
        beyond = sum(gap.records for gap in survey.gaps if gap.first > last)
        if beyond:
            self._gaps += [gap for gap in survey.gaps if gap.first > last]
        closed = survey.segments[-1].sealed and not survey.tail_records
        if missing or beyond or not closed:
            writer = self._previous_writer()
            evidence = f"{missing + beyond:,} records could not be salvaged from a damaged log"
            if not closed:
                evidence = f"{writer} ended without closing the log; {evidence}"
            record = WriterLost(
                time=time.time(), host=writer.host, pid=writer.pid, boot_id=writer.boot_id,
                cause="damaged" if closed else "unknown", evidence=evidence, last_sequence=last,
                torn_bytes=survey.torn_bytes, lost_records=missing + beyond,
            )  # fmt: skip
            self._write(record.kind, encode(record))
        self._commit(seal=True)

    def _previous_writer(self) -> Writer:
        with contextlib.suppress(OSError):
            return Writer.parse(owner_path(self._survey.folder, self._survey.run_id).read_bytes()) or Writer()
        return Writer()
