"""A run as its log tells it: `replay(run)` and what it returns."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Collection, Dict, Iterator, List, Optional, Sequence

from wandb_storage import Alert, Artifact, Columns, ConsoleLine, ForeignFile, LogError, Reader, RunStart

from ._ended import Ended, explain
from ._folders import AnyPath, find_run
from ._history import History, HistoryRow
from ._range import Range
from ._scan import NOBODY, ConfigStep, Listeners, Scan, Session, Until, console_lines, scan, system_rows
from ._types import table_type

# Console lines that a later write may still change: more than a screenful of progress bars.
CONSOLE_WINDOW = 1000


class Replay:
    """A run, read from its log: finished, killed or still running. Nothing is written, and the writer isn't disturbed.

    What the properties say is read once, at the first use of one; `history`, `columns` and `console` read the log each
    time. A running run's replay is a picture of the moment: call `replay` again for the next.

    Where the middle of the log is damaged, everything before the damage is there and `damage` says what is wrong;
    `history` and `console` raise LogDamaged when they arrive there.
    """

    def __init__(
        self,
        folder: AnyPath,
        until: Until = Until(),  # noqa: B008 - a tuple, immutable
        origin: str = "",
        said: Optional[Ended] = None,
        keep: object = None,
    ) -> None:
        """`origin`: where the run is really, if this is a copy, and what a server `said` of its end; `keep` goes with
        the last object that reads the folder."""
        self.folder = Path(folder)
        self.origin, self._said, self._keep = origin, said, keep
        self._until = until
        self._whole = until == Until()
        self._scan: Optional[Scan] = None
        self._ended: Optional[Ended] = None

    @classmethod
    def of(cls, folder: AnyPath, found: Scan, ended: Ended, origin: str = "") -> Replay:
        """A run of which a pass has found so much."""
        made = cls(folder, Until(sequence=found.last_sequence), origin)
        made._scan, made._ended = found, ended
        return made

    def __repr__(self) -> str:
        return f"<Replay of {self.folder.name}: {self.state}, {self.rows} rows>"

    # --- what the run was ---------------------------------------------------------------------------------------------

    @property
    def start(self) -> RunStart:
        """Identity and labels of the run as they are now: `run_id`, `project`, `name`, `tags`, `host`, `program`, …"""
        return self.scan().state.start

    @property
    def run_id(self) -> str:
        return self.start.run_id or self.folder.name.rpartition("-")[2]

    @property
    def name(self) -> Optional[str]:
        return self.start.name

    @property
    def config(self) -> Dict[str, Any]:
        return self.scan().state.config

    @property
    def config_steps(self) -> List[ConfigStep]:
        """How the config changed while the run went on: `step`, `time`, the keys that were `old` and are `new`."""
        return self.scan().config_steps

    @property
    def summary(self) -> Dict[str, Any]:
        return self.scan().state.summary

    @property
    def files(self) -> Dict[str, str]:
        """Saved files, as paths in the run's `files` folder, and the policy of each: live, now or end."""
        return self.scan().state.files

    @property
    def artifacts(self) -> List[Artifact]:
        """Artifacts that the run logged or used."""
        return self.scan().state.artifacts

    @property
    def alerts(self) -> List[Alert]:
        return self.scan().state.alerts

    @property
    def sessions(self) -> List[Session]:
        """The processes that wrote to the run, one after the other."""
        return self.scan().sessions

    @property
    def rows(self) -> int:
        """How many rows the history has: without those that went when segments were removed."""
        found = self.scan()
        return found.state.rows - found.removed_rows

    @property
    def keys(self) -> List[str]:
        """The history's keys: `_step`, then those logged, in the order of their first appearance, then the clocks."""
        return order_keys(self.scan().keys)

    # --- how it ended -------------------------------------------------------------------------------------------------

    @property
    def state(self) -> str:
        """running, finished, failed, crashed or unknown: see `Ended`."""
        return self.ended.state

    @property
    def ended(self) -> Ended:
        """How the run ended, and the evidence for it."""
        found = self.scan()
        if self._ended is None:
            known = self._said if not found.stopped else None
            self._ended = known or explain(self.folder, self.run_id, found, self._until)
        return self._ended

    @property
    def damage(self) -> Optional[LogError]:
        """What is wrong with the log, where it can't be read to its end."""
        return self.scan().damage

    @property
    def is_whole(self) -> bool:
        """Whether this is the run as its log tells it, and not as it was at a moment."""
        return self._whole

    # --- what it logged -----------------------------------------------------------------------------------------------

    def history(
        self,
        keys: Optional[Sequence[str]] = None,
        *,
        from_step: Optional[int] = None,
        to_step: Optional[int] = None,
        from_time: Optional[float] = None,
        to_time: Optional[float] = None,
    ) -> History:
        """The rows, streamed in constant memory, or as a table: `to_pandas()`, `to_polars()`, `to_arrow()`.

        With `keys`, each row has `_step` and those of the keys that it holds, and rows that hold none are left out.
        Steps and times (seconds since the epoch) bound the rows, both ends included.

        >>> for row in replay("latest").history(["loss"], to_step=1):
        ...     print(row["_step"], row["loss"])
        0 1.0
        1 0.5
        >>> replay("latest").history(["loss"]).to_pandas().shape
        (200, 2)
        """
        wanted = Range(from_step, to_step, from_time, to_time)
        found = self.scan()
        kinds = {key: table_type(found.types[key]) for key in self.keys}
        return History(self.folder, self._stop, kinds, keys, wanted, self._keep, found.in_order)

    def columns(self, keys: Optional[Sequence[str]] = None) -> Iterator[Columns]:
        """`history(keys).columns()`: the rows in columns, several times as fast as one by one.

        >>> import numpy
        >>> for batch in replay("latest").columns(["loss"]):
        ...     print(numpy.frombuffer(batch.columns["loss"].values, "float64").min())
        0.005
        """
        return self.history(keys).columns()

    @property
    def system(self) -> Iterator[HistoryRow]:
        """The samples of the machine: `system.cpu` and the like, `_timestamp`, `_runtime`."""
        return system_rows(self.folder, self._stop)

    @property
    def console(self) -> Iterator[ConsoleLine]:
        """What the program wrote to its terminal, line by line: `number`, `time`, `stream`, `text`."""
        return console_lines(self.folder, self._stop, CONSOLE_WINDOW)

    @property
    def _stop(self) -> int:
        """The first record that isn't looked at; one further where that one is damaged, for whoever comes to it."""
        found = self.scan()
        return found.last_sequence + (1 if found.damage is None else 2)

    # --- at another moment --------------------------------------------------------------------------------------------

    def at(self, *, step: Optional[int] = None, sequence: Optional[int] = None, time: Optional[float] = None) -> Replay:
        """The run as it was: when its row of `step` was complete, after the record numbered `sequence`, or at `time`,
        seconds since the epoch.

        >>> replay("latest").at(step=99).summary["loss"]
        0.01
        """
        if sum(moment is not None for moment in (step, sequence, time)) != 1:
            raise ValueError("name one moment: a step, a sequence number or a time")
        return Replay(self.folder, Until(sequence, step, time), self.origin, self._said, self._keep)

    # --- a branch -----------------------------------------------------------------------------------------------------

    def fork(self, *, step: int, run_id: Optional[str] = None, name: Optional[str] = None) -> Replay:
        """Make a new run that begins as this one up to `step`, in a log of its own; this one stays as it is.

        Raises UsageError where the run has no such step, or `run_id` is taken, and OSError.

        >>> fork = replay("latest").fork(step=100, run_id="fork-1")
        >>> fork.rows, fork.start.branch_step
        (101, 100)
        """
        from ._branching import fork

        return Replay(fork(self, step, run_id, name))

    def rewind(self, *, step: int) -> Replay:
        """Let the run go back to `step`: a log without what came later takes the place of this one, which stays.

        Raises UsageError where the run has no such step, LogInUse while somebody writes it, and OSError.

        >>> replay("latest").rewind(step=50).rows
        51
        """
        from ._branching import rewind

        return Replay(rewind(self, step))

    # --- several passes -----------------------------------------------------------------------------------------------

    def pinned(self) -> Replay:
        """This replay for several passes that must agree with each other while the run goes on."""
        found = self.scan()
        until = self._until._replace(sequence=found.last_sequence)
        pinned = Replay(self.folder, until, self.origin, self._said, self._keep)
        pinned._scan, pinned._ended, pinned._whole = found, self.ended, self._whole
        return pinned

    # --- reading ------------------------------------------------------------------------------------------------------

    def scan(self, listeners: Listeners = NOBODY) -> Scan:
        """The facts about the run; with listeners, from a pass that hands over what it comes by."""
        if self._scan is None or listeners != NOBODY:
            self._scan, self._ended = scan(self.folder, self._until, listeners), None
        return self._scan

    def story(self, width: int = 100) -> str:
        """The story of the run for a person, as plain text."""
        from ._story import plain_story  # a terminal's worth of imports that the data doesn't need

        return plain_story(self, width)


