"""The uploader process: all runs of one wandb directory, to one server.

The main thread looks for runs and hands those that are due to a few workers; a run is with one worker at a time. A run
that fails waits by itself, so that one that the server chokes on doesn't hold up the others.

**Leaving.** A run may be made in the instant in which the uploader leaves. `start` is called when the run's log exists,
and spawns nobody while the lock is held. So the uploader lets go of the lock first and looks a last time after that:
whoever found the lock held made their run before that look, and the look finds it; whoever found it free has spawned
another uploader. Where both happen, the lock decides.
"""

from __future__ import annotations

import dataclasses
import logging
import math
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Callable, Dict, Optional

from wandb_storage import LogElsewhere, LogNotFound

from ._cursor import Trouble
from ._destination import Destination
from ._errors import CredentialsRefused, NotUploadable, TransientError, UploaderRunning
from ._home import TAKE_OVER_TRIES, FileLock, Home
from ._notes import Notes
from ._policies import PolicyFetcher
from ._retry import Attempts
from ._room import RoomKeeper
from ._run_folders import RunFolders, Stamp
from ._run_upload import Parked, RunUpload

SCAN_SECONDS = 1.0
# The workers wait for the server most of the time; more of them would take turns on one interpreter.
WORKERS = 4
# Without anything to do and without a living writer for so long, the uploader leaves.
IDLE_SECONDS = 5.0
# A run that somebody else uploads, or a destination that waits for credentials, is looked at again after this.
ASIDE_SECONDS = 1.0
# How soon a request to stop is seen.
STOP_LOOK_SECONDS = 0.5
# How long a request in flight may take to end when the uploader is asked to stop; cursors don't need it to.
STOP_SECONDS = 5.0

Clock = Callable[[], float]
_log = logging.getLogger("wandb_uploader")


@dataclasses.dataclass
class _Job:
    upload: RunUpload
    due: float
    attempts: Attempts = dataclasses.field(default_factory=Attempts)
    busy: bool = False
    shared: bool = False  # its last failure was one that holds for all runs


