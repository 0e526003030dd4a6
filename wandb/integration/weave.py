"""Weave, which asks here to which run its traces belong.

`import weave` looks for a run that is active, and `wandb.init` begins Weave in a program that has imported it before:
WANDB_DISABLE_WEAVE=true keeps both apart.
"""

from __future__ import annotations

import dataclasses
import importlib
import sys
import threading
from typing import List, Optional

from .._terminal import termlog, termwarn
from ..env import _flag
from ..errors import UsageError
from ..sdk import _globals

__all__ = [
    "RunPath", "active_run_path", "build_project_path", "ensure_version", "init_weave", "init_weave_if_imported",
]  # fmt: skip

_lock = threading.Lock()  # weave.init is not to be called by two threads


@dataclasses.dataclass(frozen=True)
class RunPath:
    """Where a run logs to; no part is empty."""

    entity: str
    project: str
    run_id: str


def active_run_path() -> Optional[RunPath]:
    """That of the active run; None where none is active, and where its entity is not known, as it is offline."""
    run = _globals.active_run()
    if run is None or not (run.entity and run.project and run.id):
        return None
    return RunPath(run.entity, run.project, run.id)


def build_project_path(entity: Optional[str], project: Optional[str]) -> Optional[str]:
    """A project's path as Weave takes it.

    >>> build_project_path("me", "digits"), build_project_path(None, "digits"), build_project_path("me", None)
    ('me/digits', 'digits', None)
    """
    return f"{entity}/{project}" if entity and project else project or None


def ensure_version(min_version: str, error_msg: Optional[str] = None) -> None:
    """Raise ImportError unless Weave is installed in this version or a later one."""
    needed = error_msg or f"weave>={min_version} required"
    try:
        weave = importlib.import_module("weave")
    except ModuleNotFoundError as error:
        raise ImportError(f"{needed}: pip install -U weave") from error
    found = str(getattr(weave, "__version__", "0"))
    if _numbers(found) < _numbers(min_version):
        raise ImportError(f"{needed}; found weave=={found}: pip install -U weave")


def init_weave(entity: Optional[str], project: Optional[str]) -> None:
    """Begin Weave for a project. Raises UsageError without a project, where Weave is on for another one, and where
    WANDB_DISABLE_WEAVE is set."""
    if _is_disabled():
        raise UsageError("weave is required, but WANDB_DISABLE_WEAVE is true")
    path = build_project_path(entity, project)
    if path is None:
        raise UsageError("init_weave: a project is needed")
    _init(path)


def init_weave_if_imported(entity: Optional[str], project: Optional[str]) -> None:
    """Begin Weave where the program has imported it; where that fails, a warning says why."""
    path = build_project_path(entity, project)
    if path is None or "weave" not in sys.modules or _is_disabled():
        return
    termlog("Initializing weave.")
    try:
        _init(path)
    except Exception as error:  # whatever it is, the run goes on without Weave
        termwarn(f"weave could not be initialized: {error}")


def _is_disabled() -> bool:
    return _flag("WANDB_DISABLE_WEAVE")


def _numbers(version: str) -> List[int]:
    """A version to compare, without what follows its numbers: 0.51.54-dev0."""
    numbers = []
    for part in version.split("."):
        digits = part[: len(part) - len(part.lstrip("0123456789"))]
        if not digits:
            break
        numbers.append(int(digits))
    return numbers


def _init(path: str) -> None:
    with _lock:
        weave = importlib.import_module("weave")
        get_client = getattr(weave, "get_client", None)
        client = get_client() if get_client is not None else None
        if client is not None:
            there = build_project_path(client.entity, client.project)
            if there != path:
                raise UsageError(f"weave is initialized for {there} already, and can't be for {path}")
            if client.ensure_project_exists:
                return
        weave.init(path)
