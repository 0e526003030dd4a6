"""The bytes that the log writes around its records: frames, tails, blocks and LMDB keys. `FORMAT.md` has the tables.

All integers are little-endian, except in LMDB keys, where big-endian order makes LMDB's byte order the numeric one.
"""

from __future__ import annotations

import struct
import zlib
from itertools import repeat
from typing import Iterator, List, NamedTuple, Tuple, Union

FORMAT_VERSION = 1

# --- limits, each with its reason -------------------------------------------------------------------------------------

# A server's history line ends at about 10 MiB; a record that no server takes is better refused at the call.
RECORD_BYTES_MAX = 16 << 20
# What a record of a lane may take more in the main log, where it stands inside of another record.
WRAPPING_BYTES = 128
# Lanes of one run at the same time: more processes than that are a mistake, and each lane is a folder to look at.
LANES_MAX = 1024
# Keys of one row: beyond this a row belongs in a table, and a dashboard can't show it anyway.
ROW_KEYS_MAX = 100_000
# A commit is due when this much waits in the tail: large enough to compress well, small enough to read in one go.
COMMIT_BYTES = 256 << 10
# A commit is due when a record has waited this long: the bound that promise P2 names, less the time of a sync.
COMMIT_SECONDS = 0.5
# Raw bytes of one block. A tail that grew while the disk was away is cut into several.
BLOCK_BYTES_MAX = 32 << 20
# LMDB's map: fixed for the life of a segment. Small enough for schedulers that limit address space.
SEGMENT_BYTES = 256 << 20
# Blocks put into a segment before the next one starts: leaves LMDB a quarter of the map for its own pages.
SEGMENT_FILL_BYTES = SEGMENT_BYTES * 3 // 4
# Frames held in memory while the disk refuses them.
MEMORY_BYTES_MAX = 64 << 20
# Row templates kept by a writer and by a reader, and the keys in all of them together; a program that never repeats its
# keys can't fill memory with them.
SHAPES_MAX = 1024
SHAPE_KEYS_MAX = 1 << 20

# What `durability` may be, and promises.
PROMISES = {
    "process": "what `append` has returned for survives the death of the process, and in about a second a power loss",
    "power": "what `append` has returned for survives a power loss, unless the disk refused, which a warning says",
}

# How the official client's file of a run begins, which has the name of our first segment.
OFFICIAL_MAGIC = b":W&B\xe1\xbe"

Buffer = Union[bytes, bytearray, memoryview]

# --- frames -----------------------------------------------------------------------------------------------------------

# crc32 of everything after it, kind, zero, sequence; the record follows, and starts with its own length.
FRAME_HEADER = struct.Struct("<IHHQ")
_LENGTH = struct.Struct("<I")
_FRAME_START = struct.Struct("<IHHQI")
FRAME_BYTES_MIN = _FRAME_START.size


# One record as it stands in a tail or a block: sequence number, kind, size-prefixed flatbuffer. A plain tuple, because
# reading makes one of these for every record.
Frame = Tuple[int, int, bytes]


def seal_frame(frame: bytearray, kind: int, sequence: int) -> None:
    """Write the header of `frame`, whose record already stands behind the space for it."""
    FRAME_HEADER.pack_into(frame, 0, 0, kind, 0, sequence)
    _LENGTH.pack_into(frame, 0, zlib.crc32(frame))


_CRC_OF_ZERO = zlib.crc32(bytes(4))
_HEADER_BYTES = FRAME_HEADER.size
_unpack_start = _FRAME_START.unpack_from
_crc32 = zlib.crc32


def parse_frames(raw: bytes, expected: int) -> Tuple[List[Frame], int]:
    """All intact frames of `raw` from the first, numbered `expected`, on, and the offset where they end.

    Stops silently at the first byte that is not an intact frame of the expected number: whether that is a torn tail or
    damage is for the caller to say, who knows where `raw` comes from.
    """
    frames: List[Frame] = []
    offset, end, view = 0, len(raw) - FRAME_BYTES_MIN, memoryview(raw)
    while offset <= end:
        crc, kind, zero, sequence, length = _unpack_start(raw, offset)
        stop = offset + FRAME_BYTES_MIN + length
        if sequence != expected or zero or length > RECORD_BYTES_MAX or stop > end + FRAME_BYTES_MIN:
            break
        # The writer computes the checksum with zero in the checksum's own place.
        if _crc32(view[offset + 4 : stop], _CRC_OF_ZERO) != crc:
            break
        frames.append((sequence, kind, raw[offset + _HEADER_BYTES : stop]))
        offset, expected = stop, expected + 1
    return frames, offset


