"""`wandb agent` in a terminal: what Ctrl-C and other signals mean to it and to its trials, and when it gives up."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, List, NamedTuple

import pytest
from gates import Gate

from wandb.sweeps import OfflineSweep

# Makes the terminal that is its standard input its own, as a shell would, and becomes the command.
IN_TERMINAL = """
import fcntl, os, sys, termios
os.setsid()
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.executable, [sys.executable, "-m", "wandb", "agent", *sys.argv[1:]])
"""
# Writes down each signal that comes, and ends after so many.
TRIAL = """
import os, signal, sys
count = 0
signals = {signal.SIGINT, signal.SIGTERM}
signal.pthread_sigmask(signal.SIG_BLOCK, signals)  # they wait until they are asked for, so that none is missed
with open("begun", "w") as gate: gate.write(f"{os.getpid()}\\n")
while count < int(sys.argv[1]):
    name = signal.Signals(signal.sigwait(signals)).name
    count += 1
    with open("signals", "a") as file: file.write(name + "\\n")
    with open("heard", "w") as gate: gate.write("it\\n")
"""


class Terminal:
    """A terminal with an agent in its foreground."""

    def __init__(self, sweep: OfflineSweep, *options: str, **environment: str) -> None:
        self.master, slave = os.openpty()
        command = [sys.executable, "-c", IN_TERMINAL, str(sweep.folder), *options]
        self.agent = subprocess.Popen(
            command, stdin=slave, stderr=subprocess.PIPE, text=True, env={**os.environ, **environment}
        )
        os.close(slave)

    def ctrl_c(self) -> None:
        os.write(self.master, b"\x03")

    def end(self) -> str:
        """What it has said, when it has ended."""
        said = self.agent.communicate()[1]
        os.close(self.master)
        return said


class Gates(NamedTuple):
    """Where a trial says its number when it begins, and something at each signal."""

    begun: Gate
    heard: Gate


@pytest.fixture
def gates(own_place: Path) -> Gates:
    (own_place / "trial.py").write_text(TRIAL)
    return Gates(Gate(own_place / "begun"), Gate(own_place / "heard"))


def make(place: Path, signals: int, **changes: Any) -> OfflineSweep:
    config = {"method": "grid", "parameters": {"lr": {"values": [1, 2, 3, 4, 5, 6]}}, "program": "trial.py"}
    config["command"] = ["${interpreter}", "${program}", str(signals)]
    return OfflineSweep.create(place / "wandb", {**config, **changes})


def heard(place: Path) -> List[str]:
    return (place / "signals").read_text().split()


def test_ctrl_c_reaches_the_trial_by_the_terminal_and_the_agent_waits_for_it(own_place: Path, gates: Gates) -> None:
    terminal = Terminal(make(own_place, 1))
    gates.begun.wait()
    terminal.ctrl_c()
    gates.heard.wait()
    said = terminal.end()
    assert terminal.agent.returncode == 128 + signal.SIGINT
    assert heard(own_place) == ["SIGINT"]
    assert said.count("has ended") == 1  # and no other one was begun


def test_a_second_ctrl_c_asks_the_trial_to_end(own_place: Path, gates: Gates) -> None:
    terminal = Terminal(make(own_place, 3))
    gates.begun.wait()
    terminal.ctrl_c()
    gates.heard.wait()
    terminal.ctrl_c()
    for _ in range(2):
        gates.heard.wait()
    terminal.end()
    assert terminal.agent.returncode == 128 + signal.SIGINT
    assert sorted(heard(own_place)) == ["SIGINT", "SIGINT", "SIGTERM"]


def test_forwarded_signals_reach_the_trial_once(own_place: Path, gates: Gates) -> None:
    terminal = Terminal(make(own_place, 2), "--forward-signals")
    gates.begun.wait()
    terminal.ctrl_c()
    gates.heard.wait()
    terminal.agent.send_signal(signal.SIGTERM)
    gates.heard.wait()
    terminal.end()
    assert terminal.agent.returncode == 128 + signal.SIGINT
    assert heard(own_place) == ["SIGINT", "SIGTERM"]


@pytest.mark.parametrize("given", ["option", "variable"])
def test_a_trial_that_does_not_end_in_time_is_killed(own_place: Path, gates: Gates, given: str) -> None:
    sweep = make(own_place, 99)
    if given == "option":
        terminal = Terminal(sweep, "--term-timeout", "0.1")
    else:
        terminal = Terminal(sweep, WANDB_AGENT_KILL_DELAY="0.1")
    trial = int(gates.begun.wait())
    terminal.agent.send_signal(signal.SIGTERM)
    gates.heard.wait()
    said = terminal.end()
    assert "ended by signal 9" in said
    assert terminal.agent.returncode == 128 + signal.SIGTERM
    assert not Path(f"/proc/{trial}").exists()


def test_a_trial_of_a_cancelled_sweep_is_asked_to_end(own_place: Path, gates: Gates) -> None:
    sweep = make(own_place, 1)
    terminal = Terminal(sweep)
    gates.begun.wait()
    sweep.set_state("CANCELED")
    gates.heard.wait()
    said = terminal.end()
    assert heard(own_place) == ["SIGTERM"]
    assert "is stopped" in said
    assert terminal.agent.returncode == 0


@pytest.mark.parametrize(
    ("options", "environment", "trials", "reason"),
    [
        ((), {}, 3, "3 trials have failed in the first 60 seconds; WANDB_AGENT_DISABLE_FLAPPING=true goes on"),
        ((), {"WANDB_AGENT_DISABLE_FLAPPING": "true"}, 6, ""),
        (("--max-consecutive-failed-runs", "2"), {}, 2, "2 trials in a row have failed"),
        (("--count", "1"), {}, 1, ""),
    ],
)
def test_an_agent_whose_trials_all_fail_gives_up(
    own_place: Path, options: Any, environment: Any, trials: int, reason: str
) -> None:
    sweep = make(own_place, 0, command=["false"])
    terminal = Terminal(sweep, *options, **environment)
    said = terminal.end()
    assert said.count("failed with exit code 1") == trials
    assert terminal.agent.returncode == (1 if reason else 0)
    assert reason in said
