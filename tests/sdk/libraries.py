"""Large libraries for the tests that need them: this environment's, or one in a folder beside the other peers.

python -m pip install --target .tox/peers/torch torch
python -m pip install --target .tox/peers/gymnasium gymnasium moviepy
"""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path
from typing import Any

import pytest


def import_library(name: str) -> Any:
    """The module; skips what calls it where there is none. `tox -e NAME` brings it."""
    place = Path(os.environ.get("WANDB_TEST_PEERS") or Path(__file__).parents[2] / ".tox" / "peers") / name
    if importlib.util.find_spec(name) is None and place.is_dir():
        sys.path.append(str(place))  # behind everything that this environment has itself
    return pytest.importorskip(name, reason=f"{name} is not installed: `tox -e {name}` runs this with it")