class Run(NamedTuple):
    """Consecutive intact frames of one kind and one size, as they stand in what was parsed."""

    sequence: int  # of the first
    kind: int
    frames: int
    size: int  # of each
    offset: int  # of the first

    def between(self, start: int, stop: int) -> Run:
        """The frames numbered from `start` on, below `stop`: perhaps none."""
        skipped = max(0, start - self.sequence)
        left = max(0, min(self.frames, stop - self.sequence) - skipped)
        return self._replace(sequence=self.sequence + skipped, frames=left, offset=self.offset + skipped * self.size)


# Behind so many frames alike, further ones are checked together: at first as many, at last so many at a time.
_WINDOW_FRAMES_MIN = 64
_WINDOW_FRAMES_MAX = 4096
# Where layouts take turns there is a run for every frame, and this takes half the time of the class's own way.
_new = tuple.__new__


def parse_runs(raw: Buffer, first: int) -> Iterator[Run]:
    """What `parse_frames` finds, without a copy of the frames: for rows of one layout this takes half the time."""
    offset, end, view, expected = 0, len(raw) - FRAME_BYTES_MIN, memoryview(raw), first
    start, run_kind, run_length = 0, 0, 0
    while offset <= end:
        crc, kind, zero, sequence, length = _unpack_start(raw, offset)
        stop = offset + FRAME_BYTES_MIN + length
        if sequence != expected or zero or length > RECORD_BYTES_MAX or stop > end + FRAME_BYTES_MIN:
            break
        if _crc32(view[offset + 4 : stop], _CRC_OF_ZERO) != crc:
            break
        if kind != run_kind or length != run_length:
            if expected > first:
                yield _new(Run, (first, run_kind, expected - first, FRAME_BYTES_MIN + run_length, start))
            start, first, run_kind, run_length = offset, expected, kind, length
        offset, expected = stop, expected + 1
        if expected - first == _WINDOW_FRAMES_MIN:
            alike = _count_alike(view[offset:], kind, length, expected)
            offset, expected = offset + alike * (FRAME_BYTES_MIN + length), expected + alike
    if expected > first:
        yield Run(first, run_kind, expected - first, FRAME_BYTES_MIN + run_length, start)


