"""Lanes: what child processes log to their parent's run.

A log has one writer, so a forked or spawned child writes a log of its own, a lane, in a folder below the run's. Whoever
holds the main log's lock takes over what lanes have committed (`_merge`): each record becomes one record of the main
log, a `FromLane`, which says where it comes from. So a merge is atomic record by record, and goes on behind the last
`FromLane` of each lane, whatever died before: nothing is lost, nothing comes twice, and the order is stored.

This module makes lanes, knows how far each is merged, and turns their records into what the main log holds of them.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import shutil
import struct
import zlib
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Mapping, NamedTuple, Optional, Sequence, Tuple

from ._decode import Undecodable, decode
from ._encode import encode
from ._errors import ForeignFile, LogDamaged, LogError, LogNotFound, LogUnavailable, UnstorableValue
from ._folder import find_run_id, has_living_writer, lane_paths
from ._format import FRAME_HEADER, LANES_MAX, seal_frame
from ._home import log_folder
from ._log import Log
from ._reader import Reader
from ._records import FromLane, Record, Row, RowFlag, Shape
from ._rows import Append, RowEncoder, dump_json
from ._segment import mapped_errors

# What `LaneEncoder.put` returns for a record that the main log doesn't need; no record has this number.
NOT_NEEDED = -1
# The main log's id, the last record of the lane that is merged, the main log's record at or before which it stands.
_NOTE = struct.Struct("<16sQQ")
_CHECKSUM = struct.Struct("<I")


def create_lane(
    folder: Path, run_id: str, warn: Callable[[str], None] = lambda message: None, durability: str = "process"
) -> Log:
    """Start a lane of the log in `folder`, for a process that can't have the log itself. Its writer is as any other.

    Raises LogUnavailable where there are too many, or the disk refuses.
    """
    while True:
        place = log_folder(folder)
        path, inode = _make_folder(place)
        try:
            lane = Log.create(path, run_id, warn, durability, lane=True)
        except LogError:
            if _remove_own(path, inode):
                raise
            continue  # a recovery has taken the empty folder for one whose maker had died
        if log_folder(folder) == place:
            return lane
        lane.close()  # the log came home in that moment
        _remove_own(path, inode)


def _make_folder(folder: Path) -> Tuple[Path, int]:
    """A new folder, and its inode, which tells it from a later one of that name."""
    while True:
        with mapped_errors(folder):
            lanes = lane_paths(folder)
            if len(lanes) >= LANES_MAX:
                raise LogUnavailable(f"{LANES_MAX:,} processes log to this run already; let some of them end", folder)
            path = folder / f"lane-{lane_number(lanes[-1]) + 1 if lanes else 1}"
            with contextlib.suppress(FileExistsError):  # somebody was quicker: the next number, then
                path.mkdir(mode=0o700)
                return path, path.stat().st_ino


def _remove_own(path: Path, inode: int) -> bool:
    """Remove a folder that `_make_folder` made; False where it isn't there any more."""
    with contextlib.suppress(OSError):
        if path.stat().st_ino == inode:
            shutil.rmtree(path)
            return True
    return False


def lane_number(path: Path) -> int:
    """Lanes count up."""
    return int(path.name[len("lane-") :])


def living_lanes(folder: Path) -> int:
    """How many lanes of a log have a writer that lives. Raises LogUnavailable, LogNotFound."""
    folder = log_folder(folder)
    run_id = find_run_id(folder)
    with mapped_errors(folder):
        return sum(has_living_writer(path, run_id) for path in lane_paths(folder))


# --- how far a lane is merged -----------------------------------------------------------------------------------------


class Place(NamedTuple):
    """A record of a lane that is merged, and the number that it, or one before it, has in the main log."""

    sequence: int
    main: int


class Lane:
    """One lane, for merging it."""

    def __init__(self, path: Path, run_id: str) -> None:
        """Raises LogNotFound where the folder's maker hasn't come to the log, and what `Reader` raises."""
        self.path = path
        self.reader = Reader(path)
        if self.reader.run_id != run_id:
            raise ForeignFile(f"a log of run {self.reader.run_id} in the place of a lane; move it away", path)
        self.id = lane_id(self.reader.identity.log_uuid)
        self.place = Place(0, 0)
        self.noted = 0  # the record up to which the note says that the lane is merged
        self.ended = False  # nobody will write it any more, and it is in order
        self.done = False  # all of it is merged
        self.damage: Optional[LogError] = None  # why it can't be read on
        self.seen: object = None  # of its files, when all that is committed was merged

    @property
    def note_path(self) -> Path:
        return self.path / f"run-{self.reader.run_id}.imported"

    def read_note(self, log_uuid: str) -> None:
        """Take the place from the note; without one that can be trusted, from the lane's beginning."""
        try:
            raw = self.note_path.read_bytes()
            uuid, sequence, main = _NOTE.unpack(raw[: _NOTE.size])
            if raw[_NOTE.size :] == _CHECKSUM.pack(zlib.crc32(raw[: _NOTE.size])) and uuid.hex() == log_uuid:
                self.place = Place(sequence, main)
        except (OSError, struct.error):
            pass  # the records tell, it only takes longer

    def write_note(self, log_uuid: str) -> None:
        """What the place says is durable in the main log. Raises OSError."""
        raw = _NOTE.pack(bytes.fromhex(log_uuid), *self.place)
        temporary = self.note_path.with_name(f".{self.note_path.name}.new")
        temporary.write_bytes(raw + _CHECKSUM.pack(zlib.crc32(raw)))
        os.replace(temporary, self.note_path)
        self.noted = self.place.sequence


