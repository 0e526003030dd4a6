"""Making room: the oldest segments of finished logs go, once every server has acknowledged what they hold.

Never removed: a record that nobody has acknowledged, a segment of a log that somebody writes or that nobody has
recovered, a segment on which a later one depends. Before anything goes, a checkpoint (`_checkpoint`) keeps what the
records add up to, and where the last segment goes too, an empty one takes its place: a run whose rows are gone still
tells its config and summary, and is resumed at its step.

Whole files go, oldest first, and the folder is synced after each: whatever a crash leaves is the end of the log,
without a hole in it. Only logs are removed, not the files beside them.

A segment depends on those before it where a failed commit began it: its rows may name shapes that stand there. Such
segments go together; a crash in between leaves rows without their shapes, all of them in the checkpoint, and the next
call goes on.
"""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path
from typing import Callable, Dict, Iterable, Iterator, List, NamedTuple, Optional, Tuple

from ._checkpoint import Beginning, beginning, write_checkpoint
from ._errors import LogError, LogInUse
from ._folder import SegmentInfo, has_lanes, is_log_file, own_log, segments
from ._home import log_folder
from ._reader import Reader
from ._segment import SegmentFile, create_segment, fsync_path, lock_path, mapped_errors, segment_path
from ._tail import join_tails, load_tails

# What takes the place of a whole log, with its checkpoint, is about half as large: below this, removing gains nothing.
_KEEPER_BYTES = 64 << 10


class DiskUse(NamedTuple):
    """What a run's folder takes on the disk, in bytes."""

    log: int
    files: int

    @property
    def total(self) -> int:
        return self.log + self.files


class Acknowledged(NamedTuple):
    """What the servers of a run have of it."""

    sequence: int  # the last record that each of them has acknowledged, 0 for none
    finished: bool  # nobody will send anything from this log any more
    reason: str = ""  # why it isn't


class RemovedSegment(NamedTuple):
    """A segment that went."""

    path: Path
    first_sequence: int
    last_sequence: int
    bytes: int
    reason: str


class RetentionReport(NamedTuple):
    """What `retain` did."""

    budget_bytes: int
    before_bytes: int
    after_bytes: int
    removed: List[RemovedSegment]
    kept: Dict[Path, str]  # why a run's log stays, or what is left of it; only where it was looked at

    @property
    def within_budget(self) -> bool:
        return self.after_bytes <= self.budget_bytes


class _Piece(NamedTuple):
    """Segments that can only go together."""

    segments: List[SegmentInfo]
    last_sequence: int


def disk_use(folder: Path) -> DiskUse:
    """What a run's folder takes on the disk, and its log where that is on another; what vanishes while it is counted
    doesn't count."""
    log = files = 0
    with contextlib.suppress(LogError):  # a log on another machine takes nothing here
        place = log_folder(folder)
        log = disk_use(place).total if place != folder else 0
    for parent, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(FileNotFoundError):
                size = os.lstat(os.path.join(parent, name)).st_blocks * 512
                if _is_logs(os.path.relpath(parent, folder), name):
                    log += size
                else:
                    files += size
    return DiskUse(log, files)


def _is_logs(parent: str, name: str) -> bool:
    return is_log_file(name if parent == "." else parent.partition(os.sep)[0])


def retain(
    folders: Iterable[Path], budget_bytes: int, acknowledged: Callable[[Path], Acknowledged], remove: bool = True
) -> RetentionReport:
    """Remove the oldest acknowledged segments of finished logs until the runs in `folders` fit the budget, or nothing
    more may go. Without `remove`, only tell what would go.

    A log that can't be read, or whose files can't be removed, stays, and `kept` says why.
    """
    sizes = {folder: disk_use(folder).total for folder in folders}
    before = left = sum(sizes.values())
    removed: List[RemovedSegment] = []
    kept: Dict[Path, str] = {}
    if before > budget_bytes:
        for folder in _oldest_first(sizes, kept):
            if left <= budget_bytes:
                break
            gone, reason = _retain_one(folder, acknowledged, left - budget_bytes, remove)
            removed += gone
            # What stays in the place of a log takes room, too.
            left -= sizes[folder] - disk_use(folder).total if remove else sum(one.bytes for one in gone)
            if reason:
                kept[folder] = reason
    return RetentionReport(budget_bytes, before, left, removed, kept)


def _oldest_first(folders: Iterable[Path], kept: Dict[Path, str]) -> List[Path]:
    created: List[Tuple[float, Path]] = []
    for folder in folders:
        try:
            with Reader(folder) as reader:
                created.append((reader.identity.created, folder))
        except (LogError, OSError) as error:
            kept[folder] = str(error)
    return [folder for _, folder in sorted(created)]


def _retain_one(
    folder: Path, acknowledged: Callable[[Path], Acknowledged], excess_bytes: int, remove: bool
) -> Tuple[List[RemovedSegment], str]:
    """Remove what may go of one log, no more than is needed; what went, and why no more did."""
    gone: List[RemovedSegment] = []
    try:
        told = acknowledged(folder)
        if not told.finished:
            return [], told.reason or "the run is not finished"
        if not told.sequence:
            return [], "nothing of it is acknowledged"
        with _owned(folder) as log:
            plan = log.plan(told.sequence, excess_bytes)
        if not remove or not plan.removed:
            return plan.removed, plan.reason
        # Folding takes a while, and what is to go doesn't change: nobody has to wait for the lock meanwhile.
        state = _fold(folder, plan.last_sequence)
        with _owned(folder) as log:
            if log.plan(told.sequence, excess_bytes) != plan:
                return [], "somebody went on with it"
            log.remove(plan, state, gone)
        return gone, plan.reason
    except LogInUse:
        return gone, "somebody writes it"
    except LogError as error:
        return gone, str(error)


