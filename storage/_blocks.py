"""Frames to blocks and back: the compressed form in which records stand in LMDB."""

from __future__ import annotations

from typing import List, Tuple

import zstandard

from ._errors import LogDamaged
from ._format import BLOCK_BYTES_MAX, Frame, block, parse_frames
from ._segment import StoredBlock

_ZSTD_LEVEL = 3  # higher levels shrink rows of numbers by less than a percent and take three times as long


def pack_blocks(raw: bytes, first_sequence: int, count: int) -> List[Tuple[int, bytes]]:
    """Consecutive frames as (first sequence, block) pairs, each of at most `BLOCK_BYTES_MAX` before compression."""
    ends = [(0, 0), (len(raw), count)]  # (bytes, records) up to each cut
    if len(raw) > BLOCK_BYTES_MAX:
        ends = [(0, 0)]
        before = (0, 0)
        for done, (stop, _) in enumerate(parse_frames(raw, first_sequence), start=1):
            if stop - ends[-1][0] > BLOCK_BYTES_MAX:
                ends.append(before)
            before = (stop, done)
        ends.append(before)
    compressor = zstandard.ZstdCompressor(level=_ZSTD_LEVEL, write_checksum=False, write_content_size=True)
    blocks = []
    for (start, skipped), (stop, done) in zip(ends, ends[1:]):
        first = first_sequence + skipped
        compressed = compressor.compress(raw[start:stop])
        blocks.append((first, block(compressed, done - skipped, stop - start, first)))
    return blocks


def unpack_block(stored: StoredBlock) -> List[Frame]:
    """All frames of a block. Raises LogDamaged where they are not what its header says."""
    try:
        raw = zstandard.ZstdDecompressor().decompress(stored.compressed, max_output_size=stored.raw_length)
    except zstandard.ZstdError as error:
        raise LogDamaged(
            f"the block from record {stored.first_sequence} on can't be decompressed: {error}",
            stored.path,
            stored.position,
        ) from error
    frames = [frame for _, frame in parse_frames(raw, stored.first_sequence)]
    if len(raw) != stored.raw_length or len(frames) != stored.count:
        raise LogDamaged(
            f"the block from record {stored.first_sequence} on holds {len(frames)} intact records of {stored.count}",
            stored.path,
            stored.position,
        )
    return frames
