"""Every public name of the official client's `wandb.apis.public` is here, with its parameters and their defaults.

`official_api_surface.py` made the list.
"""

from __future__ import annotations

import inspect
import json
import subprocess
from pathlib import Path
from typing import Any, Dict, List, Set

import pytest
from official_api_surface import members, parameters
from peer import peer_python

from wandb.apis import public

HERE = Path(__file__).parent
OFFICIAL: Dict[str, Any] = json.loads((HERE / "official_api_surface.json").read_text())

# What the protocol reference doesn't tell of, and reports.
_NOT_HERE = {
    "Automations", "BetaReport", "Integrations", "Organization", "PanelMetricsHelper", "PythonMongoishQueryGenerator",
    "QueryGenerator", "Registries", "Registry", "Reports", "SlackIntegrations", "WebhookIntegrations", "Job",
}  # fmt: skip
_NOT_OF_THE_API = {
    "automation", "automations", "create_automation", "delete_automation", "update_automation", "integrations",
    "slack_integrations", "webhook_integrations", "organization", "registries", "registry", "create_registry",
    "reports", "job", "list_jobs", "sync_tensorboard",
}  # fmt: skip
# How the official client's lists are made inside.
_INSIDE = {"QUERY", "convert_objects", "last_response", "update_variables"}


def missing(official: Dict[str, Any], own: Dict[str, Any]) -> Set[str]:
    """Names, and parameters as name(parameter=default), that are there and not here."""
    found = set()
    for name, expected in official.items():
        if name not in own:
            found.add(name)
        elif expected is not None:
            found |= {f"{name}({parameter})" for parameter in expected if parameter not in (own[name] or ())}
    return found - _INSIDE - _NOT_OF_THE_API


@pytest.mark.parametrize("kind", sorted(set(OFFICIAL) - _NOT_HERE))
def test_members(kind: str) -> None:
    own: Any = getattr(public, kind)
    shown: Dict[str, Any] = members(own)
    if kind == "Api":
        shown["__init__"] = parameters(own)
    assert missing(OFFICIAL[kind], shown) == set()


def test_names_that_callers_import_from_modules() -> None:
    found: List[Any] = [public.runs.Run, public.runs.Runs, public.files.File, public.sweeps.Sweep, public.api.Api]
    assert all(inspect.isclass(one) for one in found)


@pytest.mark.peer
def test_the_list_is_what_the_official_client_says() -> None:
    said = subprocess.run(
        [str(peer_python("0.31.0")), str(HERE / "official_api_surface.py")], capture_output=True, text=True, check=True
    )
    assert json.loads(said.stdout) == OFFICIAL
