"""The thread that brings frames from the tails into LMDB, at most `COMMIT_SECONDS` after they were appended.

It is the only one that touches the segments, so that nothing which the user's threads go through (a KeyboardInterrupt,
a signal handler that logs, a thread that is stopped) can leave a commit half done: they ask for a commit, and wait.
"""

from __future__ import annotations

import collections
import contextlib
import queue
import sys
import threading
import time
from pathlib import Path
from typing import Callable, Deque, Dict, NamedTuple, Optional

from ._blocks import pack_blocks
from ._errors import LogError, LogUnavailable
from ._format import COMMIT_SECONDS
from ._owner import Closed
from ._segment import fsync_paths, mapped_errors
from ._segment_writer import SegmentWriter
from ._tail import Tail

LATER, NOW, CLOSE, LOOK = 0, 1, 2, 3
_RETRY_SECONDS_MAX = 5.0
# How often lanes are looked at while nothing is appended, and how long taking over what they hold may delay a commit.
_LANES_SECONDS = 1.0
_LANES_TURN_SECONDS = 0.2
# How long closing the log may take for the same; the next recovery takes over the rest.
_LANES_CLOSE_SECONDS = 10.0
# How often somebody who waits for the committer looks whether it is still there.
_LOOK_SECONDS = 0.5


class Retired(NamedTuple):
    """A tail that takes no more frames, and its last record."""

    tail: Tail
    last_sequence: int


