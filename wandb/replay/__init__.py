"""A run from its log alone: what it was, what it logged, how it ended and how that is known.

    from wandb.replay import replay

    run = replay("latest")                # or an id, a folder, a file in it
    run.state, run.ended.evidence         # "crashed", "process 4711 on gpu-3 ended without …"
    run.config["lr"], run.summary["acc"]
    for row in run.history(["loss"]): …   # streamed: constant memory for any number of rows
    run.at(step=100).summary              # as it was then
    print(run.story())                    # what `wandb replay latest` prints

It works on a finished, a killed and a running run. It writes nothing, takes no lock that the writer waits for, and
needs no server. `_scan` is the one pass over the log, `_ended` tells the end, `_story` and its plots are for people,
`_export` for programs.
"""

import sys
from types import ModuleType
from typing import Any

from .._run_folders import RunFolder, run_folders
from ._ended import Ended
from ._folders import find_run, find_runs, wandb_directory
from ._history import History
from ._replay import Replay, replay
from ._scan import Session

__all__ = [
    "Ended", "History", "Replay", "RunFolder", "Session", "find_run", "find_runs", "replay", "run_folders",
    "wandb_directory",
]  # fmt: skip


class _CallableModule(ModuleType):
    """`wandb.replay("latest")`: the package and the function share a name, whichever was imported first."""

    def __call__(self, *arguments: Any, **options: Any) -> Replay:
        return replay(*arguments, **options)


sys.modules[__name__].__class__ = _CallableModule
