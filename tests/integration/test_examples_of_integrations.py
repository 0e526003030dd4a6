"""The examples in the docstrings of the integrations that need no library."""

from __future__ import annotations

import doctest
import importlib

import pytest
from own_place import own_place as own_place


@pytest.mark.parametrize("module", ["_library", "_models", "openai._files", "weave"])
def test_the_examples_are_right(module: str) -> None:
    found = doctest.testmod(importlib.import_module(f"wandb.integration.{module}"))
    assert found.attempted > 0
    assert found.failed == 0
