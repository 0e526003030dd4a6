"""An experiment tracker that never loses a number and never slows a training loop.

>>> import wandb
>>> with wandb.init(project="digits", config={"lr": 0.1}, mode="disabled") as run:
...     run.log({"loss": 0.5})

Importing this package starts, opens and patches nothing, and loads its parts when they are first used. In an IPython
session it brings the magic `%wandb`.
"""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING, Any, Dict, List, Optional, cast

from . import errors
from ._before_init import BeforeInit
from ._of_the_active_run import (
    alert,
    define_metric,
    log,
    mark_preempting,
    pin_config_keys,
    restore,
    save,
    unwatch,
    watch,
)
from .errors import CommError, Error, UsageError

if TYPE_CHECKING:
    from . import apis as apis
    from . import data_types as data_types
    from . import docker as docker
    from . import env as env
    from . import helper as helper
    from . import integration as integration
    from . import jupyter as jupyter
    from . import plot as plot
    from . import plots as plots
    from . import sdk as sdk
    from . import sklearn as sklearn
    from . import superagent as superagent
    from . import tensorboard as tensorboard
    from . import util as util
    from . import wandb_run as wandb_run
    from ._artifacts_of_the_active_run import link_model, log_artifact, log_model, use_artifact, use_model
    from ._terminal import termerror, termlog, termsetup, termwarn
    from .apis.internal import Api as InternalApi
    from .apis.internal import api
    from .apis.public.api import Api
    from .apis.public.api import Api as PublicApi
    from .data_types import (
        Audio,
        Classes,
        EvalTable,
        Graph,
        Histogram,
        Html,
        Image,
        JoinedTable,
        Molecule,
        Object3D,
        Plotly,
        Table,
        Video,
        box3d,
    )
    from .integration.sagemaker import sagemaker_auth
    from .plot import plot_table, visualize
    from .replay import replay
    from .sdk._child import _attach, attach
    from .sdk._debugger import set_trace
    from .sdk.artifacts.artifact import Artifact
    from .sdk.artifacts.artifact_ttl import ArtifactTTL
    from .sdk.wandb_alerts import AlertLevel
    from .sdk.wandb_config import Config
    from .sdk.wandb_init import finish, init, join
    from .sdk.wandb_login import login
    from .sdk.wandb_run import Run
    from .sdk.wandb_settings import Settings
    from .sdk.wandb_setup import setup, teardown
    from .sdk.wandb_summary import Summary
    from .sweeps import agent, controller, sweep

__version__ = "1.0.0.dev0"

# The active run and its parts: bound by `init`, unbound by `finish`.
run: Optional[Run] = None
config: Config = cast(Any, BeforeInit("config"))
summary: Summary = cast(Any, BeforeInit("summary"))

# Where libraries look whether somebody else brings their values into the run: what `tensorboard.patch` was called with.
patched: Dict[str, List[Any]] = {"gym": [], "keras": [], "tensorboard": []}

