"""An upload as a person follows it: how far, how fast, how long still. For the end of a run and for `wandb sync`."""

from __future__ import annotations

import sys
import time
from collections import deque
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Callable, Deque, Optional, Tuple, Union

from .._terminal import colourful, termlog
from ._jupyter import display_live_html, notebook
from ._upload import upload_status

if TYPE_CHECKING:
    from wandb_uploader import ArtifactProgress, RunStatus

_POLL_SECONDS = 0.1
# An uploader that was killed would be waited for forever: when nothing moves, one is started where none lives.
_START_SECONDS = 3.0
# Between two lines of progress where there is no terminal to draw a bar on.
_PLAIN_SECONDS = 5.0
# Between two states of a bar below a cell: each is a message to the browser.
_NOTEBOOK_SECONDS = 0.5
# The rate is that of the last so many seconds: an average over a long outage would say nothing.
_WINDOW_SECONDS = 10.0
_BAR_WIDTH = 24


class UploadProgress:
    """Figures of one upload, of `total` records. The clock is the caller's."""

    def __init__(self, total: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.total, self.done = max(1, total), 0
        self.moved_at = clock()
        self._clock = clock
        self.uploader_log: Optional[Path] = None  # of an uploader that was started and has not been heard of
        self._status: Optional[RunStatus] = None
        self._steps: Deque[Tuple[float, int, int]] = deque()  # (time, records, rows)

    def update(self, status: Optional[RunStatus]) -> None:
        now = self._clock()
        if status is None:
            return
        before, self._status = self._status, status
        if before is None or _moving(before) != _moving(status):
            self.moved_at = now
        self.done = min(status.sequence_acked, self.total)
        self._steps.append((now, status.sequence_acked, status.rows_acked))
        while len(self._steps) > 2 and now - self._steps[0][0] > _WINDOW_SECONDS:
            self._steps.popleft()

    @property
    def over(self) -> bool:
        """Whether the server has all of it, or wants none of it."""
        status = self._status
        return status is not None and (bool(status.parked_reason) or status.has_all(self.total))

    def text(self) -> str:
        """`12,000 rows, 3.1 MB, 5,200 rows/s, 0:12 left`, or why nothing moves."""
        status = self._status
        if status is None:
            return f"no uploader answers, see {self.uploader_log}" if self.uploader_log else "waits for its turn"
        if status.retrying_since is not None and status.last_error:
            return f"waits: {status.last_error}"
        said = [f"{status.rows_acked:,} rows", _bytes(status.bytes_acked)]
        seconds, records, rows = self._rates()
        if rows:
            said.append(f"{rows:,.0f} rows/s")
        if self.done >= self.total:
            said.append("files" if status.artifact is None else _artifact(status.artifact))
        elif seconds and records:
            left = int((self.total - self.done) / records)
            said.append(f"{left // 60}:{left % 60:02} left")
        return ", ".join(said)

    def bar(self) -> str:
        filled = _BAR_WIDTH * self.done // self.total
        return "█" * filled + "░" * (_BAR_WIDTH - filled)

    def _rates(self) -> Tuple[float, float, float]:
        """(seconds looked at, records a second, rows a second)"""
        if len(self._steps) < 2:
            return 0.0, 0.0, 0.0
        first, last = self._steps[0], self._steps[-1]
        seconds = last[0] - first[0]
        return (seconds, (last[1] - first[1]) / seconds, (last[2] - first[2]) / seconds) if seconds else (0.0, 0.0, 0.0)


class _Terminal:
    """A bar in the last line of a terminal."""

    def __init__(self) -> None:
        self._shown = ""

    def show(self, progress: UploadProgress) -> None:
        text = f"wandb: uploading {progress.bar()} {progress.text()}"
        if text != self._shown:
            sys.stderr.write(f"\r\033[K{text}")
            sys.stderr.flush()
            self._shown = text

    def close(self) -> None:
        if self._shown:
            sys.stderr.write("\r\033[K")
            sys.stderr.flush()


class _Lines:
    """A line now and then, where there is no terminal to draw a bar on."""

    def __init__(self) -> None:
        self._shown_at = time.monotonic()

    def show(self, progress: UploadProgress) -> None:
        now = time.monotonic()
        if now - self._shown_at >= _PLAIN_SECONDS:
            termlog(f"uploading: {progress.done:,} of {progress.total:,} records ({progress.text()})")
            self._shown_at = now

    def close(self) -> None:
        """The lines stay."""


class _Notebook:
    """A bar below the cell."""

    def __init__(self) -> None:
        self._shown, self._shown_at = "", 0.0
        self._update: Optional[Callable[[str], None]] = None

    def show(self, progress: UploadProgress) -> None:
        now, text = time.monotonic(), progress.text()
        if text == self._shown or now - self._shown_at < _NOTEBOOK_SECONDS:
            return
        self._shown, self._shown_at = text, now
        self._put(f'uploading <progress value="{progress.done}" max="{progress.total}"></progress> {escape(text)}')

    def close(self) -> None:
        if self._update is not None:
            self._put("")

    def _put(self, html: str) -> None:
        if self._update is None:
            self._update = display_live_html(html)
        else:
            self._update(html)


def _view() -> Union[_Terminal, _Lines, _Notebook]:
    if notebook() is not None:
        return _Notebook()
    return _Terminal() if colourful() else _Lines()


def follow_upload(
    folder: Path, base_url: str, total: int, timeout: float, start: Callable[[], Optional[Path]]
) -> Optional[RunStatus]:
    """Show the upload of a run until it is done or parked, until nothing has moved for `timeout` seconds, or until the
    user lets go with Ctrl-C. Returns the last that is known of it.

    `timeout` 0 lets go at once: the machine may be given back, and what is left goes out with the next uploader.
    Infinite keeps it until everything is at the server. `start` sees to it that there is an uploader, and returns where
    its log is.
    """
    progress, view = UploadProgress(total), _view()
    status: Optional[RunStatus] = None
    started_at = progress.moved_at
    try:
        while True:
            status = upload_status(folder, base_url)
            progress.update(status)
            if progress.over:
                break
            now = time.monotonic()
            if now - progress.moved_at >= timeout:
                break
            if now - max(progress.moved_at, started_at) >= _START_SECONDS:
                started_at, progress.uploader_log = now, start()
            view.show(progress)
            time.sleep(_POLL_SECONDS)
    except KeyboardInterrupt:
        status = upload_status(folder, base_url)
    view.close()
    return status


def _moving(status: RunStatus) -> Tuple[object, ...]:
    """What changes as long as an upload goes on."""
    return status.sequence_acked, status.bytes_acked, status.artifact and (status.artifact.name, status.artifact.beats)


def _artifact(progress: ArtifactProgress) -> str:
    if not progress.size:
        return f"artifact {progress.name}"
    return f"artifact {progress.name}: {_bytes(min(progress.done, progress.size))} of {_bytes(progress.size)}"


def _bytes(count: int) -> str:
    value = float(count)
    for unit in ("B", "kB", "MB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} GB"
