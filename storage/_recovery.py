"""Bringing a log in order whose writer didn't close it: the one way for uploader, replay, sync and a resuming run.

The tails' intact frames beyond the last committed record go into LMDB; the last transaction also holds a record of how
the writer ended, and the seal. Until that transaction is durable nothing is removed, so a crash at any instant of a
recovery leaves a log that the next recovery brings in order. What can't be read of the tails is kept aside.

A log that was closed says so in its owner file too. Where its last segment no longer does, a disk has taken it back to
an earlier state: with all records, it is sealed again; with fewer, those that are missing are counted.
"""

from __future__ import annotations

import contextlib
import time
from pathlib import Path
from typing import TYPE_CHECKING, Iterator, List, NamedTuple, Optional, Tuple

from ._blocks import PackedBlock, pack_blocks, unpack_block
from ._encode import encode
from ._errors import LogUnavailable
from ._folder import SegmentInfo, has_lanes, own_log, segments
from ._format import FRAME_HEADER, seal_frame
from ._owner import Closed, OwnerLock, Writer
from ._records import WriterLost
from ._segment import Segment, SegmentFile, check, mapped_errors
from ._segment_writer import SegmentWriter
from ._tail import Piece, TailFrames, join_tails, load_tails, tail_paths

if TYPE_CHECKING:
    from ._merge import Merge


class Recovered(NamedTuple):
    """What a recovery found."""

    last_sequence: int
    writer_lost: Optional[WriterLost]  # None: the writer had closed the log


def recover(folder: Path) -> Recovered:
    """Bring the log in `folder` in order, and take over what its lanes hold.

    Raises LogInUse while its writer lives, LogNotFound, LogUnavailable, or another LogError where a file is not what
    it should be.
    """
    folder, run_id, owner = own_log(folder)
    try:
        with mapped_errors(folder):
            recovered, merge = merge_lanes(folder, run_id, owner, recover_locked(folder, run_id, owner))
            if merge is not None and merge.trouble is not None:
                raise merge.trouble
            return recovered
    finally:
        owner.release()


def merge_lanes(folder: Path, run_id: str, owner: OwnerLock, recovered: Recovered) -> Tuple[Recovered, Optional[Merge]]:
    """Take over what the lanes of a recovered log hold, where there are any, for a caller that holds the owner's lock.

    Lanes that can't be read at the moment are left for the next time. Raises LogUnavailable, OSError.
    """
    if not has_lanes(folder):
        return recovered, None
    from ._merge import merge_locked  # which most runs never need

    merge, last = merge_locked(folder, run_id, owner, recovered.last_sequence)
    return recovered._replace(last_sequence=last), merge


def recover_locked(folder: Path, run_id: str, owner: OwnerLock) -> Recovered:
    """`recover` for a caller that holds the owner's lock."""
    # Nobody else writes, and the files may be damaged: they are read without LMDB until they prove to be sound.
    found = segments(folder, run_id, live=False)
    last = found[-1]
    with SegmentFile(last.path) as segment:
        sealed = segment.sealed()
    committed = _committed(found)
    tails = join_tails(load_tails(folder, run_id, last.identity.log_uuid), committed)
    taken_back = max(0, owner.closed.last_sequence - committed - tails.records)
    closed = owner.closed == (last.identity.segment, committed)
    # A writer that goes on to another segment seals the one before: an unreadable tail may have held what came then.
    doubtful = max(tails.lost_records, taken_back, 0 if closed else tails.unreadable_bytes)
    if (closed or sealed) and not tails.records and not (doubtful and not _told(last, committed)):
        blocks: Iterator[PackedBlock] = iter(())
        lost, last_sequence = None, committed
    else:
        lost = _writer_lost(owner, tails, committed + tails.records, taken_back)
        blocks, last_sequence = _pack(tails, lost, committed), lost.last_sequence + 1
    if lost is not None or not sealed:
        segment_to_end: Optional[Segment] = None
        if not sealed and check(last.path) is None:
            with contextlib.suppress(LogUnavailable):  # LMDB may refuse it all the same; another segment will do
                segment_to_end = Segment(last.path)
        writer = SegmentWriter(folder, last.identity, committed, segment_to_end)
        try:
            writer.put(blocks, seal=True)
        finally:
            writer.close()
        owner.close_log(Closed(writer.identity.segment, last_sequence))
    elif taken_back:
        owner.close_log(Closed(last.identity.segment, last_sequence))  # which a recovery that died had not done
    _remove_tails(folder, run_id, tails)
    return Recovered(last_sequence, lost)


