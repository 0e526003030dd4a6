"""Jobs that wait in queues of a server, and the superagent that runs them on a machine.

A job is a JSON object (`_spec`): a command, where its code comes from, what it needs, what it may use. `_push` makes
one of a command line and the folder it is given in; `_server` speaks to the server that holds the queues, ours or
W&B's.

The superagent (`_agent`) takes jobs from queues as long as it has room for them. Each gets a folder (`_job_folder`) in
which everything stands that is to be known of it, so that an agent that comes after a killed one goes on with its jobs.
It is prepared in a thread (`_job`): its code (`_sources`), its packages in a virtual environment that jobs with the
same requirements share (`_environments`). Then it runs under a keeper (`_keeper`), a small process that outlives the
agent, holds the job to its limits, and writes down how it ended. `_launchers` lets a job run elsewhere: through SLURM,
or as a Kubernetes Job (`_kubernetes`).

What dies, and what is left:

* The agent: its jobs go on. An agent that is started in the same folder takes them over; where none comes, their
  keepers end them before the server hands them out again.
* The machine: the server hands its jobs out again, to one agent each, when it was silent for as long as a lease lasts.
* The server, or the network to it: jobs go on, and what there is to be told is told later. A server that was away gives
  everybody time to be heard. Only where a machine alone was cut off for longer than a lease, its job runs twice until
  it is back: then it learns that the job is another's, and ends it. Each attempt is a run of its own.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ._agent import Superagent, run_agent
    from ._server import QueueServer
    from ._spec import Job, JobError, parse_job

__all__ = ["Job", "JobError", "QueueServer", "Superagent", "parse_job", "run_agent"]

_HOMES = {
    "Job": "._spec",
    "JobError": "._spec",
    "QueueServer": "._server",
    "Superagent": "._agent",
    "parse_job": "._spec",
    "run_agent": "._agent",
}


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'wandb.superagent' has no attribute {name!r}")
    value = getattr(importlib.import_module(home, __name__), name)
    globals()[name] = value
    return value
