"""The log of a run that a server holds: what has come there is written to it, as often as it is asked to.

Rows, config, summary, console and the samples of the machine. What a server doesn't tell isn't there: how the writer
ended beyond the run's state, and what of the config changed when.
"""

from __future__ import annotations

import dataclasses
import datetime
import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable, Dict, Iterator, List, Optional, Set

from wandb_storage import (
    ConfigChange,
    Console,
    Exit,
    FileSaved,
    Log,
    RowFlag,
    RunStart,
    SummaryChange,
    SystemMetrics,
    WriterLost,
    dump_json,
)

if TYPE_CHECKING:
    from ..apis.public.console_logs import ConsoleLogLine
    from ..apis.public.runs import Run

# Samples of the machine that are asked for: servers thin them out.
_SAMPLES_MAX = 10_000
# Lines that are asked for again: programs draw over the last ones.
_TAIL_LINES = 200
# Rows whose clocks differ by more belong to another session of the run.
_SESSION_SECONDS = 2.0
_CLOCKS = ("_step", "_timestamp", "_runtime")
_FLAGS = int(RowFlag.COMMIT | RowFlag.EXPLICIT)
_GOES_ON = {"running", "pending", "preempting"}
_FAILED = {"failed", "crashed", "killed", "preempted"}


def goes_on(run: Run) -> bool:
    """Whether more may come of the run."""
    return run.state in _GOES_ON


def created_at(run: Run) -> float:
    """When the server says that the run came to be, in Unix seconds; 0 where it doesn't say."""
    try:
        moment = datetime.datetime.fromisoformat(str(run.created_at).replace("Z", "+00:00"))
    except (AttributeError, ValueError):
        return 0.0
    return (moment if moment.tzinfo else moment.replace(tzinfo=datetime.timezone.utc)).timestamp()


class ServerCopy:
    """A new log in `folder`, open until it is closed. `bring` writes what `run` has had since it was last loaded."""

    def __init__(self, run: Run, folder: Path) -> None:
        self._run = run
        self._log = Log.create(folder, run.id)
        self._rows: Optional[_RowWriter] = None
        self._lines = _LineWriter(self._log)
        self._config = self._summary = ""
        self._files: Set[str] = set()

    def bring(self, progress: Callable[[int, int], object] = max, everything: bool = True) -> None:
        """Write what is new. `progress` is told the steps that have been read, and how many there are. `everything`:
        also samples of the machine and names of files, which a server reads all of for an answer. Raises CommError."""
        run = self._run
        scan = run.scan_history(min_step=self._rows.next_step if self._rows else 0)
        row = next(scan, None)
        if self._rows is None:
            start = _run_start(run, row)
            self._log.append(start)
            self._rows = _RowWriter(self._log, start)
        self._bring_config(self._rows.time)
        if everything:
            self._rows.sampled(_samples(run))
        behind = run.lastHistoryStep + 1
        while row is not None:
            self._rows.write(row)
            progress(self._rows.next_step, behind)
            row = next(scan, None)
        self._rows.write_samples(math.inf)
        self._lines.write(self._new_lines(), self._rows.time)
        self._bring_summary(self._rows.time)
        if everything:
            self._bring_files(self._rows.time)

    def _bring_config(self, time: float) -> None:
        config = dump_json(self._run.config)
        if config != self._config:
            self._log.append(ConfigChange(json=config, time=time))
            self._config = config

    def _bring_summary(self, time: float) -> None:
        summary = dump_json({key: value for key, value in self._run.summary_metrics.items() if key not in _CLOCKS})
        if summary != self._summary:
            self._log.append(SummaryChange(json=summary, time=time))
            self._summary = summary

    def _bring_files(self, time: float) -> None:
        for file in self._run.files():
            if file.name not in self._files:
                self._files.add(file.name)
                self._log.append(FileSaved(path=str(file.name), policy="end", time=time))

    def _new_lines(self) -> List[ConsoleLogLine]:
        if self._lines.count:
            tail = list(self._run.console_logs(last=_TAIL_LINES))
            if tail and tail[0].number <= self._lines.count:
                return tail
        return list(self._run.console_logs())

    def end(self) -> None:
        """Write how the run has ended, as far as the server says."""
        time = self._rows.time if self._rows else 0.0
        self._lines.end(time)
        state = self._run.state
        if state == "finished":
            self._log.append(Exit(code=0, time=time))
        elif state in _FAILED:
            self._log.append(WriterLost(cause="server", evidence=f"the server calls it {state}", time=time))

    def close(self) -> None:
        self._log.close()