def _pack(tails: TailFrames, lost: WriterLost, committed: int) -> Iterator[PackedBlock]:
    """The frames of the tails as blocks, and behind them the record of how the writer ended."""
    frame = bytearray(FRAME_HEADER.size) + encode(lost)
    seal_frame(frame, lost.kind, lost.last_sequence + 1)
    *pieces, last = tails.pieces or [Piece(committed + 1, 0, memoryview(b""))]
    for first, records, raw in pieces:
        yield from pack_blocks(raw, first, records)
    yield from pack_blocks(b"".join((last.raw, frame)), last.first_sequence, last.records + 1)


def _told(last: SegmentInfo, committed: int) -> bool:
    """Whether the log's last record says already how its writer ended: a recovery died before it removed the tails."""
    with SegmentFile(last.path) as segment:
        blocks = segment.read(committed, 1)
    return bool(blocks) and unpack_block(blocks[0])[-1][1] == WriterLost.kind


def _committed(found: List[SegmentInfo]) -> int:
    """The last committed record: a segment that was created and never written has none of its own."""
    limit = 1 << 63
    for path, identity in reversed(found):
        with SegmentFile(path) as segment:
            last = segment.last_sequence(identity.first_sequence)
        if last >= identity.first_sequence:
            # What reaches into the next segment comes from a commit that was given up.
            return min(last, limit)
        limit = min(limit, identity.first_sequence - 1)
    return found[0].identity.first_sequence - 1


def _writer_lost(owner: OwnerLock, tails: TailFrames, last_sequence: int, taken_back: int) -> WriterLost:
    here = Writer.current()
    writer = owner.previous or Writer()
    lost_records = max(tails.lost_records, taken_back)
    if taken_back:
        cause = "unknown"
        evidence = (
            f"{writer} closed the log behind record {owner.closed.last_sequence}, and its last segment has been taken "
            f"back to an earlier state, as by damage to LMDB's newest page: {taken_back} records are missing"
        )
    elif not writer.pid:
        cause, evidence = "unknown", "the log names no writer"
    elif writer.host != here.host:
        cause = "unknown"
        evidence = f"the log was written on {writer.host} and recovered on {here.host} before anybody closed it"
    elif writer.boot_id != here.boot_id:
        cause = "rebooted"
        evidence = f"{writer} held the log open, and the machine has been restarted since"
    else:
        cause = "died"
        evidence = f"{writer} ended without closing the log: the lock that it held until its end is free"
    if lost_records and not taken_back:
        evidence += f"; {lost_records} records of its last moments are missing, as after a power loss"
    if tails.unreadable_bytes:
        evidence += (
            f"; {tails.unreadable_bytes} bytes that waited for their commit can't be read and are kept aside: "
            "how many records they held is not known"
        )
    return WriterLost(
        time=time.time(), host=writer.host, pid=writer.pid, boot_id=writer.boot_id, cause=cause, evidence=evidence,
        last_sequence=last_sequence, torn_bytes=tails.torn_bytes + tails.unreadable_bytes, lost_records=lost_records,
    )  # fmt: skip


def _remove_tails(folder: Path, run_id: str, tails: TailFrames) -> None:
    """Everything that can be read of the tails is durable: remove them, but keep aside what could not be read."""
    for path in tail_paths(folder, run_id):
        with contextlib.suppress(OSError):
            if tails.lost_records or tails.torn_bytes or tails.unreadable_bytes:
                path.replace(path.with_name(f"{path.name}.damaged"))
            else:
                path.unlink()
