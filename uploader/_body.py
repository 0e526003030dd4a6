"""A file as the body of a request: streamed from the disk, and told by its MD5.

A server of this project keeps what has arrived of a large file when its upload breaks off, for whoever comes next with
the same `upload_id`: a file that has changed since has another one. The server says by a feature, `RESUMABLE`, that it
does so, and is asked in the way of Google's storage:

    PUT, Content-Range: bytes */1000                          308, Range: bytes=0-399: so much has arrived
    PUT, Content-Range: bytes 400-999/1000 and these bytes    200, ETag: the MD5 of the whole
"""

from __future__ import annotations

import base64
import hashlib
import os
import re
from typing import BinaryIO, NamedTuple, Optional

from ._errors import TransientError

# A file goes out in pieces of this size: with the 16 KiB of urllib3, a fast network waits for the interpreter.
PIECE_BYTES = 256 << 10
# The feature, and the header in which the upload's identity goes.
RESUMABLE = "RESUMABLE_RUN_FILES"
UPLOAD_ID = "X-WANDB-Upload-ID"
# Asking how much has arrived costs a request, as much as sending a file of this size.
RESUMABLE_BYTES_MIN = 8 << 20

_HEXADECIMAL = re.compile(r"[0-9a-fA-F]{32}")
_ARRIVED = re.compile(r"bytes=0-(\d+)")


class Stamp(NamedTuple):
    size: int
    mtime_ns: int
    device: int
    inode: int


class Body:
    """A file of known size from `start` on, and no more than that if it grows. `digest` is that of the whole, unless
    nobody asks for it."""

    def __init__(self, file: BinaryIO, size: int, start: int = 0, hashed: bool = True) -> None:
        self._file, self._size, self._left, self._hashed = file, size - start, start, hashed
        self.digest = hashlib.md5(usedforsecurity=False)
        file.seek(0)
        while self._left:
            self.read(PIECE_BYTES)
        self._left = self._size

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Body:
        return self

    def __next__(self) -> bytes:
        piece = self.read(PIECE_BYTES)
        if not piece:
            raise StopIteration
        return piece

    def read(self, count: int = -1) -> bytes:
        piece = self._file.read(self._left if count < 0 else min(count, self._left))
        if not piece and self._left:
            raise TransientError("the file became shorter while it was uploaded; it is read again")
        self._left -= len(piece)
        if self._hashed:
            self.digest.update(piece)
        return piece


def stamp_of(file: BinaryIO) -> Optional[Stamp]:
    """What changes when a file on the disk does; None for what isn't one."""
    try:
        found = os.fstat(file.fileno())
    except OSError:
        return None
    return Stamp(found.st_size, found.st_mtime_ns, found.st_dev, found.st_ino)


def upload_id(file: BinaryIO, name: str) -> str:
    """The same for each attempt at a file as it is now; empty for what is not worth to be gone on with."""
    stamp = stamp_of(file)
    if stamp is None or stamp.size < RESUMABLE_BYTES_MIN:
        return ""
    return hashlib.sha256(f"{name}\n{tuple(stamp)}".encode("utf-8", "surrogatepass")).hexdigest()


def arrived_bytes(content_range: Optional[str], size: int) -> int:
    """How much of a file of this size has arrived by a server's `Range`; less than all of it."""
    found = _ARRIVED.fullmatch(content_range or "")
    return min(int(found.group(1)) + 1, size - 1) if found else 0


def hexadecimal(digest: Optional[str]) -> str:
    """An MD5 as servers write it, in hexadecimal or base64, in the former; empty for what is none."""
    text = (digest or "").strip('"')
    if _HEXADECIMAL.fullmatch(text):
        return text.lower()
    try:
        raw = base64.b64decode(text, validate=True)
    except ValueError:
        return ""
    return raw.hex() if len(raw) == hashlib.md5(usedforsecurity=False).digest_size else ""
