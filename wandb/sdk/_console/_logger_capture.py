"""What the program tells Python's loggers, in the run's console: the setting `capture_loggers`."""

from __future__ import annotations

import logging
from typing import Any, Callable, List, Mapping, Tuple

# As `logging.basicConfig` has it.
_FORMAT = "%(levelname)s:%(name)s:%(message)s"


class LoggerCapture:
    """Listens to loggers between `start` and `stop`, and writes lines."""

    def __init__(self, write: Callable[[str], object], levels: Mapping[str, Any]) -> None:
        """`levels`: from the name of a logger, "root" for that of all, to the lowest level that counts."""
        self._handlers: List[Tuple[logging.Logger, logging.Handler]] = []
        for name, level in levels.items():
            handler = _Handler(write)
            handler.setLevel(level)
            self._handlers.append((logging.getLogger(None if name == "root" else name), handler))

    def start(self) -> None:
        """Begin."""
        for logger, handler in self._handlers:
            logger.addHandler(handler)

    def stop(self) -> None:
        """End."""
        for logger, handler in self._handlers:
            logger.removeHandler(handler)

    # A forked child's loggers are its own.
    abandon = stop


class _Handler(logging.Handler):
    def __init__(self, write: Callable[[str], object]) -> None:
        super().__init__()
        self._write = write
        self.setFormatter(logging.Formatter(_FORMAT))

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._write(f"{self.format(record)}\n")
        except Exception:
            self.handleError(record)
