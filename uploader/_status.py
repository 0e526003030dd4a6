"""How far the runs of a wandb directory have come, read from the cursors: no process is asked."""

from __future__ import annotations

import dataclasses
import glob
import json
import os
from pathlib import Path
from typing import Any, Dict, Iterator, List, NamedTuple, Optional, Tuple
from urllib.parse import quote, urlsplit

from wandb_storage import LogElsewhere, LogError, Reader, RunStart, find_run_id

from ._cursor import ArtifactProgress, Cursor, Trouble
from ._errors import NotUploadable
from ._home import STATES_FOLDER, Home, normalize_url
from ._target import SEPARATOR

# The addresses of the hosted service that don't follow the rule `api.` -> `app.`.
_HOSTED = {"https://api.forge.coreweave.com": "https://forge.coreweave.com/wandb"}


class ArtifactOutcome(NamedTuple):
    """What came of an artifact: the server's id of it, or why the server didn't take it."""

    id: str = ""
    refused: str = ""


@dataclasses.dataclass(frozen=True)
class RunStatus:
    """One run on its way to one server. Times are seconds since the epoch."""

    folder: Path
    run_id: str
    destination: str  # the server's base URL
    rows_acked: int = 0
    acked_time: float = 0.0  # of the last record that the server has
    sequence_acked: int = 0  # the last record that the server has
    bytes_acked: int = 0
    done: bool = False
    retrying_since: Optional[float] = None
    next_attempt: Optional[float] = None
    last_error: str = ""
    parked_reason: str = ""
    files_acked: Tuple[str, ...] = ()  # their paths
    parked_files: Dict[str, str] = dataclasses.field(default_factory=dict)  # path -> reason
    parked_items: Dict[str, str] = dataclasses.field(default_factory=dict)  # line or alert -> reason
    artifacts: Dict[str, ArtifactOutcome] = dataclasses.field(default_factory=dict)  # by their own ids
    artifact_files_acked: int = 0
    artifact: Optional[ArtifactProgress] = None  # that is under way
    redirected: bool = False  # sent elsewhere than the log says, or in part
    stopped: bool = False  # the server wants the run to stop
    entity: str = ""
    project: str = ""
    url: str = ""  # the run's page, once the server knows the run

    def has_all(self, last_record: int) -> bool:
        """Whether the server has everything of a log whose last record this is, files and how it ended included. What
        was `done` when an earlier session of the run had ended says nothing of a later one.
        """
        return self.done and self.sequence_acked >= last_record


def page_url(base_url: str, entity: str, project: str, run_id: str) -> str:
    """The page of a run in the browser."""
    path = "/".join(quote(part, safe="") for part in (entity, project, "runs", run_id))
    return f"{app_url(base_url)}/{path}"


def app_url(base_url: str) -> str:
    """Where a server's pages are: the hosted service has them on another host than its API."""
    base = base_url.rstrip("/")
    if base in _HOSTED:
        return _HOSTED[base]
    parts = urlsplit(base)
    if (parts.hostname or "").startswith("api."):
        return base.replace("://api.", "://app.", 1)
    return base


def status(wandb_dir: Path, base_url: Optional[str] = None) -> List[RunStatus]:
    """Every run of a wandb directory, and of one server where given, the oldest first.

    A run that no uploader has met yet is there too, with nothing acknowledged.
    """
    wanted = normalize_url(base_url) if base_url else None
    wandb_dir = Path(wandb_dir)
    found: List[RunStatus] = []
    for state_folder in _folders(wandb_dir / STATES_FOLDER):
        for path in state_folder.glob("*.json"):
            cursor = Cursor.load(path)
            if cursor is not None:
                name, _, target = path.stem.partition(SEPARATOR)
                one = status_of(wandb_dir / name, cursor, load_trouble(Home(wandb_dir, cursor.base_url).trouble_path))
                found.append(dataclasses.replace(one, redirected=bool(target)))
    met = {one.folder.name for one in found}
    for folder in _folders(wandb_dir):
        if folder.name.startswith(("run-", "offline-run-")) and folder.name not in met:
            found.extend(_unmet(folder))
    if wanted is not None:
        found = [one for one in found if one.destination in (wanted, "")]
    return sorted(found, key=lambda one: (one.folder.name.replace("offline-", "", 1), one.destination))


def run_status(folder: Path, base_url: str) -> Optional[RunStatus]:
    """One run on its way to one server: one look at one file, whatever else is in the directory. None where no uploader
    has met the run yet."""
    folder = Path(folder)
    home = Home(folder.parent, base_url)
    cursor = Cursor.load(home.cursor_path(folder.name))
    return None if cursor is None else status_of(folder, cursor, load_trouble(home.trouble_path))


