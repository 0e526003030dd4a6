"""A sweep without a server: a folder that its agents share, and the logs of its runs.

    wandb/sweep-ID/
        sweep.yaml         the configuration
        state.json         whether it is paused or stopped, and the local controller's plan
        lock               held with flock for the instant in which an agent is told something
        agent-ID           held with flock by an agent, and by the trial that it has started, for as long as they live
        trial-00001.json   a run: id and values, who was told to begin it, how often, and how often it had begun by then

How a run is doing stands nowhere here: its own log says it, written through the write-ahead log as that of any run. So
agents, controllers and machines can die at any instant: what they were told is on disk before they hear it, and the
next one goes on from there.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import secrets
import string
from pathlib import Path
from typing import Any, Collection, Dict, Iterator, List, Mapping, NamedTuple, Optional, Sequence

from wandb_storage import LockFile, LogError, read_held

from .._run_folders import run_folders
from ..errors import UsageError
from ..replay import Replay
from ._config import Checked, check_config
from ._dispatch import OVER, RUNNING, STATES, Answer, Plan, SweepRun, answer
from ._home import EXIT, RESUME, RUN, STOP, Command
from ._search import ENDED, Trial, nested, values_of

_ALPHABET = string.ascii_lowercase + string.digits
_FILE_BYTES_MAX = 16 << 20
# What a log says of how its run ended, as a sweep sees it.
_STATES = {"running": "running", "finished": "finished", "failed": "failed"}


class OfflineSweep:
    """A sweep in a folder. Safe between threads, processes, and the machines that share the folder's locks."""

    def __init__(self, folder: Path) -> None:
        """Raises UsageError where there is no such sweep."""
        if not (folder / "sweep.yaml").is_file():
            raise UsageError(f"there is no sweep in {folder}; `wandb sweep CONFIG.yaml --offline` makes one")
        self.folder = folder
        self.id = folder.name[len("sweep-") :]
        self._agents: Dict[str, LockFile] = {}
        self._known: Dict[str, _Known] = {}

    @classmethod
    def create(cls, wandb_folder: Path, config: Mapping[str, Any]) -> OfflineSweep:
        """A new sweep below a wandb folder. Raises SweepConfigError, OSError."""
        check_config(config)
        folder = wandb_folder / f"sweep-{new_id()}"
        folder.mkdir(mode=0o700, parents=True)
        import yaml

        _write(folder / "sweep.yaml", yaml.safe_dump(dict(config), sort_keys=False))
        return cls(folder)

    @property
    def label(self) -> str:
        return str(self.folder)

    @property
    def path(self) -> str:
        return str(self.folder) if self.folder.parent.parent != Path.cwd() else self.id

    @property
    def environment(self) -> Mapping[str, str]:
        return {"WANDB_MODE": "offline", "WANDB_DIR": str(self.folder.parent.parent)}

    @property
    def config(self) -> Mapping[str, Any]:
        import yaml

        config = yaml.safe_load(_read(self.folder / "sweep.yaml"))
        return dict(config)

    # --- agents -------------------------------------------------------------------------------------------------------

    def register(self) -> str:
        agent = new_id()
        lock = self._agents[agent] = LockFile(self.folder / f"agent-{agent}")
        lock.acquire(tries=1, pause_seconds=0.0)  # nobody else knows the name
        return agent

    def held_by(self, agent: str) -> Collection[int]:
        return (self._agents[agent].fileno(),)

    def beat(self, agent: str, alive: Collection[str]) -> List[Command]:
        with self._locked():
            checked = check_config(self.config)
            runs = self.runs()
            state = self._read_state()
            plan = Plan(state["plan"].get("schedule") or (), state["scheduled"])
            given = answer(self.id, checked, state["state"], agent, alive, runs, plan)
            for run in given.failed:
                self._change(run, failed=True)
            return self._carry_out(given, agent, checked, state)

    def _carry_out(self, given: Answer, agent: str, checked: Checked, state: Dict[str, Any]) -> List[Command]:
        if given.stop:
            return [Command(STOP, run) for run in given.stop]
        if given.hand_again is not None:
            run, held = given.hand_again, self._trials()[given.hand_again]
            sessions = self._known[run].sessions if given.resume else held["sessions"]
            again = held["handed"] + 1 if held["agent"] == agent and not given.resume else 1
            self._change(run, agent=agent, handed=again, sessions=sessions)
            return [Command(RESUME if sessions else RUN, run, held["arguments"])]
        if given.planned is not None:
            begun = self._begin(agent, given.planned["data"]["args"], state)
            entry = {"id": given.planned["id"], "runid": begun.run_id}
            self._write_state({**self._read_state(), "scheduled": [*state["scheduled"], entry]})
            return [begun]
        if given.begin is not None:
            return [self._begin(agent, nested(given.begin), state)]
        if given.finished:
            self._write_state({**state, "state": "FINISHED"})
        return [Command(EXIT)] if given.leave else []

    def _begin(self, agent: str, arguments: Mapping[str, Any], state: Dict[str, Any]) -> Command:
        run = new_id()
        trial = {"run": run, "agent": agent, "handed": 1, "failed": False, "sessions": 0, "arguments": arguments}
        _write(self.folder / f"trial-{len(self._trials()) + 1:05d}.json", json.dumps(trial))
        if state["state"] != RUNNING:
            self._write_state({**state, "state": RUNNING})
        return Command(RUN, run, arguments)

    def close(self) -> None:
        """Let go of the agents of this object: they are gone then."""
        for lock in self._agents.values():
            lock.release()
        self._agents.clear()

    def _lives(self, agent: str) -> bool:
        return agent in self._agents or read_held(self.folder / f"agent-{agent}") is not None

    # --- runs ---------------------------------------------------------------------------------------------------------

    def runs(self) -> Sequence[SweepRun]:
        checked = check_config(self.config)
        stopping = set(self._read_state()["plan"].get("earlystop") or ())
        trials = self._trials()
        # Before the logs: what is gone by now has written all that it will.
        alive = {agent for agent in {held["agent"] for held in trials.values()} if self._lives(agent)}
        folders = {run.run_id: run.path for run in run_folders(self.folder.parent)}
        found = []
        for run, held in trials.items():
            values = values_of(checked.parameters, held["arguments"])
            known = self._look(run, folders.get(run), checked)
            # Handed out, and not begun since.
            state = known.state if known.sessions > held["sessions"] else "failed" if held["failed"] else "pending"
            trial = Trial(values, state, known.metric)
            lives = state != "pending" or held["agent"] in alive
            found.append(SweepRun(run, trial, held["agent"], lives, held["handed"], run in stopping))
        return found

    def _look(self, run: str, folder: Optional[Path], checked: Checked) -> _Known:
        """What the run's log says."""
        known = self._known.get(run, _UNBEGUN)
        if folder is None or (known.folder == folder and known.state in ENDED):
            return known
        try:
            replay = Replay(folder)
            state = _STATES.get(replay.state, "crashed")
            if replay.scan().state.preempting and state != "finished":
                state = "preempting" if state == "running" else "preempted"
            known = _Known(folder, state, _metric(replay, checked), len(replay.sessions))
        except LogError:
            return known  # its writer hasn't come far, or it is damaged and an earlier look counts
        self._known[run] = known
        return known

    def _trials(self) -> Dict[str, Dict[str, Any]]:
        """By run, in their order."""
        found = {}
        for path in sorted(self.folder.glob("trial-*.json"), key=lambda path: int(path.stem.partition("-")[2])):
            trial = json.loads(_read(path))
            found[trial["run"]] = {**trial, "path": path}
        return found

    def _change(self, run: str, **changes: Any) -> None:
        trial = self._trials()[run]
        path = trial.pop("path")
        _write(path, json.dumps({**trial, **changes}))

    # --- state and plan -----------------------------------------------------------------------------------------------

    def state(self) -> str:
        return str(self._read_state()["state"])

    def set_state(self, state: str) -> None:
        if state not in STATES:
            raise UsageError(f"{state!r} is no state of a sweep; there are {', '.join(STATES)}")
        with self._locked():
            now = self._read_state()
            if now["state"] in OVER and state not in (*OVER, RUNNING):
                raise UsageError(f"the sweep {self.id} is {now['state'].lower()}; resume it first")
            self._write_state({**now, "state": state})

    def plan(self) -> Mapping[str, Any]:
        plan: Mapping[str, Any] = self._read_state()["plan"]
        return plan

    def scheduled(self) -> Sequence[Mapping[str, Optional[str]]]:
        found: Sequence[Mapping[str, Optional[str]]] = self._read_state()["scheduled"]
        return found

    def write_plan(self, plan: Mapping[str, Any]) -> None:
        with self._locked():
            self._write_state({**self._read_state(), "plan": dict(plan)})

    def _read_state(self) -> Dict[str, Any]:
        try:
            state: Dict[str, Any] = json.loads(_read(self.folder / "state.json"))
            return state
        except FileNotFoundError:
            return {"state": "PENDING", "plan": {}, "scheduled": []}

    def _write_state(self, state: Mapping[str, Any]) -> None:
        _write(self.folder / "state.json", json.dumps(state))

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        descriptor = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)


class _Known(NamedTuple):
    """What was read of a run."""

    folder: Optional[Path]
    state: str
    metric: Sequence[float]
    sessions: int


_UNBEGUN = _Known(None, "pending", (), 0)


def _metric(replay: Replay, checked: Checked) -> List[float]:
    if checked.metric is None:
        return []
    name = checked.metric["name"]
    rows = replay.history([name])
    return [row[name] for row in rows if isinstance(row[name], (int, float)) and not isinstance(row[name], bool)]


def new_id() -> str:
    """Eight letters and digits, as runs have them."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(8))


def _read(path: Path) -> str:
    with path.open(encoding="utf-8") as file:
        return file.read(_FILE_BYTES_MAX)


def _write(path: Path, text: str) -> None:
    """Complete or not at all, and there after a power loss."""
    temporary = path.with_name(f".{path.name}.new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        os.write(descriptor, text.encode())
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    os.replace(temporary, path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
