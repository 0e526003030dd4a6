"""An experiment tracker that never loses a number and never slows a training loop.

>>> import wandb
>>> with wandb.init(project="digits", config={"lr": 0.1}, mode="disabled") as run:
...     run.log({"loss": 0.5})

Importing this package starts, opens and patches nothing, and loads its parts when they are first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, List, Optional

from . import errors
from ._before_init import BeforeInit, function_before_init
from .errors import CommError, Error, UsageError

if TYPE_CHECKING:
    from .replay import replay
    from .sdk._terminal import termerror, termlog, termwarn
    from .sdk.wandb_config import Config
    from .sdk.wandb_init import finish, init
    from .sdk.wandb_login import login
    from .sdk.wandb_run import Run
    from .sdk.wandb_settings import Settings
    from .sdk.wandb_setup import setup, teardown
    from .sdk.wandb_summary import Summary

__version__ = "1.0.0.dev0"

# The active run and its parts: bound by `init`, unbound by `finish`.
run: Optional[Run] = None
config: Any = BeforeInit("config")
summary: Any = BeforeInit("summary")
log: Any = function_before_init("log")
alert: Any = function_before_init("alert")
define_metric: Any = function_before_init("define_metric")
mark_preempting: Any = function_before_init("mark_preempting")

# Where the names live that are loaded on first use.
_HOMES = {
    "Config": ".sdk.wandb_config",
    "Run": ".sdk.wandb_run",
    "Settings": ".sdk.wandb_settings",
    "Summary": ".sdk.wandb_summary",
    "finish": ".sdk.wandb_init",
    "init": ".sdk.wandb_init",
    "login": ".sdk.wandb_login",
    "replay": ".replay",
    "setup": ".sdk.wandb_setup",
    "teardown": ".sdk.wandb_setup",
    "termerror": ".sdk._terminal",
    "termlog": ".sdk._terminal",
    "termwarn": ".sdk._terminal",
}

__all__ = [
    "CommError",
    "Config",
    "Error",
    "Run",
    "Settings",
    "Summary",
    "UsageError",
    "__version__",
    "alert",
    "config",
    "define_metric",
    "errors",
    "finish",
    "init",
    "log",
    "login",
    "mark_preempting",
    "replay",
    "run",
    "setup",
    "summary",
    "teardown",
    "termerror",
    "termlog",
    "termwarn",
]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'wandb' has no attribute {name!r}")
    try:
        value = getattr(importlib.import_module(home, __name__), name)
    except (ImportError, AttributeError) as error:
        # Two distributions are called wandb, and installing one over the other can leave files of both.
        raise ImportError(
            f"this installation of wandb is incomplete or mixed with another package of that name ({error}). "
            f"Remove {__path__[0]} after `pip uninstall wandb`, and install it again"
        ) from error
    globals()[name] = value
    return value


def __dir__() -> List[str]:
    return sorted({*globals(), *_HOMES})
