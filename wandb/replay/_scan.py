"""One pass over a log: what replay knows of a run besides the rows themselves.

Memory stays the same whatever the length of the run: rows and console lines are handed on and forgotten.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, NamedTuple, Optional, Sequence

from wandb_storage import (
    ColumnFold,
    Columns,
    Completed,
    ConsoleLine,
    Entry,
    Exit,
    LogDamaged,
    LogError,
    Reader,
    Row,
    RunStart,
    RunState,
    Writer,
    WriterLost,
    beginning,
)

HistoryRow = Dict[str, Any]


class Until(NamedTuple):
    """Where a replay stops: behind a record, or before the run goes on to a later step."""

    sequence: Optional[int] = None
    step: Optional[int] = None

    def passed(self, entry: Entry) -> bool:
        """Whether a record comes after the stop."""
        if self.sequence is not None and entry.sequence > self.sequence:
            return True
        return self.step is not None and isinstance(entry.record, Row) and entry.record.step > self.step


@dataclasses.dataclass
class Session:
    """One process's part of the run."""

    start: RunStart
    first_row: int  # rows of the run before this session
    rows: int = 0
    exit: Optional[Exit] = None
    writer_lost: Optional[WriterLost] = None


@dataclasses.dataclass
class Scan:
    """What the pass found."""

    state: RunState = dataclasses.field(default_factory=RunState)
    sessions: List[Session] = dataclasses.field(default_factory=list)
    keys: Dict[str, int] = dataclasses.field(default_factory=dict)  # of rows, as first seen -> how many rows have it
    first_step: Optional[int] = None
    last_step: Optional[int] = None
    created: float = 0.0
    first_sequence: int = 1
    last_sequence: int = 0
    removed_rows: int = 0  # with segments that went to make room; they are counted in the state
    stopped: bool = False  # there are records behind the stop
    torn_bytes: int = 0
    unknown_kinds: int = 0
    damage: Optional[LogError] = None
    writer: Optional[Writer] = None  # the living one, when the pass was over

    def take_row(self, row: HistoryRow) -> None:
        keys = self.keys
        for key in row:
            keys[key] = keys.get(key, 0) + 1
        step = row["_step"]
        if self.first_step is None or self.last_step is None:
            self.first_step = self.last_step = step
        elif step > self.last_step:
            self.last_step = step
        elif step < self.first_step:
            self.first_step = step

    def take_columns(self, batch: Columns) -> None:
        for key, column in batch.columns.items():
            present = batch.rows if column.present is None else column.present.count(1)
            self.keys[key] = self.keys.get(key, 0) + present
        steps = batch.columns["_step"].objects()
        least, most = min(steps), max(steps)
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

    def finish(self) -> None:
        following = [session.first_row for session in self.sessions[1:]] + [self.state.rows]
        for session, end in zip(self.sessions, following):
            session.rows = end - session.first_row


OnRow = Callable[[HistoryRow], None]
OnConsole = Callable[[Sequence[ConsoleLine]], None]


def scan(folder: Path, until: Until, on_row: Optional[OnRow] = None, on_console: Optional[OnConsole] = None) -> Scan:
    """Read the log in `folder` up to `until`.

    Damage in its middle ends the pass and stands in the result; LogNotFound, ForeignFile, NewerFormat and LogDamaged
    are raised where not even its beginning can be read.
    """
    with Reader(folder) as reader:
        before, state = beginning(reader)
        found = Scan(
            state=state, created=reader.identity.created, first_sequence=before + 1, last_sequence=before,
            removed_rows=state.rows,
        )  # fmt: skip
        while True:
            writer = reader.writer()
            try:
                if on_row is None and until == Until():
                    _pass_in_columns(reader, found, on_console)
                else:
                    _pass(reader, found, until, on_row, on_console)
            except LogDamaged as error:
                found.damage = error
            found.writer = reader.writer()
            if found.stopped or found.damage is not None or writer is None or found.writer is not None:
                break
            # The writer has ended since the pass began: what it wrote meanwhile says how.
        for row in found.state.complete_row():
            found.take_row(row)
            if on_row is not None:
                on_row(row)
        found.finish()
        found.torn_bytes = reader.torn_bytes
    return found


def _pass(reader: Reader, found: Scan, until: Until, on_row: Optional[OnRow], on_console: Optional[OnConsole]) -> None:
    """From the record behind the last one that was taken to the end or the stop."""
    state = found.state
    for entry in reader.entries(found.last_sequence + 1):
        if until.passed(entry):
            found.stopped = True
            return
        completed = state.apply(entry.record)
        if completed.rows:
            for row in completed.rows:
                found.take_row(row)
                if on_row is not None:
                    on_row(row)
        if completed.console and on_console is not None:
            on_console(completed.console)
        if type(entry.record) is Row:
            found.last_sequence = entry.sequence
        else:
            found.take(entry)


def _pass_in_columns(reader: Reader, found: Scan, on_console: Optional[OnConsole]) -> None:
    """As `_pass` to the end, where nobody asks for single rows."""

    def take(entry: Entry, completed: Completed) -> None:
        if completed.console and on_console is not None:
            on_console(completed.console)
        found.take(entry)

    fold = ColumnFold(reader, found.state, on_entry=take)
    try:
        for batch in fold.batches(found.last_sequence + 1):
            found.take_columns(batch)
    finally:
        found.last_sequence = max(found.last_sequence, fold.last_sequence)


def rows(folder: Path, until: Until) -> Iterator[HistoryRow]:
    """The history rows, one by one; the row that was still being put together comes last, as it stood.

    Raises LogDamaged at the damage, after every row before it.
    """
    damage: Optional[LogDamaged] = None
    with Reader(folder) as reader:
        before, state = beginning(reader)
        try:
            for entry in reader.entries(before + 1):
                if until.passed(entry):
                    break
                yield from state.apply(entry.record).rows
        except LogDamaged as error:
            damage = error
        yield from state.complete_row()
    if damage is not None:
        raise damage


def console_lines(folder: Path, until: Until, window: int) -> Iterator[ConsoleLine]:
    """The lines that the program wrote to its terminal, as they stood in the end.

    A later write may change a line, of which a progress bar makes much use. What `window` newer lines have followed is
    taken to be final. Raises LogDamaged as `rows`.
    """
    open_lines: Dict[int, ConsoleLine] = {}
    passed = -1
    damage: Optional[LogDamaged] = None
    with Reader(folder) as reader:
        before, state = beginning(reader)
        try:
            for entry in reader.entries(before + 1):
                if until.passed(entry):
                    break
                for line in state.apply(entry.record).console:
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
