"""Taking over what lanes have committed: for whoever holds the main log's lock, its living writer or a recovery.

Never what waits in a lane's tail: a power loss may take that back, and the main log would hold what the lane does not.
A lane whose writer has ended is recovered first, so all of it is committed. When all of a lane is durable in the main
log, its folder goes: it gets another name first, durably, and nobody takes what is left of it for a lane.

A living writer appends what lanes hold as it appends everything. A log that nobody writes gets sealed segments, which
appear complete or not at all: merging is no session of the run, and one that dies leaves no trace of a writer's death.
"""

from __future__ import annotations

import contextlib
import math
import os
import shutil
import time
from pathlib import Path
from typing import Callable, Dict, List, Optional, Set, Tuple

from ._blocks import pack_blocks
from ._errors import LogDamaged, LogError, LogInUse, LogNotFound, LogUnavailable, NewerFormat
from ._folder import gone_lane, gone_lanes, has_living_writer, lane_paths, owner_path, segments
from ._format import COMMIT_BYTES, SEGMENT_FILL_BYTES, seal_frame
from ._lanes import NOT_NEEDED, Lane, LaneRecord, Place, find_places
from ._owner import Closed, OwnerLock
from ._recovery import recover_locked
from ._rows import Append, RowEncoder
from ._segment import (
    Identity,
    Segment,
    begin_segment,
    drop_unnamed,
    fsync_path,
    mapped_errors,
    name_segment,
    segment_path,
)

# Appends to the main log what it is given the means to append; 0: not now.
Put = Callable[[Callable[[RowEncoder, Append], int]], int]

# Lanes take turns, so that what was logged at the same time comes to stand side by side.
_TURN_BYTES = 64 << 10
# A recovery can't wait for the end of lanes whose writers live: so long it takes over what they have committed.
_LIVING_SECONDS = 1.0
_PAGE_BYTES = 4096
# A file system counts modification times in ticks; what happens within the tick of a look is seen by the next one.
_TICK_SECONDS = 0.1


class _Interrupted(Exception):
    """The main log takes no more at the moment, or the time is over."""


