"""A job that an agent has taken: prepared in a thread, then run by a keeper, and in the end told to the server."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Dict, List, Mapping, NamedTuple, Optional, Sequence

from ..errors import UsageError
from ..sweeps._macros import trial_command
from ._environments import Environment, environment_for
from ._gpus import environment_of
from ._job_folder import Ending, JobFolder, Record
from ._keeper import end_what_a_killed_keeper_left, start_keeper
from ._launchers import Launcher
from ._server import Popped, QueueServer
from ._sources import bring
from ._spec import WORD_BYTES_MAX, Job, JobError, parse_job
from ._steps import Cancelled, Steps, shown

# What the seed of this project ran where nobody said what to run, and where it put the config.
_DEFAULT_COMMAND, _DEFAULT_PROGRAM, _CONFIG_FILE = ("python", "train.py"), "train.py", "config.json"
# Of the agent's own environment what is about a run of its own.
_OWN_VARIABLES = ("WANDB_RUN_ID", "WANDB_NAME", "WANDB_RESUME", "WANDB_SWEEP_ID", "WANDB_CONFIG", "WANDB_SERVICE")
_LINES_TOLD = 20


class Prepared(NamedTuple):
    """What a keeper needs."""

    record: Record
    environment: Mapping[str, str]


class RunningJob:
    """One job of an agent. Used by the agent's own thread."""

    def __init__(self, folder: JobFolder, record: Record) -> None:
        self.folder, self.record = folder, record
        self.lost = False  # another agent has it by now
        self.given_back = ""  # why another agent is to have it
        self.failure = ""  # why it can't be run
        self._steps = Steps(folder.output)
        self._thread: Optional[threading.Thread] = None
        self._prepared: Optional[Prepared] = None
        self._keeper: Optional[subprocess.Popen[bytes]] = None
        self._ending: Optional[Ending] = None
        self._stopping = False

    @property
    def label(self) -> str:
        return f"job {self.folder.path.name}"

    @property
    def began(self) -> bool:
        """Whether there is, or was, a process of it."""
        return bool(self.record.words)

    # --- before it runs -----------------------------------------------------------------------------------------------

    def prepare(self, popped: Popped, server: QueueServer, launcher: Launcher, root: Path) -> None:
        """Begin to prepare it."""

        def work() -> None:
            try:
                job = parse_job(popped.spec)
                self._prepared = _prepare(job, popped, self.record, self.folder, server, launcher, root, self._steps)
            except Cancelled:
                pass  # whoever cancelled it has said what is to become of it
            except (JobError, UsageError) as error:
                self.failure = str(error)
            except OSError as error:
                self.given_back = self.given_back or f"it can't be prepared here: {error}"

        self._thread = threading.Thread(target=work, name=f"wandb-{self.label}", daemon=True)
        self._thread.start()

    @property
    def preparing(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    @property
    def prepared(self) -> Optional[Prepared]:
        """What it was prepared to, until it is begun."""
        return None if self.preparing or self.began else self._prepared

    def begin(self) -> None:
        """Start its keeper. Raises OSError."""
        assert self._prepared is not None
        self.record = self._prepared.record
        self.folder.write_record(self.record)
        self._keeper = start_keeper(self.folder, self._prepared.environment)

    # --- while it runs ------------------------------------------------------------------------------------------------

    def stop(self) -> None:
        """Ask it to end; its keeper sees to it."""
        self._steps.cancel()
        if not self._stopping and self._signal_keeper(signal.SIGTERM):
            self._stopping = True

    def kill(self) -> None:
        """End it now."""
        self._steps.cancel()
        if self._signal_keeper(signal.SIGKILL):
            if self._keeper is not None:
                self._keeper.wait()
            end_what_a_killed_keeper_left(self.folder)

    def _signal_keeper(self, number: int) -> bool:
        keeper = self.folder.keeper()
        if keeper is None or not isinstance(keeper.get("pid"), int):
            return False
        try:
            os.kill(keeper["pid"], number)
            return True
        except ProcessLookupError:
            return False

    @property
    def ending(self) -> Optional[Ending]:
        """How it ended; None as long as it goes on."""
        if self._ending is None and not self.preparing:
            self._ending = self._find_ending()
        return self._ending

    def _find_ending(self) -> Optional[Ending]:
        if not self.began:
            return Ending(1, self.failure) if self.failure or self.given_back or self.lost else None
        if self._keeper is not None and self._keeper.poll() is None:
            return None
        if self._keeper is None and self.folder.keeper() is not None:
            return None  # another agent's child, which holds its lock
        ending = self.folder.ending
        if ending is None:
            end_what_a_killed_keeper_left(self.folder)
            ending = self.folder.ending  # it may just have ended
        if ending is None:
            self.given_back = self.given_back or "its keeper was killed, or the machine was started again"
            return Ending(128 + signal.SIGKILL, self.given_back)
        return ending

    def told(self) -> str:
        """Why it failed, for people: the reason, and the last lines that it printed."""
        assert self._ending is not None
        lines = self.folder.last_lines(_LINES_TOLD) if self.began else ""
        return "\n".join(part for part in (self._ending.reason, lines) if part)


# --- preparing --------------------------------------------------------------------------------------------------------


def _prepare(
    job: Job, popped: Popped, record: Record, folder: JobFolder, server: QueueServer, launcher: Launcher, root: Path,
    steps: Steps,
) -> Prepared:  # fmt: skip
    """Everything that is to be done before a job's command. Raises JobError, OSError."""
    code = bring(job, folder.work, server.client, steps)
    job = launcher.check(code.job)
    packages: Optional[Environment] = None
    if job.requirements.strip() and launcher.runs_here:
        packages = environment_for(job.requirements, code.folder, folder.path / "packages", steps)
    environment = _environment(job, popped, record, server, packages, root)
    if not launcher.has_gpus:
        environment.update(environment_of(record.gpus))
    words = _words(job, code.folder, environment, packages)
    made = record._replace(
        words=launcher.words(job, words, code.folder, environment, folder.path), folder=str(code.folder),
        packages=str(packages.path) if packages is not None else "",
        memory_bytes_max=job.memory_bytes_max if launcher.runs_here else None, seconds_max=job.seconds_max,
    )  # fmt: skip
    steps.say("$ " + shown(words))
    return Prepared(made, environment)


def _environment(
    job: Job, popped: Popped, record: Record, server: QueueServer, packages: Optional[Environment], root: Path
) -> Dict[str, str]:
    environment = {name: value for name, value in os.environ.items() if name not in _OWN_VARIABLES}
    bins = [str(packages.bin)] if packages is not None else []
    path = [*bins, os.path.dirname(sys.executable), *filter(None, [environment.get("PATH")])]
    config = json.dumps(job.config)
    if len(config.encode()) > WORD_BYTES_MAX:
        raise JobError(f"job, overrides.run_config: takes {len(config)} bytes; {WORD_BYTES_MAX} fit into a variable")
    environment.update({
        "PATH": os.pathsep.join(path),
        "WANDB_BASE_URL": server.client.base_url,
        "WANDB_ENTITY": job.entity or server.entity,
        "WANDB_RUN_ID": record.run_id,
        # The code's folder goes when the job is over; its run stays.
        "WANDB_DIR": str(root),
        "WANDB_LAUNCH": "true",
        "WANDB_LAUNCH_QUEUE_NAME": record.queue,
        "WANDB_LAUNCH_QUEUE_ENTITY": server.entity,
        "WANDB_LAUNCH_TRACE_ID": record.item,
    })  # fmt: skip
    optional = {
        "VIRTUAL_ENV": str(packages.path) if packages is not None else "",
        "WANDB_PROJECT": job.project,
        "WANDB_NAME": job.name,
        "WANDB_CONFIG": config if job.config else "",
        "WANDB_SWEEP_ID": job.sweep_id,
        "WANDB_USERNAME": job.author if not job.api_key else "",
        "WANDB_API_KEY": job.api_key,
        "WANDB_RESUME": "allow" if popped.run_to_resume else "",
    }
    environment.update({name: value for name, value in optional.items() if value})
    environment.update(job.environment)
    return environment


def _words(job: Job, folder: Path, environment: Mapping[str, str], packages: Optional[Environment]) -> List[str]:
    command: Sequence[str] = job.command
    if not command and not job.image:
        if not (folder / _DEFAULT_PROGRAM).is_file():
            raise JobError("job, overrides.entry_point: says no command, and there is no train.py")
        (folder / _CONFIG_FILE).write_text(json.dumps(job.config), encoding="utf-8")
        command = _DEFAULT_COMMAND

    def json_file(text: str) -> str:
        path = folder / f"config-{environment['WANDB_RUN_ID']}.json"
        path.write_text(text, encoding="utf-8")
        return str(path)

    own = "python" if job.image else sys.executable
    interpreter = str(packages.python) if packages is not None else own
    words = [interpreter if word == "${interpreter}" else word for word in (*command, *job.arguments)]
    arguments = {name: {"value": value} for name, value in job.config.items()}
    return trial_command(words, None, arguments, json_file, environment) if words else []
