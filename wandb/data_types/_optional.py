"""Libraries that only some media need, loaded when they are needed."""

from __future__ import annotations

import importlib
from typing import Any

from ..errors import Error


def load(module: str, package: str, purpose: str) -> Any:
    """A module of a library that may not be installed.

    >>> load("json", "json", "this example").loads("[1]")
    [1]

    Raises Error that says how to install it.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise Error(f"{purpose} needs {package}: pip install {package} ({error})") from error
