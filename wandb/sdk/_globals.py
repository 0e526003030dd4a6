"""The active run behind `wandb.run`, `wandb.config`, `wandb.summary` and `wandb.log`."""

from __future__ import annotations

import sys
from typing import Any, NoReturn, Optional

from ..errors import Error
from .wandb_run import Run

_active: Optional[Run] = None


class BeforeInit:
    """Stands for the config and the summary while there is no run: every use says what is missing."""

    def __init__(self, name: str) -> None:
        self.__dict__["_name"] = name

    def _fail(self) -> NoReturn:
        raise Error(f"You must call wandb.init() before wandb.{self.__dict__['_name']}")

    def __getattr__(self, key: str) -> Any:
        if key.startswith("__"):
            raise AttributeError(key)
        self._fail()

    def __setattr__(self, key: str, value: Any) -> None:
        self._fail()

    def __getitem__(self, key: str) -> Any:
        self._fail()

    def __setitem__(self, key: str, value: Any) -> None:
        self._fail()

    def __repr__(self) -> str:
        return f"<wandb.{self.__dict__['_name']}: no run yet>"


def function_before_init(name: str) -> Any:
    """Stands for a function that needs a run."""

    def call(*_: Any, **__: Any) -> NoReturn:
        raise Error(f"You must call wandb.init() before wandb.{name}()")

    call.__name__ = name
    call.__doc__ = f"`{name}` of the active run. Raises Error before `wandb.init`."
    return call


RUN_FUNCTIONS = ("alert", "define_metric", "log", "mark_preempting")


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
    for name in RUN_FUNCTIONS:
        setattr(package, name, getattr(run, name))


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
    for name in RUN_FUNCTIONS:
        setattr(package, name, function_before_init(name))
