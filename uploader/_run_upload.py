"""One run on its way to the server: a machine that is asked to `advance` and says when to ask again.

It never sleeps and never retries: what fails leaves as an exception, and asking again goes on where it stopped. Between
two calls everything that matters is in the cursor.
"""

from __future__ import annotations

import functools
import time
from pathlib import Path
from typing import Callable, Optional, Tuple

from wandb_storage import (
    ForeignFile,
    LogDamaged,
    LogElsewhere,
    LogError,
    LogInUse,
    LogUnavailable,
    NewerFormat,
    RunState,
    bring_home,
    living_lanes,
    recover,
    writer_elsewhere,
)

from ._alerts import send_alerts, send_parked_alerts
from ._attachments import Attachments
from ._batch import ROWS_MAX, Batch, build_bodies, collect, last_body, summary_digest
from ._cursor import Cursor, Trouble
from ._destination import Destination
from ._errors import Refused, TooLarge, TransientError
from ._feed import TICK_SECONDS, Feed
from ._greeting import greet
from ._home import FileLock, Home
from ._items import note_too_long, send_again, send_apart
from ._json import encode_body
from ._opening import load_cursor, restore_state
from ._pace import POLL_SECONDS, Pace
from ._target import AS_LOGGED, Target
from ._transport import StreamReply
from ._writer import writer_of

# How often lanes are merged whose writers outlive the run's: each time that they bring something costs a segment.
LANES_SECONDS = 15.0
# After one row that was too large, no smaller batches than this.
ROWS_ACCEPTED_MIN = 64

Clock = Callable[[], float]


class Parked(Refused):
    """The run waits for somebody to look at it: the reason is in its cursor."""


