"""One pass over a log: what replay knows of a run besides the rows themselves.

Memory stays the same whatever the length of the run: rows and console lines are handed on and forgotten.
"""

from __future__ import annotations

import dataclasses
import json
import operator
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, NamedTuple, Optional, Sequence, Set

from wandb_storage import (
    ColumnFold,
    Columns,
    Completed,
    ConfigChange,
    Console,
    ConsoleLine,
    Entry,
    Exit,
    FromLane,
    LogDamaged,
    LogError,
    Reader,
    Record,
    RunStart,
    RunState,
    Writer,
    WriterLost,
    beginning,
    find_beyond,
)

from ._history import HistoryRow
from ._types import note_types

# Changes of the config that are kept; further ones are counted.
CONFIG_STEPS_MAX = 1000


class Until(NamedTuple):
    """Where a replay stops: behind a record, before the run goes on to a later step, or at a moment."""

    sequence: Optional[int] = None
    step: Optional[int] = None
    time: Optional[float] = None  # seconds since the epoch

    def stop(self, reader: Reader, start: int) -> Optional[int]:
        """The number of the first record behind the stop, which may not be there; None for no stop."""
        if self.sequence is not None:
            return self.sequence + 1
        if self.step is None and self.time is None:
            return None
        try:
            return find_beyond(reader, step=self.step, time=self.time, start=start)
        except LogDamaged:
            return None  # whoever reads on comes to the damage


def _goes_on(reader: Reader, stop: Optional[int]) -> bool:
    """Whether the log has a record with the number of the stop, readable or not."""
    try:
        return stop is not None and next(reader.entries(stop), None) is not None
    except LogDamaged:
        return True


@dataclasses.dataclass
class Session:
    """One process's part of the run."""

    start: RunStart
    first_row: int  # rows of the run before this session
    rows: int = 0
    exit: Optional[Exit] = None
    writer_lost: Optional[WriterLost] = None


class ConfigStep(NamedTuple):
    """A change of the config while the run went on."""

    sequence: int
    time: float
    step: int  # of the row that came next
    old: Dict[str, Any]  # of the keys that changed, as they were: a key that is new isn't there
    new: Dict[str, Any]  # as they became: a key that was removed isn't there


@dataclasses.dataclass
class Scan:
    """What the pass found."""

    state: RunState = dataclasses.field(default_factory=RunState)
    sessions: List[Session] = dataclasses.field(default_factory=list)
    keys: Dict[str, int] = dataclasses.field(default_factory=dict)  # of rows, as first seen -> how many rows have it
    types: Dict[str, Set[str]] = dataclasses.field(default_factory=dict)  # of each key's values
    first_step: Optional[int] = None
    last_step: Optional[int] = None
    in_order: bool = True  # whether no row's step is below that of a row before it
    created: float = 0.0
    first_sequence: int = 1
    last_sequence: int = 0
    removed_rows: int = 0  # with segments that went to make room; they are counted in the state
    stopped: bool = False  # there are records behind the stop
    torn_bytes: int = 0
    unknown_kinds: int = 0
    damage: Optional[LogError] = None
    writer: Optional[Writer] = None  # the living one, when the pass was over
    config_steps: List[ConfigStep] = dataclasses.field(default_factory=list)
    config_changes: int = 0  # more than the list has where there are very many
    _config: Dict[str, Any] = dataclasses.field(default_factory=dict)  # as it was before the next change

    def take_columns(self, batch: Columns) -> None:
        for key, column in batch.columns.items():
            present = batch.rows if column.present is None else column.present.count(1)
            self.keys[key] = self.keys.get(key, 0) + present
            note_types(column, self.types.setdefault(key, set()))
        steps = batch.columns["_step"].objects()
        least, most = min(steps), max(steps)
        before = least if self.last_step is None else self.last_step
        self.in_order = self.in_order and before <= least and all(map(operator.le, steps, steps[1:]))
        self.first_step = least if self.first_step is None else min(least, self.first_step)
        self.last_step = most if self.last_step is None else max(most, self.last_step)

    def take(self, entry: Entry) -> None:
        """What the state doesn't keep of a record, after the state has taken it."""
        self.last_sequence = entry.sequence
        record = entry.record
        if record is None:
            self.unknown_kinds += 1
        elif type(record) is RunStart:
            self.sessions.append(Session(record, self.state.rows))
        elif self.sessions and isinstance(record, Exit):
            self.sessions[-1].exit = record
        elif self.sessions and isinstance(record, WriterLost):
            self.sessions[-1].writer_lost = record
        else:
            change = record.record if isinstance(record, FromLane) else record
            if isinstance(change, ConfigChange):
                self._take_config(entry.sequence, change)

    def _take_config(self, sequence: int, change: ConfigChange) -> None:
        """What a run sets before its first row, and sets anew to what it was, is no change."""
        before, self._config = self._config, dict(self.state.config)
        keys = [key for key in (*json.loads(change.json or "{}"), *change.removed) if not key.startswith("_")]
        old = {key: before[key] for key in keys if key in before}
        new = {key: self._config[key] for key in keys if key in self._config}
        changed = [key for key in keys if (key in old) != (key in new) or old.get(key) != new.get(key)]
        if not changed or not (old or self.state.rows):
            return
        self.config_changes += 1
        if len(self.config_steps) < CONFIG_STEPS_MAX:
            kept = ({key: side[key] for key in changed if key in side} for side in (old, new))
            self.config_steps.append(ConfigStep(sequence, change.time, self.state.step, *kept))

    def finish(self) -> None:
        following = [session.first_row for session in self.sessions[1:]] + [self.state.rows]
        for session, end in zip(self.sessions, following):
            session.rows = end - session.first_row


