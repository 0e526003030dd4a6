"""The reliability of a server's sweeps: agents, whole machines of agents and the server killed at random instants.

Four agents share a sweep over a grid on `wandb server`; SIGKILL ends them as in `sweep_kills`, and now and then the
server, which comes back. A server waits for minutes before it takes a trial from an agent that is silent. So when
nothing but such trials is left, the power fails: everything is killed, comes back, and by the server's clock those
minutes have passed. In the end the sweep is finished, and what `sweep_kills` asks of it holds.

    python tests/crash/server_sweep_kills.py --trials 200 --seed 1
"""

from __future__ import annotations

import os
import random
import sys
import time
from pathlib import Path
from typing import Counter, List, Sequence, Tuple

from real_server import RealServer
from sweep_kills import AGENTS, KILL_SECONDS_MAX, Machine, grid, kill_one, run_as_asked, wrong

from wandb.apis._client import Client
from wandb.sweeps import RemoteSweep

# Of the kills so many are of the server.
_SERVERS = 0.1
# For longer than a server waits for an agent or a run that is silent.
_POWERLESS_SECONDS = 400.0
# When nothing has changed for so long, nothing will.
_STILL_SECONDS = 2.0
_POWER_FAILURES_MAX = 10
_ENDS_SECONDS = 120.0


class Hangs(Exception):
    """What doesn't come to its end."""


def campaign(scratch: Path, trials: int, kills: int, seed: int, agents: int = AGENTS) -> Tuple[Counter[str], str]:
    """What was tried, and the first thing that was wrong."""
    rng, tried, server = random.Random(seed), Counter[str](), RealServer(scratch)
    machines: List[Machine] = []
    server.start()
    try:
        environment = {**os.environ, "WANDB_BASE_URL": server.url, "WANDB_API_KEY": server.key, "WANDB_MODE": "online"}
        sweep, _ = RemoteSweep.create(Client(server.url, environment), grid(scratch, trials), None, "p")
        machines += [Machine(sweep.path, scratch, environment) for _ in range(agents)]
        _work(scratch / "notes", server, machines, kills, rng, tried)
        while sweep.state() != "FINISHED":
            if tried["failures"] == _POWER_FAILURES_MAX:
                raise Hangs(f"the sweep is {sweep.state()} for ever")
            _fail_power(server, machines)
            tried["failures"] += 1
            _work(scratch / "notes", server, machines, 0, rng, tried)
        _wait_until_idle(machines)
        return tried, wrong(scratch, sweep, trials, tried)
    except Hangs as error:
        return tried, str(error)
    finally:
        for machine in machines:
            if machine.agent.poll() is None:
                machine.kill(with_trial=True)
        server.kill()


def _work(
    notes: Path, server: RealServer, machines: Sequence[Machine], kills: int, rng: random.Random, tried: Counter[str]
) -> None:
    """Until all agents have gone, or there is nothing that they may do."""
    known, since = -1, time.monotonic()
    while any(machine.agent.poll() is None for machine in machines):
        time.sleep(rng.uniform(0, KILL_SECONDS_MAX))
        if kills and rng.random() < _SERVERS:
            server.kill()
            server.start()
            tried["servers"] += 1
        elif kills:
            kill_one(machines, rng, tried)
            kills -= 1
        for machine in machines:
            if machine.agent.poll():  # it began while the server was away
                machine.start()
        size = notes.stat().st_size if notes.exists() else 0
        if kills or size != known or any(machine.tries for machine in machines):
            known, since = size, time.monotonic()
        elif time.monotonic() - since > _STILL_SECONDS:
            return


def _fail_power(server: RealServer, machines: Sequence[Machine]) -> None:
    """Everything is killed, and comes back after a while."""
    for machine in machines:
        if machine.agent.poll() is None:
            machine.kill(with_trial=True)
    _wait_until_idle(machines)
    server.kill()
    server.ahead_seconds += _POWERLESS_SECONDS
    server.start()
    for machine in machines:
        machine.start()


def _wait_until_idle(machines: Sequence[Machine]) -> None:
    """Trials whose agent was killed go on by themselves, and come to their end."""
    deadline = time.monotonic() + _ENDS_SECONDS
    while any(machine.works for machine in machines):
        if time.monotonic() > deadline:
            raise Hangs("a trial never ends")
        time.sleep(0.05)


def main() -> int:
    tried, lost, told = run_as_asked(__doc__.splitlines()[0], campaign)
    print(
        f"sweeps of a server: {tried['runs']} trials by {AGENTS} agents, {tried['kills']} of them killed, "
        f"{tried['machines']} with their trials, {tried['servers']} kills of the server, {tried['failures']} of "
        f"everything; {tried['finished']} finished, {tried['crashed'] + tried['failed']} died, {tried['resumed']} were "
        f"gone on with, {told}"
    )
    return 1 if lost else 0


if __name__ == "__main__":
    sys.exit(main())
