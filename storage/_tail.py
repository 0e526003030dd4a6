"""The tail: frames that are not yet in LMDB, in two files that take turns.

`append` is one `write` to the active file. A commit makes the other file the active one, puts the frames of the first
into LMDB, and empties it when they are durable there. A tail is never synced: the page cache keeps it when the process
dies, and the commit keeps its records when the machine does.
"""

from __future__ import annotations

import contextlib
import errno
import os
from pathlib import Path
from typing import Iterator, List, NamedTuple, Optional, Tuple

from ._errors import ForeignFile, LogUnavailable, NewerFormat
from ._format import (
    BLOCK_BYTES_MAX,
    FORMAT_VERSION,
    FRAME_BYTES_MIN,
    TAIL_HEADER_BYTES,
    TAIL_MAGIC,
    frame_spans,
    parse_frames,
    parse_tail_header,
    tail_header,
)


def tail_paths(folder: Path, run_id: str) -> Tuple[Path, Path]:
    return folder / f"run-{run_id}.tail-0", folder / f"run-{run_id}.tail-1"


class Tail:
    """One tail file, for its writer."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self.length = 0  # of the file's valid part
        self.first_sequence = 0
        self.memory: List[bytes] = []  # frames that the disk refused; they follow those in the file
        self.memory_bytes = 0
        self.refusing = False  # the disk refused: everything goes to memory until the tail is committed
        self.starts_segment = False

    def start(self, log_uuid: bytes, first_sequence: int, starts_segment: bool) -> None:
        """Empty the file and let it begin with `first_sequence`; where the disk has no room even for that, what is
        appended stays in memory."""
        self.first_sequence, self.starts_segment = first_sequence, starts_segment
        self.length = TAIL_HEADER_BYTES
        header = tail_header(log_uuid, first_sequence)
        try:
            os.ftruncate(self.fd, 0)
            self.refusing = os.write(self.fd, header) != len(header)
        except OSError:
            self.refusing = True

    @property
    def empty(self) -> bool:
        return self.length <= TAIL_HEADER_BYTES and not self.memory

    def settle(self) -> int:
        """Count the frames of this tail, and make its counters and the file's end agree with them.

        For the time after an exception that came in the middle of an append. Raises OSError.
        """
        size = os.fstat(self.fd).st_size
        frames, end = parse_frames(self._read(TAIL_HEADER_BYTES, size), self.first_sequence)
        self.length = TAIL_HEADER_BYTES + end
        if size > self.length and not self.refusing:
            os.ftruncate(self.fd, self.length)
        self.memory_bytes = sum(len(frame) for frame in self.memory)
        return len(frames) + len(self.memory)

    def pieces(self, last_sequence: int) -> Iterator[Tuple[int, int, bytes]]:
        """(first sequence, count, frames) of all of this tail, up to `last_sequence`, in order, in pieces that fit into
        a block. Raises OSError."""
        first = self.first_sequence
        if self.length + self.memory_bytes <= BLOCK_BYTES_MAX:
            raw = self._whole(TAIL_HEADER_BYTES, self.length)
            yield first, last_sequence - first + 1, b"".join([raw, *self.memory])
            return
        offset = TAIL_HEADER_BYTES
        while offset < self.length:
            raw = self._whole(offset, min(self.length, offset + BLOCK_BYTES_MAX))
            frames, end = parse_frames(raw, first)
            if not frames:
                raise OSError(errno.EIO, "the tail is not what was written to it")
            yield first, len(frames), raw[:end]
            first, offset = first + len(frames), offset + end
        piece: List[bytes] = []
        piece_bytes = 0
        for frame in self.memory:
            if piece_bytes + len(frame) > BLOCK_BYTES_MAX:
                yield first, len(piece), b"".join(piece)
                first, piece, piece_bytes = first + len(piece), [], 0
            piece.append(frame)
            piece_bytes += len(frame)
        if piece:
            yield first, len(piece), b"".join(piece)

    def _whole(self, start: int, stop: int) -> bytes:
        raw = self._read(start, stop)
        if len(raw) != stop - start:
            raise OSError(errno.EIO, "the tail is shorter than what was written to it")
        return raw

    def _read(self, start: int, stop: int) -> bytes:
        parts: List[bytes] = []
        while start < stop:
            part = os.pread(self.fd, stop - start, start)
            if not part:
                break
            parts.append(part)
            start += len(part)
        return b"".join(parts)

    def clear(self) -> None:
        """Forget the frames, which are committed."""
        self.memory, self.memory_bytes, self.length, self.refusing = [], 0, 0, False
        with contextlib.suppress(OSError):  # what stays behind is ignored: its numbers are committed ones
            os.ftruncate(self.fd, 0)

    def close(self) -> None:
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1


class Piece(NamedTuple):
    """Consecutive frames of a tail that fit into a block."""

    first_sequence: int
    records: int
    raw: memoryview


class TailFrames(NamedTuple):
    """What the tails of a log hold beyond its committed records."""

    pieces: List[Piece]  # consecutive from the first uncommitted record on
    records: int
    torn_bytes: int  # behind the last intact frame
    lost_records: int  # known to have been written behind them
    unreadable_bytes: int = 0  # of tails without a header that can be read: nobody knows what they held


def load_tails(folder: Path, run_id: str, log_uuid: str) -> List[Tuple[int, bytes]]:
    """(first sequence, content) of the log's tails as they are now, in order; 0 for one that can't be read.

    Raises ForeignFile for a tail of another log, NewerFormat for one of a later version, LogUnavailable for one that
    can't be read.
    """
    tails = []
    for path in tail_paths(folder, run_id):
        raw = _read(path)
        if raw is None:
            continue
        first_sequence = _first_sequence(raw, bytes.fromhex(log_uuid), path, run_id)
        if first_sequence is not None:
            tails.append((first_sequence, raw))
    return sorted(tails)


def _first_sequence(raw: bytes, log_uuid: bytes, path: Path, run_id: str) -> Optional[int]:
    """The number with which a tail begins; 0 where it can't be read, None where it holds nothing."""
    header = parse_tail_header(raw)
    if header is not None:
        if header.version > FORMAT_VERSION:
            raise NewerFormat(f"written in format {header.version}; upgrade wandb", path)
        if header.log_uuid != log_uuid:
            raise ForeignFile(f"the tail of another log than run {run_id}'s; move it away", path)
        return header.first_sequence
    if len(raw) <= TAIL_HEADER_BYTES:
        return None  # a crash while it was being started
    # The first frame repeats the number. Of the rest of a damaged header either the log's id or the checksum must be
    # what this log would have written there: a frame alone could be any log's.
    claimed = _claimed_sequence(raw)
    if claimed:
        told = tail_header(log_uuid, claimed)
        if log_uuid in raw[:TAIL_HEADER_BYTES] or raw[TAIL_HEADER_BYTES - 4 : TAIL_HEADER_BYTES] == told[-4:]:
            return claimed
    if raw[: len(TAIL_MAGIC)].strip(b"\0") not in (b"", TAIL_MAGIC):
        raise ForeignFile("not the tail of a log; move it away to read the log without it", path, 0)
    return 0