OnColumns = Callable[[Columns], object]
OnConsole = Callable[[Sequence[ConsoleLine]], object]
OnSystem = Callable[[Sequence[HistoryRow]], object]
Progress = Callable[[int], object]


class Listeners(NamedTuple):
    """Who wants what a pass goes by: rows, console lines as they change, samples of the machine, and the number of the
    record that it has come to."""

    columns: Optional[OnColumns] = None
    console: Optional[OnConsole] = None
    system: Optional[OnSystem] = None
    progress: Optional[Progress] = None


NOBODY = Listeners()


def scan(folder: Path, until: Until, listeners: Listeners = NOBODY) -> Scan:
    """Read the log in `folder` up to `until`.

    Damage in its middle ends the pass and stands in the result; LogNotFound, ForeignFile, NewerFormat and LogDamaged
    are raised where not even its beginning can be read.
    """
    with Reader(folder) as reader:
        one = Pass(reader, listeners)
        one.run(until)
        one.finish()
    return one.found


def _begin(reader: Reader) -> Scan:
    before, state = beginning(reader)
    return Scan(
        state=state, created=reader.identity.created, first_sequence=before + 1, last_sequence=before,
        removed_rows=state.rows,
    )  # fmt: skip


class Pass:
    """Goes through a log, and on when there is more: `found` is what is known so far, by an earlier pass maybe."""

    def __init__(self, reader: Reader, listeners: Listeners, found: Optional[Scan] = None) -> None:
        self.found = _begin(reader) if found is None else found
        self._reader, self._listeners = reader, listeners
        self._fold = ColumnFold(reader, self.found.state, on_entry=self._take)

    def run(self, until: Until = Until()) -> None:  # noqa: B008 - a tuple, immutable
        """Read what there is, up to the stop."""
        found = self.found
        while True:
            writer = self._reader.writer()
            try:
                stop = until.stop(self._reader, found.last_sequence + 1)
                self._read(stop)
                found.stopped = _goes_on(self._reader, stop)
            except LogDamaged as error:
                found.damage = error
            found.writer = self._reader.writer()
            if found.stopped or found.damage is not None or writer is None or found.writer is not None:
                break
            # The writer has ended since the pass began: what it wrote meanwhile says how.
        found.torn_bytes = self._reader.torn_bytes

    def _read(self, stop: Optional[int]) -> None:
        found, fold = self.found, self._fold
        try:
            for batch in fold.batches(found.last_sequence + 1, stop):
                self._take_columns(batch)
        finally:
            found.last_sequence = max(found.last_sequence, fold.last_sequence)

    def finish(self) -> None:
        """No more is read: the row that was still being put together counts as it stands."""
        last = self._fold.finish()
        if last is not None:
            self._take_columns(last)
        self.found.finish()

    def _take_columns(self, batch: Columns) -> None:
        self.found.take_columns(batch)
        # Whoever looks at what is found so far, in the middle of a long log, reads the same rows.
        self.found.last_sequence = max(self.found.last_sequence, batch.last_sequence)
        if self._listeners.columns is not None:
            self._listeners.columns(batch)
        if self._listeners.progress is not None:
            self._listeners.progress(batch.last_sequence)

    def _take(self, entry: Entry, completed: Completed) -> None:
        if completed.console and self._listeners.console is not None:
            self._listeners.console(completed.console)
        if completed.system and self._listeners.system is not None:
            self._listeners.system(completed.system)
        self.found.take(entry)


def system_rows(folder: Path, stop: int) -> Iterator[HistoryRow]:
    """The samples of the machine, each with `_timestamp` and `_runtime`. Raises LogDamaged at the damage, after
    all that stands before it."""
    waiting: List[HistoryRow] = []
    damage: Optional[LogDamaged] = None
    with Reader(folder) as reader:
        before, state = beginning(reader)
        fold = ColumnFold(reader, state, (), on_entry=lambda entry, completed: waiting.extend(completed.system))
        try:
            for _ in fold.batches(before + 1, stop):
                yield from waiting
                waiting.clear()
        except LogDamaged as error:
            damage = error
    yield from waiting
    if damage is not None:
        raise damage


def console_lines(folder: Path, stop: int, window: int) -> Iterator[ConsoleLine]:
    """The lines that the program wrote to its terminal, as they stood in the end.

    A later write may change a line, of which a progress bar makes much use. What `window` newer lines have followed is
    taken to be final. Raises LogDamaged as `system_rows`.
    """
    open_lines: Dict[int, ConsoleLine] = {}
    passed = -1
    damage: Optional[LogDamaged] = None
    with Reader(folder) as reader:
        before, state = beginning(reader)
        try:
            for record in _console_records(reader, before + 1, stop):
                written = record.record if isinstance(record, FromLane) else record
                for line in state.apply(written).console if isinstance(written, Console) else ():
                    if line.number > passed:
                        open_lines[line.number] = line
                while len(open_lines) > window:
                    passed = min(open_lines)
                    yield open_lines.pop(passed)
        except LogDamaged as error:
            damage = error
    for _, line in sorted(open_lines.items()):
        yield line
    if damage is not None:
        raise damage


def _console_records(reader: Reader, start: int, stop: int) -> Iterator[Record]:
    """Records of the terminal, and all of child processes, without a look at the rows between."""
    for chunk in reader.chunks(start, stop):
        for run in chunk.runs():
            if run.kind not in (Console.kind, FromLane.kind):
                continue
            for index in range(run.frames):
                record = reader.entry(run.sequence + index, run.kind, chunk.payload(run, index)).record
                if record is not None:
                    yield record
