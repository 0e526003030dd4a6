"""A search of one's own: a controller in user code decides what a sweep tries, and agents try it.

    python examples/own_search.py --trials 12

Here it goes on from the best point so far, in steps that become smaller. It needs no server: with the mode `offline`
the sweep is a folder. Start more agents beside it with `wandb agent SWEEP`, on other machines too where they share the
folder, or where the sweep is on a server.
"""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Dict, Sequence

import wandb
from wandb.sweeps import Proposal, SweepRun

SIZES = {"x": 5.0, "y": 5.0}


def train() -> None:
    """What is searched: the valley of Rosenbrock's function, whose lowest point is at (1, 1)."""
    with wandb.init() as run:
        x, y = run.config.x, run.config.y
        run.log({"loss": (1 - x) ** 2 + 100 * (y - x * x) ** 2})


def propose(runs: Sequence[SweepRun], source: random.Random) -> Proposal:
    """Anywhere at first, then near the best."""
    ended = [run for run in runs if run.trial.metric]
    if len(ended) < 4:
        return Proposal({name: {"value": source.uniform(-size, size)} for name, size in SIZES.items()})
    best = min(ended, key=lambda run: run.trial.metric[-1]).trial.values
    width = 2.0 / len(ended)
    return Proposal({name: {"value": best[(name,)] + source.gauss(0, width)} for name in SIZES})


def search(trials: int) -> None:
    config: Dict[str, Any] = {
        "method": "random",
        "controller": {"type": "local"},
        "metric": {"name": "loss", "goal": "minimize"},
        "parameters": {name: {"min": -size, "max": size} for name, size in SIZES.items()},
        "run_cap": trials,
        "program": str(Path(__file__).absolute()),
        "command": ["${interpreter}", "${program}", "--train"],
    }
    controller = wandb.controller(config)
    with subprocess.Popen([sys.executable, "-m", "wandb", "agent", controller.sweep_id]):
        source = random.Random(1)
        while not controller.done():
            # None where something waits to be begun, or where there have been as many trials as there may be.
            if controller.search() is not None:
                controller.schedule(propose(controller.runs, source))
            controller.step()
            time.sleep(0.2)
    best = min(controller.runs, key=lambda run: min(run.trial.metric, default=float("inf")))
    print(f"best of {len(controller.runs)}: {best.trial.metric[-1]:.4g} at {best.trial.values}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=12)
    parser.add_argument("--train", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.train:
        train()
    else:
        search(arguments.trials)
