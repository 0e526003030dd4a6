"""What of a wandb folder can go, and why; what stays, and why. Finding it out removes nothing.

What no server has stays, whatever its age and size. Of what is uploaded go: whole runs that are older than asked for,
and then the oldest parts of logs while the folder is over its budget. Leftovers of things that are gone go in any case.
"""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, Iterator, List, NamedTuple, Optional

if TYPE_CHECKING:
    from wandb_storage import RetentionReport

# A temporary file that somebody may still be writing is younger.
_LEFTOVER_SECONDS = 3600.0
_TEMPORARY = ".*.new"


class Item(NamedTuple):
    """Something that can go."""

    path: Path
    bytes: int
    reason: str


class Plan(NamedTuple):
    """What goes, and of runs that were looked at and stay, why."""

    runs: List[Item]  # whole folders
    parts: List[Item]  # of logs
    leftovers: List[Item]
    stays: Dict[str, str]
    budget: Optional[int]
    before: int  # bytes of all runs

    @property
    def items(self) -> List[Item]:
        return [*self.runs, *self.parts, *self.leftovers]

    @property
    def bytes(self) -> int:
        return sum(item.bytes for item in self.items)


def plan(home: Path, budget: Optional[int], older_seconds: Optional[float]) -> Plan:
    """Look, and remove nothing."""
    from wandb.replay import run_folders
    from wandb_storage import disk_use

    folders = [run.path for run in run_folders(home)]
    sizes = {folder: disk_use(folder).total for folder in folders}
    stays: Dict[str, str] = {}
    runs: List[Item] = []
    for folder in folders if older_seconds is not None else ():
        reason = why_it_stays(folder, older_seconds or 0.0)
        if reason:
            stays[folder.name] = reason
        else:
            runs.append(Item(folder, sizes[folder], f"all of it is uploaded, and nothing changed for {_age(folder)}"))
    report = _parts(home, budget)
    gone = {item.path for item in runs}
    parts = [
        Item(
            one.path,
            one.bytes,
            f"over the budget; records {one.first_sequence:,} to {one.last_sequence:,} are uploaded",
        )
        for one in (report.removed if report is not None else ())
        if one.path.parent not in gone
    ]
    if report is not None and not report.within_budget:
        stays.update({folder.name: reason for folder, reason in report.kept.items() if folder not in gone})
    return Plan(runs, parts, list(_leftovers(home, folders)), stays, budget, sum(sizes.values()))


def _parts(home: Path, budget: Optional[int]) -> Optional[RetentionReport]:
    """Parts of logs that would go to keep to the budget, the oldest first: those of runs that go anyway among them."""
    import wandb_uploader

    if budget is None or not home.is_dir():
        return None
    return wandb_uploader.make_room(home, budget, remove=False)


def carry_out(home: Path, what: Plan) -> int:
    """Remove what the plan names, as far as that still may go; the bytes that went."""
    import wandb_uploader

    removed = 0
    for item in what.runs:
        if not why_it_stays(item.path, 0.0):  # whoever resumes the run meanwhile has it back
            shutil.rmtree(item.path)
            removed += item.bytes
    if what.parts and what.budget is not None:
        report = wandb_uploader.make_room(home, what.budget)
        removed += report.before_bytes - report.after_bytes
    for item in what.leftovers:
        item.path.unlink(missing_ok=True)
        removed += item.bytes
    return removed


def why_it_stays(folder: Path, older_seconds: float) -> str:
    """Empty where a run's folder may go: it is uploaded, whole, and has been left alone for so long."""
    from wandb_storage import LogError, Reader
    from wandb_uploader import run_uploads

    uploads = [one for one in run_uploads(folder) if not one.redirected]
    if not uploads:
        return "no server has anything of it"
    try:
        with Reader(folder) as reader:
            if reader.writer() is not None:
                return "it is being written"
            last = reader.last_committed()
    except LogError as error:
        return str(error)
    for one in uploads:
        if one.parked_reason or one.parked_items or one.parked_files:
            return f"{one.destination} refused a part of it"
        if not one.has_all(last):
            return f"{one.destination} hasn't all of it"
    return "" if time.time() - _changed(folder) >= older_seconds else "it is younger"


def is_idle(folder: Path, older_seconds: float) -> bool:
    """Whether nobody writes a run, or has for so long."""
    from wandb_storage import LogError, Reader

    try:
        with Reader(folder) as reader:
            if reader.writer() is not None:
                return False
    except LogError:
        pass  # a log that can't be read isn't being written
    return time.time() - _changed(folder) >= older_seconds


def _changed(folder: Path) -> float:
    return max(path.lstat().st_mtime for path in [folder, *folder.rglob("*")])


def _age(folder: Path) -> str:
    from wandb.replay._words import duration

    return duration(time.time() - _changed(folder))


def _leftovers(home: Path, folders: List[Path]) -> Iterator[Item]:
    """Temporary files of processes that were killed, and cursors of runs that are gone."""
    from wandb_uploader import orphans

    now = time.time()
    found = [(path, "a temporary file that nobody finished") for folder in folders for path in folder.glob(_TEMPORARY)]
    found += [(path, "how far a run was uploaded that is no longer here") for path in orphans(home)]
    for path, reason in found:
        if path.is_file() and now - path.stat().st_mtime > _LEFTOVER_SECONDS:
            yield Item(path, path.stat().st_size, reason)


def fields(item: Item) -> Dict[str, Any]:
    return {"path": str(item.path), "bytes": item.bytes, "reason": item.reason}
