"""Libraries that not everybody needs: what to install where one is missing."""

from __future__ import annotations

import importlib
from types import ModuleType

from ..errors import Error


def need(module: str, install: str, purpose: str) -> ModuleType:
    """Import a module; raise Error with the line that installs it where it isn't there."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise Error(f"{purpose} needs {error.name or module}: run `pip install {install}`") from None