class RunUpload:
    """Not safe between threads. `close` lets go of the run's lock and files."""

    def __init__(
        self, home: Home, folder: Path, clock: Clock = time.monotonic, retry_parked: bool = False,
        target: Target = AS_LOGGED, cautious: bool = False,
    ) -> None:  # fmt: skip
        """`cautious`: leave logs alone that another machine may be writing; a person who asks for one knows better."""
        self.home, self.folder = home, folder
        self.cursor = Cursor(home.base_url)
        self.alive = False  # the run's writer, or one of a lane, at the last look
        self.undecided = False  # the last `advance` only waited for files: neither a success nor a failure
        self._clock = clock
        self._retry_parked = retry_parked
        self._cautious = cautious
        self._target = target
        self._path = home.cursor_path(folder.name + target.suffix)
        self._lock = FileLock(home.run_lock_path(folder.name + target.suffix))
        self._feed: Optional[Feed] = None
        self._state = RunState()
        self._batch: Optional[Batch] = None
        self._rows_max = ROWS_MAX
        self._rows_accepted = ROWS_ACCEPTED_MIN  # the most in one request
        self._settled_mtime_ns = 0  # of the folder, after recovery; 0: not recovered
        self._lanes = 0  # of child processes that lived when the log was recovered
        self._unsaved = False
        self._pace = Pace(clock)
        release = target == AS_LOGGED and not folder.name.startswith("offline-")
        self._attachments = Attachments(folder, clock, self._save, release)

    def close(self) -> None:
        """Idempotent; the upload can go on with the next `advance`."""
        if self._feed is not None:
            self._feed.close()
            self._feed = None
        self._attachments.close()
        self._batch = None
        self._settled_mtime_ns = 0
        self._lock.release()

    # --- advancing ----------------------------------------------------------------------------------------------------

    def advance(self, destination: Destination) -> Optional[float]:
        """Do what is due. Returns the seconds until there is more to do, or None when the run is done.

        Raises TransientError (ask again later), CredentialsRefused, Parked, NotUploadable (the run goes to another
        destination), UploaderRunning (somebody else is uploading it), LogNotFound (there is no log yet), LogElsewhere
        (another machine has it).
        """
        try:
            feed = self._open()
            if self.cursor.parked:
                raise Parked(self.cursor.parked)
            return self._advance(feed, destination)
        except (LogUnavailable, OSError) as error:
            raise TransientError(f"{self.folder.name}: {error}") from error
        except (LogDamaged, ForeignFile, NewerFormat, Refused) as error:
            raise self._park(str(error)) from error

    def _advance(self, feed: Feed, destination: Destination) -> Optional[float]:
        self.undecided = False
        self.alive = feed.writer() is not None
        if self.cursor.bucket is not None and self.cursor.alerts < len((self.cursor.state or {}).get("alerts", ())):
            send_alerts(destination.transport(), self._stream_path(), self.cursor, self._save)
        if self.alive:
            self._settled_mtime_ns = 0
            wait = self._pace.wait_seconds()
            if wait and not self._is_urgent(feed):
                return 0.0 if self._advance_attachments(destination) else min(wait, POLL_SECONDS)
        elif not self._settled_mtime_ns and not self._settle():
            return POLL_SECONDS
        feed = self._open()
        if self._may_fill() and (feed.may_have_grown() or not self.alive):
            self._collect(feed)
        if self._batch is not None:
            return self._send(self._batch, destination)
        if self._unsaved:
            self._save()
        if self._retry_parked and self.cursor.parked_items and self.cursor.bucket is not None:
            send_parked_alerts(destination.transport(), self._stream_path(), self.cursor, self._save)
            send_again(feed, self.cursor, self._state, self._target, functools.partial(self._post, destination))
            self._retry_parked = False
            self._save()
        if not self.alive:
            if not self._lanes:
                return self._finish(destination)
            # Child processes go on logging to the run: it ends with the last of them.
            self.alive, self._settled_mtime_ns = True, 0
            busy = self._advance_attachments(destination)
            self._beat(destination)
            return 0.0 if busy else LANES_SECONDS
        busy = self._advance_attachments(destination)
        self._beat(destination)
        return 0.0 if busy else self._pace.poll_seconds()

    def _advance_attachments(self, destination: Destination) -> bool:
        return self._attachments.advance_live(destination, self.cursor, self._state)

    def _is_urgent(self, feed: Feed) -> bool:
        """Whether what waits in the log must not wait for the server's interval: a full batch, or word that the machine
        is about to be taken away. The batch is filled as records come."""
        if not self._pace.takes_full_batch() or self.cursor.sending:
            return False
        if self._may_fill() and feed.may_have_grown():
            self._collect(feed)
        told = (self.cursor.state or {}).get("preempting", False)
        return self._batch is not None and (self._batch.full or self._state.preempting > told)

    def _may_fill(self) -> bool:
        """Whether records may go into the batch: nothing of it has been sent, and it isn't full."""
        return self._batch is None or not (self.cursor.sending or self._batch.full)

    def _collect(self, feed: Feed) -> None:
        cursor = self.cursor
        try:
            self._batch = collect(
                feed, self._state, cursor.next, cursor.sending, self._rows_max, self._target, self._batch
            )
        except LogError:
            self._rewind()  # the fold may have taken records that are in no batch
            raise

    def _beat(self, destination: Destination) -> None:
        """A sign of life where one is due, and word of the files that have arrived."""
        if self.cursor.bucket is None:
            return
        arrived = self._attachments.arrived
        if arrived and self.alive and not self._pace.wait_seconds():
            self._post(destination, encode_body({"uploaded": sorted(arrived)}))
            arrived.clear()
        elif self._pace.beat_is_due():
            self._post(destination, b"{}")

    def _open(self) -> Feed:
        if self._feed is not None:
            return self._feed
        feed = Feed(self.folder)
        try:
            self.alive = feed.writer() is not None
            self._take_lock()
            loaded = load_cursor(self._path, feed, self.home.base_url, self._target, self._retry_parked)
            self.cursor, self._state = restore_state(loaded, self.folder)
            feed.seek(self.cursor.next)
        except BaseException:
            feed.close()
            raise
        self._feed = feed
        return feed

    def _take_lock(self) -> None:
        if not self._lock.held:
            self._lock.acquire({"folder": self.folder.name}, tries=1)

    def _settle(self) -> bool:
        """Bring a dead writer's log in order. False: somebody has begun to write it again."""
        host = writer_elsewhere(self.folder) if self._cautious else ""
        if host:
            raise LogElsewhere(f"{host} may be writing it; if it isn't, run `wandb sync`", self.folder)
        try:
            # Who ends from here on may have logged what this recovery doesn't see.
            self._lanes = living_lanes(self.folder)
            recover(self.folder)
            self._lanes += living_lanes(self.folder)
        except LogInUse:
            return False
        self._settled_mtime_ns = self.folder.stat().st_mtime_ns
        # The recovery may have begun another segment, and the reader has the one before open through LMDB.
        if self._feed is not None:
            self._feed.close()
            self._feed = Feed(self.folder)
            self._feed.seek(self._state_position())
        return True

    def _state_position(self) -> int:
        return self._batch.last + 1 if self._batch is not None else self.cursor.next

    # --- lines --------------------------------------------------------------------------------------------------------

    def _send(self, batch: Batch, destination: Destination) -> float:
        cursor = self.cursor
        if cursor.sending != batch.last or self._unsaved:
            cursor.sending = batch.last
            self._save()
        if greet(self.folder, cursor, batch.state, self._target, destination.transport()):
            self._save()
        if batch.bodies is None:
            batch.bodies = build_bodies(batch, cursor)
        try:
            while batch.acknowledged < len(batch.bodies):
                body = batch.bodies[batch.acknowledged]
                self._post(destination, body)
                batch.acknowledged += 1
                cursor.bytes += len(body)
        except Refused as error:
            if not error.may_be_a_part:
                raise
            if batch.first < batch.last:
                self._split(batch, error)
                return self._pace.apart
            send_apart(batch, cursor, functools.partial(self._post, destination))
            self._rows_max = max(self._rows_max, self._rows_accepted)  # it was one row, not their number
        self._acknowledge(batch)
        at_once = batch.full or not self.alive
        if not at_once:
            self._save()
        return self._pace.acknowledged(at_once, bool(batch.bodies))

    def _split(self, batch: Batch, error: Refused) -> None:
        """The server takes this body not as a whole: send the first half of its records. Where it is too large, later
        batches are smaller too."""
        if isinstance(error, TooLarge):
            self._rows_max = max(1, min(self._rows_max, len(batch.history) + len(batch.events)) // 2)
        self.cursor.sending = (batch.first + batch.last) // 2
        self._save()
        self._rewind()

    def _post(self, destination: Destination, body: bytes) -> None:
        """One request to the run's stream."""
        headers = writer_of(self._state.start).headers(self.cursor.log_uuid)
        reply = destination.transport().file_stream(self._stream_path(), body, destination.takes_gzip(), headers)
        self._note_reply(reply)

    def _rewind(self) -> None:
        """Back to the cursor: what was folded beyond it is folded again."""
        self._batch = None
        self.cursor, self._state = restore_state(self.cursor, self.folder)
        self._open().seek(self.cursor.next)

    def _acknowledge(self, batch: Batch) -> None:
        cursor = self.cursor
        note_too_long(batch, cursor)
        self._rows_accepted = max(self._rows_accepted, batch.lines)
        cursor.next, cursor.sending = batch.last + 1, 0
        cursor.history += len(batch.history)
        cursor.events += len(batch.events)
        cursor.rows += len(batch.history)
        if batch.state.summary:
            cursor.summary_digest = summary_digest(batch.state)
        if cursor.stopped and cursor.state is not None and cursor.state["sessions"] != batch.state.sessions:
            cursor.stopped = False  # what was asked of the session before doesn't bind this one
            self.home.stop_path(self.folder.name).unlink(missing_ok=True)
        cursor.state = batch.state.snapshot()
        cursor.done = False
        self._attachments.go_on()
        cursor.trouble = None
        self._batch = None
        self._unsaved = True  # kept with the next batch's mark, or at the end of this step

    def _note_reply(self, reply: StreamReply) -> None:
        self._pace.note_reply(reply)
        if reply.values.get("stopped") is True and not self.cursor.stopped:
            self.cursor.stopped = True
            self._unsaved = True
            self.home.stop_path(self.folder.name).touch()

    @property
    def named(self) -> Tuple[Optional[str], Optional[str]]:
        """Entity and project as the run's program spelt them."""
        return self._state.start.entity, self._state.start.project

    def _stream_path(self) -> Tuple[str, str, str]:
        bucket = self.cursor.bucket
        assert bucket is not None
        return bucket.entity, bucket.project, bucket.name

    # --- the end ------------------------------------------------------------------------------------------------------

    def _finish(self, destination: Destination) -> Optional[float]:
        """Everything of an ended log is acknowledged: files, then how it ended. Repeating any of it changes nothing."""
        cursor, state = self.cursor, self._state
        if state.sessions and not cursor.done:
            if not self._attachments.advance_end(destination, cursor, state):
                self.undecided = not self._attachments.moved
                self._beat(destination)
                return 0.0
            self._post(destination, last_body(cursor, state))
        self._attachments.close()
        try:
            if bring_home(self.folder):
                self._settled_mtime_ns = 0  # whoever comes next looks again
        except LogInUse:
            return POLL_SECONDS  # somebody goes on with it
        cursor.done = True
        cursor.trouble = None
        # A session that begins within the same tick of the file system's clock would leave no trace in the time: then
        # nothing is noted, and whoever comes next looks into the log.
        settled = time.time() - self._settled_mtime_ns / 1e9 > TICK_SECONDS
        cursor.folder_mtime_ns = self._settled_mtime_ns if settled else 0
        self._save()
        return None

    # --- keeping ------------------------------------------------------------------------------------------------------

    def _save(self) -> None:
        self.cursor.save(self._path)
        self._unsaved = False

    def _park(self, reason: str) -> Parked:
        if not self._lock.held:  # the log couldn't even be opened
            self._take_lock()
            self.cursor = Cursor.load(self._path) or self.cursor
        self.cursor.parked = reason
        self.cursor.trouble = None
        self._save()
        return Parked(reason)

    def note_trouble(self, error: BaseException, since: float, next_attempt: float) -> None:
        """Let `status` know why nothing moves. A disk that doesn't take the note is itself the trouble."""
        self.cursor.trouble = Trouble(str(error), since, next_attempt)
        if self._lock.held:
            try:
                self._save()
            except OSError:
                pass  # told again with the next failure

    def note_progress(self) -> None:
        """What was wrong has passed."""
        if self.cursor.trouble is not None and self._lock.held:
            self.cursor.trouble = None
            self._save()