class Service:
    """`run` returns when nothing is left to do, or after `stop`."""

    def __init__(
        self, home: Home, destination: Destination, clock: Clock = time.monotonic, idle_seconds: float = IDLE_SECONDS,
        before_last_look: Callable[[], None] = lambda: None,
    ) -> None:  # fmt: skip
        self._home, self._destination = home, destination
        self._clock = clock
        self._idle_seconds = idle_seconds
        self._before_last_look = before_last_look  # the lock is free: what can happen in between is tested here
        self._lock = FileLock(home.lock_path)
        self._policies = PolicyFetcher(home.base_url, destination.new_transport)
        self._changed = threading.Condition()  # guards the jobs
        self._jobs: Dict[str, _Job] = {}
        self._folders = RunFolders(home)
        self._notes = Notes(home)
        self._stopping = False
        self._stop_at = math.inf  # by the clock
        self._said_paused = False
        self._room = RoomKeeper(home.wandb_dir, clock)

    def stop(self) -> None:
        """Safe to call from a signal handler."""
        self._stopping = True

    def drain(self, seconds: float) -> None:
        """Leave when nothing is left to do, and after so long in any case. Safe to call from a signal handler."""
        self._idle_seconds, self._stop_at = 0.0, self._clock() + seconds

    def run(self, take_over: bool = False) -> None:
        """Raises UploaderRunning, which names the process, where another one serves this directory; with `take_over`
        only after a while, since that one has been asked to end."""
        self._home.create()
        signature = {"base_url": self._home.base_url}
        if take_over:
            self._lock.acquire(signature, tries=TAKE_OVER_TRIES)
        else:
            self._lock.acquire(signature)
        self._notes.clear()
        pool = ThreadPoolExecutor(WORKERS, thread_name_prefix="upload")
        try:
            _log.info("serving %s for %s", self._home.wandb_dir, self._home.base_url)
            self._serve(pool)
        finally:
            pool.shutdown(wait=False)
            self._end()

    def _serve(self, pool: ThreadPoolExecutor) -> None:
        idle_since: Optional[float] = None
        next_scan = self._clock()
        while not self._stopping and self._clock() < self._stop_at:
            now = self._clock()
            if now >= next_scan:
                if not self._lock.stands:
                    _log.warning("%s was removed or moved away: nothing is left to do here", self._home.wandb_dir)
                    return
                self._scan()
                next_scan = now + SCAN_SECONDS
            if self._destination.may_go_on():
                if self._said_paused:
                    self._said_paused = False
                    self._notes.paused(None)
                self._dispatch(pool, now)
            self._room.look(pool)
            with self._changed:
                if self._jobs or self._room.busy:
                    idle_since = None
                elif idle_since is None:
                    idle_since = now
                elif now - idle_since >= self._idle_seconds and not self._folders.writer_aside() and self._leave():
                    return
                self._changed.wait(self._wait_seconds(next_scan))

    def _wait_seconds(self, next_scan: float) -> float:
        """Until the next thing is due; the condition is held. Bounded, so that a stop is seen."""
        busy = sum(job.busy for job in self._jobs.values())
        wait = self._destination.breaker.wait_seconds()
        may_dispatch = busy < WORKERS and not self._destination.paused and wait is not None
        due = [job.due for job in self._jobs.values() if not job.busy] if may_dispatch else []
        if due and wait:
            due = [max(min(due), self._clock() + wait)]
        return min(max(0.0, min([next_scan, *due]) - self._clock()), STOP_LOOK_SECONDS)

    def _scan(self) -> None:
        """Take on every run folder that may have something to do."""
        with self._changed:
            for folder in self._folders.find(self._jobs):
                self._jobs[folder.name] = _Job(RunUpload(self._home, folder, self._clock, cautious=True), self._clock())

    # --- working ------------------------------------------------------------------------------------------------------

    def _dispatch(self, pool: ThreadPoolExecutor, now: float) -> None:
        with self._changed:
            waiting = sum(job.busy for job in self._jobs.values())
            # Who has waited longest comes first; no more than the workers take, so that the order stays fair.
            for job in sorted(self._jobs.values(), key=lambda job: job.due):
                if job.busy or job.due > now or waiting >= WORKERS:
                    continue
                if not self._destination.breaker.take():
                    break
                job.busy = True
                waiting += 1
                pool.submit(self._work, job)

    def _work(self, job: _Job) -> None:
        name = job.upload.folder.name
        before = self._folders.stamp(name)
        wait: Optional[float] = ASIDE_SECONDS
        parked = False
        transport = self._destination.transport()
        answers = transport.answers
        try:
            wait = job.upload.advance(self._destination)
            if not job.upload.undecided:
                self._succeeded(job)
            bucket = job.upload.cursor.bucket
            if bucket is not None:
                self._policies.look(job.upload.named, (bucket.entity, bucket.project))
        except TransientError as error:
            wait = self._failed(job, error)
        except CredentialsRefused as error:
            wait = self._refused(job, error)
        except Parked as error:
            _log.error("%s is parked: %s", name, error)
            wait, parked = None, True
        except (NotUploadable, LogElsewhere):
            wait = None  # another uploader's, of another server or on another machine
        except LogNotFound:
            # Of a folder that was made a moment ago, the log may come within the same tick of the file system's clock.
            wait = None if time.time() - before.folder / 1e9 > ASIDE_SECONDS else ASIDE_SECONDS
        except UploaderRunning:
            job.upload.close()  # somebody in the foreground has it
        except BaseException as error:
            # A fault of our own must not end the other runs' upload, nor make a busy loop of this one's.
            _log.exception("%s: a fault in the uploader", name)
            wait = job.attempts.failed(TransientError(repr(error)), time.time())
        with self._changed:
            if transport.answers > answers and self._destination.breaker.open and not job.shared:
                self._server_is_back()
            self._destination.breaker.put_back()
            job.busy = False
            if wait is None:
                self._set_aside(name, job, before, parked)
            else:
                job.due = self._clock() + wait
            self._changed.notify()

    def _set_aside(self, name: str, job: _Job, before: Stamp, parked: bool) -> None:
        job.upload.close()
        self._folders.set_aside(name, job.upload.cursor, before, parked)
        del self._jobs[name]
        self._room.request()

    def _succeeded(self, job: _Job) -> None:
        job.upload.note_progress()
        job.shared = False
        if job.attempts.count:
            _log.info("%s goes on after %d failures", job.upload.folder.name, job.attempts.count)
            job.attempts.succeeded()

    def _failed(self, job: _Job, error: TransientError) -> float:
        """Seconds until the run is tried again."""
        job.shared = error.shared
        if error.shared:
            return self._server_is_away(error)
        wait = job.attempts.failed(error, time.time())
        if job.attempts.count == 1:
            _log.warning("%s: %s; it is tried again until it succeeds", job.upload.folder.name, error)
        job.upload.note_trouble(error, job.attempts.since or time.time(), time.time() + wait)
        return wait

    def _server_is_away(self, error: TransientError) -> float:
        breaker = self._destination.breaker
        with self._changed:
            if not breaker.open:
                _log.warning("%s; one request at a time finds out when it is back", error)
            wait = breaker.failed(error, time.time())
            self._notes.trouble(Trouble(str(error), breaker.since, time.time() + wait))
            return wait

    def _server_is_back(self) -> None:
        """For all of them. The condition is held."""
        _log.info("%s answers again", self._home.base_url)
        self._destination.breaker.succeeded()
        self._notes.trouble(None)
        for other in self._jobs.values():
            if other.shared:
                other.due, other.shared = self._clock(), False

    def _refused(self, job: _Job, error: CredentialsRefused) -> float:
        if self._destination.pause(error):
            return 0.0
        if not self._said_paused:
            self._said_paused = True
            _log.error("%s", self._destination.paused)
            self._notes.paused(self._destination.refused)
        job.upload.note_trouble(CredentialsRefused(self._destination.paused), time.time(), time.time() + ASIDE_SECONDS)
        return ASIDE_SECONDS

    # --- leaving ------------------------------------------------------------------------------------------------------

    def _leave(self) -> bool:
        """See the module's text. The condition is held, and there are no jobs."""
        self._lock.release()
        self._before_last_look()
        self._scan_again()
        if not self._jobs and not self._folders.writer_aside():
            _log.info("nothing is left to do")
            return True
        try:
            self._lock.acquire({"base_url": self._home.base_url})
            return False
        except UploaderRunning:
            return True  # a younger uploader has taken over

    def _scan_again(self) -> None:
        self._changed.release()
        try:
            self._scan()
        finally:
            self._changed.acquire()

    def _end(self) -> None:
        """Let requests in flight end, for a moment; then let go of everything."""
        deadline = time.monotonic() + STOP_SECONDS
        with self._changed:
            while any(job.busy for job in self._jobs.values()) and time.monotonic() < deadline:
                self._changed.wait(0.1)
            for job in self._jobs.values():
                if not job.busy:
                    job.upload.close()
        self._destination.close()
        if self._lock.stands:
            self._notes.trouble(None)
        self._lock.release()
