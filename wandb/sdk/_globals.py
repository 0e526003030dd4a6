"""The active run behind `wandb.run`, `wandb.config` and `wandb.summary`."""

from __future__ import annotations

import sys
from typing import Optional

from .._before_init import BeforeInit
from .wandb_run import Run

_active: Optional[Run] = None


def active_run() -> Optional[Run]:
    """The run that `wandb.run` names."""
    return _active


def set_active(run: Run) -> None:
    """Bind the module's names to a run."""
    global _active
    _active = run
    package = sys.modules["wandb"]
    for name, value in (("run", run), ("config", run.config), ("summary", run.summary)):
        setattr(package, name, value)


def clear_active(run: Run) -> None:
    """Unbind them, if they are bound to this run."""
    global _active
    if _active is not run:
        return
    _active = None
    package = sys.modules["wandb"]
    setattr(package, "run", None)  # noqa: B010 - an attribute that the type checker knows as a Run or None
    for name in ("config", "summary"):
        setattr(package, name, BeforeInit(name))
