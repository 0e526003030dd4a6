"""Which of the backends' libraries modules of wandb's import: Keras loads some of its own accord."""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import sys
from collections.abc import Sequence
from types import ModuleType

BACKENDS = {"jax", "tensorflow", "torch"}


class Asked(importlib.abc.MetaPathFinder):
    """Finds nothing; `names` are those of BACKENDS for which a module of wandb's was the one to ask first."""

    def __init__(self) -> None:
        self.names: set[str] = set()
        sys.meta_path.insert(0, self)

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        frame = sys._getframe(1)
        while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith("importlib"):
            frame = frame.f_back
        if name in BACKENDS and frame.f_globals.get("__name__", "").startswith("wandb"):
            self.names.add(name)
        return None
