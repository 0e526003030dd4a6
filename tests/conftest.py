"""What holds for all tests."""

from __future__ import annotations

import sys

import pytest
from hypothesis import settings

# Each example takes as long as the machine needs, which may be busy.
settings.register_profile("any speed", settings.get_profile(settings.get_current_profile_name()), deadline=None)
settings.load_profile("any speed")


@pytest.fixture(autouse=True)
def terminal_of_its_own() -> None:
    """A run's settings hold for what its process says from then on, and a process runs many tests."""
    terminal = sys.modules.get("wandb._terminal")
    if terminal is not None:
        vars(terminal)["_hidden"].clear()
        vars(terminal)["_colours"] = None