def _count_alike(view: memoryview, kind: int, length: int, sequence: int) -> int:
    """How many intact frames of one kind and length `view` starts with. Their checksums are compared in windows."""
    size, count, window = FRAME_BYTES_MIN + length, 0, _WINDOW_FRAMES_MIN
    start = struct.Struct(f"<IHHQI{length}x")
    while True:
        frames = view[count * size : (count + min(window, len(view) // size - count)) * size]
        found = list(start.iter_unpack(frames))
        checksums = [_crc32(frames[at : at + size - 4], _CRC_OF_ZERO) for at in range(4, len(frames), size)]
        numbers = range(sequence + count, sequence + count + len(found))
        right = list(zip(checksums, repeat(kind), repeat(0), numbers, repeat(length)))
        if found != right:
            return count + next(index for index, pair in enumerate(zip(found, right)) if pair[0] != pair[1])
        count += len(found)
        if len(found) < window:
            return count
        # Windows that double: where frames differ in size, little is looked at in vain.
        window = min(2 * window, _WINDOW_FRAMES_MAX)


class Span(NamedTuple):
    """Consecutive intact frames: from one offset to another, from one number up to another."""

    start: int
    stop: int
    first_sequence: int
    next_sequence: int


def frame_spans(raw: Buffer, first: int, border: int, bytes_max: int) -> Tuple[List[Span], int]:
    """Where the frames stand that `parse_frames` would give, without a copy of them, and the offset where they end.

    No span is longer than `bytes_max`, but for a single frame, and none has frames on both sides of number `border`.
    """
    spans: List[Span] = []
    start = stop = 0
    following = first
    for _, _, frames, size, offset in parse_runs(raw, first):
        run_end = following + frames
        if offset + frames * size <= start + bytes_max and not following <= border < run_end:
            stop, following = offset + frames * size, run_end
            continue
        while following < run_end:
            fitting = (start + bytes_max - stop) // size
            if stop > start and (fitting < 1 or following == border):
                spans.append(Span(start, stop, first, following))
                start, first = stop, following
                continue
            end = min(run_end, following + max(1, fitting))
            if following < border:
                end = min(end, border)
            stop, following = stop + (end - following) * size, end
    if stop > start:
        spans.append(Span(start, stop, first, following))
    return spans, stop


# --- tails ------------------------------------------------------------------------------------------------------------

TAIL_MAGIC = b"\x89WBTAIL\n"
# magic, format version, zero, the log's uuid, first sequence, crc32 of the bytes before
_TAIL_HEADER = struct.Struct("<8sHH16sQ")
TAIL_HEADER_BYTES = _TAIL_HEADER.size + 4


def tail_header(log_uuid: bytes, first_sequence: int) -> bytes:
    head = _TAIL_HEADER.pack(TAIL_MAGIC, FORMAT_VERSION, 0, log_uuid, first_sequence)
    return head + _LENGTH.pack(zlib.crc32(head))


class TailHeader(NamedTuple):
    version: int
    log_uuid: bytes
    first_sequence: int


def parse_tail_header(raw: bytes) -> Union[TailHeader, None]:
    """The header of a tail, or None where there is no intact one (a tail that was being created)."""
    if len(raw) < TAIL_HEADER_BYTES:
        return None
    magic, version, _, log_uuid, first = _TAIL_HEADER.unpack_from(raw)
    if magic != TAIL_MAGIC or _LENGTH.unpack_from(raw, _TAIL_HEADER.size)[0] != zlib.crc32(raw[: _TAIL_HEADER.size]):
        return None
    return TailHeader(version, log_uuid, first)


# --- blocks -----------------------------------------------------------------------------------------------------------

# crc32 of everything after it, zero, codec (1: zstd), record count, raw length, first sequence
_BLOCK_HEADER = struct.Struct("<IHHIIQ")
BLOCK_HEADER_BYTES = _BLOCK_HEADER.size
CODEC_ZSTD = 1


class BlockHeader(NamedTuple):
    records: int
    raw_length: int
    first_sequence: int


def block(compressed: bytes, count: int, raw_length: int, first_sequence: int) -> bytes:
    head = _BLOCK_HEADER.pack(0, 0, CODEC_ZSTD, count, raw_length, first_sequence)
    crc = zlib.crc32(compressed, zlib.crc32(head[4:]))
    return _LENGTH.pack(crc) + head[4:] + compressed


def parse_block(value: Buffer) -> Union[Tuple[BlockHeader, bytes], None]:
    """The header and the compressed frames of a block; None where its bytes are not those that were written."""
    if len(value) < _BLOCK_HEADER.size:
        return None
    crc, zero, codec, count, raw_length, first = _BLOCK_HEADER.unpack_from(value)
    if zlib.crc32(memoryview(value)[4:]) != crc or zero or codec != CODEC_ZSTD or raw_length > BLOCK_BYTES_MAX:
        return None
    return BlockHeader(count, raw_length, first), bytes(memoryview(value)[_BLOCK_HEADER.size :])


# --- keys -------------------------------------------------------------------------------------------------------------

IDENTITY_KEY = b"\x00identity"
SEAL_KEY = b"\x02seal"
_BLOCK_KEY = struct.Struct(">cQ")
_BLOCK_PREFIX = b"\x01"


def block_key(first_sequence: int) -> bytes:
    return _BLOCK_KEY.pack(_BLOCK_PREFIX, first_sequence)


def parse_block_key(key: Buffer) -> Union[int, None]:
    """The first sequence of the block under `key`; None where the key is not a block's."""
    if len(key) != _BLOCK_KEY.size:
        return None
    prefix, first = _BLOCK_KEY.unpack(key)
    return int(first) if prefix == _BLOCK_PREFIX else None