def _run_start(run: Run, first: Optional[Dict[str, Any]]) -> RunStart:
    metadata = _metadata(run)
    began = created_at(run)
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


def _samples(run: Run) -> Iterator[SystemMetrics]:
    for row in run.history(samples=_SAMPLES_MAX, pandas=False, stream="system"):
        values = {name.partition(".")[2]: value for name, value in row.items() if name.startswith("system.")}
        if values and "_timestamp" in row:
            yield SystemMetrics(time=float(row["_timestamp"]), json=json.dumps(values))


class _RowWriter:
    """Rows and samples in the order of their times, with a session for each that the clocks of the rows tell."""

    def __init__(self, log: Log, start: RunStart) -> None:
        self._log, self._start = log, start
        self._samples: List[SystemMetrics] = []  # the next one last
        self._sampled = -math.inf
        self._began, self._before = start.time, 0.0  # of this session; runtime of those before
        self._runtime = 0.0
        self.time = start.time  # of what was written last
        self.next_step = 0

    def sampled(self, samples: Iterator[SystemMetrics]) -> None:
        """Take the samples that are new, to write each before the row that is later."""
        new = sorted((one for one in samples if one.time > self._sampled), key=lambda one: one.time, reverse=True)
        if new:
            self._samples = [*new, *self._samples]
            self._sampled = new[0].time

    def write(self, row: Dict[str, Any]) -> None:
        step, time = int(row["_step"]), float(row.get("_timestamp") or self.time)
        runtime = float(row.get("_runtime") or 0.0)
        if "_runtime" in row and time - self._began - (runtime - self._before) > _SESSION_SECONDS:
            self._begin_session(step, time - (runtime - self._runtime))
        self.write_samples(time)
        self._log.append_row({key: value for key, value in row.items() if key not in _CLOCKS}, step, time, _FLAGS)
        self.time, self._runtime, self.next_step = time, runtime, step + 1

    def _begin_session(self, step: int, began: float) -> None:
        self._before, self._began = self._runtime, began
        self._log.append(dataclasses.replace(self._start, time=began, resumed=True, first_step=step))

    def write_samples(self, until: float) -> None:
        while self._samples and self._samples[-1].time <= until:
            sample = self._samples.pop()
            self._log.append(sample)
            self.time = max(self.time, sample.time)


class _LineWriter:
    """Lines of a console. The last one stays open, for its program may be drawing over it."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._last: Optional[ConsoleLogLine] = None

    @property
    def count(self) -> int:
        return self._last.number + 1 if self._last is not None else 0

    def write(self, lines: List[ConsoleLogLine], time: float) -> None:
        for line in lines:
            if line.number >= self.count:
                self.end(time)
                self._put(line, line.content, time)
            elif line.number == self.count - 1 and self._last is not None and line.content != self._last.content:
                self._put(line, f"\r\033[K{line.content}", time)

    def end(self, time: float) -> None:
        """End the line that is open."""
        if self._last is not None:
            self._put(self._last, "\n", time)

    def _put(self, line: ConsoleLogLine, text: str, time: float) -> None:
        moment = time if line.timestamp is None else line.timestamp.timestamp()
        self._log.append(Console(time=moment, stream=int(line.level == "error"), text=text))
        self._last = line
