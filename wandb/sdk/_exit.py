"""How the program ends, for the runs that it leaves open: an exit code, and the exception where there was one.

The hooks are set by the first `wandb.init`, not by the import. They call what was there before them.
"""

from __future__ import annotations

import atexit
import os
import sys
from types import TracebackType
from typing import Callable, List, NoReturn, Optional, Type, Union

from .._terminal import termwarn


class ProgramEnd:
    """What is known of how the program ends."""

    def __init__(self) -> None:
        self.code = 0
        self.exception = ""
        self.message = ""
        self._installed_in = 0
        self._finish: List[Callable[[], None]] = []

    def install(self, finish: Callable[[], None]) -> None:
        """Call `finish` at the end of this process, once."""
        if self._installed_in == os.getpid():
            return
        first = not self._installed_in
        self._installed_in = os.getpid()
        self._finish = [finish]
        if first:
            self._wrap_hooks()
            atexit.register(self._at_exit)

    def _wrap_hooks(self) -> None:
        excepthook, exit_ = sys.excepthook, sys.exit

        def record_exception(
            kind: Type[BaseException], error: BaseException, traceback: Optional[TracebackType]
        ) -> None:
            self.note(kind, error)
            excepthook(kind, error, traceback)

        def record_exit(status: Union[str, int, None] = None) -> NoReturn:
            self.code = status if isinstance(status, int) else 0 if status is None else 1
            exit_(status)

        sys.excepthook = record_exception
        sys.exit = record_exit

    def note(self, kind: Optional[Type[BaseException]], error: Optional[BaseException]) -> None:
        """An exception that nobody caught ends the program, or a run's `with` block."""
        if kind is None:
            return
        if issubclass(kind, SystemExit):
            status = getattr(error, "code", None)
            self.code = status if isinstance(status, int) else 0 if status is None else 1
            return
        self.code = 255 if issubclass(kind, KeyboardInterrupt) else 1
        self.exception = kind.__name__
        self.message = str(error)[:1000]

    def _at_exit(self) -> None:
        if os.getpid() != self._installed_in:  # a forked child's runs are its own
            return
        try:
            for finish in self._finish:
                finish()
        except KeyboardInterrupt:  # Python would show a traceback of ours
            termwarn("Ctrl-C came before the run was finished. Nothing that was logged is lost: run `wandb sync`")


program_end = ProgramEnd()
