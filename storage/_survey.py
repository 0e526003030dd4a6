"""All that is intact of a log, in order, past any damage: what `verify` counts and `salvage` copies.

A `Reader` stops at the first byte that is not what was written, since nobody may take what comes behind for the whole
truth. A survey goes on, and notes where records are unreadable and which numbers are missing.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Callable, Dict, Iterator, List, NamedTuple, Optional, Tuple

from ._blocks import unpack_block
from ._errors import ForeignFile, LogDamaged, LogError, LogUnavailable, NewerFormat
from ._folder import find_run_id, open_segment, owner_path, segment_paths
from ._format import (
    FORMAT_VERSION,
    FRAME_HEADER,
    SEAL_KEY,
    TAIL_HEADER_BYTES,
    Frame,
    parse_block_key,
    parse_frames,
    parse_tail_header,
)
from ._home import log_folder
from ._owner import Writer, closed_behind, living_writer
from ._pages import PageFile
from ._records import WriterLost
from ._scan import Place, find_blocks, frames_of_damaged_block, intact_frames, load_block
from ._segment import Identity, StoredBlock, mapped_errors, parse_stored
from ._tail import tail_paths

# Called with the bytes that were looked at and those that there are.
Progress = Callable[[int, int], None]

_END = 1 << 63
_LIVE_READ_BYTES = 4 << 20
# Damages that are told one by one; a file of noise has no more to say after these.
DAMAGES_MAX = 1000


class Gap(NamedTuple):
    """Records that are missing: the first of them and the last."""

    first: int
    last: int

    @property
    def records(self) -> int:
        return self.last - self.first + 1


class Damage(NamedTuple):
    """Bytes that are not what was written. `position` is None where all of the file is meant."""

    message: str
    path: Path
    position: Optional[int]


class SegmentSurvey:
    """What one segment holds."""

    def __init__(self, path: Path, index: int) -> None:
        self.path, self.index = path, index
        self.identity: Optional[Identity] = None
        self.bytes = self.blocks = self.records = 0
        self.sealed = False
        self.sealed_at: Optional[int] = None  # the last record, by the seal
        self.foreign = False  # of another log: nothing in it is ours


class _Tail(NamedTuple):
    path: Path
    first_sequence: int
    log_uuid: Optional[str]  # None: its header is damaged
    raw: bytes


class Survey:
    """One walk over a log. Iterate `batches` to its end, then look at the figures."""

    def __init__(self, folder: Path, progress: Optional[Progress] = None) -> None:
        """Raises LogNotFound, or LogUnavailable where the folder can't be read."""
        self.folder = folder = log_folder(folder)
        self.run_id = find_run_id(folder)
        self.writer: Optional[Writer] = living_writer(owner_path(folder, self.run_id))
        self.segments: List[SegmentSurvey] = []
        self.damages: List[Damage] = []
        self.gaps: List[Gap] = []
        self.blocks = self.raw_bytes = self.checksums = 0
        self.committed = 0  # the last record that stands in a segment
        self.tail_records = self.torn_bytes = self.log_bytes = 0
        self._progress = progress
        self._done_bytes = 0
        self._expected = 0  # 0: the first record that is found decides
        self._errors: List[LogError] = []
        self._uuid: Optional[str] = None

    @property
    def identity(self) -> Optional[Identity]:
        """Of the first segment whose identity can be read."""
        return next((one.identity for one in self.segments if one.identity is not None), None)

    @property
    def last_sequence(self) -> int:
        return max(0, self._expected - 1)

    @property
    def first_error(self) -> Optional[LogError]:
        """Why the log can't be read as it should."""
        return self._errors[0] if self._errors else None

    def batches(self) -> Iterator[List[Frame]]:
        """The intact frames, each record once, by rising number.

        Raises NewerFormat, and ForeignFile where nothing of a log is there.
        """
        with mapped_errors(self.folder):
            # As for a reader: what a commit takes out of the tails from now on is found in the segments.
            tails = self._load_tails()
            known = 0
            while True:
                self._list_segments()
                if known == len(self.segments):
                    break
                for position in range(known, len(self.segments)):
                    for frames in self._segment(position):
                        fresh = self._take(frames)
                        if fresh:
                            self.committed = fresh[-1][0]
                            yield fresh
                known = len(self.segments)
                if self.writer is None:
                    break
            for tail in tails:
                yield from self._tail(tail)
            if self.writer is None:
                self._check_end(closed_behind(owner_path(self.folder, self.run_id)))
        if self.identity is None and self._uuid is None and not self.blocks:
            assert self._errors, "a segment without an identity has an error"
            raise self._errors[0]

    def _check_end(self, closed: int) -> None:
        """Note what is missing before the record behind which the log was closed."""
        if 0 < self._expected <= closed:
            path = self.segments[-1].path
            self._note(LogDamaged(f"the log was closed behind record {closed}, and ends before it", path))
            self._expect(closed + 1)

    # --- what is there ------------------------------------------------------------------------------------------------

    def _list_segments(self) -> None:
        known = {one.index for one in self.segments}
        paths = segment_paths(self.folder, self.run_id)
        for index, path in paths:
            if index not in known:
                found = SegmentSurvey(path, index)
                self.segments.append(found)
                # Only the last one is ever written; the others are safer without LMDB.
                self._identify(found, live=self.writer is not None and path == paths[-1][1])
                self.log_bytes += found.bytes
        identities = [one.identity for one in self.segments if one.identity is not None]
        if not self._expected and identities and self.segments[0].identity is not None:
            # Above 1 where retention has removed segments, which is no gap.
            self._expected = identities[0].first_sequence
        elif not self._expected and self.segments[0].index == 1:
            self._expected = 1

    def _identify(self, found: SegmentSurvey, live: bool) -> None:
        try:
            found.bytes = found.path.stat().st_size
            segment = open_segment(found.path, live)
            try:
                identity = segment.identity()
                found.sealed = segment.sealed()
            finally:
                segment.close()
            found.foreign = True
            if identity.segment != found.index or identity.run_id != self.run_id:
                raise ForeignFile(f"segment {identity.segment} of run {identity.run_id}, not what its name says",
                                  found.path)  # fmt: skip
            if self._uuid is not None and identity.log_uuid != self._uuid:
                raise ForeignFile(f"a segment of another log of run {self.run_id}", found.path)
            found.foreign = False
            found.identity = identity
            self._uuid = identity.log_uuid
            if self.writer is None and found.sealed:
                found.sealed_at = _sealed_at(found.path)
        except NewerFormat:
            raise
        except LogError as error:
            self._note(error)
        except OSError as error:
            self._note(LogUnavailable(f"can't be read: {error.strerror}", found.path))

    def _load_tails(self) -> List[_Tail]:
        tails: List[_Tail] = []
        for path in tail_paths(self.folder, self.run_id):
            try:
                raw = path.read_bytes()
            except FileNotFoundError:
                continue
            except OSError as error:
                self._note(LogUnavailable(f"can't be read: {error.strerror}", path))
                continue
            self.log_bytes += len(raw)
            header = parse_tail_header(raw)
            if header is not None:
                if header.version > FORMAT_VERSION:
                    raise NewerFormat(f"written in format {header.version}; upgrade wandb", path)
                tails.append(_Tail(path, header.first_sequence, header.log_uuid.hex(), raw))
                continue
            # A tail that was being started holds less than a header. One with a frame behind a header that is none was
            # damaged: the frame's own checksum tells.
            claimed = int.from_bytes(raw[TAIL_HEADER_BYTES + 8 : TAIL_HEADER_BYTES + 16], "little")
            if intact_frames(raw[TAIL_HEADER_BYTES:], claimed)[0]:
                self._note(LogDamaged("the header of this tail is not what was written", path, 0))
                tails.append(_Tail(path, claimed, None, raw))
            elif raw[:8].strip(b"\0"):
                self._note(LogDamaged("not the tail of a log", path, 0))
        return sorted(tails, key=lambda tail: tail.first_sequence)

    def _note(self, error: LogError) -> None:
        self._errors.append(error)
        if len(self.damages) < DAMAGES_MAX:
            self.damages.append(Damage(error.message, error.path or self.folder, error.position))

    def damaged_record(self, sequence: int, reason: str) -> None:
        """Note a record whose checksum is right, and whose content is none that this format has."""
        path = next((one.path for one in reversed(self.segments)
                     if one.identity is not None and one.identity.first_sequence <= sequence), self.folder)  # fmt: skip
        self._note(LogDamaged(f"record {sequence}: {reason}", path))

    def _advance(self, count: int) -> None:
        self._done_bytes += count
        if self._progress is not None:
            self._progress(min(self._done_bytes, self.log_bytes), self.log_bytes)

    def _take(self, frames: List[Frame]) -> List[Frame]:
        """Those of consecutive frames that weren't there yet; notes what is missing before them and among them."""
        first, last = frames[0][0], frames[-1][0]
        if first == self._expected and last - first + 1 == len(frames):
            fresh = frames  # as it should be, and quick
            self._expected = last + 1
        else:
            fresh = [frame for frame in frames if frame[0] >= self._expected]
            for sequence, _, _ in fresh:
                self._expect(sequence)
                self._expected = sequence + 1
        self.raw_bytes += sum(FRAME_HEADER.size + len(payload) for _, _, payload in fresh)
        self.checksums += len(fresh)
        return fresh

    def _expect(self, sequence: int) -> None:
        """Note the records that should have come before this one."""
        if 0 < self._expected < sequence:
            self.gaps.append(Gap(self._expected, sequence - 1))
            self._expected = sequence

    # --- segments -----------------------------------------------------------------------------------------------------

    def _segment(self, position: int) -> Iterator[List[Frame]]:
        found = self.segments[position]
        following = [one.identity.first_sequence for one in self.segments[position + 1 :] if one.identity is not None]
        stop = following[0] if following else _END
        last = position + 1 == len(self.segments)
        if found.foreign:
            return
        if found.identity is not None:
            self._expect(found.identity.first_sequence)
        if self.writer is not None and last and found.identity is not None:
            pieces = self._live_blocks(found)
        else:
            pieces = self._dead_blocks(found)
        for frames, stored_bytes in pieces:
            found.blocks += 1
            self.blocks += 1
            # What reaches into the next segment comes from a commit that was given up.
            kept = [frame for frame in frames if frame[0] < stop] if frames[-1][0] >= stop else frames
            found.records += sum(frame[0] >= self._expected for frame in kept)
            self._advance(stored_bytes)
            if kept:
                yield kept
        if found.sealed_at is not None and last:
            self._expect(found.sealed_at + 1)

    def _live_blocks(self, found: SegmentSurvey) -> Iterator[Tuple[List[Frame], int]]:
        """Through LMDB, which alone may read what is being written."""
        assert found.identity is not None
        start = found.identity.first_sequence
        with open_segment(found.path, True) as segment:
            while True:
                try:
                    blocks = segment.read(start, _LIVE_READ_BYTES)
                    unpacked = [(self._unpack(stored), len(stored.compressed)) for stored in blocks]
                except LogError as error:
                    self._note(error)  # the rest can be found when the writer is gone
                    return
                if not blocks:
                    return
                yield from unpacked
                start = blocks[-1].last_sequence + 1

    def _dead_blocks(self, found: SegmentSurvey) -> Iterator[Tuple[List[Frame], int]]:
        """By plain reads; where LMDB's tree is broken, by searching the file."""
        highest = 0
        try:
            with PageFile(found.path) as pages:
                for key, value, position in pages.items():
                    first = parse_block_key(key)
                    if first is None:
                        continue
                    try:
                        frames = self._unpack(parse_stored(key, value, found.path, position))
                    except LogError as error:
                        self._note(error)
                        frames = frames_of_damaged_block(value, first)
                    if frames:
                        yield frames, len(value)
                        highest = max(highest, frames[-1][0])
            return
        except LogError as error:
            if found.identity is not None:
                self._note(error)
        except OSError as error:
            self._note(LogUnavailable(f"can't be read: {error.strerror}", found.path))
            return
        for frames, stored_bytes in self._search(found, highest):
            if frames[-1][0] > highest:
                yield frames, stored_bytes

    def _search(self, found: SegmentSurvey, above: int) -> Iterator[Tuple[List[Frame], int]]:
        """The blocks of a file without its tree, in order. It may hold some twice, and some of commits that failed."""
        places: Dict[int, List[Place]] = {}
        try:
            for place in find_blocks(found.path):
                if place.first_sequence + place.records > above + 1:
                    places.setdefault(place.first_sequence, []).append(place)
        except OSError as error:
            self._note(LogUnavailable(f"can't be read: {error.strerror}", found.path))
        for first in sorted(places):
            candidates: List[Tuple[List[Frame], int]] = []
            # Copies that LMDB left behind are equal, and one of each is enough.
            for place in {(one.records, one.length): one for one in places[first]}.values():
                try:
                    candidates.append((self._unpack(load_block(found.path, place)), place.length))
                except LogError as error:
                    self._note(error)
            if candidates:
                # Two that differ: a commit that a crash cut off, and the recovery's, which says what counts. Else the
                # longer holds the shorter.
                best = max(candidates, key=lambda one: (one[0][-1][1] == WriterLost.kind, len(one[0])))
                yield best
                if best[0][-1][1] == WriterLost.kind:
                    return  # a recovery seals the segment

    def _unpack(self, stored: StoredBlock) -> List[Frame]:
        frames = unpack_block(stored)
        if not frames:
            raise LogDamaged("a block without records", stored.path, stored.position)
        self.checksums += 1
        return frames

    # --- tails --------------------------------------------------------------------------------------------------------

    def _tail(self, tail: _Tail) -> Iterator[List[Frame]]:
        self._advance(len(tail.raw))
        if tail.log_uuid is not None and self._uuid is not None and tail.log_uuid != self._uuid:
            self._note(ForeignFile(f"the tail of another log than run {self.run_id}'s", tail.path))
            return
        self._uuid = self._uuid or tail.log_uuid
        self.checksums += 1
        raw = tail.raw[TAIL_HEADER_BYTES:]
        frames, end = parse_frames(raw, tail.first_sequence)
        if self.writer is None:
            # Only the end of a tail may be torn: with intact frames behind it, this is something else.
            whole = intact_frames(raw, tail.first_sequence)
            if len(whole[0]) > len(frames):
                self._note(LogDamaged("a record in the tail is not what was written", tail.path,
                                      TAIL_HEADER_BYTES + end))  # fmt: skip
            frames, end = whole
            self._expect(tail.first_sequence)
        elif tail.first_sequence > self._expected:
            return  # the writer was quicker than this walk, and what it wrote before is on its way into a segment
        self.torn_bytes = len(raw) - end
        fresh = self._take(frames) if frames else []
        self.tail_records += len(fresh)
        if fresh:
            yield fresh


def _sealed_at(path: Path) -> Optional[int]:
    """The last record of a segment, as its seal has it; None where that can't be read."""
    try:
        with PageFile(path) as pages:
            for key, value, _ in pages.items(SEAL_KEY):
                if key == SEAL_KEY:
                    last = json.loads(value)["last_sequence"]
                    return last if isinstance(last, int) and 0 <= last < _END else None
    except (LogError, OSError, ValueError, KeyError, TypeError, RecursionError):
        pass  # the walk over the segment says what is wrong with it
    return None