class Merge:
    """The lanes of one log. For one thread."""

    def __init__(self, folder: Path, run_id: str, log_uuid: str, warn: Callable[[str], None]) -> None:
        self.trouble: Optional[LogError] = None  # why a lane could not be taken over this time
        self._folder, self._run_id, self._log_uuid, self._warn = folder, run_id, log_uuid, warn
        self._lanes: Dict[Path, Lane] = {}
        self._aside: Set[Path] = set()  # not to be looked at by this object

    def resume(self) -> None:
        """Find out what an earlier holder of the lock has done: for a log that isn't new.

        Raises LogDamaged where nobody can know, and LogUnavailable.
        """
        for path in gone_lanes(self._folder):
            shutil.rmtree(path, ignore_errors=True)
        for path in lane_paths(self._folder):
            self._remove_unmade(path)
        # Whoever can't be met now must not be taken for new later.
        self._aside |= self._meet()
        if self._lanes:
            find_places(self._folder, list(self._lanes.values()), tail=False)

    def bring(self, put: Put, seconds: float, living: bool = True) -> bool:
        """Take over what is committed, for at most so long, of `living` lanes too. Returns whether the time was too
        short."""
        self.trouble = None
        deadline = time.monotonic() + seconds
        self._meet()
        wanted = [lane for lane in self._lanes.values() if lane.damage is None and (living or lane.ended)]
        waiting = [lane for lane in wanted if self._may_have_grown(lane)]
        try:
            while waiting:
                for lane in list(waiting):
                    if not self._turn(lane, put, deadline):
                        waiting.remove(lane)
            return False
        except _Interrupted:
            return time.monotonic() >= deadline
        finally:
            for lane in waiting:  # they come first the next time
                lane.seen = None
                self._lanes = {lane.path: lane, **self._lanes}
            for lane in self._lanes.values():
                lane.reader.close()

    def settle(self, committed: int) -> None:
        """Note how far lanes are merged, and remove those that are: what stands in the main log up to record
        `committed` is durable there."""
        gone: List[Path] = []
        for path, lane in list(self._lanes.items()):
            if lane.place.main > committed:
                continue
            with contextlib.suppress(OSError):  # done again the next time
                if lane.done:
                    gone.append(path.rename(gone_lane(path)))
                    self._forget(path)
                elif lane.damage is not None and lane.ended:
                    path.rename(_free(path.with_name(f"{path.name}.damaged")))
                    self._forget(path)
                elif lane.noted < lane.place.sequence and lane.damage is None:
                    lane.write_note(self._log_uuid)
        if gone:
            with contextlib.suppress(OSError):
                fsync_path(self._folder)
                for path in gone:
                    shutil.rmtree(path, ignore_errors=True)

    # --- lanes come and go --------------------------------------------------------------------------------------------

    def _meet(self) -> Set[Path]:
        """Look which lanes there are, and bring those in order whose writers have ended; returns those that nobody can
        look into at the moment."""
        hidden: Set[Path] = set()
        with mapped_errors(self._folder):
            paths = lane_paths(self._folder)
        for path in set(self._lanes) - set(paths):
            self._forget(path)  # somebody has removed it by hand
        for path in paths:
            if path in self._aside:
                continue
            try:
                if path not in self._lanes:
                    self._lanes[path] = Lane(path, self._run_id)
                if not self._lanes[path].ended:
                    self._end(self._lanes[path])
            except LogNotFound:
                continue  # its maker hasn't come to the log, or never will
            except LogUnavailable as error:
                self.trouble = error
                if path not in self._lanes:
                    hidden.add(path)
            except LogError as error:
                self._put_aside(path, error)
        return hidden

    def _remove_unmade(self, path: Path) -> None:
        """Remove a folder whose maker died before the lane's log was there; one that lives makes another."""
        with contextlib.suppress(OSError, LogInUse):
            if any(name.endswith(".wandb") for name in os.listdir(path)):
                return
            owner = OwnerLock(owner_path(path, self._run_id))
            try:
                if not any(name.endswith(".wandb") for name in os.listdir(path)):
                    shutil.rmtree(path.rename(gone_lane(path)), ignore_errors=True)
            finally:
                owner.release()

    def _forget(self, path: Path) -> None:
        self._lanes.pop(path).reader.close()

    def _end(self, lane: Lane) -> None:
        """Bring a lane in order if its writer has ended. Raises LogError."""
        if has_living_writer(lane.path, self._run_id):
            return
        with mapped_errors(lane.path), contextlib.suppress(LogInUse):
            owner = OwnerLock(owner_path(lane.path, self._run_id))
            try:
                recover_locked(lane.path, self._run_id, owner)
            finally:
                owner.release()
            lane.ended, lane.seen = True, None

    def _put_aside(self, path: Path, error: LogError) -> None:
        """A lane that can't be read on: what stands before that is kept, and the lane stays where it is, with another
        name when nobody writes it any more."""
        with contextlib.suppress(Exception):  # a warning that became an error
            self._warn(f"what a child process logged can't be read ({error}); the lane is kept as it is")
        lane = self._lanes.get(path)
        if lane is not None and not isinstance(error, NewerFormat):
            lane.damage = error
            with contextlib.suppress(LogError):
                lane.ended = lane.ended or not has_living_writer(path, self._run_id)
            return
        self._aside.add(path)
        if lane is not None:
            self._forget(path)

    # --- taking over --------------------------------------------------------------------------------------------------

    def _may_have_grown(self, lane: Lane) -> bool:
        """Whether the lane's segments have changed since it was read to its end: commits write them."""
        if lane.ended:
            return not lane.done
        with contextlib.suppress(OSError):
            paths = [path for path in lane.path.iterdir() if path.name.endswith(".wandb")]
            status = {path.name: path.stat().st_mtime_ns for path in paths}
            if status == lane.seen:
                return False
            settled = time.time() - max(status.values(), default=0) / 1e9 > _TICK_SECONDS
            lane.seen = status if settled else None
        return True

    def _turn(self, lane: Lane, put: Put, deadline: float) -> bool:
        """Take over the next records of a lane; whether there may be more. Raises _Interrupted."""
        try:
            frames = lane.reader.read_frames(lane.place.sequence + 1, _TURN_BYTES)
            for frame in frames:
                number = put(LaneRecord(lane.id, *frame, lane.reader.entry(*frame).record).put)
                if not number:
                    raise _Interrupted
                lane.place = Place(frame[0], lane.place.main if number == NOT_NEEDED else number)
                if time.monotonic() >= deadline:
                    raise _Interrupted
        except LogUnavailable as error:
            self.trouble, lane.seen = error, None
            return False
        except LogError as error:
            self._put_aside(lane.path, error)
            return False
        lane.done = lane.ended and not frames
        return bool(frames)


