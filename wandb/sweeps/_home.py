"""Where a sweep lives: on a server (`_remote`), or in a folder without any (`_offline`). Agents see no difference."""

from __future__ import annotations

from typing import Any, Collection, List, Mapping, NamedTuple, Optional, Protocol, Sequence

from ._dispatch import SweepRun

RUN, RESUME, STOP, EXIT = "run", "resume", "stop", "exit"


class Command(NamedTuple):
    """What an agent is told to do."""

    kind: str  # run, resume, stop or exit
    run_id: str = ""
    arguments: Mapping[str, Any] = {}  # {"lr": {"value": 0.1}}


class SweepHome(Protocol):
    """A sweep, for its agents and its controller. Safe between threads."""

    @property
    def id(self) -> str: ...

    @property
    def label(self) -> str:
        """What people call it: a URL or a folder."""

    @property
    def path(self) -> str:
        """By which `find` finds it from here."""

    @property
    def environment(self) -> Mapping[str, str]:
        """Variables that make a trial log to where the sweep is."""

    @property
    def config(self) -> Mapping[str, Any]:
        """As it stands now. Raises wandb.Error."""

    def register(self) -> str:
        """A new agent of this process; returns its id. Raises wandb.Error."""

    def held_by(self, agent: str) -> Collection[int]:
        """Descriptors for the agent's trials to inherit: the agent counts as alive while one of them goes on, since
        what it has started may still begin when it is dead itself."""

    def beat(self, agent: str, alive: Collection[str]) -> List[Command]:
        """Say that an agent and its runs live; returns what it has to do. Raises wandb.Error."""

    def state(self) -> str:
        """PENDING, RUNNING, PAUSED, FINISHED, CANCELED or STOPPED."""

    def set_state(self, state: str) -> None: ...

    def runs(self) -> Sequence[SweepRun]:
        """All runs of the sweep, the oldest first."""

    def plan(self) -> Mapping[str, Any]:
        """What the local controller has written: `schedule`, `earlystop`."""

    def scheduled(self) -> Sequence[Mapping[str, Optional[str]]]:
        """Which entries of the plan have become runs: `id` and `runid` of each."""

    def write_plan(self, plan: Mapping[str, Any]) -> None: ...
