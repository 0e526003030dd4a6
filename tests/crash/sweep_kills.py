"""The reliability of sweeps: agents, and whole machines of agents, killed at random instants.

Four agents share an offline sweep over a grid, each in a process of its own, their trials in processes of theirs. At
random instants SIGKILL ends an agent alone, or an agent with its trial as when a machine goes down; another one is
started in its place. Some trials warn of being preempted before they die so. In the end each point of the grid has
one run; no run has begun twice, unless it was preempted and then gone on with; and every run whose program came to its
end has its row.

    python tests/crash/sweep_kills.py --trials 200 --seed 1
"""

from __future__ import annotations

import argparse
import collections
import fcntl
import os
import random
import secrets
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Callable, Counter, Dict, List, Mapping, Optional, Sequence, Tuple

import psutil
from spread import scratch_folder

from wandb.sweeps import OfflineSweep, SweepHome

AGENTS = 4
KILL_SECONDS_MAX = 0.8
_POINT = ("point",)
# Of the kills so many take the trial too.
_MACHINES = 0.6

AGENT = """
import sys
from wandb.sweeps import ProcessAgent, find
sys.exit(ProcessAgent(find(sys.argv[1]), beat_seconds=0.05).run())
"""
# Notes what has become of it when that is on the disk.
TRIAL = """
import os, random, time
import wandb

def note(what):
    with open("notes", "ab", buffering=0) as file:
        file.write(f"{run.id} {run.config.point} {what}\\n".encode())

with wandb.init(settings={"x_disable_stats": True, "disable_git": True, "console": "off"}) as run:
    note("begun")
    if run.config.point % 5 == 0 and not run.resumed:
        run.mark_preempting()
    for _ in range(3):
        time.sleep(random.uniform(0, 0.1))
        run.log({"value": run.config.point})
note("ended")
"""


