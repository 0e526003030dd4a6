"""Logging what a library's calls answer: its functions are replaced while it is on, and do what they did."""

from __future__ import annotations

import functools
import threading
import time
from typing import Any, Callable, Dict, List, Mapping, Optional, Tuple

from .._terminal import termwarn
from ..sdk import _globals
from ..sdk.wandb_init import init as init_run

# (arguments, named arguments, answer, seconds) of a call become what is logged of it; the first argument is `self`.
Describe = Callable[[Tuple[Any, ...], Dict[str, Any], Any, float], Optional[Mapping[str, Any]]]


class Autolog:
    """Calling it begins to log. `disable` ends that, and the run if it was begun for this.

    name: of the library, for messages. find: gives the classes whose calls are logged. describe: what is logged of a
    call; what it raises is told once and hinders no call.
    """

    def __init__(self, name: str, find: Callable[[], List[type]], describe: Describe) -> None:
        self._name, self._find, self._describe = name, find, describe
        self._originals: Dict[type, Callable[..., Any]] = {}
        self._run: Optional[Any] = None
        self._owns_run = False
        self._inside = threading.local()  # a call that one makes of another is a part of it

    def __call__(self, init: Optional[Dict[str, Any]] = None) -> None:
        """Log from now on: to the active run, or to one that `wandb.init` begins, with these arguments if any are
        given."""
        self.enable(init)

    def enable(self, init: Optional[Dict[str, Any]] = None) -> None:
        """The same as calling it."""
        self.disable()
        before = _globals.active_run()
        self._run = init_run(**(init or {})) if init or before is None else before
        self._owns_run = self._run is not before
        for kind in self._find():
            self.watch(kind)

    def disable(self) -> None:
        """Log no more."""
        for kind, original in self._originals.items():
            type.__setattr__(kind, "__call__", original)
        self._originals.clear()
        run, self._run = self._run, None
        if run is not None and self._owns_run:
            run.finish()

    @property
    def is_enabled(self) -> bool:
        """Whether calls are logged."""
        return self._run is not None

    def watch(self, kind: type) -> None:
        """Log the calls of a class's objects, if it says itself what a call does."""
        original = vars(kind).get("__call__")
        if original is None or kind in self._originals:
            return
        self._originals[kind] = original

        @functools.wraps(original)
        def call(*arguments: Any, **named: Any) -> Any:
            if getattr(self._inside, "call", False):
                return original(*arguments, **named)
            began = time.perf_counter()
            self._inside.call = True
            try:
                answer = original(*arguments, **named)
            finally:
                self._inside.call = False
            self._log(arguments, named, answer, time.perf_counter() - began)
            return answer

        type.__setattr__(kind, "__call__", call)

    def _log(self, arguments: Tuple[Any, ...], named: Dict[str, Any], answer: Any, seconds: float) -> None:
        if self._run is None:
            return
        try:
            row = self._describe(arguments, named, answer, seconds)
            if row:
                self._run.log(row)
        except Exception as error:  # whatever a library's objects may raise when they are looked at
            termwarn(f"{self._name} autolog: a call could not be logged: {error!r}", repeat=False)
