"""The writer of a log: `append`, `flush`, `close`, and the thread that commits.

Two locks:

* `_append_lock` is held for one frame, or for the instant in which the tails change places. Nothing waits under it.
* `_commit_lock` is held while frames go into LMDB. Whoever holds it may take the append lock, never the other way.

A signal handler may append while the code that it interrupted is in the middle of an append: the append lock is
reentrant, and such a call is put off until the frame at hand is complete.
"""

from __future__ import annotations

import contextlib
import os
import struct
import threading
import time
import uuid
import weakref
import zlib
from pathlib import Path
from typing import Any, Callable, List, Mapping, Optional, Tuple

from ._blocks import pack_blocks
from ._encode import encode
from ._errors import LogClosed, LogError, LogInUse
from ._folder import find_run_id, owner_path, segments
from ._format import COMMIT_BYTES, COMMIT_SECONDS, FRAME_HEADER, MEMORY_BYTES_MAX, SEGMENT_FILL_BYTES
from ._owner import OwnerLock
from ._records import Record
from ._recovery import Recovered, recover_locked
from ._rows import RowEncoder
from ._segment import Identity, Segment, create_segment, fsync_folder, mapped_errors, segment_path
from ._tail import Tail, tail_paths

_CHECKSUM = struct.Struct("<I")
_RETRY_SECONDS_MAX = 5.0

Warn = Callable[[str], None]


