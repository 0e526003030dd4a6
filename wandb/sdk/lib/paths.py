"""Types of paths, as libraries import them from here."""

from __future__ import annotations

import os
from typing import Union

# What takes a path takes text, and whatever `os.fspath` takes.
StrPath = Union[str, "os.PathLike[str]"]
FilePathStr = str  # on this machine
URIStr = str

__all__ = ["FilePathStr", "StrPath", "URIStr"]
