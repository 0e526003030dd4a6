"""Reading a log: by sequence number, in bounded batches, while it is written or long after.

While the writer lives, committed records come from LMDB in short transactions, and what waits in the tails is read
from a copy of them: no lock is taken that the writer would wait for. When the writer is gone, the files are read
without LMDB, which writes nothing and survives any damage.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Callable, Generator, Iterator, List, NamedTuple, Optional, Tuple, TypeVar, Union

from ._blocks import check_count, decompress_block
from ._decode import RowDecoder, Undecodable, decode, decode_inner
from ._errors import LogDamaged
from ._folder import SegmentInfo, find_run_id, has_living_writer, lane_paths, open_segment, owner_path, segments
from ._format import FRAME_HEADER, Frame, Run, parse_frames, parse_runs
from ._home import log_folder
from ._owner import Writer, closed_behind, living_writer
from ._records import FromLane, Record, Row, Shape
from ._segment import Identity, Segment, SegmentFile, StoredBlock, mapped_errors
from ._tail import join_tails, load_tails

if TYPE_CHECKING:
    from ._lanes import Waiting

# Raw bytes that one call of `read` takes on: bounds the memory of a reader, and the time of a transaction.
READ_BYTES = 4 << 20
# How often to look before a segment that is read without LMDB is called damaged.
_LOOKS = 4
_ROW = Row.kind
Answer = TypeVar("Answer")
_END = 1 << 63


class Entry(NamedTuple):
    """A record in its place. `record` is None where this version doesn't know the kind; of a lane's record it is a
    FromLane, which holds the record itself."""

    sequence: int
    kind: int
    record: Optional[Record]


class Chunk(NamedTuple):
    """Frames as they stand in a block, or in a tail; those numbered from `start` on, below `stop`, are wanted."""

    raw: bytes
    first_sequence: int
    start: int
    stop: int
    stored: Optional[StoredBlock]  # None for the tails, which were looked at when they were joined

    def frames(self) -> List[Frame]:
        """Raises LogDamaged."""
        frames, _ = parse_frames(self.raw, self.first_sequence)
        self._check(len(frames))
        return frames[self.start - self.first_sequence : self.stop - self.first_sequence]

    def runs(self) -> List[Run]:
        """The same frames, not taken apart. Raises LogDamaged."""
        runs = list(parse_runs(self.raw, self.first_sequence))
        self._check(sum(run.frames for run in runs))
        return [part for part in (run.between(self.start, self.stop) for run in runs) if part.frames]

    def payload(self, run: Run, index: int) -> bytes:
        """What the frame numbered `index` of a run holds, from 0."""
        start = run.offset + index * run.size
        return self.raw[start + FRAME_HEADER.size : start + run.size]

    def _check(self, intact: int) -> None:
        if self.stored is not None:
            check_count(self.stored, intact)


class Reader:
    """A log, for reading. Not safe between threads.

    Raises LogNotFound, ForeignFile, NewerFormat or LogDamaged where the folder holds no log that can be read.
    """

    def __init__(self, folder: Path, live: Optional[bool] = None) -> None:
        """`live`: whether somebody may be writing the log, None to find out."""
        self.folder = folder = log_folder(folder)
        self.run_id = find_run_id(folder)
        self.torn_bytes = 0  # at the end of the tail, seen by the last `entries`
        self.unknown_kinds = 0  # records of kinds that this version doesn't know
        self.row_decoder = RowDecoder(self._find_shape)
        self._shape_reader: Optional[Reader] = None
        self._open: Optional[Union[Segment, SegmentFile]] = None
        self._live = live
        self._segments: List[SegmentInfo] = segments(folder, self.run_id, live)

    @property
    def identity(self) -> Identity:
        """Of the first segment that is there."""
        return self._segments[0].identity

    @property
    def first_sequence(self) -> int:
        """The oldest record that is there: above 1 where retention has removed segments."""
        return self._segments[0].identity.first_sequence

    def writer(self) -> Optional[Writer]:
        """The living process that writes the log, or None."""
        return living_writer(owner_path(self.folder, self.run_id))

    def close(self) -> None:
        if self._shape_reader is not None:
            self._shape_reader.close()
            self._shape_reader = None
        self._close_segment()

    def _close_segment(self) -> None:
        if self._open is not None:
            self._open.close()
            self._open = None

    def __enter__(self) -> Reader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # --- committed records --------------------------------------------------------------------------------------------

    def read(self, start: int, bytes_max: int = READ_BYTES) -> List[Entry]:
        """Committed records from `start` on, about `bytes_max` of them and at least one; empty at the end.

        Raises LogDamaged where the next record is unreadable.
        """
        position = max(start, self.first_sequence)
        entries: List[Entry] = []
        try:
            for chunk in self._committed(position, _END, bytes_max):
                entries += [self.entry(*frame) for frame in chunk.frames()]
        except LogDamaged:
            if not entries:
                raise
        return entries

    def read_frames(self, start: int, bytes_max: int) -> List[Frame]:
        """What `read` decodes."""
        frames: List[Frame] = []
        try:
            for chunk in self._committed(max(start, self.first_sequence), _END, bytes_max):
                frames += chunk.frames()
        except LogDamaged:
            if not frames:
                raise
        return frames

    def read_runs(self, start: int, bytes_max: int) -> List[Tuple[Chunk, Run]]:
        """The same frames, not taken apart, each run with what it stands in."""
        runs: List[Tuple[Chunk, Run]] = []
        try:
            for chunk in self._committed(max(start, self.first_sequence), _END, bytes_max):
                runs += [(chunk, run) for run in chunk.runs()]
        except LogDamaged:
            if not runs:
                raise
        return runs

    def _committed(self, start: int, stop: int, bytes_max: int) -> Iterator[Chunk]:
        """The blocks from record `start` on, `bytes_max` of them before compression, and none at the end."""
        for stored, segment_stop in self._read_blocks(start, bytes_max):
            if stored.first_sequence > start:
                raise LogDamaged(
                    f"records {start} to {stored.first_sequence - 1} are missing", stored.path, stored.position
                )
            # What reaches into the next segment comes from a commit that was given up.
            chunk_stop = min(stop, segment_stop, stored.last_sequence + 1)
            yield Chunk(decompress_block(stored), stored.first_sequence, start, chunk_stop, stored)
            start = chunk_stop
            if start == stop:
                return

    def _read_blocks(self, start: int, bytes_max: int) -> List[Tuple[StoredBlock, int]]:
        """Blocks, each with the number at which the next segment begins."""
        blocks = self._look(start, bytes_max)
        if blocks:
            return blocks
        last = closed_behind(owner_path(self.folder, self.run_id))
        if last < start:
            return []
        # Whoever closed the log may have done so a moment ago; what he had committed is there by now.
        blocks = self._look(start, bytes_max)
        if not blocks:
            raise self._taken_back(start, last)
        return blocks

    def _taken_back(self, start: int, last: int) -> LogDamaged:
        return LogDamaged(
            f"records {start} to {last} are missing: the log was closed behind record {last}", self._segments[-1].path
        )

    def _look(self, start: int, bytes_max: int) -> List[Tuple[StoredBlock, int]]:
        index = self._segment_of(start)
        while index < len(self._segments):
            blocks = self._read_segment(index, start, bytes_max)
            if blocks:
                return blocks
            if index + 1 == len(self._segments):
                # The writer may have started another.
                self._segments = segments(self.folder, self.run_id, self._live)
            index += 1
        return []

    def _segment_of(self, sequence: int) -> int:
        index = 0
        for later, (_, identity) in enumerate(self._segments):
            if identity.first_sequence <= sequence:
                index = later
        return index

    def _read_segment(self, index: int, start: int, bytes_max: int) -> List[Tuple[StoredBlock, int]]:
        info = self._segments[index]
        last = index + 1 == len(self._segments)
        stop = 1 << 63 if last else self._segments[index + 1].identity.first_sequence
        stored_blocks = self._ask(info.path, lambda segment: segment.read(start, bytes_max))
        return [(stored, stop) for stored in stored_blocks if stored.first_sequence < stop]

    def last_committed(self) -> int:
        """The number of the last committed record; 0 where none has been committed. Raises LogDamaged."""
        self._segments = segments(self.folder, self.run_id, self._live)
        path, identity = self._segments[-1]
        last = self._ask(path, lambda segment: segment.last_sequence(identity.first_sequence))
        closed = closed_behind(owner_path(self.folder, self.run_id))
        if closed > last:
            last = self._ask(path, lambda segment: segment.last_sequence(identity.first_sequence))
            if closed > last:
                raise self._taken_back(last + 1, closed)
        return last

    def _ask(self, path: Path, question: Callable[[Union[Segment, SegmentFile]], Answer]) -> Answer:
        # A log that somebody recovers, or writes, while it is read without LMDB changes under the reader: look again.
        for _ in range(_LOOKS - 1):
            try:
                return question(self._segment(path))
            except LogDamaged:
                self._close_segment()
        return question(self._segment(path))

    def _segment(self, path: Path) -> Union[Segment, SegmentFile]:
        live = path == self._segments[-1].path and (
            has_living_writer(self.folder, self.run_id) if self._live is None else self._live
        )
        # A file read without LMDB is a snapshot: taken anew each time while it is the last one.
        keep = path != self._segments[-1].path or isinstance(self._open, Segment)
        if self._open is None or self._open.path != path or not keep or (live and isinstance(self._open, SegmentFile)):
            self._close_segment()
            self._open = open_segment(path, live)
        return self._open

    # --- everything ---------------------------------------------------------------------------------------------------

    def entries(self, start: int = 1, stop: Optional[int] = None, tail: bool = True) -> Iterator[Entry]:
        """Every record from `start` on, below `stop` where given; with `tail`, also what is not yet committed, and what
        waits in the lanes of a log that nobody writes, as the next recovery would append it.

        Raises LogDamaged at the first unreadable record, after everything before it, and a lane's damage last.
        """
        for chunk in self.chunks(start, stop, tail):
            for sequence, kind, payload in chunk.frames():
                yield Entry(sequence, kind, self._decode(sequence, kind, payload))

    def chunks(self, start: int = 1, stop: Optional[int] = None, tail: bool = True) -> Iterator[Chunk]:
        """What `entries` decodes, as it stands in blocks, tails and lanes."""
        position, end = max(start, self.first_sequence), _END if stop is None else stop
        while True:
            position = yield from self.own_chunks(position, end, tail)
            waiting = self._lanes() if tail and position < end else None
            if waiting is None:
                return
            try:
                if waiting.last < position:
                    yield from _between(waiting, position, end)
                    return
            finally:
                waiting.close()
            # Somebody has merged them in the meantime.

    def _lanes(self) -> Optional[Waiting]:
        with mapped_errors(self.folder):
            if not lane_paths(self.folder) or self.writer() is not None:
                return None
        from ._lanes import Waiting  # which most runs never need

        return Waiting(self.folder, self.run_id)

    def own_chunks(self, position: int, end: int, tail: bool) -> Generator[Chunk, None, int]:
        """`chunks` without lanes; returns the number of the record that would be next."""
        # The tails come first: what a commit takes out of them from now on is found in LMDB.
        tails = load_tails(self.folder, self.run_id, self.identity.log_uuid) if tail else []
        before = 0
        while before != position < end:
            before = position
            for chunk in self._committed(position, end, READ_BYTES):
                yield chunk
                position = chunk.stop
        waiting = join_tails(tails, position - 1)
        self.torn_bytes = waiting.torn_bytes + waiting.unreadable_bytes
        for first, records, raw in waiting.pieces:
            if first >= end:
                break
            position = min(end, first + records)
            yield Chunk(bytes(raw), first, first, position, None)
        return position

    def entry(self, sequence: int, kind: int, payload: bytes) -> Entry:
        """The record of a frame. Raises LogDamaged."""
        return Entry(sequence, kind, self._decode(sequence, kind, payload))

    def _decode(self, sequence: int, kind: int, payload: bytes) -> Optional[Record]:
        try:
            if kind == _ROW:
                return self.row_decoder.decode(payload)
            record = decode(kind, payload)
            if type(record) is Shape:
                self.row_decoder.add_shape(sequence, record)
            elif type(record) is FromLane:
                record.record = decode_inner(record, self.row_decoder)
                self.unknown_kinds += record.record is None
        except Undecodable as error:
            raise LogDamaged(f"record {sequence}: {error}", self.folder) from error
        if record is None:
            self.unknown_kinds += 1
        return record

    def _find_shape(self, sequence: int) -> Optional[Shape]:
        """A shape that was written before the first record that was read."""
        if not self.first_sequence <= sequence < 1 << 63:
            return None
        if self._shape_reader is None:
            self._shape_reader = Reader(self.folder, self._live)
        for chunk in self._shape_reader.chunks(sequence, sequence + 1):
            for _, kind, payload in chunk.frames():
                record = decode(kind, payload) if kind == Shape.kind else None
                return record if isinstance(record, Shape) else None
        return None


def _between(waiting: Waiting, start: int, stop: int) -> Iterator[Chunk]:
    for first, records, raw in waiting.pieces():
        if first >= stop:
            return
        if first + records > start:
            yield Chunk(raw, first, max(first, start), min(stop, first + records), None)
