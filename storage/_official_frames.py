"""The run files of the official client as bytes: from a file to the records in it, past whatever is damaged.

Such a file is a seven-byte header and then blocks of 32 KiB, the header being part of the first. A block holds chunks:
a CRC-32 of type and payload, the payload's length, the type, the payload. A record is one chunk, or a first one, any
number of middle ones and a last one. No chunk crosses the end of a block; what is too short for a chunk there is zero.

A damaged chunk costs the record that it belongs to. Where its length is still true, which the chunk behind it proves,
reading goes on there; otherwise with the next block, since nothing else in a block tells where a chunk begins.
"""

from __future__ import annotations

import dataclasses
import os
import struct
import zlib
from pathlib import Path
from typing import BinaryIO, Iterator, List, Optional

from ._errors import NewerFormat
from ._format import OFFICIAL_MAGIC, RECORD_BYTES_MAX

_VERSION = 0
_HEADER_BYTES = len(OFFICIAL_MAGIC) + 1
_BLOCK_BYTES = 32 << 10
_CHUNK = struct.Struct("<IHB")
_FULL, _FIRST, _MIDDLE, _LAST = 1, 2, 3, 4


@dataclasses.dataclass
class FrameDamage:
    """What of a file could not be read."""

    bytes: int = 0  # in all
    blocks: int = 0  # of those, the ones that were left before their end
    torn_bytes: int = 0  # at the file's end, as a killed process leaves them
    too_large: int = 0  # records above what this package reads


def is_official_file(path: Path) -> bool:
    """Whether the official client wrote a run's file. Raises nothing: what can't be read is none."""
    try:
        # A pipe of that name would hold up whoever asks.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            return os.read(descriptor, len(OFFICIAL_MAGIC)) == OFFICIAL_MAGIC
        finally:
            os.close(descriptor)
    except OSError:
        return False


def official_frames(file: BinaryIO, size: int, damage: FrameDamage) -> Iterator[bytes]:
    """The intact records among the first `size` bytes of a file, in order; `damage` grows with what is passed over.

    Raises NewerFormat, and OSError where the disk does.
    """
    parts: Optional[List[bytes]] = None  # of a record that has begun
    held = 0
    for start in range(0, size, _BLOCK_BYTES):
        block = file.read(min(_BLOCK_BYTES, size - start))
        at = 0
        if start == 0:
            if block[: len(OFFICIAL_MAGIC)] == OFFICIAL_MAGIC and block[len(OFFICIAL_MAGIC) : _HEADER_BYTES] not in (
                b"",
                b"\0",
            ):
                raise NewerFormat("a version of the official client's format that is not known; upgrade wandb")
            at = _HEADER_BYTES
        while at + _CHUNK.size <= len(block):
            _, length, kind = _CHUNK.unpack_from(block, at)
            stop = at + _CHUNK.size + length
            if not _is_intact(block, at):
                parts = None
                if not kind and not block[at:].strip(b"\0"):
                    at = len(block)  # zeros to the end of the block: space that was never written
                elif stop <= len(block) and (stop == len(block) or _is_intact(block, stop)):
                    damage.bytes += stop - at
                    at = stop
                    continue
                break
            payload = block[at + _CHUNK.size : stop]
            at = stop
            if kind == _FULL:
                parts = None
                yield payload
            elif kind == _FIRST:
                parts, held = [payload], length
            elif parts is None:
                damage.bytes += _CHUNK.size + length  # of a record whose beginning is lost
            elif held + length > RECORD_BYTES_MAX:
                damage.too_large += 1
                damage.bytes += held + length
                parts = None
            else:
                parts.append(payload)
                held += length
                if kind == _LAST:
                    yield b"".join(parts)
                    parts = None
        rest = block[at:]
        if rest.strip(b"\0"):
            damage.bytes += len(rest)
            if len(block) < _BLOCK_BYTES:
                damage.torn_bytes += len(rest)
            else:
                damage.blocks += 1
    if parts is not None:
        damage.bytes += held
        damage.torn_bytes += held


def _is_intact(block: bytes, at: int) -> bool:
    if at + _CHUNK.size > len(block):
        return False
    checksum, length, kind = _CHUNK.unpack_from(block, at)
    stop = at + _CHUNK.size + length
    return bool(_FULL <= kind <= _LAST and stop <= len(block) and zlib.crc32(block[at + 6 : stop]) == checksum)
