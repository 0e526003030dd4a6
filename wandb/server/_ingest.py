"""Stream requests of all runs, applied together.

A commit forces the disk, which takes longer than everything else about a request. So one thread takes all requests
that wait, applies them in one transaction, and answers them when it is durable: a hundred runs cost little more than
one. A request takes effect completely or not at all, and what one fails with is nothing to the others.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from ._auth import ServerSecret, User, user_of_key
from ._database import Database
from ._indexer import Growth
from ._limits import STREAM_GROUP_BYTES, STREAM_GROUP_MAX
from ._lines import append_chunks
from ._names import RunKey
from ._store import Run, find_run_id, runs_for_change, update_runs
from ._stream import StreamRequest, plan_stream_request

_NUMBERS_MAX = 10_000

# Looks at who sends a request and what run it is for, as they are in the transaction; raises what the request fails
# with.
Admit = Callable[["User | None", "Run | None"], None]


@dataclass
class _Job:
    """A request that waits for its answer."""

    api_key: str
    run: RunKey
    request: StreamRequest
    writer: str
    admit: Admit
    answer: asyncio.Future[dict[str, Any]]
    loop: asyncio.AbstractEventLoop

    def succeed(self, answer: dict[str, Any]) -> None:
        self._tell(self.answer.set_result, answer)

    def fail(self, error: Exception) -> None:
        self._tell(self.answer.set_exception, error)

    def _tell(self, tell: Callable[[Any], None], what: Any) -> None:
        def tell_unless_gone() -> None:
            # The client may have gone away meanwhile.
            if not self.answer.done():
                tell(what)

        self.loop.call_soon_threadsafe(tell_unless_gone)


class Ingest:
    """The thread that applies stream requests."""

    def __init__(
        self, database: Database, secret: ServerSecret, clock: Callable[[], float], consider: Callable[[Growth], None]
    ) -> None:
        self._database, self._secret, self._clock, self._consider = database, secret, clock, consider
        self._waiting: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="wandb-server-ingest", daemon=True)
        # Numbers of runs by their names, to be held against what the database says.
        self._numbers: dict[RunKey, int] = {}
        self._known_keys: frozenset[str] = frozenset()

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Apply what waits, and end."""
        self._waiting.put(None)
        if self._thread.ident is not None:
            self._thread.join()

    async def apply(
        self, api_key: str, run: RunKey, request: StreamRequest, writer: str, admit: Admit
    ) -> dict[str, Any]:
        """The answer to a request, once what it changes is durable. ``writer`` names one of several."""
        loop = asyncio.get_running_loop()
        job = _Job(api_key, run, request, writer, admit, loop.create_future(), loop)
        self._waiting.put(job)
        return await job.answer

    def knows(self, api_key: str) -> bool:
        """Whether a key was valid when it was last used here: enough to read a body, not to apply it."""
        return api_key in self._known_keys

    def _work(self) -> None:
        jobs: list[_Job] = []
        ending = False
        while jobs or not ending:
            ending |= self._take(jobs)
            group, jobs = _group(jobs)
            if group:
                self._apply_group(group)

    def _take(self, jobs: list[_Job]) -> bool:
        """Add what waits to the jobs, waiting for the first; True when no more will come."""
        while len(jobs) < STREAM_GROUP_MAX:
            try:
                job = self._waiting.get(block=not jobs)
            except queue.Empty:
                return False
            if job is None:
                return True
            jobs.append(job)
        return False

    def _apply_group(self, jobs: list[_Job]) -> None:
        try:
            outcomes = self._commit(jobs)
        except Exception as error:
            if len(jobs) == 1:
                jobs[0].fail(error)
                return
            # What one of them fails with undid all.
            for job in jobs:
                self._apply_group([job])
            return
        for job, outcome in zip(jobs, outcomes):
            if isinstance(outcome, Exception):
                job.fail(outcome)
            else:
                job.succeed(outcome)

    def _commit(self, jobs: list[_Job]) -> list[dict[str, Any] | Exception]:
        now = self._clock()
        outcomes: list[dict[str, Any] | Exception] = []
        chunks: list[dict[str, Any]] = []
        values: dict[int, dict[str, Any]] = {}
        grown: list[Growth] = []
        with self._database.write_runs() as connection:
            users = {key: user_of_key(connection, self._secret, key) for key in {job.api_key for job in jobs}}
            self._known_keys = (self._known_keys - users.keys()) | {key for key, user in users.items() if user}
            found = self._runs(connection, [job.run for job in jobs])
            for job in jobs:
                run = found.get(job.run)
                try:
                    job.admit(users[job.api_key], run)
                except Exception as error:
                    outcomes.append(error)
                    continue
                assert run is not None, "nobody is admitted to a run that isn't there"
                effect = plan_stream_request(connection, run, job.request, now, job.writer)
                chunks += effect.chunks
                values[run.id] = effect.values
                outcomes.append(effect.answer)
                if effect.growth.lines:
                    grown.append(effect.growth)
            append_chunks(connection, chunks)
            update_runs(connection, values)
        for growth in grown:
            self._consider(growth)
        return outcomes

    def _runs(self, connection: Connection, keys: list[RunKey]) -> dict[RunKey, Run]:
        """The runs by their names, those that there are."""
        for key in keys:
            if key not in self._numbers:
                number = find_run_id(connection, key)
                if number is not None:
                    self._numbers[key] = number
        numbers = [self._numbers[key] for key in keys if key in self._numbers]
        found = {run.key: run for run in runs_for_change(connection, numbers)}
        strayed = [key for key in keys if key in self._numbers and key not in found]
        if len(self._numbers) > _NUMBERS_MAX:
            self._numbers.clear()
        if strayed:
            # Deleted or moved since; another may have the name now.
            for key in strayed:
                self._numbers.pop(key, None)
            again = [number for number in (find_run_id(connection, key) for key in strayed) if number is not None]
            found.update((run.key, run) for run in runs_for_change(connection, again))
        return found


def _group(jobs: list[_Job]) -> tuple[list[_Job], list[_Job]]:
    """The jobs of the next transaction, and those that are left for later ones."""
    group: dict[RunKey, _Job] = {}
    later = []
    size = 0
    for job in jobs:
        # Two requests of one run see each other's lines, so they are applied one after the other.
        if job.run in group or (group and size + job.request.bytes > STREAM_GROUP_BYTES):
            later.append(job)
        else:
            group[job.run] = job
            size += job.request.bytes
    return list(group.values()), later
