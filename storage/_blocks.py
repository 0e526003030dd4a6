"""Frames to blocks and back: the compressed form in which records stand in LMDB."""

from __future__ import annotations

from typing import Iterator, List, NamedTuple, Tuple

import zstandard

from ._errors import LogDamaged
from ._format import BLOCK_BYTES_MAX, FRAME_HEADER, Frame, block, parse_frames
from ._segment import StoredBlock

_ZSTD_LEVEL = 3  # higher levels shrink rows of numbers by less than a percent and take three times as long


class PackedBlock(NamedTuple):
    """A block that is ready for LMDB."""

    first_sequence: int
    last_sequence: int
    value: bytes


def pack_blocks(raw: bytes, first_sequence: int, count: int) -> Iterator[PackedBlock]:
    """Consecutive frames as blocks, each of at most `BLOCK_BYTES_MAX` before compression."""
    compressor = zstandard.ZstdCompressor(level=_ZSTD_LEVEL, write_checksum=False, write_content_size=True)
    for start, stop, skipped, done in _cuts(raw, first_sequence, count):
        first = first_sequence + skipped
        value = block(compressor.compress(raw[start:stop]), done - skipped, stop - start, first)
        yield PackedBlock(first, first_sequence + done - 1, value)


def _cuts(raw: bytes, first_sequence: int, count: int) -> Iterator[Tuple[int, int, int, int]]:
    """(start, stop, records before start, records before stop) of each block."""
    if len(raw) <= BLOCK_BYTES_MAX:
        yield 0, len(raw), 0, count
        return
    start = skipped = stop = 0
    for done, (_, _, payload) in enumerate(parse_frames(raw, first_sequence)[0]):
        frame_bytes = FRAME_HEADER.size + len(payload)
        if stop + frame_bytes - start > BLOCK_BYTES_MAX:
            yield start, stop, skipped, done
            start, skipped = stop, done
        stop += frame_bytes
    yield start, stop, skipped, count


def unpack_block(stored: StoredBlock) -> List[Frame]:
    """All frames of a block. Raises LogDamaged where they are not what its header says."""
    try:
        # zstd believes the size that stands in its own frame and takes that much memory: look before.
        size = zstandard.frame_content_size(stored.compressed)
        if size != stored.raw_length:
            raise LogDamaged(
                f"the block from record {stored.first_sequence} on holds {size} bytes, not {stored.raw_length}",
                stored.path,
                stored.position,
            )
        raw = zstandard.ZstdDecompressor().decompress(stored.compressed, max_output_size=stored.raw_length)
    except zstandard.ZstdError as error:
        raise LogDamaged(
            f"the block from record {stored.first_sequence} on can't be decompressed: {error}",
            stored.path,
            stored.position,
        ) from error
    frames, _ = parse_frames(raw, stored.first_sequence)
    if len(raw) != stored.raw_length or len(frames) != stored.records:
        raise LogDamaged(
            f"the block from record {stored.first_sequence} on holds {len(frames)} intact records of {stored.records}",
            stored.path,
            stored.position,
        )
    return frames
