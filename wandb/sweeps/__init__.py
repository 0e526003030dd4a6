"""Sweeps: what to try next, which runs to stop, and who runs them.

`_config` checks a configuration and says what is wrong by its path; `_distributions` turns the unit interval into
values and back; `_search` proposes the next run, `_bayes` the same by a Gaussian process; `_early_stopping` names runs
that won't come to anything. None of these remembers anything: all is derived from the runs that there are.

The server's sweeps, the local controller and offline sweeps search through the same functions.
"""

from __future__ import annotations

from ._config import Checked, Parameter, SweepConfigError, check_config
from ._early_stopping import Stop, runs_to_stop
from ._search import Trial, grid_size, losses, nested, next_values, runs_expected, values_of

__all__ = [
    "Checked",
    "Parameter",
    "Stop",
    "SweepConfigError",
    "Trial",
    "check_config",
    "grid_size",
    "losses",
    "nested",
    "next_values",
    "runs_expected",
    "runs_to_stop",
    "values_of",
]
