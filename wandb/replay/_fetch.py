"""A run that a server holds, as a log: whatever is told of logs can be told of it.

The rows, the config, the summary, the console and the samples of the machine are written to a log in a folder of its
own, which goes with the last object that reads it. What a server doesn't tell isn't there: how the writer ended beyond
the run's state, and what of the config changed when.
"""

from __future__ import annotations

import datetime
import json
import os
import tempfile
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable, Deque, Dict, Iterable, Iterator, NamedTuple, Optional
from urllib.parse import urlsplit

from wandb_storage import (
    ConfigChange,
    Console,
    Exit,
    FileSaved,
    Log,
    LogNotFound,
    RowFlag,
    RunStart,
    SummaryChange,
    SystemMetrics,
    WriterLost,
    dump_json,
)

from ._ended import Ended
from ._replay import Replay

if TYPE_CHECKING:
    from ..apis.public.runs import Run

# Samples of the machine that are asked for: servers thin them out.
_SAMPLES_MAX = 10_000
# Rows whose clocks differ by more belong to another session of the run.
_SESSION_SECONDS = 2.0
_CLOCKS = ("_step", "_timestamp", "_runtime")
_FLAGS = int(RowFlag.COMMIT | RowFlag.EXPLICIT)
_FAILED = {"failed", "crashed", "killed", "preempted"}


class ServerPath(NamedTuple):
    """A run of a server: `entity/project/id`, and the address where it isn't that of the settings."""

    path: str
    base_url: Optional[str] = None


def server_path(text: str) -> Optional[ServerPath]:
    """What a person means by `entity/project/id` or the address of a run's page; None for the path of a file."""
    if text.startswith(("http://", "https://")):
        from wandb_uploader import app_url

        from ..sdk.wandb_settings import merged

        parts = urlsplit(text)
        base_url = f"{parts.scheme}://{parts.netloc}"
        own = merged().base_url
        return ServerPath(text, None if base_url in (own, app_url(own)) else base_url)
    parts_of_path = text.split("/")
    local = os.path.exists(text) or os.path.isdir(parts_of_path[0]) or text.startswith((".", "~"))
    return ServerPath(text) if len(parts_of_path) == 3 and all(parts_of_path) and not local else None


def counterpart(run: Replay) -> ServerPath:
    """The same run at its server: where it has been uploaded to, or else where the settings would upload it."""
    from ..sdk.wandb_settings import merged
    from ._uploads import uploads_of

    for one in uploads_of(run):
        if one.entity and not one.redirected:
            return ServerPath(f"{one.entity}/{one.project}/{one.run_id}", one.destination)
    start, settings = run.start, merged()
    project = start.project or settings.project or "uncategorized"
    owner = start.entity or settings.entity
    return ServerPath("/".join(part for part in (owner, project, run.run_id) if part), None)


def fetch(where: ServerPath, progress: Callable[[int, int], object] = max) -> Replay:
    """A run of a server, as it is there now. `progress` is told the steps that have been read, and how many there are.

    Raises LogNotFound where there is no such run, UsageError where there is no API key, AuthenticationError, CommError.
    """
    from ..apis.public.api import Api
    from ..errors import UsageError

    overrides = {"base_url": where.base_url} if where.base_url else {}
    try:
        run = Api(overrides).run(where.path)
    except ValueError as error:
        raise LogNotFound(str(error)) from None
    if os.path.basename(run.id) != run.id:  # what a server says becomes the name of a file
        raise UsageError(f"the server calls the run {run.id!r}, which is no id")
    place = tempfile.TemporaryDirectory(prefix="wandb-replay-")
    folder = Path(place.name) / f"run-{_stamp(run)}-{run.id}"
    folder.mkdir()
    _write(run, folder, progress)
    said = _ended(run)
    return Replay(folder, origin=f"{run.url}, as it was there a moment ago", said=said, keep=place)


def _stamp(run: Run) -> str:
    created = datetime.datetime.fromtimestamp(_created(run))
    return created.strftime("%Y%m%d_%H%M%S")


def _created(run: Run) -> float:
    try:
        text = str(run.created_at).replace("Z", "+00:00")
        moment = datetime.datetime.fromisoformat(text)
    except (AttributeError, ValueError):
        return 0.0
    return (moment if moment.tzinfo else moment.replace(tzinfo=datetime.timezone.utc)).timestamp()