class Machine:
    """An agent, with its trials in its process group."""

    def __init__(self, sweep: str, place: Path, environment: Optional[Mapping[str, str]] = None) -> None:
        """sweep: its folder, or where it is on the server to which the environment leads."""
        self._command = [sys.executable, "-c", AGENT, sweep]
        self._place = place
        quiet = {"WANDB_AGENT_DISABLE_FLAPPING": "true", "WANDB_SILENT": "true"}
        self._environment = {**os.environ, **quiet, **(environment or {})}
        self._said = place / f"said-{secrets.token_hex(4)}"
        self.start()

    def start(self) -> None:
        with self._said.open("ab") as said:
            # Whoever inherits the file holds the lock, until the last of them has ended.
            fcntl.flock(said, fcntl.LOCK_SH)
            self.agent = subprocess.Popen(
                self._command, cwd=self._place, env=self._environment, start_new_session=True, stderr=said
            )

    @property
    def works(self) -> bool:
        """Whether a process of it is alive: an agent, or a trial that has outlived its own."""
        with self._said.open("ab") as said:
            try:
                fcntl.flock(said, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
        return False

    @property
    def tries(self) -> bool:
        """Whether its agent has a trial that is under way."""
        try:
            return bool(psutil.Process(self.agent.pid).children())
        except psutil.NoSuchProcess:
            return False

    def kill(self, with_trial: bool) -> None:
        if with_trial:
            os.killpg(self.agent.pid, signal.SIGKILL)
        else:
            self.agent.kill()
        self.agent.wait()


def grid(scratch: Path, trials: int) -> Dict[str, Any]:
    """The configuration of a sweep of so many trials; their program is put into the folder."""
    (scratch / "trial.py").write_text(TRIAL)
    parameters = {"point": {"values": list(range(1, trials + 1))}}
    config = {"method": "grid", "metric": {"name": "value"}, "parameters": parameters, "program": "trial.py"}
    return {**config, "command": ["${interpreter}", "${program}"]}


def kill_one(machines: Sequence[Machine], rng: random.Random, tried: Counter[str]) -> None:
    """An agent of those that work, alone or with its trial; another one is started in its place."""
    alive = [machine for machine in machines if machine.agent.poll() is None]
    if alive:
        with_trial = rng.random() < _MACHINES
        machine = rng.choice(alive)
        machine.kill(with_trial)
        tried["kills"] += 1
        tried["machines"] += with_trial
        machine.start()


def campaign(scratch: Path, trials: int, kills: int, seed: int) -> Tuple[Counter[str], str]:
    """What was tried, and the first thing that was wrong."""
    rng, tried = random.Random(seed), Counter[str]()
    sweep = OfflineSweep.create(scratch / "wandb", grid(scratch, trials))
    machines = [Machine(str(sweep.folder), scratch) for _ in range(AGENTS)]
    told = time.monotonic()
    while any(machine.agent.poll() is None for machine in machines):
        time.sleep(rng.uniform(0, KILL_SECONDS_MAX))
        if tried["kills"] < kills:
            kill_one(machines, rng, tried)
        if time.monotonic() - told > 10:
            told = time.monotonic()
            print(f"... {tried['kills']} kills", file=sys.stderr, flush=True)
    return tried, wrong(scratch, sweep, trials, tried)


def wrong(scratch: Path, sweep: SweepHome, trials: int, tried: Counter[str]) -> str:
    """The first thing that is wrong with the sweep's runs when all of them have ended; empty for nothing."""
    runs = _when_all_have_ended(sweep)
    notes: Dict[str, List[str]] = collections.defaultdict(list)
    for line in (scratch / "notes").read_text().splitlines():
        run, _, what = line.split()
        notes[run].append(what)
    points = collections.Counter(run.trial.values[_POINT] for run in runs)
    if points != dict.fromkeys(range(1, trials + 1), 1):
        return f"points that were tried more or less than once: {points}"
    if not set(notes) <= {run.id for run in runs}:
        return "a run that the sweep doesn't know was begun"
    for run in runs:
        point, told = run.trial.values[_POINT], notes[run.id]
        tried["runs"] += 1
        tried[run.trial.state] += 1
        tried["resumed"] += told.count("begun") > 1
        if told.count("begun") > 1 and point % 5:
            return f"run {run.id} of point {point} was begun {told.count('begun')} times"
        if told.count("ended") > 1:
            return f"run {run.id} of point {point} came to its end {told.count('ended')} times"
        if "ended" in told and (run.trial.state != "finished" or list(run.trial.metric)[-3:] != [point] * 3):
            return f"run {run.id} of point {point} came to its end and is {run.trial.state}, {run.trial.metric}"
        if run.trial.state not in ("finished", "crashed", "failed"):
            return f"run {run.id} of point {point} is {run.trial.state}"
    return ""


def _when_all_have_ended(sweep: SweepHome) -> List[Any]:
    """Trials whose agent was killed go on by themselves."""
    deadline = time.monotonic() + 120
    while True:
        runs = list(sweep.runs())
        if not any(run.trial.state in ("running", "preempting") for run in runs) or time.monotonic() > deadline:
            return runs
        time.sleep(0.1)


def run_as_asked(
    description: str, campaign: Callable[[Path, int, int, int], Tuple[Counter[str], str]]
) -> Tuple[Counter[str], str, str]:
    """Run a campaign as the command line says; what was tried, what was lost, and how the line about it ends."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--trials", type=int, default=200)
    parser.add_argument("--kills", type=int, help="so many at most [as many as trials]")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    arguments = parser.parse_args()
    start = time.monotonic()
    kills = arguments.trials if arguments.kills is None else arguments.kills
    with scratch_folder() as scratch:
        tried, lost = campaign(scratch, arguments.trials, kills, arguments.seed)
    told = f"seed {arguments.seed}, {time.monotonic() - start:.0f} s: {'LOST: ' + lost if lost else '0 lost'}"
    return tried, lost, told


def main() -> int:
    tried, lost, told = run_as_asked(__doc__.splitlines()[0], campaign)
    print(
        f"sweeps: {tried['runs']} trials by {AGENTS} agents, {tried['kills']} of them killed, {tried['machines']} with "
        f"their trials; {tried['finished']} finished, {tried['crashed']} died, {tried['resumed']} were gone on with, "
        f"{told}"
    )
    return 1 if lost else 0


if __name__ == "__main__":
    sys.exit(main())
