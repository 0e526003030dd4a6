"""What the official client shows of itself: names and parameters. Run with its Python, it prints the list of them.

python tests/sdk/official_surface.py > tests/sdk/official_surface.json
"""

from __future__ import annotations

import inspect
import json
import sys
from typing import Any, Dict, List, Optional

# Those of the SDK; artifacts, sweeps and charts have lists of their own to hold.
FUNCTIONS = (
    "alert", "attach", "define_metric", "finish", "init", "join", "log", "login", "mark_preempting", "pin_config_keys",
    "require", "restore", "save", "setup", "teardown", "termerror", "termlog", "termsetup", "termwarn", "unwatch",
    "watch",
)  # fmt: skip

Members = Dict[str, Optional[List[str]]]


def members(kind: Any) -> Members:
    """The public members of a class: parameters of methods, None for properties."""
    return {name: parameters(getattr(kind, name)) for name in dir(kind) if not name.startswith("_")}


def parameters(value: Any) -> Optional[List[str]]:
    if not callable(value):
        return None
    kinds = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    found = inspect.signature(value).parameters.values()
    return [parameter.name for parameter in found if parameter.kind not in kinds and parameter.name != "self"]


def surface() -> Dict[str, Any]:
    import wandb
    from wandb.sdk.wandb_summary import Summary

    functions = {name: getattr(wandb, name) for name in FUNCTIONS}
    return {
        "Run": members(wandb.Run),
        "Config": members(wandb.Config),
        "Summary": members(Summary),
        "Settings": sorted(wandb.Settings.model_fields),  # type: ignore[attr-defined]
        "functions": {name: parameters(value) for name, value in functions.items()},
        "env": sorted(name for name, value in vars(wandb.env).items() if name.isupper() and isinstance(value, str)),
        "errors": sorted(name for name, value in vars(wandb.errors).items() if inspect.isclass(value)),
    }


if __name__ == "__main__":
    json.dump(surface(), sys.stdout, indent=1)
    print()