def _ended(run: Run) -> Optional[Ended]:
    """What only the server can say: that the run goes on, or that nothing was heard of it."""
    if run.state in ("running", "pending", "preempting"):
        return Ended("running", f"the server calls it {run.state}")
    return None


# --- the log ----------------------------------------------------------------------------------------------------------


def _write(run: Run, folder: Path, progress: Callable[[int, int], object]) -> None:
    rows = (row for row in run.scan_history())
    first = next(rows, None)
    with Log.create(folder, run.id) as log:
        start = _run_start(run, first)
        log.append(start)
        log.append(ConfigChange(json=dump_json(run.config), time=start.time))
        writer = _RowWriter(log, start, deque(_samples(run)))
        last = run.lastHistoryStep + 1
        for row in _chained(first, rows):
            writer.write(row)
            progress(int(row["_step"]) + 1, last)
        writer.finish()
        for line in run.console_logs():
            moment = line.timestamp.timestamp() if line.timestamp is not None else start.time
            log.append(Console(time=moment, stream=int(line.level == "error"), text=f"{line.content}\n"))
        summary = {key: value for key, value in run.summary_metrics.items() if key not in _CLOCKS}
        log.append(SummaryChange(json=dump_json(summary), time=writer.time))
        for file in run.files():
            log.append(FileSaved(path=str(file.name), policy="end", time=writer.time))
        if run.state == "finished":
            log.append(Exit(code=0, time=writer.time))
        elif run.state in _FAILED:
            log.append(WriterLost(cause="server", evidence=f"the server calls it {run.state}", time=writer.time))


def _chained(first: Optional[Dict[str, Any]], rows: Iterator[Dict[str, Any]]) -> Iterator[Dict[str, Any]]:
    if first is not None:
        yield first
        yield from rows


def _run_start(run: Run, first: Optional[Dict[str, Any]]) -> RunStart:
    metadata = _metadata(run)
    began = _created(run)
    if first is not None and "_timestamp" in first and "_runtime" in first:
        began = float(first["_timestamp"]) - float(first["_runtime"])
    return RunStart(
        run_id=run.id, entity=run.entity, project=run.project, name=run.name, notes=run.notes,
        tags=list(run.tags or ()), group=run.group or None, job_type=run.job_type or None, sweep_id=run.sweep_name,
        time=began, host=str(metadata.get("host") or ""), program=str(metadata.get("program") or ""),
        settings="{}", environment=dump_json(metadata),
    )  # fmt: skip


def _metadata(run: Run) -> Dict[str, Any]:
    from ..errors import Error

    try:
        return run.metadata or {}
    except (Error, ValueError):
        return {}  # a file that some runs don't have


def _samples(run: Run) -> Iterable[SystemMetrics]:
    for row in run.history(samples=_SAMPLES_MAX, pandas=False, stream="system"):
        values = {name.partition(".")[2]: value for name, value in row.items() if name.startswith("system.")}
        if values and "_timestamp" in row:
            yield SystemMetrics(time=float(row["_timestamp"]), json=json.dumps(values))


class _RowWriter:
    """Rows and samples in the order of their times, with a session for each that the clocks of the rows tell."""

    def __init__(self, log: Log, start: RunStart, samples: Deque[SystemMetrics]) -> None:
        self._log, self._start, self._samples = log, start, samples
        self._began, self._before = start.time, 0.0  # of this session; runtime of those before
        self.time = start.time  # of what was written last
        self._runtime = 0.0

    def write(self, row: Dict[str, Any]) -> None:
        time = float(row.get("_timestamp") or self.time)
        runtime = float(row.get("_runtime") or 0.0)
        if "_runtime" in row and time - self._began - (runtime - self._before) > _SESSION_SECONDS:
            self._begin_session(row["_step"], time - (runtime - self._runtime))
        while self._samples and self._samples[0].time <= time:
            self._put(self._samples.popleft())
        values = {key: value for key, value in row.items() if key not in _CLOCKS}
        self._log.append_row(values, int(row["_step"]), time, _FLAGS)
        self.time, self._runtime = time, runtime

    def _begin_session(self, step: int, began: float) -> None:
        import dataclasses

        self._before, self._began = self._runtime, began
        self._log.append(dataclasses.replace(self._start, time=began, resumed=True, first_step=int(step)))

    def _put(self, sample: SystemMetrics) -> None:
        self._log.append(sample)

    def finish(self) -> None:
        while self._samples:
            sample = self._samples.popleft()
            self._put(sample)
            self.time = max(self.time, sample.time)
