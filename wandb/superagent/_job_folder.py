"""The folder of a job on the agent's machine: everything that is to be known of it, for whoever comes next.

    wandb/superagent/
        agent-ID         held with flock by an agent for as long as it lives
        lock             held with flock for the instant in which an agent takes over what another one left
        jobs/NUMBER/     NUMBER-2 where the job is handed out for the second time
            job.json     what was taken from which queue, and what the keeper is to do
            owner        the name of the agent that looks after it
            keeper       held with flock by the keeper; its number
            output.log   what the job prints
            end.json     how it ended; then the keeper is gone
            work/        its code, where that was fetched for it

No key and no password stands here: a job finds them in its environment.
"""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path
from typing import Any, Dict, Iterator, Mapping, NamedTuple, Optional, Sequence

from wandb_storage import LockFile, make_private_folder, read_held

from .._new_file import new_file
from ._server import item_number

# Of jobs that are over, what they have printed is kept for so many.
_KEPT_MAX = 100
# How lines of the agent's own begin, among what a job prints.
SAID = "wandb: "
_TRIES, _PAUSE_SECONDS = 500, 0.01
_MODE = 0o600


class Record(NamedTuple):
    """What is written down of a job when it is taken."""

    item: str
    launch_agent: str  # the agent as the server knows it
    queue: str
    title: str
    handed: int = 1  # for the so-manieth time
    run_id: str = ""
    gpus: Sequence[str] = ()
    # What the keeper does, once it is known.
    words: Sequence[str] = ()
    folder: str = ""
    packages: str = ""  # the virtual environment that it runs in
    memory_bytes_max: Optional[int] = None
    seconds_max: Optional[float] = None
    kill_delay: float = 30.0


class Ending(NamedTuple):
    """How a job ended. `reason`: in words for people, where its exit code doesn't say it all."""

    exit_code: int
    reason: str = ""


class JobFolder:
    """One job's folder. Safe between processes that keep to who does what."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.output, self.work = path / "output.log", path / "work"

    @property
    def record(self) -> Record:
        """Raises OSError, ValueError."""
        try:
            return Record(**_read_json(self.path / "job.json"))
        except TypeError as error:
            raise ValueError(f"{self.path} holds no job: {error}") from None

    def write_record(self, record: Record) -> None:
        _write_json(self.path / "job.json", record._asdict())

    @property
    def owner(self) -> str:
        try:
            return (self.path / "owner").read_text(encoding="utf-8")
        except FileNotFoundError:
            return ""

    def write_owner(self, agent: str) -> None:
        with new_file(self.path / "owner", _MODE) as file:
            file.write(agent.encode())

    # --- the keeper ---------------------------------------------------------------------------------------------------

    @property
    def keeper_lock(self) -> Path:
        return self.path / "keeper"

    def keeper(self) -> Optional[Dict[str, Any]]:
        """What the keeper says of itself, `pid` and `job_pid`; None where there is none."""
        held = read_held(self.keeper_lock)
        if held is None:
            return None
        try:
            value = json.loads(held)
            return value if isinstance(value, dict) else {}
        except ValueError:
            return {}  # it has only begun to write

    @property
    def ending(self) -> Optional[Ending]:
        """None as long as the job goes on, or where nobody knows."""
        try:
            return Ending(**_read_json(self.path / "end.json"))
        except (FileNotFoundError, ValueError, TypeError):
            return None

    def write_ending(self, ending: Ending) -> None:
        _write_json(self.path / "end.json", ending._asdict())

    def last_lines(self, lines: int, bytes_max: int = 4000) -> str:
        """The end of what the job has printed, without what was said before it began."""
        try:
            with self.output.open("rb") as file:
                file.seek(max(0, self.output.stat().st_size - bytes_max))
                text = file.read(bytes_max).decode("utf-8", "replace")
        except OSError:
            return ""
        printed = [line for line in text.splitlines() if not line.startswith(f"{SAID}$ ")]
        return "\n".join(printed[-lines:])

    def close(self) -> None:
        """The job is over and told: what it has printed stays for a while."""
        (self.path / "owner").unlink(missing_ok=True)
        shutil.rmtree(self.work, ignore_errors=True)


class AgentFolder:
    """`wandb/superagent`, as one agent uses it from `open` to `close`."""

    def __init__(self, path: Path, agent: str) -> None:
        self.path, self.agent = path, agent
        self._lock: Optional[LockFile] = None

    def open(self) -> None:
        """Raises OSError."""
        make_private_folder(self.path)
        (self.path / "jobs").mkdir(mode=0o700, exist_ok=True)
        self._lock = LockFile(self.path / f"agent-{self.agent}")
        self._lock.acquire(_TRIES, _PAUSE_SECONDS)  # it is held already, for an instant, by whoever asks about it
        self._forget_the_old()

    def close(self) -> None:
        if self._lock is not None:
            self._lock.path.unlink(missing_ok=True)  # while it is held, so that nobody finds it free
            self._lock.release()
            self._lock = None

    def new_job(self, record: Record) -> JobFolder:
        """The folder for a job that was taken. Raises OSError."""
        name = "".join(letter if letter.isalnum() else "_" for letter in item_number(record.item))
        path = self.path / "jobs" / (name if record.handed == 1 else f"{name}-{record.handed}")
        shutil.rmtree(path, ignore_errors=True)
        path.mkdir(mode=0o700)
        folder = JobFolder(path)
        folder.write_record(record)
        folder.write_owner(self.agent)
        return folder

    def take_over(self) -> Iterator[JobFolder]:
        """Jobs whose agent is gone. They are this agent's from then on."""
        lock = LockFile(self.path / "lock")
        try:
            if not lock.acquire(_TRIES, _PAUSE_SECONDS):
                return
            for path in sorted(path for path in (self.path / "jobs").iterdir() if path.is_dir()):
                folder = JobFolder(path)
                owner = folder.owner
                if owner and owner != self.agent and not lives(self.path, owner):
                    folder.write_owner(self.agent)
                    yield folder
        finally:
            lock.release()

    def _forget_the_old(self) -> None:
        over = [path for path in (self.path / "jobs").iterdir() if not JobFolder(path).owner]
        for path in sorted(over, key=lambda path: path.stat().st_mtime, reverse=True)[_KEPT_MAX:]:
            shutil.rmtree(path, ignore_errors=True)
        for path in self.path.glob("agent-*"):
            # One that begins makes its file and then holds it.
            if time.time() - path.stat().st_mtime > 60 and read_held(path) is None:
                path.unlink(missing_ok=True)


def lives(folder: Path, agent: str) -> bool:
    return read_held(folder / f"agent-{agent}") is not None


def any_agent_lives(folder: Path) -> bool:
    return any(read_held(path) is not None for path in folder.glob("agent-*"))


def _read_json(path: Path) -> Dict[str, Any]:
    value = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(value, dict):
        raise ValueError(f"{path} holds no object")
    return value


def _write_json(path: Path, value: Mapping[str, Any]) -> None:
    with new_file(path, _MODE) as file:
        file.write(json.dumps(value).encode())
