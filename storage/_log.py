"""The writer of a log: `append`, `flush`, `close`.

The append lock is held for one frame, or for the instant in which the tails change places; nothing waits under it.
Everything slow is the committer's (`_committer`).

An append may be interrupted in its middle, by a signal handler or by the KeyboardInterrupt that one raises:

* A handler that appends finds `_writing` set. Its frame is put off until the frame at hand is complete, and written
  before the interrupted `append` returns. `flush` can't be had there, and `close` happens when that `append` is over.
* After an exception, `_unsettled` says that nobody knows whether the frame was written. Whoever comes next counts what
  stands in the tail, which is the truth.
"""

from __future__ import annotations

import contextlib
import os
import struct
import threading
import time
import weakref
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable, List, Mapping, Optional, Tuple, Type

from ._committer import CLOSE, LATER, NOW, Committer, Retired
from ._encode import encode
from ._errors import LogClosed, LogError, LogInUse, LogUnavailable
from ._folder import lane_paths, own_log, owner_path, segments
from ._format import COMMIT_BYTES, FRAME_HEADER, MEMORY_BYTES_MAX, PROMISES
from ._owner import OwnerLock
from ._records import Record, Row, Shape
from ._recovery import Recovered, merge_lanes, recover_locked
from ._rows import UNKNOWN_LAYOUT, Append, RowEncoder, dump_json
from ._segment import Identity, Segment, create_segment, fsync_path, mapped_errors, segment_path
from ._segment_writer import SegmentWriter
from ._tail import Tail, tail_paths

if TYPE_CHECKING:
    from ._merge import Merge

Warn = Callable[[str], None]

_pack_header = FRAME_HEADER.pack_into
_pack_checksum = struct.Struct("<I").pack_into
_crc32 = zlib.crc32
_os_write = os.write


