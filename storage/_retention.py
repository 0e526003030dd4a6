"""Making room: the oldest segments of finished logs go, once a server has acknowledged what they hold.

Never removed: a record that nobody has acknowledged, a segment of a log that somebody writes or that nobody has
recovered, a segment on which a later one depends, and the last segment of a log unless all of the log is acknowledged.
Whole files go, oldest first, and the folder is synced after each: whatever a crash leaves is the end of the log,
without a hole in it. Only logs are removed, not the files beside them.

A segment depends on those before it where a failed commit began it: its rows may name shapes that stand there. Such
segments go together; a crash in between leaves rows without their shapes, all acknowledged, and the next call goes on.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Callable, Dict, Iterable, List, NamedTuple, Optional, Tuple

from ._errors import LogError, LogInUse
from ._folder import SegmentInfo, find_run_id, is_log_file, owner_path, segments
from ._owner import OwnerLock
from ._segment import SegmentFile, fsync_folder, lock_path, mapped_errors
from ._tail import join_tails, load_tails, tail_paths


class DiskUse(NamedTuple):
    """What a run's folder takes on the disk, in bytes."""

    log: int
    files: int

    @property
    def total(self) -> int:
        return self.log + self.files


class Acknowledged(NamedTuple):
    """What a server has of a run."""

    sequence: int  # the last record that it has acknowledged, 0 for none
    finished: bool  # nobody will send anything from this log any more


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
    """What a run's folder takes on the disk; what vanishes while it is counted doesn't count."""
    log = files = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(FileNotFoundError):
                size = os.lstat(os.path.join(parent, name)).st_blocks * 512
                if parent == os.fspath(folder) and is_log_file(name):
                    log += size
                else:
                    files += size
    return DiskUse(log, files)


def retain(folders: Iterable[Path], budget_bytes: int, acknowledged: Callable[[Path], Acknowledged]) -> RetentionReport:
    """Remove the oldest acknowledged segments of finished logs until the runs in `folders` fit the budget, or nothing
    more may go.

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
            told = acknowledged(folder)
            reason: Optional[str]
            if not told.finished:
                reason = "the run is not finished"
            elif not told.sequence:
                reason = "nothing of it is acknowledged"
            else:
                gone, reason = _remove_from(folder, told.sequence, left - budget_bytes)
                removed += gone
                left -= sum(one.bytes for one in gone)
            if reason is not None:
                kept[folder] = reason
    return RetentionReport(budget_bytes, before, left, removed, kept)


def _oldest_first(folders: Iterable[Path], kept: Dict[Path, str]) -> List[Path]:
    created: List[Tuple[float, Path]] = []
    for folder in folders:
        try:
            created.append((segments(folder, find_run_id(folder))[0].identity.created, folder))
        except (LogError, OSError) as error:
            kept[folder] = str(error)
    return [folder for _, folder in sorted(created)]


def _remove_from(folder: Path, acknowledged: int, excess_bytes: int) -> Tuple[List[RemovedSegment], Optional[str]]:
    """Remove what may go of one log, no more than is needed; what went, and why no more did."""
    gone: List[RemovedSegment] = []
    try:
        with mapped_errors(folder):
            run_id = find_run_id(folder)
            # Nobody writes, recovers or goes on with the log while its files go.
            owner = OwnerLock(owner_path(folder, run_id))
            try:
                found = segments(folder, run_id, live=False)
                last, reason = _last_sequence(folder, run_id, found)
                if last is None:
                    return gone, reason
                for piece in _pieces(found, last):
                    if sum(one.bytes for one in gone) >= excess_bytes:
                        return gone, None
                    if piece.last_sequence > acknowledged:
                        return gone, f"of {last:,} records only {acknowledged:,} are acknowledged"
                    for index, info in enumerate(piece.segments):
                        gone.append(_remove(info, _last_of(piece, index), acknowledged))
                with contextlib.suppress(OSError):
                    for path in tail_paths(folder, run_id):
                        path.unlink(missing_ok=True)  # empty: every record is acknowledged, so in a segment
                return gone, None
            finally:
                owner.release()
    except LogInUse:
        return gone, "somebody writes it"
    except LogError as error:
        return gone, str(error)


def _last_sequence(folder: Path, run_id: str, found: List[SegmentInfo]) -> Tuple[Optional[int], str]:
    """The last record of a log that is complete; or None, and why it isn't."""
    last = found[-1]
    with SegmentFile(last.path) as segment:
        sealed, committed = segment.sealed(), segment.last_sequence(last.identity.first_sequence)
    waiting = join_tails(load_tails(folder, run_id, last.identity.log_uuid), committed)
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


def _remove(info: SegmentInfo, last_sequence: int, acknowledged: int) -> RemovedSegment:
    """Remove one segment, durably. Raises OSError."""
    first = info.identity.first_sequence
    size = sum(path.stat().st_blocks * 512 for path in (info.path, lock_path(info.path)) if path.exists())
    os.unlink(info.path)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(lock_path(info.path))
    fsync_folder(info.path.parent)
    reason = f"finished, and acknowledged up to record {acknowledged:,}"
    return RemovedSegment(info.path, first, last_sequence, size, reason)
