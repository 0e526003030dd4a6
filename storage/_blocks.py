"""Frames to blocks and back: the compressed form in which records stand in LMDB."""

from __future__ import annotations

from typing import Iterator, List, NamedTuple

from ._errors import LogDamaged
from ._format import BLOCK_BYTES_MAX, Buffer, Frame, Span, block, frame_spans, parse_frames
from ._segment import StoredBlock

_ZSTD_LEVEL = 3  # higher levels shrink rows of numbers by less than a percent and take three times as long


class PackedBlock(NamedTuple):
    """A block that is ready for LMDB."""

    first_sequence: int
    last_sequence: int
    value: bytes


def pack_blocks(raw: Buffer, first_sequence: int, count: int) -> Iterator[PackedBlock]:
    """Consecutive frames as blocks, each of at most `BLOCK_BYTES_MAX` before compression."""
    import zstandard  # in the thread that commits: a run's start doesn't wait for it

    compressor = zstandard.ZstdCompressor(level=_ZSTD_LEVEL, write_checksum=False, write_content_size=True)
    spans = [Span(0, len(raw), first_sequence, first_sequence + count)]
    if len(raw) > BLOCK_BYTES_MAX:
        spans, _ = frame_spans(raw, first_sequence, 0, BLOCK_BYTES_MAX)
    for start, stop, first, following in spans:
        value = block(compressor.compress(raw[start:stop]), following - first, stop - start, first)
        yield PackedBlock(first, following - 1, value)


def unpack_block(stored: StoredBlock) -> List[Frame]:
    """All frames of a block. Raises LogDamaged where they are not what its header says."""
    frames, _ = parse_frames(decompress_block(stored), stored.first_sequence)
    check_count(stored, len(frames))
    return frames


def decompress_block(stored: StoredBlock) -> bytes:
    """The frames of a block, one behind the other, not looked at yet. Raises LogDamaged."""
    import zstandard

    try:
        # zstd believes the size that stands in its own frame and takes that much memory: look before.
        size = zstandard.frame_content_size(stored.compressed)
        if size == stored.raw_length:
            raw = zstandard.ZstdDecompressor().decompress(stored.compressed, max_output_size=stored.raw_length)
            size = len(raw)
    except zstandard.ZstdError as error:
        raise LogDamaged(
            f"the block from record {stored.first_sequence} on can't be decompressed: {error}",
            stored.path,
            stored.position,
        ) from error
    if size != stored.raw_length:
        raise LogDamaged(
            f"the block from record {stored.first_sequence} on holds {size} bytes, not {stored.raw_length}",
            stored.path,
            stored.position,
        )
    return raw


def check_count(stored: StoredBlock, intact: int) -> None:
    """Raise LogDamaged where a block has not as many intact records as its header says."""
    if intact != stored.records:
        raise LogDamaged(
            f"the block from record {stored.first_sequence} on holds {intact} intact records of {stored.records}",
            stored.path,
            stored.position,
        )