class Log:
    """One run's log, for its one writer. Safe between threads; a forked child is told to open its own."""

    def __init__(
        self, folder: Path, identity: Identity, owner: OwnerLock, warn: Warn, lane: bool, merge: Optional[Merge] = None
    ) -> None:
        """Use `Log.create` or `Log.open`."""
        self.folder = folder
        self.identity = identity
        self.recovered: Optional[Recovered] = None
        self.lost = 0  # records that neither disk nor memory could take
        self._warn = warn
        self._warned = False
        self._owner = owner
        self._uuid = bytes.fromhex(identity.log_uuid)
        self._append_lock = threading.RLock()
        self._sequence = identity.first_sequence - 1
        self._rows = RowEncoder(self._write)
        self._writing = False  # somebody is in the middle of an append
        self._unsettled = False  # an append was interrupted: count what is in the tail before going on
        self._stirred = False  # the committer knows that something waits
        self._deferred: List[Tuple[bytearray, int]] = []  # frames of signal handlers that interrupted an append
        self._close_deferred = False
        self._closed = False
        self._forked = False
        self._merge = merge  # None: there was no lane yet
        with contextlib.ExitStack() as undo:
            segment = Segment(segment_path(folder, identity.run_id, identity.segment))
            undo.callback(segment.close)
            first, second = tail_paths(folder, identity.run_id)
            self._active = Tail(first)
            undo.callback(self._active.close)
            self._standby: Optional[Tail] = Tail(second)
            undo.callback(self._standby.close)
            self._active.start(self._uuid, self._sequence + 1, False)
            self._standby.clear()
            self._committer = Committer(
                f"wandb-log-{identity.run_id}",
                SegmentWriter(folder, identity, self._sequence, segment),
                self._retire,
                self._give_back,
                self._warn_once,
                None if lane else self._bring_lanes,
            )
            try:
                self._committer.thread.start()
            except RuntimeError as error:  # the system's limit of threads
                raise LogUnavailable(str(error), folder) from error
            undo.pop_all()
        _live_logs.add(self)

    # --- opening ------------------------------------------------------------------------------------------------------

    @classmethod
    def create(
        cls, folder: Path, run_id: str, warn: Warn = lambda message: None, durability: str = "process",
        lane: bool = False,
    ) -> Log:  # fmt: skip
        """Start the log of a new run in an existing folder. `durability`: see this package's docstring; `lane`: use
        `create_lane`.

        Raises LogInUse where the folder already holds a log, LogUnavailable where the disk refuses.
        """
        writer = _writer_of(durability)
        path = segment_path(folder, run_id, 1)
        with mapped_errors(path):
            owner = OwnerLock(owner_path(folder, run_id))
        try:
            if os.path.lexists(path):
                raise LogInUse("this folder already holds a log of the run; open it to go on with it", path)
            identity = Identity(run_id, os.urandom(16).hex(), 1, 1, time.time(), stands_alone=True)
            with mapped_errors(path):
                owner.sign()
                create_segment(path, identity)
                fsync_path(folder.parent)
                return writer(folder, identity, owner, warn, lane)
        except BaseException:
            owner.release()
            raise

    @classmethod
    def open(cls, folder: Path, warn: Warn = lambda message: None, durability: str = "process") -> Log:
        """Go on with an existing log: recover it if its writer died, and start its next segment.

        Raises LogNotFound, LogInUse, LogUnavailable, or another LogError where the log can't be trusted.
        """
        writer = _writer_of(durability)
        folder, run_id, owner = own_log(folder)
        try:
            with mapped_errors(folder):
                recovered, merge = merge_lanes(folder, run_id, owner, recover_locked(folder, run_id, owner))
                previous = segments(folder, run_id, live=False)[-1].identity
                identity = previous._replace(
                    segment=previous.segment + 1,
                    first_sequence=recovered.last_sequence + 1,
                    created=time.time(),
                    stands_alone=True,
                )
                # Whoever dies from here on is this process: an unsealed segment must not be laid to the one before.
                owner.sign()
                create_segment(segment_path(folder, run_id, identity.segment), identity)
                log = writer(folder, identity, owner, warn, False, merge)
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
        return self._committer.committed

    @property
    def trouble(self) -> Optional[LogError]:
        """Why records wait in the tail or in memory, or None."""
        return self._committer.trouble

    @property
    def refusal(self) -> Optional[LogError]:
        """Why the disk has not what was appended last: it waits in memory, is lost, or can't be committed. None where
        the disk does what it should."""
        if self._active.refusing:
            return LogUnavailable(
                f"the disk refuses the run's log; {len(self._active.memory)} records wait in memory, and {self.lost} "
                "had no place there",
                self._active.path,
            )
        return self.trouble

    def append(self, record: Record) -> int:
        """Append a record; when this returns, it survives the death of this process. Returns its sequence number, 0
        for a record that is lost.

        Never raises because of the disk: see `lost` and `trouble`. Raises UnstorableValue for a record that is too
        large, LogClosed after `close` and in a forked child. In a signal handler that interrupted an append, the record
        gets its number, and its place on disk, when the handler has returned.
        """
        frame = bytearray(FRAME_HEADER.size) + encode(record)
        try:
            with self._append_lock:
                if self._writing:
                    return self._defer(frame, record.kind)
                if self._closed:
                    raise self._closed_error()
                if self._deferred:
                    self._catch_up()
                self._writing = True
                try:
                    return self._write(frame, record.kind)
                finally:
                    self._writing = False
                    if self._deferred:
                        self._catch_up()
        finally:
            if self._close_deferred:
                self._close_now()

    def append_row(self, row: Mapping[str, Any], step: int, time: float, flags: int, known_only: bool = False) -> int:
        """Append one `log` call: `row` maps strings to None, bool, int, float and JSON values. As `append`.

        With `known_only` a caller that hasn't checked its row saves the check for rows like those before: where the
        keys and the types of the values are new, nothing is appended and UNKNOWN_LAYOUT is returned.
        """
        try:
            with self._append_lock:
                if self._writing:
                    if known_only:
                        return UNKNOWN_LAYOUT
                    # The templates are in use; as JSON a row needs none.
                    payload = encode(Row(step=step, time=time, flags=flags, json=dump_json(row)))
                    return self._defer(bytearray(FRAME_HEADER.size) + payload, Row.kind)
                if self._closed:
                    raise self._closed_error()
                if self._deferred:
                    self._catch_up()
                self._writing = True
                try:
                    return self._rows.append(row, step, time, flags, known_only)
                finally:
                    self._writing = False
                    if self._deferred:
                        self._catch_up()
        finally:
            if self._close_deferred:
                self._close_now()

    def _defer(self, frame: bytearray, kind: int) -> int:
        if self._closed:
            raise self._closed_error()
        self._deferred.append((frame, kind))
        return self._sequence

    def _catch_up(self) -> None:
        """Write what signal handlers appended in the middle of an append. The append lock is held."""
        while self._deferred:
            self._writing = True
            try:
                if not self._deferred:
                    break  # a handler that came a moment ago has done it
                frame, kind = self._deferred[0]
                if self._unsettled:
                    self._settle()
                # Deferred frames go before everything else, so a number that this one got in an attempt which was
                # interrupted is its own: it is in the tail already if the tail has come that far.
                if not 0 < FRAME_HEADER.unpack_from(frame)[-1] <= self._sequence:
                    self._write(frame, kind)
                del self._deferred[0]
            finally:
                self._writing = False

    def _close_now(self) -> None:
        """Close the log as a signal handler asked; what it interrupted has let go of the lock."""
        self._close_deferred = False
        with contextlib.suppress(LogError):  # `trouble` and the warning tell; the interrupted call is not at fault
            self.close()

    def _interrupting(self) -> bool:
        """Whether this is a signal handler, or the like, that interrupted a holder of the append lock: it can wait for
        nothing that needs the lock."""
        # The name is private, but threading.Condition relies on it for any lock that it is given.
        return bool(self._append_lock._is_owned())  # type: ignore[attr-defined]

    def _write(self, frame: bytearray, kind: int) -> int:
        """Number, seal and write one frame; the append lock is held."""
        if self._unsettled:
            self._settle()
        tail = self._active
        sequence = self._sequence + 1
        _pack_header(frame, 0, 0, kind, 0, sequence)
        _pack_checksum(frame, 0, _crc32(frame))
        self._unsettled = True
        if tail.refusing:
            return self._write_to_memory(frame, sequence)
        try:
            written = _os_write(tail.fd, frame)
        except OSError as error:
            return self._refused(frame, sequence, 0, error.strerror or str(error))
        if written != len(frame):
            return self._refused(frame, sequence, written, "it took only part of a record")
        before = tail.length
        tail.length = before + written
        self._sequence = sequence
        self._unsettled = False
        if not self._stirred:
            self._stirred = True
            self._committer.request(LATER)
        if before < COMMIT_BYTES <= tail.length:
            self._committer.request(NOW)
        return sequence

    def _settle(self) -> None:
        """After an exception in the middle of an append: find out from the tail whether the frame was written."""
        tail = self._active
        try:
            count = tail.settle()
        except OSError:
            # Not even reading works: what was counted so far stands, and the file gets no more frames.
            tail.refusing = True
        else:
            self._sequence = tail.first_sequence - 1 + count
        self._unsettled = False

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
        retired = self._committer.retired
        held = tail.memory_bytes + (retired.tail.memory_bytes if retired is not None else 0)
        if held + len(frame) > MEMORY_BYTES_MAX:
            # The shape of a row is tried anew with each row that needs it, and the row itself is counted.
            self.lost += FRAME_HEADER.unpack_from(frame)[1] != Shape.kind
            self._unsettled = False
            return 0
        tail.memory.append(bytes(frame))
        tail.memory_bytes += len(frame)
        self._sequence = sequence
        self._unsettled = False
        if not self._stirred:
            self._stirred = True
            self._committer.request(LATER)
        return sequence

    def _warn_once(self, message: str) -> None:
        if not self._warned:
            self._warned = True
            # A warning that becomes an error must not end a training loop, nor the committer.
            with contextlib.suppress(Exception):
                self._warn(message)

    def _closed_error(self) -> LogClosed:
        if self._forked:
            return LogClosed("the log belongs to the parent process; a child writes a lane of its own", self.folder)
        return LogClosed("the log is closed", self.folder)

    # --- committing ---------------------------------------------------------------------------------------------------

    def sync_first(self, path: Path) -> None:
        """What is appended from here on names this file, or a file in this folder: it is brought to the disk before
        that is committed. Records wait for no file that is gone or that the disk refuses."""
        self._committer.sync_first(path)

    def flush(self) -> None:
        """Return when everything appended before this call survives a power loss.

        Raises LogUnavailable where the disk refuses; the records stay where they are and are tried again. So it does in
        a signal handler that interrupted an append: the commit has to wait for that append's end.
        """
        if self._interrupting():
            raise LogUnavailable("a signal handler interrupted an append, which a flush must wait for", self.folder)
        try:
            with self._append_lock:
                if self._forked:
                    raise self._closed_error()
                if not self._closed:
                    if self._deferred:
                        self._catch_up()
                    if self._unsettled:
                        self._settle()
                target = self._sequence
        finally:
            if self._close_deferred:
                self._close_now()
        if self.committed < target:
            if self._closed and not self._committer.thread.is_alive():
                raise self._closed_error()
            self._committer.wait(target)

    def _retire(self, full: bool) -> Optional[Retired]:
        """For the committer: let the other tail take the appends, so that the active one can be committed."""
        with self._append_lock:
            if self._unsettled:
                self._settle()
            self._stirred = False
            tail, standby = self._active, self._standby
            if tail.empty:
                return None
            assert standby is not None, "a tail is retired when the one before it is committed"
            if full:
                # What is appended from here on goes into a segment of its own, which must not need the one before.
                self._rows.reset()
            standby.start(self._uuid, self._sequence + 1, full)
            self._active, self._standby = standby, None
            return Retired(tail, self._sequence)

    def _give_back(self, tail: Tail) -> None:
        self._standby = tail

    # --- lanes --------------------------------------------------------------------------------------------------------

    def _bring_lanes(self, seconds: float) -> bool:
        """For the committer: append what lanes have committed; whether more waits."""
        if self._merge is None:
            if not lane_paths(self.folder):
                return False
            from ._merge import Merge  # which most runs never need

            self._merge = Merge(self.folder, self.identity.run_id, self.identity.log_uuid, self._warn)
        self._merge.settle(self.committed)
        return seconds > 0 and self._merge.bring(self._put_from_lane, seconds)

    def _put_from_lane(self, put: Callable[[RowEncoder, Append], int]) -> int:
        """Append a record of a lane, also while the log is being closed; 0 where the disk refuses."""
        with self._append_lock:
            if self._deferred:
                self._catch_up()
            # An empty tail that refuses was begun when the disk had no room: a record in it brings about the next.
            if self.trouble is not None or (self._active.refusing and not self._active.empty):
                return 0
            self._writing = True
            try:
                return put(self._rows, self._write)
            finally:
                self._writing = False
                if self._deferred:
                    self._catch_up()

    # --- closing ------------------------------------------------------------------------------------------------------

    def close(self) -> None:
        """Commit everything, seal the log and let go of it. Idempotent.

        Raises LogUnavailable where the disk refuses: the log is then closed unsealed, and whoever opens it next
        recovers what the tail holds. In a signal handler that interrupted an append, the log is closed when that append
        is complete.
        """
        if self._forked:
            return
        if self._interrupting():
            self._close_deferred = True
            return
        with self._append_lock:
            if not self._closed:
                if self._deferred:
                    self._catch_up()
                self._closed = True
        self._committer.request(CLOSE)  # again where an earlier call was interrupted before it got here
        self._committer.join()
        with self._append_lock:
            if not self._committer.thread.is_alive():
                self._release()
        error, self._committer.failed = self._committer.failed, None
        if error is not None:
            raise error

    def _release(self) -> None:
        """Let go of the files; the committer has ended."""
        if self._owner.released:
            return
        sealed = self._committer.sealed
        retired = self._committer.retired
        if sealed:
            with contextlib.suppress(OSError):  # then nobody knows more than what the segment says
                self._owner.close_log(self._committer.closed)
        for tail in (self._active, self._standby, retired.tail if retired is not None else None):
            if tail is None:
                continue
            if sealed:
                with contextlib.suppress(OSError):
                    tail.path.unlink()
            else:
                self.lost += len(tail.memory)
            tail.close()
        self._owner.release()
        _live_logs.discard(self)

    def __enter__(self) -> Log:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _leave_in_child(self) -> None:
        """In a forked child: the parent's log is not the child's; let go of the files, so that the owner's lock ends
        with the parent."""
        self._append_lock = threading.RLock()
        self._closed = self._forked = True
        self._writing = self._close_deferred = False
        self._deferred = []
        retired = self._committer.retired
        for tail in (self._active, self._standby, retired.tail if retired is not None else None):
            if tail is not None:
                tail.close()
        self._owner.release()


def _writer_of(durability: str) -> Type[Log]:
    """The class of writers that keep a promise."""
    if durability not in PROMISES:
        raise ValueError(f"durability is {' or '.join(map(repr, PROMISES))}, not {durability!r}")
    if durability == "process":
        return Log
    from ._power_log import PowerLog  # which is a Log, and so comes after it

    return PowerLog


_live_logs: weakref.WeakSet[Log] = weakref.WeakSet()


def _load_for_children() -> None:
    """Before a fork: load what a child writes a lane with.

    Another thread may be loading the same module, as the committer does at its first commit and for the first lane.
    Here that is waited for; a child that was forked meanwhile would wait for ever, since it doesn't have that thread.
    """
    if _live_logs:
        import orjson  # noqa: F401
        import zstandard  # noqa: F401

        from . import _lanes, _merge, _summary  # noqa: F401


def _leave_all_in_child() -> None:
    for log in list(_live_logs):
        log._leave_in_child()
    _live_logs.clear()


os.register_at_fork(before=_load_for_children, after_in_child=_leave_all_in_child)
