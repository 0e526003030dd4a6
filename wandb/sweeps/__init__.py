"""Sweeps: what to try next, which runs to stop, and who runs them.

`_config` checks a configuration and says what is wrong by its path; `_distributions` turns the unit interval into
values and back; `_search` proposes the next run, `_bayes` the same by a Gaussian process; `_early_stopping` names runs
that won't come to anything. `_dispatch` says what an agent is told. None of these remembers anything: all is derived
from the runs that there are. The server's sweeps, the local controller and offline sweeps go by the same functions.

Where a sweep lives is its home (`_home`): on a server (`_remote`), or in a folder (`_offline`). `_agent` works for
either: it runs a command for each trial (`_trials`, `_macros`), or calls a function. `_controller` decides in the place
of a server. `_functions` is what people call.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from ._config import Checked, Parameter, SweepConfigError, check_config, check_leniently
from ._dispatch import OVER, STATES, Answer, Plan, SweepRun, answer
from ._early_stopping import Stop, runs_to_stop
from ._search import Trial, check_searchable, grid_size, losses, nested, next_values, runs_expected, upcoming, values_of

if TYPE_CHECKING:
    from ._agent import FunctionAgent, ProcessAgent
    from ._controller import Controller, ControllerError, Proposal
    from ._functions import agent, controller, create, find, read_config, sweep
    from ._home import Command, SweepHome
    from ._offline import OfflineSweep
    from ._remote import RemoteSweep

__all__ = [
    "OVER", "STATES", "Answer", "Checked", "Command", "Controller", "ControllerError", "FunctionAgent",
    "OfflineSweep", "Parameter", "Plan", "ProcessAgent", "Proposal", "RemoteSweep", "Stop", "SweepConfigError",
    "SweepHome", "SweepRun", "Trial", "agent", "answer", "check_config", "check_leniently", "check_searchable",
    "controller", "create", "find", "grid_size", "losses", "nested", "next_values", "read_config", "runs_expected",
    "runs_to_stop", "sweep", "upcoming", "values_of",
]  # fmt: skip

# What the server, which only searches, does without.
_HOMES = {
    "Command": "._home",
    "Controller": "._controller",
    "ControllerError": "._controller",
    "FunctionAgent": "._agent",
    "OfflineSweep": "._offline",
    "ProcessAgent": "._agent",
    "Proposal": "._controller",
    "RemoteSweep": "._remote",
    "SweepHome": "._home",
    "agent": "._functions",
    "controller": "._functions",
    "create": "._functions",
    "find": "._functions",
    "read_config": "._functions",
    "sweep": "._functions",
}


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'wandb.sweeps' has no attribute {name!r}")
    value = getattr(importlib.import_module(home, __name__), name)
    globals()[name] = value
    return value