def _claimed_sequence(raw: bytes) -> int:
    """The number of an intact frame behind a tail's header; 0 where there is none."""
    start = raw[TAIL_HEADER_BYTES : TAIL_HEADER_BYTES + FRAME_BYTES_MIN]
    if len(start) < FRAME_BYTES_MIN:
        return 0
    claimed = int.from_bytes(start[8:16], "little")
    stop = TAIL_HEADER_BYTES + FRAME_BYTES_MIN + int.from_bytes(start[16:], "little")
    return claimed if claimed < 1 << 63 and parse_frames(raw[TAIL_HEADER_BYTES:stop], claimed)[0] else 0


def join_tails(tails: List[Tuple[int, bytes]], committed: int) -> TailFrames:
    """The frames behind record `committed`."""
    pieces: List[Piece] = []
    torn = lost = unreadable = 0
    expected = committed + 1
    for first_sequence, raw in tails:
        if not first_sequence:
            unreadable += len(raw)
            continue
        frames = memoryview(raw)[TAIL_HEADER_BYTES:]
        spans, end = frame_spans(frames, first_sequence, expected, BLOCK_BYTES_MAX)
        next_sequence = spans[-1].next_sequence if spans else first_sequence
        if first_sequence > expected:
            # A power loss took frames of the tail before. What is left must be a beginning of what was written, with
            # no hole in it, so these go too: and they are counted.
            lost = max(lost, next_sequence - expected)
            continue
        for start, stop, first, following in spans:
            if first >= expected:
                pieces.append(Piece(first, following - first, frames[start:stop]))
                expected = following
        torn = len(frames) - end
    return TailFrames(pieces, expected - committed - 1, torn, lost, unreadable)


def _read(path: Path) -> Optional[bytes]:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise LogUnavailable(f"can't be read: {error.strerror or error}", path) from error
