"""Every public name of the official client's SDK is here, with its parameters. `official_surface.py` made the list."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any, Dict, List, Optional, Set

import pytest
from official_surface import members, parameters
from peer import peer_python

import wandb

HERE = Path(__file__).parent
OFFICIAL: Dict[str, Any] = json.loads((HERE / "official_surface.json").read_text())

# Names of a service that this client doesn't have.
_NOT_HERE = {"WandbCoreNotAvailableError", "ARTIFACT_FETCH_FILE_URL_BATCH_SIZE", "CORE_DEBUG", "ENABLE_DCGM_PROFILING"}
_NOT_HERE |= {"USE_V1_ARTIFACTS", "_EXECUTABLE"}


def missing(official: Dict[str, Optional[List[str]]], own: Dict[str, Optional[List[str]]]) -> Set[str]:
    """Names, and parameters as name(parameter), that are there and not here."""
    found = set()
    for name, expected in official.items():
        if name not in own:
            found.add(name)
        elif expected is not None:
            found |= {f"{name}({parameter})" for parameter in set(expected) - set(own[name] or ())}
    return found - _NOT_HERE


@pytest.mark.parametrize("kind", ["Run", "Config", "Summary"])
def test_members(kind: str) -> None:
    assert missing(OFFICIAL[kind], members(getattr(wandb, kind))) == set()


def test_functions() -> None:
    own = {name: parameters(getattr(wandb, name)) for name in OFFICIAL["functions"]}
    assert missing(OFFICIAL["functions"], own) == set()


def test_settings() -> None:
    assert sorted(set(OFFICIAL["Settings"]) - set(wandb.Settings().to_dict())) == []


@pytest.mark.parametrize("module", ["env", "errors"])
def test_names_of_modules(module: str) -> None:
    assert sorted(set(OFFICIAL[module]) - set(vars(getattr(wandb, module))) - _NOT_HERE) == []


@pytest.mark.peer
def test_the_list_is_what_the_official_client_says() -> None:
    said = subprocess.run(
        [str(peer_python("0.31.0")), str(HERE / "official_surface.py")], capture_output=True, text=True, check=True
    )
    assert json.loads(said.stdout) == OFFICIAL
