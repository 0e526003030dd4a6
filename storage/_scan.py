"""Finding what is intact in files whose structure is not: for `verify` and `salvage`, never for reading.

A block is known by its checksum wherever it stands, and so is a frame. LMDB's pages are not needed to find either: the
compressed content of a block begins with zstd's magic number, its header stands in front of it, and where it ends is
said by the zstd frame itself.
"""

from __future__ import annotations

import os
import struct
from pathlib import Path
from typing import Iterator, List, NamedTuple, Optional, Tuple

import zstandard

from ._errors import LogDamaged
from ._format import (
    BLOCK_BYTES_MAX,
    BLOCK_HEADER_BYTES,
    FRAME_BYTES_MIN,
    FRAME_HEADER,
    RECORD_BYTES_MAX,
    Frame,
    parse_block,
    parse_frames,
)
from ._segment import StoredBlock

_ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
_WINDOW_BYTES = 4 << 20
# A block that doesn't compress, with its headers.
_BLOCK_FILE_BYTES_MAX = BLOCK_BYTES_MAX + (1 << 20)
# How many records in a row may be unreadable before the search for the next intact one ends, and how many places are
# tried for each: bounds the time that a hostile file takes.
_UNREADABLE_MAX = 256
_PLACES_MAX = 16
_SEQUENCE = struct.Struct("<HQ")  # the zero and the number in a frame's header


class Place(NamedTuple):
    """An intact block in a file."""

    first_sequence: int
    records: int
    position: int
    length: int


def find_blocks(path: Path) -> Iterator[Place]:
    """Every intact block in a file, whatever else the file is. Raises OSError."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        end = os.fstat(fd).st_size
        start = 0
        while start < end:
            # The windows overlap by what a magic number on their border needs.
            window = os.pread(fd, _WINDOW_BYTES + len(_ZSTD_MAGIC) - 1, start)
            if not window:
                return  # the file was cut off meanwhile
            at = window.find(_ZSTD_MAGIC)
            while at >= 0:
                place = _block_at(fd, start + at - BLOCK_HEADER_BYTES, end)
                if place is not None:
                    yield place
                at = window.find(_ZSTD_MAGIC, at + 1)
            start += _WINDOW_BYTES
    finally:
        os.close(fd)


def _block_at(fd: int, position: int, end: int) -> Optional[Place]:
    if position < 0:
        return None
    head = os.pread(fd, BLOCK_HEADER_BYTES + 18, position)  # 18: the longest header of a zstd frame
    length = _zstd_length(fd, position + BLOCK_HEADER_BYTES, head[BLOCK_HEADER_BYTES:], end)
    if length is None:
        return None
    parsed = parse_block(os.pread(fd, BLOCK_HEADER_BYTES + length, position))
    if parsed is None:
        return None
    return Place(parsed[0].first_sequence, parsed[0].records, position, BLOCK_HEADER_BYTES + length)


def _zstd_length(fd: int, position: int, head: bytes, end: int) -> Optional[int]:
    """How long the zstd frame at a position is, from the headers of its blocks; None where it is none."""
    try:
        length = zstandard.frame_header_size(head)
        checksum = 4 if zstandard.get_frame_parameters(head).has_checksum else 0
    except zstandard.ZstdError:
        return None
    while position + length + 3 <= end and length <= _BLOCK_FILE_BYTES_MAX:
        header = int.from_bytes(os.pread(fd, 3, position + length), "little")
        last, form, size = header & 1, header >> 1 & 3, header >> 3
        if form == 3:
            return None
        length += 3 + (1 if form == 1 else size)  # form 1: one byte, repeated
        if last:
            length += checksum
            return length if position + length <= end else None
    return None


def load_block(path: Path, place: Place) -> StoredBlock:
    """The block at a place where one was found. Raises OSError, and LogDamaged where it is gone."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        parsed = parse_block(os.pread(fd, place.length, place.position))
    finally:
        os.close(fd)
    if parsed is None:
        raise LogDamaged("a block changed while it was read", path, place.position)
    header, compressed = parsed
    return StoredBlock(header.first_sequence, header.records, header.raw_length, compressed, path, place.position)


def frames_of_damaged_block(value: bytes, first_sequence: int) -> List[Frame]:
    """The intact frames of a block whose checksum is wrong: each has one of its own."""
    decompressor = zstandard.ZstdDecompressor(max_window_size=BLOCK_BYTES_MAX).decompressobj()
    raw = bytearray()
    try:
        for start in range(BLOCK_HEADER_BYTES, len(value), 4096):
            raw += decompressor.decompress(value[start : start + 4096])
            if decompressor.eof or len(raw) > BLOCK_BYTES_MAX:
                break
    except zstandard.ZstdError:
        pass  # what came before is what there is
    return intact_frames(bytes(raw[:BLOCK_BYTES_MAX]), first_sequence)[0]


def intact_frames(raw: bytes, expected: int) -> Tuple[List[Frame], int]:
    """The intact frames of `raw` in order, with or without holes, and the offset behind the last of them."""
    frames, end = parse_frames(raw, expected)
    offset = end
    while True:
        expected = frames[-1][0] + 1 if frames else expected
        found = _next_intact(raw, offset, expected)
        if found is None:
            return frames, end
        offset, number = found
        more, length = parse_frames(raw[offset:], number)
        frames += more
        offset = end = offset + length


def _next_intact(raw: bytes, offset: int, expected: int) -> Optional[Tuple[int, int]]:
    """(offset, number) of the first intact frame from `offset` on with a number soon after `expected`."""
    for number in range(expected, expected + _UNREADABLE_MAX):
        pattern = _SEQUENCE.pack(0, number)
        at = raw.find(pattern, offset + 6)
        for _ in range(_PLACES_MAX):
            if at < 0:
                break
            if _is_frame(raw, at - 6, number):
                return at - 6, number
            at = raw.find(pattern, at + 1)
    return None


def _is_frame(raw: bytes, offset: int, number: int) -> bool:
    length = int.from_bytes(raw[offset + FRAME_HEADER.size : offset + FRAME_BYTES_MIN], "little")
    stop = offset + FRAME_BYTES_MIN + length
    return length <= RECORD_BYTES_MAX and bool(parse_frames(raw[offset:stop], number)[0])
