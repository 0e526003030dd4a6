"""How far long work is, for whoever watches the terminal: a bar that is drawn over, or a line every few seconds."""

from __future__ import annotations

import sys
import threading
import time
from types import TracebackType
from typing import Optional, Type

from .._terminal import colourful, is_shown, termlog

# Work that takes less than this says nothing.
_QUIET_SECONDS = 2.0
_DRAW_SECONDS = 0.2
_PLAIN_SECONDS = 10.0
_BAR_WIDTH = 24


class Progress:
    """Of `total` files or bytes. A context manager; safe between threads."""

    def __init__(self, what: str, total: int, unit: str) -> None:
        self._what, self._total, self._unit = what, total, unit
        self._done = 0
        self._began = time.monotonic()
        self._next = self._began + _QUIET_SECONDS
        self._drawn = False
        self._lock = threading.Lock()

    def advance(self, count: int) -> None:
        with self._lock:
            self._done += count
            if time.monotonic() >= self._next:
                self._show()

    def _show(self) -> None:
        if not is_shown(""):
            return
        bar = colourful()
        self._next = time.monotonic() + (_DRAW_SECONDS if bar else _PLAIN_SECONDS)
        rate = self._done / max(time.monotonic() - self._began, 1e-9)
        left = int((self._total - self._done) / rate) if rate else 0
        text = (
            f"{self._what}: {amount(self._done, self._unit)} of {amount(self._total, self._unit)}, "
            f"{left // 60}:{left % 60:02} left"
        )
        if not bar:
            termlog(text)
            return
        filled = _BAR_WIDTH * self._done // max(1, self._total)
        self._drawn = True
        _write(f"\r\033[Kwandb: {'█' * filled}{'░' * (_BAR_WIDTH - filled)} {text}")

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], traceback: Optional[TracebackType]
    ) -> None:
        if self._drawn:
            _write("\r\033[K")


def amount(count: float, unit: str = "bytes") -> str:
    """`1.5 GB`, or a number with its unit."""
    if unit != "bytes":
        return f"{count:,} {unit}"
    for suffix in ("bytes", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {suffix}" if suffix == "bytes" else f"{count:.1f} {suffix}"
        count /= 1000
    return f"{count:.1f} TB"


def _write(text: str) -> None:
    try:
        sys.stderr.write(text)
        sys.stderr.flush()
    except (OSError, ValueError, AttributeError):
        pass  # a closed stderr must not end the work
