"""What the integrations share: the library that each is for, and the run that it logs to."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Optional

from ..errors import Error
from ..sdk import _globals

if TYPE_CHECKING:
    from ..sdk.wandb_run import Run


def library(module: str, package: Optional[str] = None, hint: str = "") -> Any:
    """A module of the library that an integration is for; `package` is its name for pip.

    >>> library("json").loads("[1]")
    [1]

    Raises ImportError that says how to install it: that is what callers catch.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing != module.partition(".")[0]:
            raise  # the library is there, and lacks something that only it can name
        package = package or missing
        raise ModuleNotFoundError(
            f"this integration of wandb needs {package}: {hint or f'pip install {package}'}", name=error.name
        ) from None


def active_run(caller: str) -> Run:
    """The run that is active now. Raises Error that names the caller."""
    run = _globals.active_run()
    if run is None:
        raise Error(f"You must call wandb.init() before {caller}")
    return run
