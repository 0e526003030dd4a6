"""Progress of long work as a bar on a terminal, which goes away when the work is done."""

from __future__ import annotations

import contextlib
import sys
import time
from typing import TYPE_CHECKING, Callable, Iterator, Optional

if TYPE_CHECKING:
    from rich.progress import Progress

Show = Callable[[int, int], None]

# What is done sooner shows no bar: it would be gone before it was seen.
_AFTER_SECONDS = 0.5


@contextlib.contextmanager
def shown(title: str, unit: str = "") -> Iterator[Show]:
    """Give a function to call with how much is done and how much there is, as often as one likes."""
    began = time.monotonic()
    bar: Optional[Progress] = None
    wanted = sys.stderr.isatty()

    def show(done: int, total: int) -> None:
        nonlocal bar
        if bar is None:
            if not wanted or time.monotonic() - began < _AFTER_SECONDS:
                return
            bar = _make(title, unit, total)
            bar.start()
        bar.update(bar.task_ids[0], completed=done, total=total)

    try:
        yield show
    finally:
        if bar is not None:
            bar.stop()


def _make(title: str, unit: str, total: int) -> Progress:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    amount = [TextColumn("{task.completed:,} of {task.total:,} " + unit)] if unit else []
    bar = Progress(
        TextColumn("{task.description}", markup=False), BarColumn(bar_width=30), TaskProgressColumn(), *amount,
        TimeRemainingColumn(), console=Console(stderr=True, highlight=False), transient=True,
    )  # fmt: skip
    bar.add_task(title, total=total)
    return bar
