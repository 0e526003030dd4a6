"""PyTorch for the tests that need it: this environment's, or one in a folder beside the other peers.

python -m pip install --target .tox/peers/torch torch
"""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path
from typing import Any

import pytest


def import_torch() -> Any:
    """The module; skips what calls it where there is none."""
    place = Path(os.environ.get("WANDB_TEST_PEERS") or Path(__file__).parents[2] / ".tox" / "peers") / "torch"
    if importlib.util.find_spec("torch") is None and place.is_dir():
        sys.path.append(str(place))  # behind everything that this environment has itself
    return pytest.importorskip("torch", reason="PyTorch is not installed: `tox -e torch` runs this with it")
