"""The bytes of a media value: in memory, or in a file. They are hashed once.

What a value has made itself waits in memory, or beyond a bound in a temporary file, until a run or an artifact takes
it. The file of a user's is left where it is, and read when it is taken.
"""

from __future__ import annotations

import collections
import contextlib
import hashlib
import io
import os
import tempfile
import threading
import weakref
from pathlib import Path
from typing import Any, BinaryIO, Deque, Optional, Union, cast

from ..errors import DataError
from ._limits import CHUNK_BYTES, FILE_BYTES_MAX, MEMORY_BYTES_MAX

Buffer = Union[bytes, bytearray, memoryview]


class Content:
    """Bytes with a name: `extension` begins with a dot, `basename` is that of the user's file, "" where there is none.

    >>> content = Content.of_bytes(b"<p>well</p>", ".html")
    >>> content.size, content.sha256[:20], content.md5[:8]
    (11, '518b70ecf1172c99f3d9', '381999c6')
    """

    def __init__(self, data: Optional[Buffer], path: Optional[str], extension: str, basename: str) -> None:
        """Use `of_bytes` or `of_file`."""
        self._data = data
        self._path = path
        self._sha256: Optional[str] = None
        self._md5: Optional[str] = None
        self._size = None if data is None else len(data)
        self._room: Optional[weakref.finalize[Any, Content]] = None
        self._temporary: Optional[weakref.finalize[Any, Content]] = None
        self.extension = extension
        self.basename = basename

    @classmethod
    def of_bytes(cls, data: Buffer, extension: str) -> Content:
        """What a value has made; nobody changes `data` any more."""
        content = cls(data, None, extension, "")
        content._room = _memory.take(content, len(data))
        if content._room is None:
            content._spill()
        return content

    @classmethod
    def of_file(cls, path: Union[str, os.PathLike[str]], extension: Optional[str] = None) -> Content:
        """A file of the user's. Raises DataError where there is none, or one that is too large."""
        place = Path(os.path.abspath(path))
        if place.is_dir():
            raise DataError(f"{place} is a folder; a medium is one file, and an artifact's add_dir takes a folder")
        if not place.is_file():
            raise DataError(f"there is no file {place}")
        if os.path.getsize(place) > FILE_BYTES_MAX:
            raise DataError(
                f"{place}: {os.path.getsize(place):,} bytes are above the limit of {FILE_BYTES_MAX:,} for a medium; "
                "log an artifact with the file, or with a reference to it"
            )
        return cls(None, str(place), place.suffix if extension is None else extension, place.name)

    @property
    def size(self) -> int:
        """Bytes."""
        return os.path.getsize(cast(str, self._path)) if self._size is None else self._size

    @property
    def sha256(self) -> str:
        """The SHA-256, in hexadecimal digits."""
        if self._sha256 is None:
            self._sha256 = self._digest(hashlib.sha256())
        return self._sha256

    @property
    def md5(self) -> str:
        """The MD5, in hexadecimal digits."""
        if self._md5 is None:
            self._md5 = self._digest(hashlib.md5(usedforsecurity=False))
        return self._md5

    @property
    def in_memory(self) -> bool:
        """Whether nobody can change the bytes any more."""
        return self._data is not None

    @property
    def path(self) -> Optional[Path]:
        """The file that holds the bytes; None while they are in memory."""
        return None if self._path is None else Path(self._path)

    def open(self) -> BinaryIO:
        """Read the bytes. Raises OSError where the file is gone."""
        if self._data is not None:
            return io.BytesIO(self._data)
        return open(cast(str, self._path), "rb")

    def read(self) -> bytes:
        """All the bytes."""
        with self.open() as file:
            return file.read()

    def copy_to(self, file: BinaryIO) -> None:
        """Write the bytes into a file. What is copied is what the hash is of, whatever becomes of the source."""
        if self._data is not None:
            file.write(self._data)
            return
        digest, size = hashlib.sha256(), 0
        with self.open() as source:
            while True:
                piece = source.read(CHUNK_BYTES)
                if not piece:
                    break
                digest.update(piece)
                file.write(piece)
                size += len(piece)
        if self._sha256 is not None and self._sha256 != digest.hexdigest():
            self._md5 = None
        self._sha256, self._size = digest.hexdigest(), size

    def moved_to(self, path: str) -> None:
        """The bytes are in a file of the run's now, and need no memory any more."""
        self._path, self._data = path, None
        for place in (self._room, self._temporary):
            if place is not None:
                place()

    def _spill(self) -> None:
        """Bring the bytes from memory into a temporary file, which goes with this object."""
        assert self._data is not None
        descriptor, name = tempfile.mkstemp(prefix="wandb-media-")
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(self._data)
        except OSError:  # then memory has to do
            os.unlink(name)
            return
        self._path, self._data = name, None
        self._temporary = weakref.finalize(self, _remove, name, os.getpid())

    def _digest(self, digest: Any) -> str:
        if self._data is not None:
            digest.update(self._data)
        else:
            with self.open() as file:
                while True:
                    piece = file.read(CHUNK_BYTES)
                    if not piece:
                        break
                    digest.update(piece)
        return str(digest.hexdigest())


class _Memory:
    """How many bytes wait in memory, of all contents together."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._taken = 0
        # A finalizer runs wherever the garbage collector does, also under the lock: it leaves a note.
        self._given_back: Deque[int] = collections.deque()

    def take(self, content: Content, size: int) -> Optional[weakref.finalize[Any, Content]]:
        """Room for so many bytes, given back when the result is called or the content is gone; None: there is none."""
        with self._lock:
            while self._given_back:
                self._taken -= self._given_back.popleft()
            if self._taken + size > MEMORY_BYTES_MAX:
                return None
            self._taken += size
        room = weakref.finalize(content, self._given_back.append, size)
        room.atexit = False
        return room


_memory = _Memory()


def _remove(name: str, pid: int) -> None:
    """Remove a temporary file, in the process that made it."""
    if os.getpid() == pid:
        with contextlib.suppress(OSError):
            os.unlink(name)
