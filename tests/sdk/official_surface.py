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

# What the variables may say, all of them alike; "" stands for an environment without any of them.
WORDS = ("", "1", "offline", "no", "a,b", '["a"]')
# What the first finds depends on the working folder, and without variables on the user and the program.
_OF_THE_FOLDER = ("get_artifact_dir",)
_OF_THE_PROGRAM = ("get_args", "get_cache_dir", "get_data_dir")

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


def what_env_says(words: str) -> Dict[str, str]:
    """What each reader of `wandb.env` finds where all variables say the same."""
    import wandb

    names = [value for name, value in vars(wandb.env).items() if name.isupper() and isinstance(value, str)]
    environment = dict.fromkeys(names, words) if words else {}
    said = {}
    for name, value in sorted(vars(wandb.env).items()):
        if not name.startswith(("get_", "is_offline", "disable_git")):
            continue
        if name in _OF_THE_FOLDER or (not words and name in _OF_THE_PROGRAM):
            continue
        arguments = ["file"] if name == "get_credentials_file" else []
        try:
            found = value(*arguments, env=environment)
        except Exception as error:
            found = type(error)
        said[name] = repr(found)
    return said


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
        "env_functions": {
            name: parameters(value) for name, value in vars(wandb.env).items() if inspect.isfunction(value)
        },
        "env_says": {words: what_env_says(words) for words in WORDS},
        "errors": sorted(name for name, value in vars(wandb.errors).items() if inspect.isclass(value)),
    }


if __name__ == "__main__":
    json.dump(surface(), sys.stdout, indent=1)
    print()
