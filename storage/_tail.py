"""The tail: frames that are not yet in LMDB, in two files that take turns.

`append` is one `write` to the active file. A commit makes the other file the active one, puts the frames of the first
into LMDB, and empties it when they are durable there. A tail is never synced: the page cache keeps it when the process
dies, and the commit keeps its records when the machine does.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import List, NamedTuple, Optional, Tuple

from ._errors import ForeignFile, NewerFormat
from ._format import (
    FORMAT_VERSION,
    TAIL_HEADER_BYTES,
    TAIL_MAGIC,
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

    def unread(self, expected: int) -> int:
        """How many frames stand behind the valid part of the file, and make them part of it; cut off the rest.

        That is what an exception leaves that comes between a frame's `write` and its bookkeeping.
        """
        size = os.fstat(self.fd).st_size
        count = 0
        if size > self.length and not self.refusing:
            start = self.length
            for end, _ in parse_frames(os.pread(self.fd, size - start, start), expected):
                self.length = start + end
                count += 1
            os.ftruncate(self.fd, self.length)
        return count

    def frames(self) -> bytes:
        """All frames of this tail, in order."""
        parts: List[bytes] = []
        offset = TAIL_HEADER_BYTES
        while offset < self.length:
            part = os.pread(self.fd, self.length - offset, offset)
            if not part:
                raise OSError(5, f"{self.path} is shorter than what was written to it")
            parts.append(part)
            offset += len(part)
        return b"".join(parts + self.memory)

    def clear(self) -> None:
        """Forget the frames, which are committed."""
        self.memory, self.memory_bytes, self.length, self.refusing = [], 0, 0, False
        with contextlib.suppress(OSError):  # what stays behind is ignored: its numbers are committed ones
            os.ftruncate(self.fd, 0)

    def close(self) -> None:
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1


class TailFrames(NamedTuple):
    """What the tails of a log hold beyond its committed records."""

    raw: bytes  # the frames, consecutive from the first uncommitted record on
    count: int
    torn_bytes: int  # behind the last intact frame
    lost_records: int  # between the last of them and the first of a later tail


def load_tails(folder: Path, run_id: str, log_uuid: str) -> List[Tuple[int, bytes]]:
    """(first sequence, content) of the log's tails as they are now, in order.

    Raises ForeignFile for a tail of another log, NewerFormat for one of a later version.
    """
    tails = []
    for path in tail_paths(folder, run_id):
        raw = _read(path)
        if raw is None:
            continue
        header = parse_tail_header(raw)
        if header is None:
            # A crash while the tail was being started leaves less than a header, or zeros where the disk lost it.
            if len(raw) >= TAIL_HEADER_BYTES and raw[: len(TAIL_MAGIC)].strip(b"\0") not in (b"", TAIL_MAGIC):
                raise ForeignFile("not the tail of a log; move it away to read the log without it", path, 0)
            continue
        if header.version > FORMAT_VERSION:
            raise NewerFormat(f"written in format {header.version}; upgrade wandb", path)
        if header.log_uuid.hex() != log_uuid:
            raise ForeignFile(f"the tail of another log than run {run_id}'s; move it away", path)
        tails.append((header.first_sequence, raw))
    return sorted(tails)


def join_tails(tails: List[Tuple[int, bytes]], committed: int) -> TailFrames:
    """The frames behind record `committed`."""
    pieces: List[bytes] = []
    torn = lost = 0
    expected = committed + 1
    for first_sequence, raw in tails:
        if first_sequence > expected:
            lost = first_sequence - expected
            break
        start, stop = TAIL_HEADER_BYTES, TAIL_HEADER_BYTES
        for end, frame in parse_frames(raw[TAIL_HEADER_BYTES:], first_sequence):
            if frame.sequence < expected:
                start = TAIL_HEADER_BYTES + end
            else:
                expected += 1
            stop = TAIL_HEADER_BYTES + end
        pieces.append(raw[start:stop])
        torn = len(raw) - stop
    return TailFrames(b"".join(pieces), expected - committed - 1, torn, lost)


def _read(path: Path) -> Optional[bytes]:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
