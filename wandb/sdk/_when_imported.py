"""A call when a module of somebody else has been imported, which may have happened, or never happen."""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import importlib.util
import sys
from types import ModuleType
from typing import Any, Callable, Collection, Optional, Sequence, Set

Call = Callable[[ModuleType], None]


def when_imported(names: Collection[str], call: Call) -> None:
    """Call with each of the modules: now with those that are there, later with each that comes."""
    sys.meta_path.insert(0, _Finder(frozenset(names), call))
    for name in names:
        if name in sys.modules:
            call(sys.modules[name])


class _Finder(importlib.abc.MetaPathFinder):
    """Finds nothing itself: it lets the others find, and calls when the module has been run."""

    def __init__(self, names: Collection[str], call: Call) -> None:
        self._names, self._call = names, call
        self._looking: Set[str] = set()

    def find_spec(
        self, fullname: str, path: Optional[Sequence[str]], target: Optional[ModuleType] = None
    ) -> Optional[importlib.machinery.ModuleSpec]:
        if fullname not in self._names or fullname in self._looking:
            return None
        self._looking.add(fullname)
        try:
            spec = importlib.util.find_spec(fullname)
        finally:
            self._looking.discard(fullname)
        if spec is not None and spec.loader is not None:
            spec.loader = _Loader(spec.loader, self._call)
        return spec


class _Loader(importlib.abc.Loader):
    """Another loader, and a call when it is through."""

    def __init__(self, loader: Any, call: Call) -> None:
        self._loader, self._call = loader, call

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> Optional[ModuleType]:
        module: Optional[ModuleType] = self._loader.create_module(spec)
        return module

    def exec_module(self, module: ModuleType) -> None:
        self._loader.exec_module(module)
        self._call(module)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)