# Where the names live that are loaded on first use.
_HOMES = {
    "AlertLevel": ".sdk.wandb_alerts",
    "Api": ".apis.public.api",
    "Artifact": ".sdk.artifacts.artifact",
    "ArtifactTTL": ".sdk.artifacts.artifact_ttl",
    "Audio": ".data_types",
    "Classes": ".data_types",
    "Config": ".sdk.wandb_config",
    "EvalTable": ".data_types",
    "Graph": ".data_types",
    "Histogram": ".data_types",
    "Html": ".data_types",
    "Image": ".data_types",
    "InternalApi": ".apis",
    "JoinedTable": ".data_types",
    "Molecule": ".data_types",
    "Object3D": ".data_types",
    "Plotly": ".data_types",
    "PublicApi": ".apis",
    "Run": ".sdk.wandb_run",
    "Settings": ".sdk.wandb_settings",
    "Summary": ".sdk.wandb_summary",
    "Table": ".data_types",
    "Video": ".data_types",
    "_attach": ".sdk._child",
    "agent": ".sweeps",
    "api": ".apis.internal",
    "attach": ".sdk._child",
    "box3d": ".data_types",
    "controller": ".sweeps",
    "finish": ".sdk.wandb_init",
    "init": ".sdk.wandb_init",
    "join": ".sdk.wandb_init",
    "link_model": "._artifacts_of_the_active_run",
    "load_ipython_extension": ".sdk._jupyter",
    "log_artifact": "._artifacts_of_the_active_run",
    "log_model": "._artifacts_of_the_active_run",
    "login": ".sdk.wandb_login",
    "plot_table": ".plot",
    "replay": ".replay",
    "sagemaker_auth": ".integration.sagemaker",
    "set_trace": ".sdk._debugger",
    "setup": ".sdk.wandb_setup",
    "sweep": ".sweeps",
    "teardown": ".sdk.wandb_setup",
    "termerror": "._terminal",
    "termlog": "._terminal",
    "termsetup": "._terminal",
    "termwarn": "._terminal",
    "use_artifact": "._artifacts_of_the_active_run",
    "use_model": "._artifacts_of_the_active_run",
    "visualize": ".plot",
}

# Modules that callers use without importing them.
_MODULES = frozenset(
    {
        "apis", "data_types", "docker", "env", "helper", "integration", "jupyter", "plot", "plots", "sdk", "sklearn",
        "superagent", "tensorboard", "util", "wandb_run",
    }
)  # fmt: skip
# Those that need a library of the same name.
_INTEGRATIONS = frozenset(
    {"catboost", "fastai", "gym", "keras", "lightgbm", "sacred", "sb3", "tensorflow", "wandb_torch", "xgboost"}
)

__all__ = [
    "AlertLevel",
    "Api",
    "Artifact",
    "ArtifactTTL",
    "Audio",
    "Classes",
    "CommError",
    "Config",
    "Error",
    "EvalTable",
    "Graph",
    "Histogram",
    "Html",
    "Image",
    "InternalApi",
    "JoinedTable",
    "Molecule",
    "Object3D",
    "Plotly",
    "PublicApi",
    "Run",
    "Settings",
    "Summary",
    "Table",
    "UsageError",
    "Video",
    "__version__",
    "_attach",
    "agent",
    "alert",
    "api",
    "attach",
    "box3d",
    "config",
    "controller",
    "define_metric",
    "ensure_configured",
    "errors",
    "finish",
    "init",
    "join",
    "link_model",
    "log",
    "log_artifact",
    "log_model",
    "login",
    "mark_preempting",
    "pin_config_keys",
    "plot_table",
    "replay",
    "require",
    "restore",
    "run",
    "sagemaker_auth",
    "save",
    "set_trace",
    "setup",
    "summary",
    "sweep",
    "teardown",
    "termerror",
    "termlog",
    "termsetup",
    "termwarn",
    "unwatch",
    "use_artifact",
    "use_model",
    "visualize",
    "watch",
]


def require(requirement: object = None, experiment: object = None) -> None:
    """Return: everything that libraries require of other versions ("service" say) is how this one works.

    >>> require("service")
    """


def ensure_configured() -> None:
    """Return: there is nothing to configure before a run.

    >>> ensure_configured()
    """


if not TYPE_CHECKING:  # a type checker knows the names from above, and is to find those that are none

    def __getattr__(name: str) -> Any:
        if name in _MODULES:
            return importlib.import_module(f".{name}", __name__)
        if name in _INTEGRATIONS:
            try:
                return importlib.import_module(f".{name}", __name__)
            except ImportError as error:  # which `hasattr` would not take for an answer
                raise AttributeError(f"wandb.{name}: {error}") from error
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
    return sorted({*globals(), *_HOMES, *_MODULES})


if "IPython" in sys.modules:
    from .sdk._jupyter import ipython as _ipython
    from .sdk._jupyter import load_ipython_extension

    _shell = _ipython()
    if _shell is not None:
        load_ipython_extension(_shell)
