"""A sweep's controller in a process of the user's: what `controller: {type: local}` in a configuration leaves it to.

It writes what it has decided into the sweep, as a schedule, and agents begin what they find there. All that it knows it
reads from the sweep, so one that was restarted goes on where it was.
"""

from __future__ import annotations

import time
from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Sequence

from .._terminal import termlog
from ..errors import Error, UsageError
from ._config import check_config
from ._dispatch import FINISHED, OVER, SweepRun
from ._early_stopping import runs_to_stop
from ._home import SweepHome
from ._search import ENDED, losses, nested, next_values

_STEP_SECONDS = 5.0


class ControllerError(Error):
    """A controller that can't do what it was asked to."""


class Proposal(NamedTuple):
    """What a search proposes: the values of a run by name, inner names inside of the value."""

    config: Mapping[str, Any]  # {"lr": {"value": 0.1}}


class Controller:
    """Decides what a sweep tries and which of its runs stop.

    >>> controller = wandb.controller("k3j9x2ab")                # doctest: +SKIP
    >>> controller.run()                                         # doctest: +SKIP

    With a search of one's own:

    >>> while not controller.done():                             # doctest: +SKIP
    ...     controller.schedule(my_search(controller.runs) or controller.search())
    ...     controller.stop_runs(controller.stopping())
    ...     controller.step()
    """

    def __init__(self, home: SweepHome) -> None:
        """Raises ControllerError for a sweep whose configuration names no local controller."""
        self._home = home
        self._checked = check_config(home.config)
        if not self._checked.local:
            raise ControllerError(
                "this sweep is controlled where it lives; add `controller: {type: local}` to its configuration"
            )
        self._runs: Sequence[SweepRun] = ()
        self._plan: Dict[str, Any] = {}
        self._scheduled: Sequence[Mapping[str, Optional[str]]] = ()
        self._entry = 0
        self._read()

    @property
    def sweep_id(self) -> str:
        """The sweep's id."""
        return self._home.id

    @property
    def sweep_config(self) -> Mapping[str, Any]:
        """Its configuration."""
        return self._home.config

    @property
    def runs(self) -> Sequence[SweepRun]:
        """The sweep's runs as the last step found them, the oldest first."""
        return self._runs

    def run(
        self, verbose: bool = False, print_status: bool = True, print_actions: bool = False, print_debug: bool = False
    ) -> None:
        """Control the sweep until it is over."""
        while not self.done():
            if print_status or verbose:
                self.print_status()
            self.schedule(self.search())
            self.stop_runs(self.stopping())
            self.step()
            if print_actions or verbose:
                self.print_actions()
            time.sleep(_STEP_SECONDS)

    def step(self) -> None:
        """Write what was decided since the last step, and read how the runs are doing."""
        begun = {entry["id"] for entry in self._scheduled}
        states = {run.id: run.trial.state for run in self._runs}
        self._plan["schedule"] = [entry for entry in self._plan.get("schedule", ()) if entry["id"] not in begun]
        self._plan["earlystop"] = [run for run in self._plan.get("earlystop", ()) if states.get(run) not in ENDED]
        self._home.write_plan(self._plan)
        self._read()

    def done(self) -> bool:
        """Whether the sweep is over."""
        return self._home.state() in OVER

    def search(self) -> Optional[Proposal]:
        """What the configuration's method tries next; None where something waits to be begun, or all is tried."""
        if self._waiting():
            return None
        values = next_values(self.sweep_id, self._checked, [run.trial for run in self._runs])
        if values is None and all(run.trial.state in ENDED for run in self._runs):
            self._home.set_state(FINISHED)
        return None if values is None else Proposal(nested(values))

    def schedule(self, run: Any) -> None:
        """Let an agent begin a run with the values of what `search` returned, or anything like it; None is nothing."""
        if run is None:
            return
        if not isinstance(getattr(run, "config", None), Mapping):
            raise UsageError("schedule takes what search returns, or anything whose `config` is {'name': {'value': …}}")
        entry = {"id": f"{len(self._runs) + len(self._plan.get('schedule', ())):06d}", "data": {"args": run.config}}
        self._plan.setdefault("schedule", []).append(entry)

    def stopping(self) -> List[SweepRun]:
        """The runs that `early_terminate` of the configuration says to stop."""
        return [self._runs[stop.trial] for stop in runs_to_stop(self._checked, [run.trial for run in self._runs])]

    def stop_runs(self, runs: Sequence[SweepRun]) -> None:
        """Stop these."""
        stopping = self._plan.setdefault("earlystop", [])
        stopping += [run.id for run in runs if run.id not in stopping]

    def print_status(self) -> None:
        """Say how the sweep stands, in one line."""
        counts: Dict[str, int] = {}
        for run in self._runs:
            counts[run.trial.state] = counts.get(run.trial.state, 0) + 1
        told = ", ".join(f"{count} {state}" for state, count in sorted(counts.items())) or "no runs yet"
        found = [value for value in losses(self._checked, [run.trial for run in self._runs]) if value is not None]
        if found and self._checked.metric is not None:
            best = min(found) if self._checked.metric["goal"] == "minimize" else -min(found)
            told += f"; best {self._checked.metric['name']} {best:.6g}"
        termlog(f"sweep {self.sweep_id}: {told}")

    def print_actions(self) -> None:
        """Say what waits to be begun and to be stopped."""
        waiting, stopping = len(self._waiting()), len(self._plan.get("earlystop", ()))
        termlog(f"sweep {self.sweep_id}: {waiting} to be begun, {stopping} to be stopped")

    def _waiting(self) -> List[Mapping[str, Any]]:
        begun = {entry["id"] for entry in self._scheduled}
        return [entry for entry in self._plan.get("schedule", ()) if entry["id"] not in begun]

    def _read(self) -> None:
        self._runs = self._home.runs()
        self._plan = {key: list(value) for key, value in self._home.plan().items()}
        self._scheduled = self._home.scheduled()
