"""Copying large files, without filling the page cache that the training lives from.

Where the filesystem can share blocks (btrfs, XFS) nothing is copied at all. Otherwise a large file is written past the
page cache: filling fresh pages costs many times what the copying costs, and the copy is then on the disk too. On a disk
that is too slow for that the rest goes through the page cache. Holes stay holes.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import mmap
import os
import time
from pathlib import Path
from typing import Iterator, Tuple

_DIRECT = getattr(os, "O_DIRECT", 0)
_FICLONE = 0x40049409  # of Linux: let one file share the blocks of another
# Both a file's end and what is written past the page cache are counted in blocks; no disk has larger ones.
BLOCK_BYTES = 4096
# What a write past the page cache takes at once: enough that the disk's latency doesn't show.
CHUNK_BYTES = 8 << 20
# Smaller files are copied through the page cache: one write of them would wait for the disk longer than it copies.
DIRECT_BYTES_MIN = 16 << 20
# A disk that takes less than this in a second would hold up the caller for longer than the page cache does.
_DIRECT_RATE_MIN = 150 << 20
_JUDGED_BYTES = 128 << 20


def copy_file(source: int, target: Path) -> int:
    """Copy an open file to a new one, private and not writable; return its size. Raises OSError, and leaves no half of
    a file."""
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with contextlib.closing(_Target(descriptor)) as copy:
            size = copy.take(source)
        os.chmod(target, 0o400)
        return size
    except BaseException:
        target.unlink(missing_ok=True)
        raise


def set_direct(descriptor: int, direct: bool) -> bool:
    """Let writes go past the page cache, or not any more; whether they do."""
    if not _DIRECT:
        return False
    try:
        flags = fcntl.fcntl(descriptor, fcntl.F_GETFL)
        fcntl.fcntl(descriptor, fcntl.F_SETFL, flags | _DIRECT if direct else flags & ~_DIRECT)
        return direct
    except OSError:
        return False  # tmpfs, and what is mounted from other systems


class _Target:
    """The new file."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._direct = False

    def close(self) -> None:
        os.close(self._descriptor)

    def take(self, source: int) -> int:
        if _share_blocks(source, self._descriptor):
            return os.fstat(self._descriptor).st_size
        size = os.fstat(source).st_size
        self._direct = size >= DIRECT_BYTES_MIN and set_direct(self._descriptor, True)
        began, written = time.monotonic(), 0
        # It goes with the last view of it: the traceback of a write that a full disk has refused still holds one.
        view = memoryview(mmap.mmap(-1, min(CHUNK_BYTES, max(size, BLOCK_BYTES))))
        for start, end in _extents(source, size):
            offset = start
            while offset < end:
                count = os.preadv(source, [view[: min(len(view), end - offset)]], offset)
                if not count:
                    break  # it became shorter meanwhile: what is there is taken
                self._write(view[:count], offset)
                offset += count
                written += count
                if self._direct and written > _JUDGED_BYTES:
                    self._direct = written / (time.monotonic() - began) >= _DIRECT_RATE_MIN and self._direct
                    if not self._direct:
                        set_direct(self._descriptor, False)
        size = min(size, os.fstat(source).st_size)
        os.ftruncate(self._descriptor, size)
        return size

    def _write(self, piece: memoryview, offset: int) -> None:
        if self._direct and (offset % BLOCK_BYTES or len(piece) % BLOCK_BYTES):
            self._direct = set_direct(self._descriptor, False)  # the last piece, or an odd hole
        try:
            write_all(self._descriptor, piece, offset)
        except OSError as error:
            if error.errno != errno.EINVAL or not self._direct:
                raise
            self._direct = set_direct(self._descriptor, False)  # blocks larger than any that we know of
            write_all(self._descriptor, piece, offset)


def write_all(descriptor: int, piece: memoryview, offset: int) -> None:
    while len(piece):
        count = os.pwrite(descriptor, piece, offset)
        piece, offset = piece[count:], offset + count


def _share_blocks(source: int, target: int) -> bool:
    try:
        fcntl.ioctl(target, _FICLONE, source)
        return True
    except (OSError, ValueError):
        return False  # another filesystem, or one that can't


def _extents(source: int, size: int) -> Iterator[Tuple[int, int]]:
    """Where a file has data: (start, end)."""
    seek_data, seek_hole = getattr(os, "SEEK_DATA", None), getattr(os, "SEEK_HOLE", None)
    end = 0
    while end < size:
        start = end
        if seek_data is not None and seek_hole is not None:
            try:
                start = os.lseek(source, end, seek_data)
                hole = os.lseek(source, start, seek_hole)
            except OSError as error:
                if error.errno == errno.ENXIO:
                    return  # nothing but a hole is left
                hole = size
        else:
            hole = size
        end = min(hole, size)
        if start < end:
            yield start, end
