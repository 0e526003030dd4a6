"""An experiment tracker that never loses a number and never slows a training loop.

>>> import wandb
>>> with wandb.init(project="digits", config={"lr": 0.1}, mode="disabled") as run:
...     run.log({"loss": 0.5})

Importing this package starts, opens and patches nothing.
"""

from __future__ import annotations

from typing import Any, Optional

from . import errors
from .errors import CommError, Error, UsageError
from .sdk import _globals
from .sdk._terminal import termerror, termlog, termwarn
from .sdk.wandb_config import Config
from .sdk.wandb_init import finish, init
from .sdk.wandb_login import login
from .sdk.wandb_run import Run
from .sdk.wandb_settings import Settings
from .sdk.wandb_summary import Summary

__version__ = "1.0.0.dev0"

# The active run and its parts: bound by `init`, unbound by `finish`.
run: Optional[Run] = None
config: Any = _globals.BeforeInit("config")
summary: Any = _globals.BeforeInit("summary")
log: Any = _globals.function_before_init("log")
alert: Any = _globals.function_before_init("alert")
define_metric: Any = _globals.function_before_init("define_metric")
mark_preempting: Any = _globals.function_before_init("mark_preempting")

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
    "run",
    "summary",
    "termerror",
    "termlog",
    "termwarn",
]
