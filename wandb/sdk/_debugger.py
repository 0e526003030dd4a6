"""`wandb.set_trace`, by which scripts of the client of 2020 stop in the debugger."""

from __future__ import annotations

import pdb
import sys

_STDOUT = 1


def set_trace() -> None:
    """Stop in the debugger, in the function that calls this.

        loss = step(batch)
        if loss != loss:
            wandb.set_trace()

    It writes past Python's streams: nothing of the session is captured as the program's output.
    """
    terminal = open(_STDOUT, "w", closefd=False)  # noqa: SIM115  the session goes on after this function
    pdb.Pdb(stdin=sys.__stdin__, stdout=terminal).set_trace(sys._getframe(1))