class Committer:
    """Commits what `retire` hands over, and gives the emptied tails back to `give_back`."""

    def __init__(
        self,
        name: str,
        segments: SegmentWriter,
        retire: Callable[[bool], Optional[Retired]],
        give_back: Callable[[Tail], None],
        warn: Callable[[str], None],
        bring_lanes: Optional[Callable[[float], bool]],
    ) -> None:
        """`retire` gets to know whether the segment is full, and returns None where nothing waits. `bring_lanes`, None
        for a log that can't have lanes, appends what they hold, for so many seconds, and says whether more waits."""
        self.trouble: Optional[LogError] = None
        self.retired: Optional[Retired] = None  # what is being committed
        self.failed: Optional[LogError] = None  # why the log could not be sealed
        self.sealed = False
        self._segments, self._retire, self._give_back, self._warn = segments, retire, give_back, warn
        self._bring_lanes = bring_lanes
        # Reentrant, unlike an Event: a signal handler may ask for a commit while the code that it interrupted does.
        self._requests: queue.SimpleQueue[int] = queue.SimpleQueue()
        self._changed = threading.Condition()
        self._unsynced: Deque[Path] = collections.deque()  # files that records name which are not committed yet
        self._attempt = 0  # commits that were begun
        self._failed_attempt = 0  # the last that failed
        self.thread = threading.Thread(target=self._run, daemon=True, name=name)

    @property
    def committed(self) -> int:
        """The last record that survives a power loss."""
        return self._segments.committed

    @property
    def closed(self) -> Closed:
        """Where the log ends that has been sealed."""
        return Closed(self._segments.identity.segment, self._segments.committed)

    def request(self, urgency: int) -> None:
        """LATER: something was appended. NOW: commit at once. CLOSE: commit, seal and end."""
        self._requests.put(urgency)

    def sync_first(self, path: Path) -> None:
        """Sync this file or folder before the next commit."""
        self._unsynced.append(path)

    def wait(self, target: int) -> None:
        """Return when record `target` is durable. Raises LogUnavailable where the disk refuses."""
        with self._changed:
            seen = self._attempt
            self.request(NOW)
            while self.committed < target:
                # An attempt that was under way when we came may have left out what we wait for.
                if self._failed_attempt > seen and self.trouble is not None:
                    raise self.trouble
                if sys.is_finalizing() or not self.thread.is_alive():
                    raise LogUnavailable("the log's committer has ended; what waits is in the tail")
                self._changed.wait(_LOOK_SECONDS)

    def join(self) -> None:
        """Wait for the end of the thread; where the interpreter is shutting down, it has stopped for good."""
        while self.thread.is_alive() and not sys.is_finalizing():
            self.thread.join(_LOOK_SECONDS)

    # --- the thread ---------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        pause = 0.0
        while True:
            urgency = self._wait_for_work(pause)
            if urgency == LOOK:
                self._look_at_lanes()
                continue
            closing = urgency == CLOSE
            self._attempt += 1
            error: Optional[LogError] = None
            try:
                self._commit(closing)
            except LogError as caught:
                error = caught
            except Exception as caught:
                # Whatever went wrong here (memory, say), the records wait in the tail, and the next attempt is due.
                error = LogUnavailable(f"a commit failed: {type(caught).__name__}: {caught}")
            with self._changed:
                self.trouble = error
                if error is not None:
                    self._failed_attempt = self._attempt
                self._changed.notify_all()
            if closing:
                self.failed = error
                self._segments.close()
                return
            if error is not None:
                self._warn(f"the run's log can't be committed ({error}). Logging goes on; the commit is retried")
                pause = min(2 * pause or COMMIT_SECONDS, _RETRY_SECONDS_MAX)
            else:
                pause = 0.0
                self._look_at_lanes()

    def _wait_for_work(self, pause: float) -> int:
        """The urgency of the next commit, when it is due; after a failure that is in `pause` seconds."""
        if not pause:
            try:
                urgency = self._requests.get(timeout=None if self._bring_lanes is None else _LANES_SECONDS)
            except queue.Empty:
                return LOOK
            if urgency != LATER:
                return urgency
        deadline = time.monotonic() + (pause or COMMIT_SECONDS)
        while True:
            try:
                urgency = self._requests.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                return LATER
            if urgency != LATER:
                return urgency

    def _commit(self, closing: bool) -> None:
        """Commit what an earlier attempt left, and what is waiting now; when `closing`, also what comes meanwhile."""
        if self.retired is not None:
            self._commit_retired()
        while self._take():
            self._commit_retired()
            if not closing:
                return
        if closing:
            self._take_over(_LANES_CLOSE_SECONDS)
            while self._take():
                self._commit_retired()
            self._segments.put([], seal=True)
            self.sealed = True
            self._take_over(0.0)  # what is durable now needs no lane

    def _sync_files(self) -> None:
        """Sync what records name that were appended before the tail was retired, each once."""
        paths: Dict[Path, None] = {}
        with contextlib.suppress(IndexError):
            while True:
                paths[self._unsynced.popleft()] = None
        for error in fsync_paths(list(paths)):
            self._warn(f"{error.filename} can't be brought to the disk ({error.strerror}); a power loss may take it")

    def _look_at_lanes(self) -> None:
        if self._take_over(_LANES_TURN_SECONDS):
            self.request(NOW)

    def _take_over(self, seconds: float) -> bool:
        """Append what lanes hold; whether more waits. Whatever goes wrong with them is no trouble of this log's."""
        if self._bring_lanes is None:
            return False
        try:
            return self._bring_lanes(seconds)
        except Exception as error:
            self._warn(f"what child processes logged can't be taken over now ({error}); it is tried again")
            return False

    def _take(self) -> bool:
        self.retired = self._retire(self._segments.full)
        return self.retired is not None

    def _commit_retired(self) -> None:
        assert self.retired is not None
        tail, last = self.retired
        self._sync_files()
        if tail.starts_segment and self.committed < tail.first_sequence:
            self._segments.start_next(stands_alone=True)
            tail.starts_segment = False
        with mapped_errors(tail.path):
            for first, count, raw in tail.pieces(last):
                if first + count - 1 > self.committed:
                    self._segments.put(pack_blocks(raw, first, count))
        tail.clear()
        self.retired = None
        self._give_back(tail)