def run_uploads(folder: Path) -> List[RunStatus]:
    """One run on its way to each server that an uploader has begun to bring it to, as it is or in part."""
    folder = Path(os.path.abspath(folder))
    found: List[RunStatus] = []
    for state_folder in _folders(folder.parent / STATES_FOLDER):
        for path in (*state_folder.glob(f"{glob.escape(folder.name)}.json"),
                     *state_folder.glob(f"{glob.escape(folder.name + SEPARATOR)}*.json")):  # fmt: skip
            cursor = Cursor.load(path)
            if cursor is not None:
                trouble = load_trouble(Home(folder.parent, cursor.base_url).trouble_path)
                one = status_of(folder, cursor, trouble)
                found.append(dataclasses.replace(one, redirected=SEPARATOR in path.stem))
    return sorted(found, key=lambda one: (one.redirected, one.destination))


def orphans(wandb_dir: Path) -> List[Path]:
    """What is kept of runs whose folders are gone."""
    return [
        path
        for state_folder in _folders(Path(wandb_dir) / STATES_FOLDER)
        for path in state_folder.glob("*run-*.*")
        if not (Path(wandb_dir) / path.stem.partition(SEPARATOR)[0]).exists()
    ]


def load_trouble(path: Path) -> Optional[Trouble]:
    """Why nothing can be sent to a server at the moment; None where nothing is wrong."""
    try:
        return Trouble(**json.loads(path.read_bytes()))
    except (OSError, ValueError, TypeError):
        return None


def status_of(folder: Path, cursor: Cursor, shared: Optional[Trouble] = None) -> RunStatus:
    """`shared` is the trouble that all runs of the server have."""
    bucket, trouble = cursor.bucket, cursor.trouble or (None if cursor.done else shared)
    return RunStatus(
        folder=folder,
        run_id=cursor.run_id or folder.name,
        destination=cursor.base_url,
        rows_acked=cursor.rows,
        acked_time=float((cursor.state or {}).get("last_time") or 0.0),
        sequence_acked=cursor.next - 1,
        bytes_acked=cursor.bytes,
        done=cursor.done,
        retrying_since=trouble.since if trouble else None,
        next_attempt=trouble.next_attempt if trouble else None,
        last_error=trouble.error if trouble else "",
        parked_reason=cursor.parked,
        files_acked=tuple(cursor.files),
        parked_files=dict(cursor.parked_files),
        parked_items={**cursor.parked_items, **_parked_artifacts(cursor)},
        artifacts=_artifacts(cursor),
        artifact_files_acked=cursor.artifact_files,
        artifact=cursor.artifact_progress,
        stopped=cursor.stopped,
        entity=bucket.entity if bucket else "",
        project=bucket.project if bucket else "",
        url=page_url(cursor.base_url, bucket.entity, bucket.project, bucket.name) if bucket else "",
    )


def _logged_artifact(cursor: Cursor, number: str) -> Dict[str, Any]:
    logged: List[Dict[str, Any]] = (cursor.state or {}).get("artifacts") or []
    return logged[int(number)] if int(number) < len(logged) else {}


def _parked_artifacts(cursor: Cursor) -> Dict[str, str]:
    return {
        f"artifact {_logged_artifact(cursor, number).get('name', number)}": reason
        for number, reason in cursor.parked_artifacts.items()
    }


def _artifacts(cursor: Cursor) -> Dict[str, ArtifactOutcome]:
    found = {own_id: ArtifactOutcome(server_id) for own_id, server_id in cursor.artifact_ids.items()}
    for number, reason in cursor.parked_artifacts.items():
        about = json.loads(_logged_artifact(cursor, number).get("json") or "{}")
        found.setdefault(str(about.get("client_id")), ArtifactOutcome(refused=reason))
    return found


def _unmet(folder: Path) -> Iterator[RunStatus]:
    try:
        run_id = find_run_id(folder)
        with Reader(folder) as reader:
            entries = reader.read(1, 1)
    except LogError as error:
        if isinstance(error, LogElsewhere) or any(folder.glob("run-*.wandb")):
            yield RunStatus(folder, folder.name, "", last_error=str(error))
        return
    destination = destination_of(entries[0].record if entries else None)
    trouble = load_trouble(Home(folder.parent, destination).trouble_path) if destination else None
    if trouble is None:
        yield RunStatus(folder, run_id, destination)
    else:
        yield RunStatus(
            folder, run_id, destination, retrying_since=trouble.since, next_attempt=trouble.next_attempt,
            last_error=trouble.error,
        )  # fmt: skip


def destination_of(record: object) -> str:
    """The server for which a run was logged, by its first record; empty where that names none."""
    if isinstance(record, RunStart):
        try:
            return normalize_url(json.loads(record.settings)["base_url"])
        except (ValueError, KeyError, TypeError, AttributeError, NotUploadable):
            pass  # a run that names no server goes to whichever uploader meets it
    return ""


def _folders(parent: Path) -> List[Path]:
    try:
        return [path for path in parent.iterdir() if path.is_dir() and not path.is_symlink()]
    except OSError:
        return []
