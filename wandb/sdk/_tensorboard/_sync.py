"""The thread that brings events files into a run."""

from __future__ import annotations

import contextlib
import hashlib
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, Iterator, Tuple

from wandb_storage import FromLane, Reader, Telemetry, Undecodable, beginning, dump_json

from ..._terminal import termwarn
from ...errors import UsageError
from .._periodic import Periodic
from ._events import EventReader
from ._media import loggable
from ._records import DamagedFile, RecordFile
from ._writers import writers

if TYPE_CHECKING:
    from ..wandb_run import Run

_POLL_SECONDS = 1.0
# Read of one file at once, so that the log's other writers have their turn.
_READ_BYTES = 1 << 20
# Values of one step come one after the other; when no more have come for so long, their row is complete.
_ROW_SECONDS = 5.0
# The end of a run waits at most so long for what is still in the files, and until they have been quiet for so long.
_STOP_SECONDS = 30.0
_QUIET_SECONDS = 0.3
# Folders that say which part of a training they are of, whatever else there is.
_PARTS = frozenset({"eval", "test", "train", "val", "validation"})
GLOBAL_STEP = "global_step"
_TELEMETRY = "tensorboard"


class TensorBoardSync:
    """Takes over what the program writes for TensorBoard, from `start` to `stop`."""

    def __init__(self, run: Run, root: str = "", save: bool = True) -> None:
        """`root`: the folder below which folders name parts of the run. `save`: keep the files with the run."""
        self._run, self._save = run, save
        self._root = os.path.abspath(root) if root else ""
        self._base = Path(self._root or os.getcwd())  # what the files' names begin below
        self._files: Dict[str, _EventsFile] = {}
        self._defined: Dict[str, None] = {}
        self._earlier = run.resumed
        self._periodic = Periodic("wandb-tensorboard", _POLL_SECONDS, self._poll)

    def start(self) -> None:
        """Begin."""
        writers.install()
        writers.begin()
        self._periodic.start()

    def stop(self) -> None:
        """Take over what is left."""
        self._periodic.stop()
        moved = began = time.monotonic()
        while time.monotonic() < began + _STOP_SECONDS:
            # Some writers have a queue before their file, so asking them once is not enough.
            alive = writers.flush()
            self._poll()
            if any(file.moved for file in self._files.values()):
                moved = time.monotonic()
            elif not alive or time.monotonic() - moved >= _QUIET_SECONDS:
                break
            else:
                time.sleep(_QUIET_SECONDS / 10)
        self._poll(complete=True)
        if self._files:
            self._note_files()
        for path, file in self._files.items():
            file.records.close()
            writers.positions[path] = file.end
        if writers.reader is self:
            writers.reader = None

    def abandon(self) -> None:
        """In a forked child, whose events files are the parent's to read."""
        self._periodic.abandon()

    def _poll(self, complete: bool = False) -> bool:
        writers.reader = writers.reader or self
        if writers.reader is not self:
            return True
        try:
            if self._earlier:
                self._earlier = False
                self._go_on()
            self._find()
            for file in self._files.values():
                for values, moment, end in file.rows(complete):
                    self._log(file, values, moment, end)
        except Exception as error:  # a reader of somebody else's files ends no training
            termwarn(f"TensorBoard: reading its events failed ({type(error).__name__}: {error})", repeat=False)
        return True

    # --- files --------------------------------------------------------------------------------------------------------

    def _find(self) -> None:
        for folder in writers.remote():
            termwarn(f"TensorBoard: {folder} is not on this machine, so nothing of it comes into the run", repeat=False)
        for found in writers.files():
            path = os.path.realpath(found)
            begin = writers.positions.get(path, 0)
            # What has nothing new names no part of this run.
            if path not in self._files and _size(path) > begin:
                namespace = self._namespace(os.path.dirname(os.path.abspath(found)))
                self._files[path] = _EventsFile(Path(path), namespace, begin)
                self._note_files()

    def _namespace(self, folder: str) -> str:
        """What the keys of a folder's values begin with: its path below the root, which the first folder names."""
        if not self._root:
            self._root = os.path.dirname(folder) if os.path.basename(folder) in _PARTS else folder
        below = os.path.relpath(folder, self._root)
        if below == os.curdir:
            return ""
        name = os.path.basename(folder) if below.startswith(os.pardir) else Path(below).as_posix()
        return f"{name}/"

    def _note_files(self) -> None:
        """Let the log say which files there are, for a session that goes on, and how far they have come by now."""
        files = {path: [file.namespace, file.end] for path, file in self._files.items()}
        said = dump_json({_TELEMETRY: {"root": self._root, "files": files}})
        self._run._append_quietly(Telemetry(json=said, time=time.time()))

    def _go_on(self) -> None:
        """Take up the files of the sessions before, behind what the log has of them."""
        positions: Dict[int, int] = {}
        with Reader(Path(self._run.sync_dir)) as reader:
            before, state = beginning(reader)
            for entry in reader.entries(before + 1):
                state.apply(entry.record)
                if isinstance(entry.record, FromLane):
                    lane, sequence = entry.record.lane, entry.record.sequence
                    positions[lane] = max(sequence, positions.get(lane, 0))
        said: Dict[str, Any] = state.telemetry.get(_TELEMETRY) or {}
        self._root = self._root or said.get("root", "")
        for path, (namespace, end) in said.get("files", {}).items():
            self._files[path] = _EventsFile(Path(path), namespace, max(end, positions.get(_lane(path), 0)))

    # --- rows --------------------------------------------------------------------------------------------------------

    def _log(self, file: _EventsFile, values: Dict[str, Any], moment: float, end: int) -> None:
        row = {f"{file.namespace}{tag}": loggable(value, tag) for tag, value in values.items()}
        row[GLOBAL_STEP] = values[GLOBAL_STEP]  # by this name as well, whatever the folder: others look for it
        row = {key: value for key, value in row.items() if value is not None}
        step_key = f"{file.namespace}{GLOBAL_STEP}"
        for key in row:
            if key not in (step_key, GLOBAL_STEP) and key not in self._defined:
                self._defined[key] = None
                with contextlib.suppress(UsageError):  # a tag that can't be a metric's name is logged all the same
                    self._run.define_metric(key, step_metric=step_key)
        self._run._take_row(file.lane, end, row, moment)
        file.end = end
        if self._save and not file.saved:
            file.saved = True
            path, root = file.records.path, Path(self._root)
            base = next((one for one in (self._base, root) if one in path.parents), path.parent.parent)
            self._run.save(path, base_path=base, policy="end", glob=False)


