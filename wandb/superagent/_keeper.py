"""The keeper: a small process around one job. It outlives the agent that started it.

It runs the job in a session of its own, holds it to its limits, passes on the agent's wish that it ends (SIGTERM), and
writes down how it ended. Where no agent lives in the folder for so long that the server is about to hand the job out
again, it ends the job: so it doesn't run twice.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import FrameType
from typing import Callable, List, Mapping, Optional

from wandb_storage import LockFile, boot_id

from .._processes import Processes
from .._wake import Wake
from ._environments import hold
from ._job_folder import Ending, JobFolder, any_agent_lives

# The server hands a job out again after 300 seconds of silence; the last sign of life may have been 15 seconds before
# the agent died, and a job takes as long as its kill delay to end.
ALONE_SECONDS_MAX = 230.0
_LOOK_SECONDS = 1.0
# What a job prints beyond that is more than anybody reads.
OUTPUT_BYTES_MAX = 1 << 30
# Who asks whether it is held holds it for an instant.
_LOCK_TRIES, _LOCK_PAUSE_SECONDS = 50, 0.01
_JOB = "job"
# By so much the system's answers about one process differ when its clock is set.
_SAME_SECONDS = 5.0


def start_keeper(folder: JobFolder, environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    """Start the keeper of a job, which finds the job's environment in its own. Raises OSError."""
    return subprocess.Popen(
        [*python_command("_keeper"), str(folder.path)],
        env=environment, cwd="/", start_new_session=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip


def python_command(module: str) -> List[str]:
    """How to run a module of this package's without looking for modules in the working directory."""
    code = f"import sys; sys.path[:] = [p for p in sys.path if p]; from wandb.superagent.{module} import main; main()"
    return [sys.executable, "-c", code]


class Keeper:
    """Runs the job of a folder, once."""

    def __init__(
        self, folder: JobFolder, clock: Callable[[], float] = time.monotonic, look_seconds: float = _LOOK_SECONDS
    ) -> None:
        self._folder, self._record = folder, folder.record
        self._clock, self._look_seconds = clock, look_seconds
        self._lock = LockFile(folder.keeper_lock)
        self._processes = Processes(own_group=True, kill_delay=self._record.kill_delay, clock=clock)
        self._wake = Wake()
        self._asked = False
        self._reason = ""
        self._pid = 0

    def run(self) -> None:
        if not self._lock.acquire(_LOCK_TRIES, _LOCK_PAUSE_SECONDS):
            return  # it has one
        self._lock.write(json.dumps({"pid": os.getpid()}).encode())
        signal.signal(signal.SIGTERM, self._on_signal)
        signal.signal(signal.SIGCHLD, lambda number, frame: self._wake.set())  # the job has ended
        try:
            ending = self._keep()
        except OSError as error:
            ending = Ending(127, f"the command can't be started: {error}")
        self._folder.write_ending(ending)
        self._lock.release()

    def _keep(self) -> Ending:
        record = self._record
        held = hold(Path(record.packages)) if record.packages else -1
        with open(_opened(self._folder.output), "ab") as output:
            self._pid = self._processes.start(
                _JOB, record.words, os.environ, cwd=record.folder, stdin=subprocess.DEVNULL, stdout=output,
                stderr=subprocess.STDOUT,
            )  # fmt: skip
        told = {"pid": os.getpid(), "job_pid": self._pid, "job_begun": _begun(self._pid), "boot": boot_id()}
        self._lock.write(json.dumps(told).encode())
        begun = alone_since = self._clock()
        while True:
            code = self._processes.ended().get(_JOB)
            if code is not None:
                self._end_what_is_left()
                if held >= 0:
                    os.close(held)
                return Ending(code if code >= 0 else 128 - code, self._reason)
            now = self._clock()
            if any_agent_lives(self._folder.path.parent.parent):
                alone_since = now
            if self._asked:
                self._stop("")
            elif record.seconds_max is not None and now - begun > record.seconds_max:
                self._stop(f"it ran for longer than its limit of {record.seconds_max:g} seconds")
            elif now - alone_since > ALONE_SECONDS_MAX:
                self._stop("its agent died, and no other came")
            elif record.memory_bytes_max is not None:
                self._look_at_memory(record.memory_bytes_max)
            self._look_at_output()
            self._wake.wait(self._look_seconds)

    def _stop(self, reason: str) -> None:
        self._reason = self._reason or reason
        self._processes.stop(_JOB)

    def _look_at_memory(self, bytes_max: int) -> None:
        used = _memory_of(self._pid)
        if used > bytes_max:
            self._reason = f"it used {used / 2**20:,.0f} MiB of memory, and its limit is {bytes_max / 2**20:,.0f} MiB"
            self._processes.signal_all(signal.SIGKILL)

    def _look_at_output(self) -> None:
        with contextlib.suppress(OSError):
            if self._folder.output.stat().st_size > OUTPUT_BYTES_MAX:
                # The job appends, so it goes on at the beginning.
                os.truncate(self._folder.output, 0)
                with self._folder.output.open("ab") as file:
                    file.write(b"... what stood here took a gibibyte, and was removed\n")

    def _end_what_is_left(self) -> None:
        """Processes that the job has left behind would hold memory and GPUs that the next one needs."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._pid, signal.SIGKILL)

    def _on_signal(self, number: int, frame: Optional[FrameType]) -> None:
        self._asked = True
        self._wake.set()


def _memory_of(pid: int) -> int:
    """What a process and those that it has started hold, in bytes."""
    import psutil

    used = 0
    with contextlib.suppress(psutil.Error):
        process = psutil.Process(pid)
        for each in [process, *process.children(recursive=True)]:
            with contextlib.suppress(psutil.Error):
                used += each.memory_info().rss
    return used


def _opened(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)


def _begun(pid: int) -> float:
    """When a process began; 0 where it is gone."""
    import psutil

    try:
        return float(psutil.Process(pid).create_time())
    except psutil.Error:
        return 0.0


def end_what_a_killed_keeper_left(folder: JobFolder) -> None:
    """A keeper that was killed, or whose machine was started again, has not written down an end: its job has none, and
    what goes on of it is ended. A keeper that only begins finds its place taken."""
    lock = LockFile(folder.keeper_lock)
    if not lock.acquire(_LOCK_TRIES, _LOCK_PAUSE_SECONDS):
        return
    try:
        told = json.loads(lock.read() or b"{}")
    except ValueError:
        told = {}
    pid, begun = told.get("job_pid"), told.get("job_begun")
    # The number may be another process's by now.
    if pid and told.get("boot") == boot_id() and abs(_begun(pid) - begun) < _SAME_SECONDS:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, signal.SIGKILL)
    lock.release()


def main(arguments: Optional[List[str]] = None) -> None:
    """The keeper's process."""
    Keeper(JobFolder(Path((arguments or sys.argv[1:])[0]))).run()
