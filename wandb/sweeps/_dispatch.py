"""What an agent that says it lives is told to do: the one rule of the server's sweeps and of those without a server.

Nothing here reads or writes. Whoever asks holds the sweep's lock, or a transaction, until it has written down what the
answer says, so that no trial is handed out twice. A trial is:

* pending, from when it is handed out to its run's beginning. Its agent gets it again if it asks again, since the answer
  was lost; another agent gets it when that one is gone.
* preempted: whoever comes next goes on with it.
* running or ended: nobody gets it again.
"""

from __future__ import annotations

from typing import Any, Collection, Dict, List, Mapping, NamedTuple, Optional, Sequence

from ._config import Checked, Path
from ._early_stopping import runs_to_stop
from ._search import Trial, next_values

RUNNING, PAUSED, FINISHED = "RUNNING", "PAUSED", "FINISHED"
STATES = ("PENDING", RUNNING, PAUSED, FINISHED, "CANCELED", "STOPPED")
OVER = frozenset({FINISHED, "CANCELED", "STOPPED"})
# How often a run that doesn't begin is handed out before it counts as failed.
HANDED_MAX = 2


class SweepRun(NamedTuple):
    """A run of a sweep."""

    id: str
    trial: Trial
    agent: str = ""  # who was told to begin it last
    agent_lives: bool = True
    handed: int = 1  # how often that one was told
    stopping: bool = False  # somebody wants it to stop


class Plan(NamedTuple):
    """What a controller of the user's own has decided, and what has become of it."""

    schedule: Sequence[Mapping[str, Any]] = ()  # {"id": "abc", "data": {"args": {"lr": {"value": 0.1}}}}
    scheduled: Sequence[Mapping[str, Any]] = ()  # {"id": "abc", "runid": "k3j9x2ab"}

    def next(self) -> Optional[Mapping[str, Any]]:
        """The first entry that is no run yet."""
        begun = {entry.get("id") for entry in self.scheduled}
        return next((entry for entry in self.schedule if entry.get("id") not in begun), None)


NO_PLAN = Plan()


class Answer(NamedTuple):
    """What to tell the agent, and what to write down."""

    stop: Sequence[str] = ()  # its runs that are to stop
    hand_again: Optional[str] = None  # a run that is there already
    resume: bool = False  # that run has begun, and is gone on with
    begin: Optional[Dict[Path, Any]] = None  # the values of a new run
    planned: Optional[Mapping[str, Any]] = None  # an entry of the local controller's schedule that becomes a run
    failed: Sequence[str] = ()  # runs that never began
    leave: bool = False  # nothing is left for this agent
    finished: bool = False  # nor for anybody else


def answer(
    sweep_id: str,
    config: Checked,
    state: str,
    agent: str,
    alive: Collection[str],
    runs: Sequence[SweepRun],
    plan: Plan = NO_PLAN,
) -> Answer:
    """`alive`: the agent's runs that are under way. Raises SweepConfigError where nothing can be proposed."""
    stop = _to_stop(config, state, alive, runs)
    if stop:
        return Answer(stop=stop)
    if alive or state == PAUSED:
        return Answer()
    if state in OVER:
        return Answer(leave=True)
    failed: List[str] = []
    for run in runs:
        if run.trial.state == "pending" and run.agent == agent:
            if run.handed < HANDED_MAX:
                return Answer(hand_again=run.id)
            failed.append(run.id)
    for run in runs:
        if run.trial.state == "preempted" or (run.trial.state == "pending" and not run.agent_lives):
            return Answer(hand_again=run.id, resume=run.trial.state == "preempted", failed=failed)
    if config.local:
        return Answer(planned=plan.next(), failed=failed)
    trials = [run.trial._replace(state="failed") if run.id in failed else run.trial for run in runs]
    values = next_values(sweep_id, config, trials)
    if values is not None:
        return Answer(begin=values, failed=failed)
    states = {trial.state for trial in trials}
    if states & {"pending", "preempting"}:  # which may come back to be handed out
        return Answer(failed=failed)
    return Answer(leave=True, finished=not states & {"running"}, failed=failed)


def _to_stop(config: Checked, state: str, alive: Collection[str], runs: Sequence[SweepRun]) -> List[str]:
    mine = [run for run in runs if run.id in alive]
    if state == "CANCELED":
        return [*alive]
    early = {runs[stop.trial].id for stop in runs_to_stop(config, [run.trial for run in runs])} if mine else set()
    return [run.id for run in mine if run.stopping or run.id in early]
