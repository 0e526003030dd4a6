"""The superagent: takes jobs from queues, runs them, and tells the server what becomes of them."""

from __future__ import annotations

import hashlib
import os
import signal
import time
from types import FrameType
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple

import wandb

from .._terminal import termerror, termlog, termwarn
from .._wake import Wake
from ..apis._errors import RefusedError
from ..errors import AuthenticationError, CommError, UsageError
from ..sdk._folders import make_wandb_folder
from ..sdk._names import new_run_id
from ..sdk.wandb_settings import merged
from ._environments import remove_unused
from ._gpus import Gpus
from ._job import RunningJob
from ._job_folder import AgentFolder, Record
from ._launchers import Launcher
from ._server import QUEUES_PROJECT, Popped, QueueServer, item_number
from ._spec import JobError, parse_job

BEAT_SECONDS = 15.0
POLL_SECONDS = 5.0
# How often it looks whether jobs have ended, in between.
_LOOK_SECONDS = 0.25
_DEFAULT_QUEUE = "default"
_SIGNALS_THAT_KILL = 3
# An agent that waits for an answer hears no signals.
_ANSWER_SECONDS = 10.0
_TITLE_CHARACTERS_MAX = 80


class Superagent:
    """Runs jobs of queues until it is told to end.

    >>> server = QueueServer(client_for(merged()), "my-team")                           # doctest: +SKIP
    >>> Superagent(server, ["gpu-jobs"], slots=2).run()                                 # doctest: +SKIP
    """

    def __init__(
        self,
        server: QueueServer,
        queues: Sequence[str] = (),
        slots: Optional[int] = None,
        gpus: Sequence[str] = (),
        launcher: Optional[Launcher] = None,
        count: Optional[int] = None,
        drain: bool = False,
        beat_seconds: float = BEAT_SECONDS,
        poll_seconds: float = POLL_SECONDS,
    ) -> None:
        """queues: their names, in the order in which they are asked; all of the server's project for none. slots: jobs
        at a time; by default one for each GPU, or one. gpus: those that jobs may have. count: end after so many jobs.
        drain: end when the queues are empty. Raises CommError, UsageError for a queue that isn't there."""
        self._server, self._launcher = server, launcher or Launcher()
        self._gpus = Gpus(gpus)
        self._slots = slots or max(1, len(gpus))
        self._count, self._drain = count, drain
        self._beat_seconds, self._poll_seconds = beat_seconds, poll_seconds
        self._all = not queues
        self._queues, ids = self._find_queues(queues)
        config = {"max_jobs": self._slots, "queues": self._queues, "gpus": len(gpus), "runner": "wandb-superagent"}
        self.id = server.register(ids, os.uname().nodename, config, f"wandb {wandb.__version__}")
        self._root = make_wandb_folder(os.environ.get("WANDB_DIR") or "").absolute()
        self._folder = AgentFolder(self._root / "superagent" / _digest(server.client.base_url), new_run_id())
        self._jobs: Dict[str, RunningJob] = {}  # by their items
        self._waiting: Optional[Tuple[str, Popped]] = None  # a job for which there aren't enough GPUs yet
        self._begun = 0
        self._wake = Wake()
        self._signals: List[int] = []  # that came, the oldest first
        self._obeyed = 0  # so many of them
        self._leaving = self._found_nothing = False
        self._beat_due = self._poll_due = self._silent_until = 0.0
        self._away = False

    def run(self) -> int:
        """Work until there is nothing left to do, or a signal comes; returns the process's exit code.

        Ctrl-C: take no more, and wait for the jobs that run; once more: end them, and let others have them, as SIGTERM
        does; once more: kill them.
        """
        self._folder.open()
        handlers = {number: signal.signal(number, self._on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
        slots = f"{self._slots} job{'s' if self._slots > 1 else ''} at a time"
        termlog(f"superagent {item_number(self.id)} serves {self._place()}: {slots}; its files: {self._folder.path}")
        try:
            remove_unused()
            self._loop()
            self._tell(lambda: self._server.leave(self.id))
            return 128 + self._signals[0] if self._signals else 0
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)
            self._folder.close()

    def _place(self) -> str:
        what = "all queues" if self._all else ", ".join(self._queues)
        return f"{what} of {self._server.entity}/{self._server.project}"

    def _loop(self) -> None:
        while True:
            self._obey_signals()
            for key, job in list(self._jobs.items()):
                self._look_at(key, job)
            if self._leaving or self._is_done():
                self._let_go_of_waiting()
                if not self._jobs:
                    return
            now = time.monotonic()
            if now >= self._beat_due:
                self._beat_due = now + self._beat_seconds
                self._beat()
            if now >= self._poll_due and self._has_room():
                self._poll_due = now + self._poll_seconds
                self._take()
            self._wake.wait(_LOOK_SECONDS)

    def _is_done(self) -> bool:
        if self._count is not None and self._begun >= self._count:
            return True
        return self._drain and self._found_nothing and not self._jobs and self._waiting is None

    def _has_room(self) -> bool:
        full = self._count is not None and self._begun >= self._count
        return not self._leaving and not full and len(self._jobs) < self._slots

    # --- taking jobs --------------------------------------------------------------------------------------------------

    def _take(self) -> None:
        if self._waiting is None:
            self._waiting = self._next()
        if self._waiting is None:
            return
        queue, popped = self._waiting
        title, wanted = self._look_at_spec(popped)
        key = f"{popped.item} {popped.handed}"
        if not self._launcher.has_gpus and wanted > self._gpus.count:  # a server without leases doesn't look at that
            self._waiting = None
            self._refuse(popped, f"it asks for {wanted} GPUs, and its agent has {self._gpus.count}")
            return
        gpus = [] if self._launcher.has_gpus else self._gpus.take(key, wanted)
        if gpus is None:
            return  # it keeps its turn until others have ended
        self._waiting = None
        self._poll_due = 0.0  # there may be more
        self._begun += 1
        run_id = popped.run_to_resume or self._run_id_of(popped)
        record = Record(popped.item, self.id, queue, title, popped.handed, run_id, gpus)
        try:
            folder = self._folder.new_job(record)
        except OSError as error:
            self._gpus.give_back(key)
            self._refuse(popped, f"its folder can't be made: {error}")
            return
        job = self._jobs[key] = RunningJob(folder, record)
        termlog(f"{job.label} of the queue {queue}: {title}")
        job.prepare(popped, self._server, self._launcher, self._root.parent)

    def _refuse(self, popped: Popped, reason: str) -> None:
        termerror(f"job {item_number(popped.item)} can't be taken: {reason}")
        self._tell(lambda: self._server.give_back(self.id, popped.item, reason))

    def _next(self) -> Optional[Tuple[str, Popped]]:
        """The next job of any queue."""
        places = None if self._launcher.has_gpus else self._gpus.count
        for queue in self._queues:
            popped = self._tell(lambda queue=queue: self._server.pop(queue, self.id, places))  # type: ignore[misc]
            if popped is not None:
                self._found_nothing = False
                return queue, popped
        self._found_nothing = not self._away
        return None

    def _look_at_spec(self, popped: Popped) -> Tuple[str, int]:
        """What a job is called, and how many GPUs it gets. What is wrong with it is said when it is prepared."""
        try:
            job = parse_job(popped.spec)
        except JobError:
            return "", 0
        return job.title[:_TITLE_CHARACTERS_MAX], job.gpus if job.gpus is not None else min(1, self._gpus.count)

    def _run_id_of(self, popped: Popped) -> str:
        """A run of its own for each attempt: an earlier one may still be uploaded."""
        given = popped.spec.get("run_id") if isinstance(popped.spec, dict) and popped.handed == 1 else None
        return given if isinstance(given, str) and given else new_run_id()

    def _let_go_of_waiting(self) -> None:
        if self._waiting is not None:
            item, self._waiting = self._waiting[1].item, None
            self._tell(lambda: self._server.give_back(self.id, item, "its agent ends"))

    # --- looking after them -------------------------------------------------------------------------------------------

    def _look_at(self, key: str, job: RunningJob) -> None:
        if job.prepared is not None and not (job.lost or job.given_back):
            self._begin(job)
        if job.ending is not None and self._has_told(job):
            self._gpus.give_back(key)
            job.folder.close()
            del self._jobs[key]
            self._poll_due = 0.0

    def _begin(self, job: RunningJob) -> None:
        agent, item, run = job.record.launch_agent, job.record.item, job.record.run_id
        mine = self._tell(lambda: self._server.acknowledge(agent, item, run), refused=False)
        if mine is None:
            return  # the server is away: later
        if not mine:
            job.lost = True
            return
        try:
            job.begin()
        except OSError as error:
            job.failure = f"its keeper can't be started: {error}"
            return
        termlog(f"{job.label} runs as {run}; what it prints: {job.folder.output}")

    def _has_told(self, job: RunningJob) -> bool:
        """Tell the server how a job ended; False where it is away."""
        ending, agent, item = job.ending, job.record.launch_agent, job.record.item
        assert ending is not None
        if job.lost:
            termwarn(f"{job.label} is no longer this agent's; it was ended here")
            return True
        if job.given_back and ending.exit_code:
            reason = job.given_back
            if self._tell(lambda: self._server.give_back(agent, item, reason), refused=False) is None:
                return False
            if self._server.has_leases:
                termlog(f"{job.label} was given back: {reason}")
            else:
                termerror(f"{job.label} has failed: {reason}; this server gives it to nobody else: push it once more")
            return True
        message = job.told() if ending.exit_code else ""
        state = self._tell(lambda: self._server.finish(agent, item, ending.exit_code, message), refused="")
        if state is None:
            return False
        if ending.exit_code == 0:
            termlog(f"{job.label} has ended")
        else:
            then = {"PENDING": "; it is tried again", "": "; another agent has it by now"}.get(state, "")
            termerror(f"{job.label} failed with exit code {ending.exit_code}{then}\n{message}".rstrip())
        return True

    def _beat(self) -> None:
        """Say that this agent and its jobs live, and take over what dead agents of this folder have left."""
        for folder in self._folder.take_over():
            try:
                self._take_over(RunningJob(folder, folder.record))
            except (OSError, ValueError) as error:  # the machine was switched off while it was written
                termwarn(f"job {folder.path.name} was left by another agent, and can't be taken over: {error}")
                folder.close()
        items: Dict[str, List[str]] = {self.id: []}
        for job in self._jobs.values():
            if not job.lost:
                items.setdefault(job.record.launch_agent, []).append(job.record.item)
        if self._waiting is not None:
            items[self.id].append(self._waiting[1].item)
        for agent, kept in items.items():
            lost = self._tell(lambda agent=agent, kept=kept: self._server.keep(agent, kept))  # type: ignore[misc]
            for item in lost or ():
                self._lose(item)
        if self._all:
            found = self._tell(self._server.queues)
            self._queues = self._queues if found is None else [queue["name"] for queue in found]

    def _take_over(self, job: RunningJob) -> None:
        key = f"{job.record.item} {job.record.handed}"
        self._jobs[key] = job
        self._gpus.keep(key, job.record.gpus)
        if job.began:
            termlog(f"{job.label} goes on: {job.record.title}; what it prints: {job.folder.output}")
        else:
            job.given_back = "its agent died before it began"

    def _lose(self, item: str) -> None:
        if self._waiting is not None and self._waiting[1].item == item:
            self._waiting = None
        for job in self._jobs.values():
            if job.record.item == item and not job.lost:
                job.lost = True
                job.stop()

    # --- the server, and signals --------------------------------------------------------------------------------------

    def _find_queues(self, wanted: Sequence[str]) -> Tuple[List[str], List[str]]:
        """The names and ids of the queues."""
        found = {queue["name"]: queue["id"] for queue in self._server.queues()}
        missing = [name for name in wanted if name not in found]
        if missing:
            where = f"{self._server.entity}/{self._server.project}"
            there = f"; there are {', '.join(found)}" if found else ""
            raise UsageError(
                f"there is no queue {missing[0]!r} in {where}: make it with `wandb queue create {missing[0]}`{there}"
            )
        if not found:
            found[_DEFAULT_QUEUE] = self._server.create(_DEFAULT_QUEUE)
            termlog(f"made the queue {_DEFAULT_QUEUE}, since there was none in {self._server.project}")
        chosen = list(wanted) or list(found)
        return chosen, [found[name] for name in chosen]

    def _tell(self, ask: Callable[[], Any], refused: Any = None) -> Any:
        """The server's answer; `refused` where it says no, None where it is away, which is said once."""
        if time.monotonic() < self._silent_until:
            return None
        try:
            answer = ask()
        except RefusedError as error:
            termwarn(f"the server refuses: {error}", repeat=False)
            answer = refused
        except AuthenticationError:
            raise
        except CommError as error:
            if not self._away:
                termwarn(f"the server can't be asked ({error}); jobs go on, and it is asked again")
            self._away, self._silent_until = True, time.monotonic() + self._poll_seconds
            return None
        if self._away:
            termlog("the server is back")
        self._away = False
        return answer

    def _on_signal(self, number: int, frame: Optional[FrameType]) -> None:
        self._signals.append(number)
        self._leaving = True
        self._wake.set()

    def _obey_signals(self) -> None:
        """What the signals that came say of the jobs that run."""
        if len(self._signals) == self._obeyed:
            return
        self._obeyed = len(self._signals)
        if self._obeyed > 1 or signal.SIGTERM in self._signals:
            for job in self._jobs.values():
                job.given_back = job.given_back or "its agent was told to end"
                if self._obeyed < _SIGNALS_THAT_KILL:
                    job.stop()
                else:
                    job.kill()
        elif self._jobs:
            then = "and others get them" if self._server.has_leases else "and they have failed"
            termlog(f"waiting for {len(self._jobs)} running; Ctrl-C once more ends them, {then}")


def _digest(base_url: str) -> str:
    """A folder's name for a server."""
    return hashlib.sha256(base_url.encode()).hexdigest()[:12]


def run_agent(spec: Any, queues: Sequence[str] = (), **options: Any) -> int:
    """Serve the queues of a project until a signal comes; returns the exit code.

    spec: `"entity/project"`, or a list of that, as callers of 2020 give it. options: those of `Superagent`.

    >>> wandb.superagent.run_agent("my-team/model-registry", ["gpu-jobs"])                 # doctest: +SKIP
    """
    path = spec if isinstance(spec, str) or spec is None else (list(spec) or [None])[0]
    entity, _, project = (path or "").rpartition("/")
    return Superagent(connect(entity or None, project or QUEUES_PROJECT), queues, **options).run()


def connect(entity: Optional[str], project: str, patience: Optional[float] = 0.0) -> QueueServer:
    """The server that the settings name; patience: as that of a client of the public Api. Raises UsageError where there
    is no key for it, CommError."""
    from ..apis._client import client_for

    settings = merged()
    client = client_for(settings, timeout=_ANSWER_SECONDS, patience=patience)
    if not client.key:
        raise UsageError(f"there is no API key for {client.base_url}: run `wandb login`, or set WANDB_API_KEY")
    return QueueServer(client, entity or settings.entity, project)