class Log:
    """One run's log, for its one writer. Safe between threads; a forked child is told to open its own."""

    def __init__(self, folder: Path, identity: Identity, owner: OwnerLock, warn: Warn) -> None:
        """Use `Log.create` or `Log.open`."""
        self.folder = folder
        self.identity = identity
        self.recovered: Optional[Recovered] = None
        self.lost = 0  # records that neither disk nor memory could take
        self._warn = warn
        self._warned = False
        self._owner = owner
        self._uuid = uuid.UUID(identity.log_uuid).bytes
        self._append_lock = threading.RLock()
        self._commit_lock = threading.Lock()
        self._sequence = self._committed = identity.first_sequence - 1
        self._segment: Optional[Segment] = Segment(segment_path(folder, identity.run_id, identity.index))
        self._segment_bytes = 0
        self._rows = RowEncoder(self._write)
        self._writing = False  # somebody is in the middle of an append
        self._deferred: List[Callable[[], int]] = []  # appends by signal handlers that interrupted one
        first, second = tail_paths(folder, identity.run_id)
        self._active = Tail(first)
        self._active.start(self._uuid, self._sequence + 1, False)
        self._standby: Optional[Tail] = Tail(second)
        self._standby.clear()
        self._retired: Optional[Tail] = None  # holds frames that are being committed
        self._closed = False
        self._forked = False
        self._waiting = threading.Event()  # there is something to commit
        self._due = threading.Event()  # and it should be committed now
        self._stopping = False
        self._trouble: Optional[LogError] = None
        self._committer = threading.Thread(target=self._commit_loop, daemon=True)
        self._committer.name = f"wandb-log-{identity.run_id}"
        self._committer.start()
        _live_logs.add(self)

    # --- opening ------------------------------------------------------------------------------------------------------

    @classmethod
    def create(cls, folder: Path, run_id: str, warn: Warn = lambda message: None) -> Log:
        """Start the log of a new run in an existing folder.

        Raises LogInUse where the folder already holds a log, LogUnavailable where the disk refuses.
        """
        path = segment_path(folder, run_id, 1)
        with mapped_errors(path):
            owner = OwnerLock(owner_path(folder, run_id))
        try:
            if path.exists():
                raise LogInUse("this folder already holds a log of the run; open it to go on with it", path)
            identity = Identity(run_id, uuid.uuid4().hex, 1, 1, time.time())
            with mapped_errors(path):
                create_segment(path, identity)
                owner.sign()
                fsync_folder(folder.parent)
                return cls(folder, identity, owner, warn)
        except BaseException:
            owner.release()
            raise

    @classmethod
    def open(cls, folder: Path, warn: Warn = lambda message: None) -> Log:
        """Go on with an existing log: recover it if its writer died, and start its next segment.

        Raises LogNotFound, LogInUse, LogUnavailable, or another LogError where the log can't be trusted.
        """
        run_id = find_run_id(folder)
        owner = OwnerLock(owner_path(folder, run_id))
        try:
            recovered = recover_locked(folder, run_id, owner)
            last = segments(folder, run_id)[-1]
            previous = last.identity
            identity = previous._replace(
                index=previous.index + 1, first_sequence=recovered.last_sequence + 1, created=time.time()
            )
            path = segment_path(folder, run_id, identity.index)
            with mapped_errors(path):
                create_segment(path, identity)
                owner.sign()
                log = cls(folder, identity, owner, warn)
            log.recovered = recovered
            return log
        except BaseException:
            owner.release()
            raise

    # --- appending ----------------------------------------------------------------------------------------------------

    @property
    def sequence(self) -> int:
        """The number of the last record that was appended."""
        return self._sequence

    @property
    def committed(self) -> int:
        """The number of the last record that survives a power loss."""
        return self._committed

    @property
    def trouble(self) -> Optional[LogError]:
        """Why records wait in the tail or in memory, or None."""
        return self._trouble

    def append(self, record: Record) -> int:
        """Append a record; when this returns, it survives the death of this process. Returns its sequence number.

        Never raises because of the disk: see `lost` and `trouble`. Raises UnstorableValue for a record that is too
        large, LogClosed after `close` and in a forked child.
        """
        frame = bytearray(FRAME_HEADER.size) + encode(record)
        with self._append_lock:
            if self._writing:
                return self._defer(lambda: self.append(record))
            self._writing = True
            try:
                return self._write(frame, record.kind)
            except BaseException:
                self._settle()
                raise
            finally:
                self._writing = False
                if self._deferred:
                    self._append_deferred()

    def append_row(self, row: Mapping[str, Any], step: int, time: float, flags: int) -> int:
        """Append one `log` call: `row` maps strings to None, bool, int, float and JSON values. As `append`."""
        with self._append_lock:
            if self._writing:
                copy = dict(row)
                return self._defer(lambda: self.append_row(copy, step, time, flags))
            self._writing = True
            try:
                return self._rows.append(row, step, time, flags)
            except BaseException:
                self._settle()
                raise
            finally:
                self._writing = False
                if self._deferred:
                    self._append_deferred()

    def _defer(self, append: Callable[[], int]) -> int:
        """A signal handler wants to append while the frame of the code that it interrupted is half done: its turn
        comes when that frame is written, before the interrupted `append` returns."""
        self._deferred.append(append)
        return self._sequence

    def _append_deferred(self) -> None:
        while self._deferred:
            self._deferred.pop(0)()

    def _settle(self) -> None:
        """After an exception in the middle of an append, a KeyboardInterrupt say: find out whether the frame was
        written. The append lock is held."""
        if not self._closed:
            with contextlib.suppress(OSError):
                self._sequence += self._active.unread(self._sequence + 1)

    def _write(self, frame: bytearray, kind: int) -> int:
        """Number, seal and write one frame; the append lock is held."""
        if self._closed:
            raise LogClosed(
                "the log belongs to the parent process; call wandb.init() in this one" if self._forked
                else "the log is closed", self.folder
            )  # fmt: skip
        tail = self._active
        sequence = self._sequence + 1
        FRAME_HEADER.pack_into(frame, 0, 0, kind, 0, sequence)
        _CHECKSUM.pack_into(frame, 0, zlib.crc32(frame))
        if tail.refusing:
            return self._write_to_memory(frame, sequence)
        try:
            written = os.write(tail.fd, frame)
        except OSError as error:
            return self._refused(frame, sequence, 0, error.strerror or str(error))
        if written != len(frame):
            return self._refused(frame, sequence, written, "it took only part of a record")
        before = tail.length
        tail.length = before + written
        self._sequence = sequence
        if before < COMMIT_BYTES <= tail.length:
            self._due.set()
        elif not self._waiting.is_set():
            self._waiting.set()
        return sequence

    def _refused(self, frame: bytearray, sequence: int, written: int, reason: str) -> int:
        """The disk didn't take a frame: from here on this tail's frames stay in memory, until a commit gets through."""
        tail = self._active
        tail.refusing = True
        if written:
            # What was written of the frame ends the file; a reader stops there by itself if it can't be cut off.
            with contextlib.suppress(OSError):
                os.ftruncate(tail.fd, tail.length)
        self._warn_once(
            f"the disk refuses the run's log ({reason}: {tail.path}). Logging goes on in memory, up to "
            f"{MEMORY_BYTES_MAX >> 20} MiB, and is written when the disk takes it"
        )
        return self._write_to_memory(frame, sequence)

    def _write_to_memory(self, frame: bytearray, sequence: int) -> int:
        tail = self._active
        held = tail.memory_bytes + (self._retired.memory_bytes if self._retired is not None else 0)
        if held + len(frame) > MEMORY_BYTES_MAX:
            self.lost += 1
            return self._sequence
        tail.memory.append(bytes(frame))
        tail.memory_bytes += len(frame)
        self._sequence = sequence
        self._waiting.set()
        return sequence

    def _warn_once(self, message: str) -> None:
        if not self._warned:
            self._warned = True
            self._warn(message)

    # --- committing ---------------------------------------------------------------------------------------------------

    def flush(self) -> None:
        """Return when everything appended before this call survives a power loss.

        Raises LogUnavailable where the disk refuses; the records stay where they are and are tried again.
        """
        target = self._sequence
        with self._commit_lock:
            while self._committed < target:
                if self._closed:
                    raise LogClosed("the log is closed", self.folder)
                self._commit_once()

    def _commit_once(self) -> bool:
        """Commit one tail's frames, if there are any; the commit lock is held. Raises LogUnavailable."""
        if self._retired is None and not self._retire_active():
            return False
        tail = self._retired
        assert tail is not None
        last = self._active.first_sequence - 1
        try:
            if last > self._committed:
                with mapped_errors(tail.path):
                    raw = tail.frames()
                if tail.starts_segment:
                    self._next_segment()
                    tail.starts_segment = False
                self._put(pack_blocks(raw, tail.first_sequence, last - tail.first_sequence + 1))
        except LogError as error:
            self._trouble = error
            raise
        self._trouble = None
        self._committed = max(last, self._committed)
        tail.clear()
        self._retired, self._standby = None, tail
        return True

    def _retire_active(self) -> bool:
        """Let the other tail take the appends, so that the active one can be committed; False: nothing to do."""
        tail, standby = self._active, self._standby
        assert standby is not None
        with self._append_lock:
            self._due.clear()
            self._waiting.clear()
            if tail.empty:
                return False
            # What is appended from here on may go into a segment of its own, which must not need the one before.
            roll = self._segment_bytes > SEGMENT_FILL_BYTES and not tail.starts_segment
            if roll:
                self._rows.reset()
            standby.start(self._uuid, self._sequence + 1, roll)
            self._active, self._standby, self._retired = standby, None, tail
        return True

    def _put(self, blocks: List[Tuple[int, bytes]], seal: Optional[int] = None) -> None:
        """Into the current segment or, where that one refuses, into the next."""
        if self._segment is None:
            self._next_segment()
        assert self._segment is not None
        try:
            self._segment.put(blocks, seal)
        except LogError:
            # After a failed commit an environment can't be trusted, nor can the pages behind it: what isn't known to
            # be durable goes into a fresh file.
            self._segment.close()
            self._segment = None
            self._next_segment()
            self._segment.put(blocks, seal)
        self._segment_bytes += sum(len(value) for _, value in blocks)

    def _next_segment(self) -> None:
        if self._segment is not None:
            self._segment.put([], seal=self._committed)
            self._segment.close()
            self._segment = None
        identity = self.identity._replace(
            index=self.identity.index + 1, first_sequence=self._committed + 1, created=time.time()
        )
        path = segment_path(self.folder, identity.run_id, identity.index)
        with mapped_errors(path):
            create_segment(path, identity)
        self.identity, self._segment = identity, Segment(path)
        self._segment_bytes = 0

    # --- closing ------------------------------------------------------------------------------------------------------

    def close(self) -> None:
        """Commit everything, seal the log and let go of it. Idempotent.

        Raises LogUnavailable where the disk refuses: the log is then closed unsealed, and whoever opens it next
        recovers what the tail holds.
        """
        with self._commit_lock:
            if self._closed:
                return
            try:
                while self._commit_once():
                    pass
                with self._append_lock:
                    self._closed = True
                while self._commit_once():  # what was appended between the last commit and the closing
                    pass
                self._put([], seal=self._committed)
            finally:
                self._closed = self._stopping = True
                self._waiting.set()
                self._due.set()
                self._release()
        if self._committer is not threading.current_thread():
            self._committer.join()

    def _release(self) -> None:
        sealed = self._committed == self._sequence and self._trouble is None
        for tail in {self._active, self._standby, self._retired} - {None}:
            assert tail is not None
            if sealed:
                with contextlib.suppress(OSError):
                    tail.path.unlink()
            tail.close()
        if self._segment is not None:
            self._segment.close()
        self._owner.release()
        _live_logs.discard(self)

    def __enter__(self) -> Log:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _commit_loop(self) -> None:
        """The committer: waits for the first record, then for the bound in time or in size, then commits."""
        pause = COMMIT_SECONDS
        while not self._stopping:
            self._waiting.wait()
            self._due.wait(pause)
            try:
                with self._commit_lock:
                    if not self._closed:
                        self._commit_once()
                pause = COMMIT_SECONDS
            except LogError as error:
                self._warn_once(f"the run's log can't be committed ({error}). Logging goes on; the commit is retried")
                self._waiting.set()
                pause = min(2 * pause, _RETRY_SECONDS_MAX)

    def _leave_in_child(self) -> None:
        """In a forked child: the parent's log is not the child's; let go of the files, so that the owner's lock ends
        with the parent."""
        self._append_lock, self._commit_lock = threading.RLock(), threading.Lock()
        self._closed = self._forked = True
        for tail in (self._active, self._standby, self._retired):
            if tail is not None:
                tail.close()
        self._owner.release()


_live_logs: weakref.WeakSet[Log] = weakref.WeakSet()


def _leave_all_in_child() -> None:
    for log in list(_live_logs):
        log._leave_in_child()
    _live_logs.clear()


os.register_at_fork(after_in_child=_leave_all_in_child)
