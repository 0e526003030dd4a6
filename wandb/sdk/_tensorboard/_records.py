"""Records of an events file: length, its checksum, bytes, their checksum. The file may be growing."""

from __future__ import annotations

import struct
from array import array
from pathlib import Path
from typing import BinaryIO, List, NamedTuple, Optional, Tuple

_HEADER, _CHECKSUM = struct.Struct("<QI"), struct.Struct("<I")
# A record that is longer is none: a summary of images takes megabytes.
RECORD_BYTES_MAX = 1 << 30
_POLYNOMIAL = 0x82F63B78  # of CRC-32C
_MASK = 0xA282EAD8


class DamagedFile(ValueError):
    """An events file can't be read on; the message says where."""


class Record(NamedTuple):
    """The bytes of a record, None where they are damaged, and where the next one begins."""

    payload: Optional[bytes]
    end: int


class RecordFile:
    """The complete records of a file from a position on. A record whose end isn't written yet comes later."""

    def __init__(self, path: Path, position: int = 0) -> None:
        self.path, self.position = path, position
        self._file: Optional[BinaryIO] = None

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def read(self, bytes_max: int) -> List[Record]:
        """The next records, of about so many bytes together. Raises DamagedFile where no more can be told apart, and
        OSError."""
        if self._file is None:
            self._file = open(self.path, "rb")  # noqa: SIM115  closed by `close`
        found: List[Record] = []
        while bytes_max > 0:
            try:
                record = self._next(self._file)
            except DamagedFile:
                if found:
                    break  # what stands before the damage comes first
                raise
            if record is None:
                break
            bytes_max -= record.end - self.position
            self.position = record.end
            found.append(record)
        return found

    def _next(self, file: BinaryIO) -> Optional[Record]:
        file.seek(self.position)
        header = file.read(_HEADER.size)
        if len(header) < _HEADER.size:
            return None
        size, checksum = _HEADER.unpack(header)
        if masked_crc(header[:8]) != checksum or size > RECORD_BYTES_MAX:
            raise DamagedFile(f"{self.path} is damaged at byte {self.position}")
        body = file.read(size + _CHECKSUM.size)
        if len(body) < size + _CHECKSUM.size:
            return None
        payload = body[:size]
        intact = masked_crc(payload) == _CHECKSUM.unpack(body[size:])[0]
        return Record(payload if intact else None, self.position + _HEADER.size + len(body))


def masked_crc(data: bytes) -> int:
    """CRC-32C, rotated and shifted as TensorFlow stores it.

    >>> hex(masked_crc(b"123456789"))
    '0xc78ab0e5'
    """
    crc = crc32c(data)
    return ((crc >> 15 | crc << 17) + _MASK) & 0xFFFFFFFF


def crc32c(data: bytes) -> int:
    """The checksum of Castagnoli, two bytes a step: a few megabytes a second.

    >>> hex(crc32c(b"123456789"))
    '0xe3069283'
    """
    if not _tables:
        _tables.extend(_make_tables())
    narrow, wide = _tables
    crc = 0xFFFFFFFF
    even = len(data) & ~1
    for word in struct.unpack(f"<{even // 2}H", data[:even]):
        crc = wide[(crc ^ word) & 0xFFFF] ^ crc >> 16
    for byte in data[even:]:
        crc = narrow[(crc ^ byte) & 0xFF] ^ crc >> 8
    return crc ^ 0xFFFFFFFF


_tables: List[array[int]] = []


def _make_tables() -> Tuple[array[int], array[int]]:
    """What one byte, and what two make of a checksum."""
    narrow = array("L")
    for value in range(1 << 8):
        for _ in range(8):
            value = value >> 1 ^ (_POLYNOMIAL if value & 1 else 0)
        narrow.append(value)
    wide = array(
        "L", (narrow[(narrow[low] ^ high) & 0xFF] ^ narrow[low] >> 8 for high in range(256) for low in range(256))
    )
    return narrow, wide
