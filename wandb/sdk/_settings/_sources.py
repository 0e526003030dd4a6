"""The names of the sources, as `Settings.source` gives them."""

from __future__ import annotations

# From the weakest policy to the strongest. Enforced ones count in the other order.
SCOPES = ("organization", "team", "user", "project")
DEFAULT = "default"
GLOBAL_FILE, LOCAL_FILE = "global file", "local file"
ENVIRONMENT = "environment"
SETUP, INIT_SETTINGS, INIT = "wandb.setup()", "init(settings=)", "init()"
ASSIGNED = "settings"  # an attribute of a Settings object, or an argument of its own

FILES = (GLOBAL_FILE, LOCAL_FILE)
CODE = (SETUP, INIT_SETTINGS, INIT, ASSIGNED)
_POLICY, _ENFORCED = " policy", "enforced "


def policy(scope: str, enforced: bool) -> str:
    return f"{_ENFORCED if enforced else ''}{scope}{_POLICY}"


def is_policy(source: str) -> bool:
    return source.endswith(_POLICY)


def is_enforced(source: str) -> bool:
    return source.startswith(_ENFORCED) and is_policy(source)
