"""LMDB files (format version 1, 64-bit), read with `pread` alone.

LMDB maps the file, so a truncated or damaged one can end the process that opens it. Logs without a living writer are
therefore read through this module, which checks every page number against the file's size and never maps anything. It
takes no locks and writes nothing, so it also reads logs on read-only media.

Source of the layout: `struct MDB_page`, `MDB_meta`, `MDB_db` and `MDB_node` of LMDB 0.9.
"""

from __future__ import annotations

import os
import struct
from pathlib import Path
from typing import Callable, Iterator, List, NamedTuple, Optional, Tuple

from ._errors import ForeignFile, LogDamaged
from ._format import BLOCK_BYTES_MAX, OFFICIAL_MAGIC, SEGMENT_BYTES

_PAGE_HEADER = struct.Struct("<QHHHH")  # page number, pad, flags, lower, upper (or one u32: pages of an overflow run)
_META = struct.Struct("<IIQQ48s48sQQ")  # magic, version, address, map size, two databases, last page, transaction
_DATABASE = struct.Struct("<IHHQQQQQ")  # pad (page size), flags, depth, three page counts, entries, root
_NODE = struct.Struct("<HHHH")  # low and high half of a size or page number, flags, key length
_MAGIC, _VERSION = 0xBEEFC0DE, 1
_BRANCH, _LEAF, _OVERFLOW, _META_PAGE = 0x01, 0x02, 0x04, 0x08
_KINDS, _INTEGER_KEYS = 0xFF, 0x08  # what kind of database it is; that of free pages has numbers for keys
_BIG_VALUE = 0x01
_NO_PAGE = (1 << 64) - 1
_DEPTH_MAX = 32
# No value of a log is larger: a block that doesn't compress, or an identity.
_VALUE_BYTES_MAX = BLOCK_BYTES_MAX + (1 << 20)


class _Meta(NamedTuple):
    page_bytes: int
    root: int
    last_page: int
    transaction: int
    free_root: int  # of the database of pages that LMDB may write over
    as_written: bool  # whether the notes on both databases are such as LMDB makes; it ends the process over others


