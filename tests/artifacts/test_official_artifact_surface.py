"""Every public name of the official client's artifacts is here, with its parameters and their defaults.

`official_artifacts.py` made the list.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any, Dict, List, Optional, Set

import pytest
from official_artifacts import surface
from peer import peer_python

HERE = Path(__file__).parent
OFFICIAL: Dict[str, Any] = json.loads((HERE / "official_artifacts.json").read_text())
OWN = surface()

# How that client works inside: its storage policies, and errors that nobody outside of it meets.
_NOT_HERE = {"hash_contents_with_md5", "TooFewItemsError", "TooManyItemsError"}


def missing(official: Dict[str, Optional[List[str]]], own: Dict[str, Optional[List[str]]]) -> Set[str]:
    """Names, and parameters as name(parameter), that are there and not here."""
    found = set()
    for name, expected in official.items():
        if name not in own:
            found.add(name)
        else:
            found |= {f"{name}({parameter})" for parameter in set(expected or ()) - set(own[name] or ())}
    return found - _NOT_HERE


@pytest.mark.parametrize("kind", ["Artifact", "Manifest", "Entry"])
def test_members(kind: str) -> None:
    assert missing(OFFICIAL[kind], OWN[kind]) == set()


@pytest.mark.parametrize("kind", ["init", "states", "TTL", "exceptions"])
def test_values(kind: str) -> None:
    assert sorted(set(OFFICIAL[kind]) - set(OWN[kind]) - _NOT_HERE) == []


@pytest.mark.peer
def test_the_list_is_what_the_official_client_says() -> None:
    said = subprocess.run(
        [str(peer_python("0.31.0")), str(HERE / "official_artifacts.py")], capture_output=True, text=True, check=True
    )
    assert json.loads(said.stdout) == OFFICIAL
