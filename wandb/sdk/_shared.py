"""Runs that several processes write, on however many machines (`mode="shared"`).

Each of them has a log and an uploader of its own, so none waits for another, and the server puts the run together. All
are given the same id. One is the primary: it brings the metadata, the config file and the code; settings say which of
the others end the run.
"""

from __future__ import annotations

import os

from .._terminal import termwarn
from ..errors import UsageError
from ._names import name_of_run, new_run_id
from .wandb_settings import Settings

# What launchers tell each process of a job: torchrun and its like, Slurm, Open MPI.
_RANKS = ("RANK", "SLURM_PROCID", "OMPI_COMM_WORLD_RANK")
_GENERATED = "generated"


def join_others(settings: Settings) -> None:
    """Settle what a writer needs beside the settings of a run that is written alone. Raises UsageError."""
    if settings.fork_from is not None or settings.resume_from is not None:
        raise UsageError("fork_from and resume_from are for a run that one process writes; a shared one stays whole")
    if settings.run_id is None:
        if not settings.x_primary:
            raise UsageError('mode="shared" needs the id of the run that the others write: wandb.init(id=...)')
        settings.update({"run_id": new_run_id()}, _GENERATED)
        termwarn(f'the shared run is new; the other writers join it with wandb.init(id="{settings.run_id}")')
    assert settings.run_id is not None
    if settings.run_name is None:
        settings.update({"run_name": name_of_run(settings.run_id)}, _GENERATED)  # the same for all writers
    if settings.x_label is None:
        settings.update({"x_label": _label(settings)}, _GENERATED)


def _label(settings: Settings) -> str:
    rank = next((os.environ[name] for name in _RANKS if os.environ.get(name, "").isdigit()), None)
    return f"rank{rank}" if rank is not None else f"{settings.host or os.uname().nodename}-{new_run_id(4)}"