class PageFile:
    """A snapshot of the main database of one LMDB file: the newest whose root can be read.

    Raises ForeignFile where the file is no LMDB file, LogDamaged where neither of its two meta pages is usable.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._used: Optional[List[int]] = None  # pages that were read, while somebody wants to know
        self._fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            self._size = os.fstat(self._fd).st_size
            self._meta = self._choose_meta()
        except BaseException:
            os.close(self._fd)
            raise

    def close(self) -> None:
        os.close(self._fd)

    def __enter__(self) -> PageFile:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _choose_meta(self) -> _Meta:
        first = os.pread(self._fd, 16 + _META.size, 0)
        if first.startswith(OFFICIAL_MAGIC):
            raise ForeignFile(
                "written by the official client; `wandb sync FOLDER` imports the run and uploads it", self.path
            )
        if len(first) < 16 + _META.size:
            raise ForeignFile(f"{self._size} bytes are too few for a log; it was cut off or never written", self.path)
        found = self._parse_meta(first)
        candidates = [meta for meta in (found, *self._second_metas(found)) if meta is not None]
        if not candidates:
            raise ForeignFile("not a log: neither of its first two pages is an LMDB meta page", self.path, 0)
        self._damage: Optional[LogDamaged] = None
        for meta in sorted(candidates, key=lambda meta: -meta.transaction):
            self._meta = meta
            try:
                if meta.root != _NO_PAGE:
                    self._page(meta.root)
                return meta
            except LogDamaged as error:
                # The state before this one may be whole: it is read, and the damage told behind it.
                self._damage = self._damage or error
        assert self._damage is not None
        raise self._damage

    def _second_metas(self, first: Optional[_Meta]) -> Iterator[Optional[_Meta]]:
        # The second meta page stands at the page size, which a damaged first one can't tell.
        for page_bytes in (4096, 8192, 16384, 32768, 65536):
            if first is not None and page_bytes > first.page_bytes:
                break
            raw = os.pread(self._fd, 16 + _META.size, page_bytes)
            meta = self._parse_meta(raw) if len(raw) == 16 + _META.size else None
            if meta is not None and meta.page_bytes == page_bytes:
                yield meta

    @staticmethod
    def _parse_meta(raw: bytes) -> Optional[_Meta]:
        magic, version, _, _, free, main, last_page, transaction = _META.unpack_from(raw, 16)
        page_bytes, free_flags, *_, free_root = _DATABASE.unpack(free)
        if magic != _MAGIC or version != _VERSION or page_bytes not in (4096, 8192, 16384, 32768, 65536):
            return None
        pad, flags, *_, root = _DATABASE.unpack(main)
        as_written = (free_flags & _KINDS, pad, flags) == (_INTEGER_KEYS, 0, 0)
        return _Meta(page_bytes, root, last_page, transaction, free_root, as_written)

    def writable(self, visit: Callable[[bytes, bytes, int], None]) -> bool:
        """Whether LMDB may add to what `items` reads. It believes what stands in the file: it would write over a page
        that is listed as free, and behind the end that a page gives for its nodes. `visit` sees each item on the way.

        Raises LogDamaged, and what `visit` raises."""
        size = 16 + _META.size
        raws = [os.pread(self._fd, size, position) for position in (0, self._meta.page_bytes)]
        metas = [self._parse_meta(raw) if len(raw) == size and raw[10] & _META_PAGE else None for raw in raws]
        if any(meta is None or meta.last_page * meta.page_bytes >= SEGMENT_BYTES for meta in metas):
            return False
        if not self._meta.as_written:
            return False
        self._used = []
        try:
            for item in self.items():
                visit(*item)
            self._visits = 0
            free: List[int] = []
            if self._meta.free_root != _NO_PAGE:
                for _, value, _ in self._walk(self._meta.free_root, b"", 0):
                    count = int.from_bytes(value[:8], "little")
                    if count != len(value) // 8 - 1:
                        return False
                    free += struct.unpack(f"<{count}Q", value[8 : 8 + 8 * count])
            # Every page is either in use or free, up to the last: that is all that LMDB believes of them.
            return sorted([0, 1, *self._used, *free]) == list(range(self._meta.last_page + 1))
        finally:
            self._used = None

    def _page(self, number: int) -> bytes:
        """One whole branch or leaf page."""
        size = self._meta.page_bytes
        position = number * size
        if number > self._meta.last_page or position + size > self._size:
            raise LogDamaged(
                f"page {number} is missing: the file ends at {self._size}; it was cut off", self.path, position
            )
        raw = os.pread(self._fd, size, position)
        found, _, flags, lower, upper = _PAGE_HEADER.unpack_from(raw)
        if found != number or flags & 0xF not in (_BRANCH, _LEAF) or not 16 <= lower <= upper <= size:
            raise LogDamaged(f"page {number} is not an LMDB page", self.path, position)
        if self._used is not None:
            self._used.append(number)
            if lower > 16 and min(struct.unpack_from(f"<{(lower - 16) // 2}H", raw, 16)) < upper:
                raise LogDamaged(f"page {number} has nodes in its free space", self.path, position)
        return raw

    def _nodes(self, page: bytes, number: int) -> Iterator[Tuple[int, int, int, int, int]]:
        """(position of the key, its length, low, high, flags) of each node of a page."""
        (lower,) = struct.unpack_from("<H", page, 12)
        for pointer in struct.unpack_from(f"<{(lower - 16) // 2}H", page, 16):
            if pointer + _NODE.size > len(page):
                raise LogDamaged("a node outside its page", self.path, number * len(page))
            low, high, flags, key_length = _NODE.unpack_from(page, pointer)
            if pointer + _NODE.size + key_length > len(page):
                raise LogDamaged("a key outside its page", self.path, number * len(page))
            yield pointer + _NODE.size, key_length, low, high, flags

    def _children(self, page: bytes, number: int) -> List[Tuple[bytes, int]]:
        return [
            (page[at : at + length], low | high << 16 | flags << 32)
            for at, length, low, high, flags in self._nodes(page, number)
        ]

    def items(self, start: bytes = b"") -> Iterator[Tuple[bytes, bytes, int]]:
        """(key, value, position of the value in the file) in the order of the keys, from the last key <= `start` on.

        Raises LogDamaged at the first page that can't be read; everything before it has been yielded by then.
        """
        self._visits = 0
        if self._meta.root != _NO_PAGE:
            yield from self._walk(self._meta.root, start, 0)
        if self._damage is not None:
            raise self._damage

    def _walk(self, number: int, start: bytes, depth: int) -> Iterator[Tuple[bytes, bytes, int]]:
        self._visits += 1
        if depth > _DEPTH_MAX or self._visits > self._size // self._meta.page_bytes:
            raise LogDamaged("a tree without end", self.path, number * self._meta.page_bytes)
        page = self._page(number)
        if page[10] & _BRANCH:
            children = self._children(page, number)
            # The first key of a branch page is empty and means everything below the second.
            skip = sum(key <= start for key, _ in children[1:]) if start else 0
            for _, child in children[skip:]:
                yield from self._walk(child, start, depth + 1)
            return
        nodes = list(self._nodes(page, number))
        skip = max(0, sum(page[at : at + length] <= start for at, length, *_ in nodes) - 1) if start else 0
        for at, length, low, high, flags in nodes[skip:]:
            position = number * len(page) + at + length
            value_bytes = low | high << 16
            if flags & _BIG_VALUE:
                position, value = self._big_value(page, at + length, value_bytes, position)
            else:
                value = page[at + length : at + length + value_bytes]
                if len(value) < value_bytes:
                    raise LogDamaged("a value outside its page", self.path, position)
            yield page[at : at + length], value, position

    def _big_value(self, page: bytes, at: int, value_bytes: int, position: int) -> Tuple[int, bytes]:
        if at + 8 > len(page):
            raise LogDamaged("a value outside its page", self.path, position)
        (number,) = struct.unpack_from("<Q", page, at)
        start = number * self._meta.page_bytes
        if value_bytes > _VALUE_BYTES_MAX:
            raise LogDamaged(f"a value of {value_bytes:,} bytes", self.path, start)
        if start + 16 + value_bytes > self._size or number > self._meta.last_page:
            raise LogDamaged(
                f"a value of {value_bytes:,} bytes is missing: the file ends at {self._size}; it was cut off",
                self.path,
                start,
            )
        raw = os.pread(self._fd, 16 + value_bytes, start)
        if struct.unpack_from("<Q", raw)[0] != number or not raw[10] & _OVERFLOW:
            raise LogDamaged(f"page {number} is not the value that it should be", self.path, start)
        if self._used is not None:
            self._used.extend(range(number, number + -(-len(raw) // self._meta.page_bytes)))
        return start + 16, raw[16:]
