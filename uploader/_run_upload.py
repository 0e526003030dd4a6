"""One run on its way to the server: a machine that is asked to `advance` and says when to ask again.

It never sleeps and never retries: what fails leaves as an exception, and asking again goes on where it stopped. Between
two calls everything that matters is in the cursor.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any, Callable, Dict, Optional, Tuple

from wandb_storage import (
    ForeignFile,
    LogDamaged,
    LogElsewhere,
    LogError,
    LogInUse,
    LogUnavailable,
    NewerFormat,
    Reader,
    RunStart,
    RunState,
    beginning,
    bring_home,
    living_lanes,
    recover,
    writer_elsewhere,
)

from ._adopt import find_beginning
from ._batch import ROWS_MAX, SUMMARY, Batch, build_bodies, collect, summary_digest, summary_line
from ._config_wire import encode_json, read_environment, wire_config
from ._cursor import Bucket, Cursor, Trouble
from ._documents import RUN_RESUME_STATUS, UPSERT_BUCKET
from ._errors import NotUploadable, Refused, TooLarge, TransientError
from ._feed import TICK_SECONDS, Feed
from ._home import FileLock, Home, normalize_url
from ._retry import pace
from ._rewind import rewind_at_server
from ._send_files import send_files
from ._transport import StreamReply, Transport

# How often a living run's log is looked at.
POLL_SECONDS = 0.5
# The protocol's cadence for a server that names none: one stream request in this time, and a sign of life when nothing
# has been sent for that one. A server may name a shorter interval, but not one that makes a busy loop of the stream.
TRANSMIT_SECONDS = 15.0
TRANSMIT_SECONDS_MIN = 0.2
TRANSMIT_SECONDS_MAX = 60.0
# How often lanes are merged whose writers outlive the run's: each time that they bring something costs a segment.
LANES_SECONDS = 15.0
HEARTBEAT_SECONDS = 30.0
# A run that ended without saying how has failed.
EXIT_CODE_UNKNOWN = 1

Clock = Callable[[], float]


class Parked(Refused):
    """The run waits for somebody to look at it: the reason is in its cursor."""


class RunUpload:
    """Not safe between threads. `close` lets go of the run's lock and files."""

    def __init__(
        self, home: Home, folder: Path, clock: Clock = time.monotonic, retry_parked: bool = False,
        cautious: bool = False,
    ) -> None:  # fmt: skip
        """`cautious`: leave logs alone that another machine may be writing; a person who asks for one knows better."""
        self.home, self.folder = home, folder
        self.cursor = Cursor(home.base_url)
        self.alive = False  # the run's writer, or one of a lane, at the last look
        self._clock = clock
        self._retry_parked = retry_parked
        self._cautious = cautious
        self._path = home.cursor_path(folder.name)
        self._lock = FileLock(home.run_lock_path(folder.name))
        self._feed: Optional[Feed] = None
        self._state = RunState()
        self._batch: Optional[Batch] = None
        self._rows_max = ROWS_MAX
        self._settled_mtime_ns = 0  # of the folder, after recovery; 0: not recovered
        self._lanes = 0  # of child processes that lived when the log was recovered
        self._transmit_seconds = TRANSMIT_SECONDS
        self._pace_seconds = 0.0  # between requests while a backlog waits
        self._due = clock()
        self._last_sent = clock()
        self._unsaved = False

    def close(self) -> None:
        """Idempotent; the upload can go on with the next `advance`."""
        if self._feed is not None:
            self._feed.close()
            self._feed = None
        self._batch = None
        self._settled_mtime_ns = 0
        self._lock.release()

    # --- advancing ----------------------------------------------------------------------------------------------------

    def advance(self, transport: Transport) -> Optional[float]:
        """Do what is due. Returns the seconds until there is more to do, or None when the run is done.

        Raises TransientError (ask again later), CredentialsRefused, Parked, NotUploadable (the run goes to another
        destination), UploaderRunning (somebody else is uploading it), LogNotFound (there is no log yet), LogElsewhere
        (another machine has it).
        """
        try:
            feed = self._open()
            if self.cursor.parked:
                raise Parked(self.cursor.parked)
            return self._advance(feed, transport)
        except (LogUnavailable, OSError) as error:
            raise TransientError(f"{self.folder.name}: {error}") from error
        except (LogDamaged, ForeignFile, NewerFormat, Refused) as error:
            raise self._park(str(error)) from error

    def _advance(self, feed: Feed, transport: Transport) -> Optional[float]:
        self.alive = feed.writer() is not None
        if self.alive:
            self._settled_mtime_ns = 0
            wait = self._due - self._clock()
            if wait > 0:
                return min(wait, POLL_SECONDS)
        elif not self._settled_mtime_ns and not self._settle():
            return POLL_SECONDS
        feed = self._open()
        if self._batch is None and (feed.may_have_grown() or not self.alive):
            self._collect(feed)
        if self._batch is not None:
            return self._send(self._batch, transport)
        if self._unsaved:
            self._save()
        if not self.alive:
            if not self._lanes:
                return self._finish(transport)
            # Child processes go on logging to the run: it ends with the last of them.
            self.alive, self._settled_mtime_ns = True, 0
            self._send_sign_of_life(transport)
            return LANES_SECONDS
        self._send_sign_of_life(transport)
        return self._poll_seconds()

    def _send_sign_of_life(self, transport: Transport) -> None:
        if self._clock() - self._last_sent >= HEARTBEAT_SECONDS and self.cursor.bucket is not None:
            self._note_reply(transport.file_stream(self._stream_path(), b"{}"))

    def _poll_seconds(self) -> float:
        return min(POLL_SECONDS, self._transmit_seconds)

    def _collect(self, feed: Feed) -> None:
        cursor = self.cursor
        try:
            self._batch = collect(feed, self._state, cursor.next, cursor.sending, self._rows_max)
        except LogError:
            self._rewind()  # the fold may have taken records that are in no batch
            raise

    def _open(self) -> Feed:
        if self._feed is not None:
            return self._feed
        feed = Feed(self.folder)
        try:
            self.alive = feed.writer() is not None
            self._take_lock()
            self.cursor = self._load(feed)
            self._state = self._restore()
            feed.seek(self.cursor.next)
        except BaseException:
            feed.close()
            raise
        self._feed = feed
        return feed

    def _take_lock(self) -> None:
        if not self._lock.held:
            self._lock.acquire({"folder": self.folder.name}, tries=1)

    def _load(self, feed: Feed) -> Cursor:
        identity = feed.reader.identity
        cursor = Cursor.load(self._path)
        if cursor is None or cursor.log_uuid != identity.log_uuid:
            self._check_destination(feed)
            before, state = beginning(feed.reader)
            begun = state.snapshot() if before else None
            return Cursor(self.home.base_url, identity.run_id, identity.log_uuid, next=before + 1, state=begun)
        if self._retry_parked and (cursor.parked or cursor.parked_files):
            cursor.parked, cursor.parked_files, cursor.trouble, cursor.done = "", {}, None, False
        return cursor

    def _restore(self) -> RunState:
        try:
            return RunState.restore(self.cursor.state) if self.cursor.state else RunState()
        except (KeyError, TypeError, AttributeError):
            # A fold that another version has kept: the server knows how far the run has come.
            begun = Cursor(self.home.base_url, self.cursor.run_id, self.cursor.log_uuid)
            with Reader(self.folder) as reader:
                before, state = beginning(reader)
            begun.next, begun.state = before + 1, state.snapshot() if before else None
            self.cursor = begun
            return state

    def _check_destination(self, feed: Feed) -> None:
        """Raises NotUploadable for a run that was started for another server."""
        feed.seek(1)
        entry = feed.next()
        if self.folder.name.startswith("offline-") or entry is None or not isinstance(entry.record, RunStart):
            return  # whoever uploads an offline run chooses where to; a log without a start may get one
        try:
            settings = json.loads(entry.record.settings or "{}")
        except ValueError:
            return
        chosen = settings.get("base_url") if isinstance(settings, dict) else None
        if isinstance(chosen, str) and chosen and normalize_url(chosen) != self.home.base_url:
            raise NotUploadable(f"{self.folder.name} goes to {chosen}")

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

    def _send(self, batch: Batch, transport: Transport) -> float:
        cursor = self.cursor
        if cursor.sending != batch.last or self._unsaved:
            cursor.sending = batch.last
            self._save()
        self._greet(batch.state, transport)
        if batch.bodies is None:
            batch.bodies = build_bodies(batch, cursor)
        try:
            while batch.acknowledged < len(batch.bodies):
                body = batch.bodies[batch.acknowledged]
                self._note_reply(transport.file_stream(self._stream_path(), body))
                batch.acknowledged += 1
                cursor.bytes += len(body)
        except TooLarge:
            self._split(batch)
            return self._pace_seconds
        self._acknowledge(batch)
        if batch.full or not self.alive:
            self._due = self._clock() + self._pace_seconds
            return self._pace_seconds
        self._save()
        # A batch without a body, of records that the stream doesn't carry, used up nothing.
        self._due = self._clock() + (max(self._transmit_seconds, self._pace_seconds) if batch.bodies else 0.0)
        return self._poll_seconds()

    def _split(self, batch: Batch) -> None:
        """The server takes no body of this size: send the first half of the records, and smaller batches from here on.
        Raises TooLarge where there is only one record."""
        if batch.first == batch.last:
            raise TooLarge(f"record {batch.first} of {self.folder.name} is too large for the server", 413)
        self._rows_max = max(1, min(self._rows_max, len(batch.history) + len(batch.events)) // 2)
        self.cursor.sending = (batch.first + batch.last) // 2
        self._save()
        self._rewind()

    def _rewind(self) -> None:
        """Back to the cursor: what was folded beyond it is folded again."""
        self._batch = None
        self._state = self._restore()
        self._open().seek(self.cursor.next)

    def _acknowledge(self, batch: Batch) -> None:
        cursor = self.cursor
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
        cursor.trouble = None
        self._batch = None
        self._unsaved = True  # kept with the next batch's mark, or at the end of this step

    def _note_reply(self, reply: StreamReply) -> None:
        self._last_sent = self._clock()
        self._pace_seconds = pace(reply.headers) or 0.0
        limits = reply.values.get("limits")
        seconds = limits.get("transmit_seconds") if isinstance(limits, dict) else None
        if isinstance(seconds, (int, float)) and not isinstance(seconds, bool) and seconds > 0:
            self._transmit_seconds = min(max(float(seconds), TRANSMIT_SECONDS_MIN), TRANSMIT_SECONDS_MAX)
        else:
            self._transmit_seconds = TRANSMIT_SECONDS
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

    # --- the run itself -----------------------------------------------------------------------------------------------

    def _greet(self, state: RunState, transport: Transport) -> None:
        """Let the server know the run, with its config and labels as they are after the batch."""
        cursor = self.cursor
        if cursor.bucket is not None and cursor.upserted == state.label_changes:
            return
        if not state.sessions:
            if state.rows or state.system_rows or state.console.count:
                raise Refused("the log's first record is no run start, so nothing tells which run it is")
            return
        if cursor.bucket is None:
            self._find_beginning(state, transport)
        data = transport.graphql("UpsertBucket", UPSERT_BUCKET, self._upsert_variables(state))
        try:
            bucket = data["upsertBucket"]["bucket"]
            project = bucket["project"]
            cursor.bucket = Bucket(
                str(bucket["id"]), str(project["entity"]["name"]), str(project["name"]), str(bucket["name"]),
                str(bucket.get("displayName") or ""),
            )  # fmt: skip
        except (KeyError, TypeError):
            raise TransientError(f"UpsertBucket at {transport.host}: the reply doesn't say where the run is") from None
        cursor.upserted = state.label_changes
        cursor.had_tags = cursor.had_tags or bool(state.start.tags)
        self._save()

    def _find_beginning(self, state: RunState, transport: Transport) -> None:
        start = state.start
        rewind_at_server(transport, start, self.cursor.run_id)
        data = transport.graphql(
            "RunResumeStatus", RUN_RESUME_STATUS,
            {"project": start.project, "entity": start.entity, "name": self.cursor.run_id},
        )  # fmt: skip
        held = (data.get("model") or {}).get("bucket")
        beginning = find_beginning(self.folder, held, start.resumed)
        self.cursor.history, self.cursor.events, self.cursor.earlier = beginning

    def _upsert_variables(self, state: RunState) -> Dict[str, Any]:
        """Every label each time: the last one to arrive is right, however often and late the earlier ones come."""
        start, bucket = state.start, self.cursor.bucket
        environment = read_environment(state)
        git = environment.get("git")
        git = git if isinstance(git, dict) else {}
        return {
            "id": bucket.id if bucket else None,
            "name": self.cursor.run_id,
            "project": bucket.project if bucket else start.project,
            "entity": bucket.entity if bucket else start.entity,
            "groupName": start.group,
            "description": None,
            "displayName": start.name,
            "notes": start.notes,
            "commit": git.get("commit"),
            "config": encode_json(wire_config(state, self.cursor.earlier.config)),
            "host": environment.get("host") or start.host or None,
            "debug": None,
            "program": start.program or None,
            "repo": git.get("remote"),
            "jobType": start.job_type,
            "state": None,
            "sweep": start.sweep_id,
            # An empty list would clear tags that somebody set at the server; it is meant only where the run had some.
            "tags": list(start.tags) if start.tags or self.cursor.had_tags else None,
            "summaryMetrics": None,
        }

    def _finish(self, transport: Transport) -> Optional[float]:
        """Everything of an ended log is acknowledged: files, then how it ended. Repeating any of it changes nothing."""
        cursor, state = self.cursor, self._state
        if state.sessions and not cursor.done:
            uploaded = send_files(transport, self.folder, cursor, state, self._save)
            exit_code = state.exit.code if state.exit is not None else EXIT_CODE_UNKNOWN
            body: Dict[str, Any] = {"files": {SUMMARY: {"offset": 0, "content": [summary_line(cursor, state)]}}}
            body.update(uploaded=uploaded, complete=True, exitcode=exit_code)
            self._note_reply(transport.file_stream(self._stream_path(), encode_json(body).encode()))
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