def _free(path: Path) -> Path:
    """A name like this one that nothing has."""
    number = 1
    while os.path.lexists(path):
        number += 1
        path = path.with_name(f"{path.name.partition('.')[0]}.damaged-{number}")
    return path


# --- logs that nobody writes ------------------------------------------------------------------------------------------


def merge_locked(
    folder: Path, run_id: str, owner: OwnerLock, last_sequence: int, warn: Callable[[str], None] = lambda message: None
) -> Tuple[Merge, int]:
    """Merge the lanes of a log that has been recovered; returns the log's last record, and what knows its lanes.

    For a caller that holds the owner's lock. A log that is damaged is left alone. Raises LogUnavailable where it can't
    be written; what was merged by then is kept.
    """
    identity = segments(folder, run_id, live=False)[-1].identity
    merge = Merge(folder, run_id, identity.log_uuid, warn)
    try:
        merge.resume()
    except LogDamaged:
        return merge, last_sequence
    pieces = _SealedSegments(folder, identity, last_sequence)
    try:
        merge.bring(pieces.put, math.inf, living=False)
        merge.bring(pieces.put, _LIVING_SECONDS)
        pieces.finish()
    except BaseException:
        pieces.drop()
        raise
    if pieces.committed > last_sequence:
        owner.close_log(Closed(pieces.segment, pieces.committed))
    merge.settle(pieces.committed)
    return merge, pieces.committed


class _SealedSegments:
    """Records that follow the last one of a log, in segments that get their names when they are complete."""

    def __init__(self, folder: Path, identity: Identity, committed: int) -> None:
        self.committed = committed  # the last record of a segment that has its name
        self._folder, self._identity = folder, identity
        self._rows = RowEncoder(self._append)
        self._last = self._stored = committed
        self._raw = bytearray()  # behind `_stored`
        self._segment: Optional[Segment] = None
        self._bytes = 0

    def put(self, put: Callable[[RowEncoder, Append], int]) -> int:
        # Here, and not between a row and its shape.
        if len(self._raw) >= COMMIT_BYTES:
            self._store()
            if self._bytes > SEGMENT_FILL_BYTES:
                self._complete()
        return put(self._rows, self._append)

    def _append(self, frame: bytearray, kind: int) -> int:
        self._last += 1
        seal_frame(frame, kind, self._last)
        self._raw += frame
        return self._last

    def finish(self) -> None:
        """Raises LogUnavailable."""
        self._store()
        self._complete()

    def _store(self) -> None:
        if not self._raw:
            return
        if self._segment is None:
            self._identity = self._identity._replace(
                segment=self._identity.segment + 1, first_sequence=self._stored + 1, created=time.time(),
                stands_alone=True,
            )  # fmt: skip
            self._segment = Segment(begin_segment(self._path, self._identity))
        blocks = [
            (one.first_sequence, one.value)
            for one in pack_blocks(bytes(self._raw), self._stored + 1, self._last - self._stored)
        ]
        self._segment.put(blocks)
        # LMDB gives each value whole pages.
        self._bytes += sum(-(-len(value) // _PAGE_BYTES) * _PAGE_BYTES + _PAGE_BYTES for _, value in blocks)
        self._stored = self._last
        self._raw.clear()

    def _complete(self) -> None:
        if self._segment is None:
            return
        self._segment.put([], seal=self._stored)
        self._segment.close()
        self._segment = None
        with mapped_errors(self._path):
            name_segment(self._path)
        self.committed, self._bytes = self._stored, 0
        self._rows.reset()

    @property
    def segment(self) -> int:
        """The number of the last segment."""
        return self._identity.segment

    @property
    def _path(self) -> Path:
        return segment_path(self._folder, self._identity.run_id, self._identity.segment)

    def drop(self) -> None:
        """Forget the segment that has no name yet."""
        if self._segment is not None:
            self._segment.close()
            self._segment = None
            with contextlib.suppress(OSError):
                drop_unnamed(self._path)