def _fold(folder: Path, last_sequence: int) -> Beginning:
    with Reader(folder) as reader:
        sequence, state = beginning(reader)
        for entry in reader.entries(sequence + 1, last_sequence + 1, tail=False):
            state.apply(entry.record)
    return Beginning(max(sequence, last_sequence), state)


class _Plan(NamedTuple):
    """What is to go of a log."""

    removed: List[RemovedSegment]
    everything: bool  # the last segment too
    reason: str  # why no more goes; empty where no more has to

    @property
    def last_sequence(self) -> int:
        return self.removed[-1].last_sequence


@contextlib.contextmanager
def _owned(folder: Path) -> Iterator[_Owned]:
    """The log of a run, which nobody writes, recovers or goes on with meanwhile. Raises LogError."""
    place, run_id, owner = own_log(folder)
    try:
        with mapped_errors(place):
            if place != folder:
                raise LogInUse("it is still to come home", folder)
            yield _Owned(place, run_id)
    finally:
        owner.release()


class _Owned:
    """A log whose lock is held."""

    def __init__(self, folder: Path, run_id: str) -> None:
        self._folder, self._run_id = folder, run_id
        self._segments = segments(folder, run_id, live=False)

    def plan(self, acknowledged: int, excess_bytes: int) -> _Plan:
        """The pieces of the log that may go, as many as are needed."""
        removed: List[RemovedSegment] = []
        last, reason = self._last_sequence()
        if last is None:
            return _Plan(removed, False, reason)
        # An empty segment at the end keeps the place of what has gone, or waits for records.
        filled = [info for info in self._segments if info.identity.first_sequence <= last]
        for piece in _pieces(filled, last):
            final = piece.segments[-1] is self._segments[-1]
            if sum(one.bytes for one in removed) >= excess_bytes:
                return _Plan(removed, False, "")
            if piece.last_sequence > acknowledged:
                return _Plan(removed, False, f"of {last:,} records only {acknowledged:,} are acknowledged")
            if final and sum(one.bytes for one in removed) + _bytes(piece.segments) < _KEEPER_BYTES:
                return _Plan(removed, False, "it is too small to gain anything")
            removed += [
                _removal(info, _last_of(piece, index), acknowledged) for index, info in enumerate(piece.segments)
            ]
        return _Plan(removed, bool(removed) and len(filled) == len(self._segments), "")

    def remove(self, plan: _Plan, state: Beginning, gone: List[RemovedSegment]) -> None:
        """Remove what is planned, durably, in an order in which every crash leaves a log. Raises OSError."""
        last = self._segments[-1].identity
        write_checkpoint(self._folder, self._run_id, last.log_uuid, state)
        if plan.everything:
            keeper = last._replace(
                segment=last.segment + 1, first_sequence=plan.last_sequence + 1, created=time.time(), stands_alone=True
            )
            create_segment(segment_path(self._folder, self._run_id, keeper.segment), keeper, sealed=True)
        for one in plan.removed:
            os.unlink(one.path)
            with contextlib.suppress(FileNotFoundError):
                os.unlink(lock_path(one.path))
            fsync_path(self._folder)
            gone.append(one)

    def _last_sequence(self) -> Tuple[Optional[int], str]:
        """The last record of a log that is complete; or None, and why it isn't."""
        if has_lanes(self._folder):
            return None, "lanes wait to be merged; recover it first"
        last = self._segments[-1]
        with SegmentFile(last.path) as segment:
            sealed, committed = segment.sealed(), segment.last_sequence(last.identity.first_sequence)
        waiting = join_tails(load_tails(self._folder, self._run_id, last.identity.log_uuid), committed)
        if not sealed or waiting.records or waiting.lost_records:
            return None, "nobody closed the log; recover it first"
        return committed, ""


def _pieces(found: List[SegmentInfo], last: int) -> List[_Piece]:
    """The log in pieces, none of which needs an earlier one."""
    starts = [index for index, info in enumerate(found) if not index or info.identity.stands_alone]
    pieces = []
    for start, stop in zip(starts, [*starts[1:], len(found)]):
        end = found[stop].identity.first_sequence - 1 if stop < len(found) else last
        pieces.append(_Piece(found[start:stop], end))
    return pieces


def _last_of(piece: _Piece, index: int) -> int:
    following = piece.segments[index + 1 :]
    return following[0].identity.first_sequence - 1 if following else piece.last_sequence


def _bytes(found: List[SegmentInfo]) -> int:
    paths = [path for info in found for path in (info.path, lock_path(info.path))]
    return sum(path.stat().st_blocks * 512 for path in paths if path.exists())


def _removal(info: SegmentInfo, last_sequence: int, acknowledged: int) -> RemovedSegment:
    reason = f"finished, and acknowledged up to record {acknowledged:,}"
    return RemovedSegment(info.path, info.identity.first_sequence, last_sequence, _bytes([info]), reason)
