"""Putting the files of an artifact into its folder while the user is still adding to it.

Small files are read once, hashed, and written into one pack: a file of its own for each would cost several times as
much, and as many inodes. A large file is linked where its policy says that nobody changes it, shares its blocks where
the filesystem can, and is copied otherwise; its hash comes later.

A folder in the making stands in `.staging` of a wandb directory, and moves into the run's folder when the artifact is
logged. One that a process has left behind goes when the next one is made.
"""

from __future__ import annotations

import contextlib
import errno
import mmap
import os
import secrets
import shutil
import stat
import threading
import time
from pathlib import Path
from typing import Dict, Iterable, List, NamedTuple, Optional

from ._bulk_copy import BLOCK_BYTES, CHUNK_BYTES, copy_file, set_direct, write_all
from ._digests import encoded, new_hash
from ._staging import ENTRIES, OWNER, PACK, OwnerFile, Staged, StagedEntry, StagedHeader, is_being_made, move_folder

STAGING_FOLDER = ".staging"
# In a folder in the making: copies that a caller has asked for, which are not staged.
COPIES = "copies"
# A larger file is one of its own: its bytes cost more than its inode does.
PACKED_BYTES_MAX = 1 << 20
# A folder is made and locked in two steps; a younger one is nobody's leftover.
_LEFTOVER_SECONDS = 3600.0


class Added(NamedTuple):
    """Where a file's bytes are now. `digest` is empty for a large file, which is yet to be hashed."""

    size: int
    digest: str = ""
    pack: Optional[int] = None
    file: str = ""


class StagingWriter:
    """An artifact's folder in the making. Safe between threads."""

    def __init__(self, wandb_folder: Path, algorithm: str) -> None:
        """Raises OSError."""
        parent = wandb_folder / STAGING_FOLDER
        parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        _remove_leftovers(parent)
        self.folder = parent / secrets.token_hex(8)
        self.folder.mkdir(mode=0o700)
        self._owner = OwnerFile(self.folder)
        self._algorithm = algorithm
        self._lock = threading.Lock()
        self._pack: Optional[_Pack] = None
        self._packed: Dict[str, int] = {}  # digest -> where
        self._files = 0

    def add_bytes(self, content: bytes) -> Added:
        """Raises OSError."""
        found = new_hash(self._algorithm)
        found.update(content)
        digest = encoded(found)
        with self._lock:
            offset = self._packed.get(digest)
            if offset is None:
                if self._pack is None:
                    self._pack = _Pack(self.folder / PACK)
                offset = self._packed[digest] = self._pack.append(content)
        return Added(len(content), digest, offset)

    def add_file(self, path: str, immutable: bool) -> Added:
        """Take a file as it is now. Raises OSError."""
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)  # a pipe would hold up the caller
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise OSError(f"{path} is no regular file")
            if status.st_size <= PACKED_BYTES_MAX:
                return self.add_bytes(_read_all(descriptor, status.st_size))
            return self._add_large(path, descriptor, status, immutable)
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):  # of which disk, writes don't say
                error.filename, error.filename2 = path, str(self.folder)
            raise
        finally:
            os.close(descriptor)

    def link_staged(self, source: Path, size: int, digest: str) -> Added:
        """Take a large file that another artifact has staged, without copying it. Raises OSError."""
        target = self._new_file()
        os.link(source, target)
        return Added(size, digest, file=target.name)

    def open_large(self, added: Added) -> int:
        """A descriptor of a large file, for the caller to close, wherever the folder is by now. Raises OSError."""
        with self._lock:  # it isn't moved meanwhile
            return os.open(self.folder / added.file, os.O_RDONLY | os.O_CLOEXEC)

    def path_of(self, added: Added) -> Path:
        """Where a large file is."""
        return self.folder / added.file

    def read(self, added: Added) -> bytes:
        """The content of a small file."""
        assert added.pack is not None
        with self._lock:
            assert self._pack is not None
            return self._pack.read(added.pack, added.size)

    def _add_large(self, path: str, descriptor: int, status: os.stat_result, immutable: bool) -> Added:
        target = self._new_file()
        if immutable:
            with contextlib.suppress(OSError):  # another filesystem, or one without links
                os.link(os.path.realpath(path), target, follow_symlinks=False)
                if os.path.samestat(status, os.stat(target)):
                    return Added(status.st_size, file=target.name)
                target.unlink()
        return Added(copy_file(descriptor, target), file=target.name)

    def _new_file(self) -> Path:
        with self._lock:
            self._files += 1
            return self.folder / str(self._files)

    # --- the end ------------------------------------------------------------------------------------------------------

    def log(self, header: StagedHeader, entries: Iterable[StagedEntry], target: Path) -> Staged:
        """Write the entries, which come in the order of their paths, and move the folder to `target`. The files are
        then safe from the death of this process; `Staged.finish` makes them safe from the loss of power.

        Raises OSError where the entries can't be written. Where only the move fails, the folder stays where it is.
        """
        if self._pack is not None:
            with self._lock:
                self._pack.flush()
        with (self.folder / ENTRIES).open("wb") as file:
            file.write(header.line())
            file.writelines(entry.line() for entry in entries)
        shutil.rmtree(self.folder / COPIES, ignore_errors=True)
        with self._lock:
            try:
                move_folder(self.folder, target)
            except OSError:
                return Staged(self.folder)
            self.folder = target
        if not os.path.samestat(os.stat(target / OWNER), os.fstat(self._owner.fileno())):
            self._owner.close()  # it was copied to another disk
            self._owner = OwnerFile(target)
        return Staged(target)

    def take_lock(self) -> OwnerFile:
        """The lock on the folder, for whoever finishes it."""
        return self._owner

    def close(self) -> None:
        """Let go of the pack. What was logged stays."""
        if self._pack is not None:
            self._pack.close()
            self._pack = None

    def discard(self) -> None:
        """Remove the folder of an artifact that nobody logs."""
        self.close()
        self._owner.close()
        shutil.rmtree(self.folder, ignore_errors=True)