class _EventsFile:
    """How far a file has been read, and the row that is being put together."""

    def __init__(self, path: Path, namespace: str, end: int = 0) -> None:
        """`end`: of what the log has of it. What stands before that is read for what it says of later values."""
        self.records, self.lane, self.namespace, self.end = RecordFile(path), _lane(str(path)), namespace, end
        self.moved = False  # whether the last look found more
        self.saved = False
        self._events = EventReader()
        self._values: Dict[str, Any] = {}
        self._moment = 0.0  # of the row's last value, as the writer counts time
        self._grown_at = time.monotonic()
        self._row_end = 0  # behind the row's last value
        self._damaged = False

    def rows(self, complete: bool) -> Iterator[Tuple[Dict[str, Any], float, int]]:
        """(values, time, position behind them) of the rows that are complete, or of all that there are."""
        for step, moment, values, end in self._read():
            if self._values and self._values[GLOBAL_STEP] != step:
                yield self._take()
            self._values.update(values)
            self._values[GLOBAL_STEP] = step
            self._moment, self._row_end, self._grown_at = moment, end, time.monotonic()
        if self._values and (complete or time.monotonic() - self._grown_at > _ROW_SECONDS):
            yield self._take()

    def _take(self) -> Tuple[Dict[str, Any], float, int]:
        values, self._values = self._values, {}
        return values, self._moment, self._row_end

    def _read(self) -> Iterator[Tuple[int, float, Dict[str, Any], int]]:
        self.moved = False
        if self._damaged:
            return
        try:
            records = self.records.read(_READ_BYTES)
        except DamagedFile as error:
            self._damaged = True
            termwarn(f"TensorBoard: {error}; what comes behind that isn't in the run")
            return
        except OSError:
            return  # removed, or not there yet
        self.moved = bool(records)
        for record in records:
            try:
                if record.payload is None:
                    raise Undecodable("its checksum is another")
                event = self._events.read(record.payload)
            except Undecodable as error:
                termwarn(f"TensorBoard: a record of {self.records.path} can't be read ({error})", repeat=False)
                continue
            if event.values and record.end > self.end:
                yield event.step, event.time, event.values, record.end


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size
    except OSError:
        return 0


def _lane(path: str) -> int:
    return int.from_bytes(hashlib.blake2b(f"tfevents {path}".encode(), digest_size=8).digest(), "little")