def lane_id(log_uuid: str) -> int:
    """What tells the lanes of a log apart."""
    return int.from_bytes(bytes.fromhex(log_uuid)[:8], "little")


def find_places(folder: Path, lanes: Sequence[Lane], tail: bool) -> int:
    """Find out how far each lane is merged into the log in `folder`, which nobody writes; returns its last record.

    Raises LogDamaged where the log can't be read: then nobody knows, and nothing may be merged.
    """
    with Reader(folder, live=False) as reader:
        by_id: Dict[int, List[Lane]] = {}
        for lane in lanes:
            lane.read_note(reader.identity.log_uuid)
            by_id.setdefault(lane.id, []).append(lane)
        last = max(min((lane.place.main for lane in lanes), default=0), reader.first_sequence - 1)
        for chunk in reader.own_chunks(last + 1, 1 << 63, tail):
            last = chunk.stop - 1
            for sequence, kind, payload in chunk.frames():
                if kind == FromLane.kind:
                    record = _decode(kind, payload, folder)
                    for lane in by_id.get(record.lane, ()):
                        lane.place = Place(max(record.sequence, lane.place.sequence), sequence)
    return last


def _decode(kind: int, payload: bytes, folder: Path) -> FromLane:
    try:
        record = decode(kind, payload)
    except Undecodable as error:
        raise LogDamaged(str(error), folder) from error
    assert isinstance(record, FromLane)
    return record


# --- a lane's records in the main log ---------------------------------------------------------------------------------


class LaneRecord(NamedTuple):
    """A record of a lane, as it is stored there and decoded."""

    lane: int
    sequence: int
    kind: int
    payload: bytes
    record: Optional[Record]

    def put(self, rows: RowEncoder, append: Append) -> int:
        """Append it to the main log, whose own `rows` are used: its readers remember only so many shapes. Returns what
        `append` says, or NOT_NEEDED.

        Raises LogDamaged where the main log can't hold it.
        """

        def append_wrapped(frame: bytearray, kind: int) -> int:
            payload = bytes(frame[FRAME_HEADER.size :])
            return append(_wrapped(self.lane, self.sequence, kind, payload), FromLane.kind)

        record = self.record
        if isinstance(record, Shape):
            return NOT_NEEDED  # rows get one of the main log
        try:
            if isinstance(record, Row) and record.shape:
                return rows.append_elsewhere(append_wrapped, record.values, record.step, record.time, record.flags)
            return append(_wrapped(self.lane, self.sequence, self.kind, self.payload), FromLane.kind)
        except UnstorableValue as error:
            raise LogDamaged(f"record {self.sequence} of a lane: {error}") from error


def for_another_log(wrapped: FromLane) -> FromLane:
    """The same record, but that a row names no shape of the log that it comes from."""
    row = wrapped.record
    if not isinstance(row, Row) or not row.shape:
        return wrapped
    payload = encode(Row(step=row.step, time=row.time, flags=row.flags, json=dump_json(row.values)))
    return dataclasses.replace(wrapped, payload=payload)


def row_of_lane(lane: int, sequence: int, values: Mapping[str, Any], time: float) -> FromLane:
    """A row that comes from elsewhere than a log, a file that somebody writes say, for `Log.append`.

    It disturbs no row that the run itself puts together, and gets the step at which the run is. `lane` tells its source
    from others, and `sequence` how far that has been taken over: it only grows.

    Raises UnstorableValue.
    """
    row = Row(time=time, flags=RowFlag.COMMIT, json=dump_json(values))
    return FromLane(lane=lane, sequence=sequence, record_kind=Row.kind, payload=encode(row))


def _wrapped(lane: int, sequence: int, kind: int, payload: bytes) -> bytearray:
    record = FromLane(lane=lane, sequence=sequence, record_kind=kind, payload=payload)
    return bytearray(FRAME_HEADER.size) + encode(record)


class Waiting:
    """What waits in the lanes of a log that nobody writes, as a merge would append it to the log. Writes nothing."""

    def __init__(self, folder: Path, run_id: str) -> None:
        """Raises LogDamaged where nobody knows what is merged."""
        self._lanes: List[Lane] = []
        try:
            with mapped_errors(folder):
                paths = lane_paths(folder)
            for path in paths:
                with contextlib.suppress(LogNotFound):
                    self._lanes.append(Lane(path, run_id))
            self.last = find_places(folder, self._lanes, tail=True)  # record of the log itself
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        for lane in self._lanes:
            lane.reader.close()

    def pieces(self) -> Iterator[Tuple[int, int, bytes]]:
        """(number of the first, count, frames), numbered on from the log's last record.

        Raises the first damage, after everything else.
        """
        raw = bytearray()
        last = before = self.last

        def append(frame: bytearray, kind: int) -> int:
            nonlocal last
            last += 1
            seal_frame(frame, kind, last)
            raw.extend(frame)
            return last

        rows = RowEncoder(append)
        damage: Optional[LogDamaged] = None
        for lane in self._lanes:
            try:
                for chunk in lane.reader.chunks(lane.place.sequence + 1):
                    for frame in chunk.frames():
                        LaneRecord(lane.id, *frame, lane.reader.entry(*frame).record).put(rows, append)
                    if raw:
                        yield before + 1, last - before, bytes(raw)
                        raw.clear()
                        before = last
            except LogDamaged as error:
                damage = damage or error
            except LogNotFound:
                raise LogUnavailable("merged into the log while it was read; read the log again", lane.path) from None
        if raw:
            yield before + 1, last - before, bytes(raw)
        if damage is not None:
            raise damage