class _Pack:
    """A file to which small ones are appended in large pieces, past the page cache. Used under the writer's lock."""

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        self._buffer = mmap.mmap(-1, CHUNK_BYTES)
        self._view = memoryview(self._buffer)
        self._start = 0  # where the buffer stands in the file
        self._fill = self._written = 0  # in the buffer; and what of it is in the file

    def append(self, content: bytes) -> int:
        """Where it begins."""
        offset, done = self._start + self._fill, 0
        while done < len(content):
            count = min(len(content) - done, CHUNK_BYTES - self._fill)
            self._view[self._fill : self._fill + count] = content[done : done + count]
            self._fill += count
            done += count
            if self._fill == CHUNK_BYTES:
                self._write_chunk()
        return offset

    def _write_chunk(self) -> None:
        set_direct(self._descriptor, True)
        try:
            write_all(self._descriptor, self._view, self._start)
        except OSError:  # a filesystem that takes the flag and not the writes; a full disk refuses again
            set_direct(self._descriptor, False)
            write_all(self._descriptor, self._view, self._start)
        self._start += CHUNK_BYTES
        self._fill = self._written = 0

    def read(self, offset: int, size: int) -> bytes:
        self.flush()
        return os.pread(self._descriptor, size, offset)

    def flush(self) -> None:
        """Give the operating system what is in the buffer."""
        if self._fill > self._written:
            set_direct(self._descriptor, False)
            begin = self._written // BLOCK_BYTES * BLOCK_BYTES
            write_all(self._descriptor, self._view[begin : self._fill], self._start + begin)
            self._written = self._fill

    def close(self) -> None:
        with contextlib.suppress(BufferError):  # the traceback of a refused write still holds a piece of it
            self._view.release()
            self._buffer.close()
        os.close(self._descriptor)


def _read_all(descriptor: int, size: int) -> bytes:
    """A small file, as long as it was a moment ago, or shorter where it is now."""
    pieces: List[bytes] = []
    while size:
        piece = os.read(descriptor, size)
        if not piece:
            break
        pieces.append(piece)
        size -= len(piece)
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def _remove_leftovers(parent: Path) -> None:
    """What processes have left behind that ended before they logged it."""
    for folder in parent.iterdir():
        with contextlib.suppress(OSError):
            old = time.time() - folder.stat().st_mtime > _LEFTOVER_SECONDS
            if old and not (folder / ENTRIES).exists() and not is_being_made(folder):
                shutil.rmtree(folder, ignore_errors=True)