def replay(run: AnyPath = "latest", directory: Optional[AnyPath] = None) -> Replay:
    """Read a run from its log alone.

    `run` is a run's id, its folder, a file in it, or `latest`. Ids are looked up in `directory`, by default the wandb
    directory of `$WANDB_DIR` or of the working directory. Raises LogNotFound where there is no such run, or more than
    one, and another LogError where its log can't be read at all.

    `entity/project/id` or the address of a run's page mean a run of a server, which is fetched. Raises CommError where
    the server can't be asked.

    >>> with wandb.init(project="digits", mode="offline", config={"lr": 0.001}) as run:
    ...     for step in range(200):
    ...         run.log({"loss": 1 / (step + 1)})
    >>> run = replay("latest")
    >>> run.state, run.config["lr"], run.summary["loss"]
    ('finished', 0.001, 0.005)
    >>> print(run.ended.evidence)
    the program recorded exit code 0
    """
    from ._fetch import fetch, server_path

    elsewhere = server_path(os.fspath(run))
    found = open_run(find_run(run, directory)) if elsewhere is None else fetch(elsewhere)
    found.scan()
    return found


def open_run(folder: Path) -> Replay:
    """The run in a folder, whichever client wrote it."""
    try:
        Reader(folder).close()
    except ForeignFile:
        from ._official import official_run

        found = official_run(folder)
        if found is not None:
            return found
    except LogError:
        pass  # which whoever reads it is told
    return Replay(folder)


_CLOCKS = ("_runtime", "_timestamp")


def order_keys(keys: Collection[str]) -> List[str]:
    """`_step` first, the clocks last, the others as they came."""
    logged = [key for key in keys if key != "_step" and key not in _CLOCKS]
    return [key for key in ("_step", *logged, *_CLOCKS) if key in keys]
