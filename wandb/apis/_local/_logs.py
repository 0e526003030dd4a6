"""The runs of a wandb folder, answering the documents of the public Api as a server would."""

from __future__ import annotations

import getpass
import json
import os
import re
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable, Dict, Iterator, List, Optional, Sequence, Tuple, Union
from urllib.parse import unquote, urlsplit
from urllib.request import url2pathname

from wandb_storage import LogError

from ..._filters import FilterError, matches, ordered
from ..._run_folders import run_folders
from ..._sampling import SAMPLES_DEFAULT, evenly
from ..._terminal import termwarn
from ...errors import CommError
from ...replay import wandb_directory
from ...sdk._progress_bar import Progress
from .._paths import RunPath
from .._source import Row
from . import _changes as changes
from ._history import sample, scan
from ._pages import Answer, Variables, iso_time, page_of
from ._run import LocalRun, Owner, console_node, signature

if TYPE_CHECKING:
    from ...sdk.artifacts._names import ArtifactPath
    from ...sdk.artifacts.artifact import Artifact
    from ...sdk.wandb_settings import Settings

_OPERATION = re.compile(r"\b(?:query|mutation)\s+(\w+)")
_PIECE_BYTES = 1 << 20
_ENTITY_DEFAULT = "local"


class LocalLogs:
    """A `Source`. What a log says is read when somebody asks for its run, and again when the log has changed."""

    def __init__(self, settings: Settings, root: Optional[Path] = None, only: Optional[Path] = None) -> None:
        """root: a wandb folder, or the folder in which one is; by default that of the settings. only: one run's folder
        in it, whatever it is called."""
        base = root if root is not None else Path(settings.root_dir) if settings.root_dir else None
        self.directory = wandb_directory(base) if only is None else only.parent
        self._only = only
        self._settings = settings
        user = settings.username or _user_name()
        self.owner = Owner(settings.entity or _ENTITY_DEFAULT, user)
        self.project = settings.project
        self._lock = threading.Lock()
        self._known: Dict[Path, LocalRun] = {}

    def __reduce__(self) -> Tuple[Any, ...]:
        return LocalLogs, (self._settings, self.directory, self._only)

    @property
    def base_url(self) -> str:
        return self.directory.absolute().as_uri()

    @property
    def app_url(self) -> str:
        return self.base_url

    def supports(self, feature: str) -> bool:
        return False

    # --- runs ---------------------------------------------------------------------------------------------------------

    def open(self, folder: Path) -> LocalRun:
        """The run of a folder, as it is now. Raises CommError where its log can't be read."""
        try:
            now = signature(folder)
            with self._lock:
                known = self._known.get(folder)
            if known is None or known.signature != now:
                known = LocalRun(folder, self.owner)
                with self._lock:
                    self._known[folder] = known
            return known
        except (LogError, OSError) as error:
            raise CommError(f"the run in {folder} can't be read: {error}") from None

    def runs(self) -> List[LocalRun]:
        """All that can be read, the oldest first. Of several folders with the same run the newest counts."""
        found: Dict[Tuple[str, str, str], LocalRun] = {}
        folders = self.folders()
        with Progress(f"reading {self.directory}", len(folders), "runs") as progress:
            for folder in folders:
                try:
                    run = self.open(folder)
                    found[run.entity, run.project, run.run_id] = run
                except CommError as error:
                    termwarn(f"{error}; it is left out", repeat=False)
                progress.advance(1)
        return sorted(found.values(), key=lambda run: run.started)

    def folders(self, run_id: Optional[str] = None) -> List[Path]:
        """Of all runs, or of those with an id; the oldest first."""
        if self._only is not None:
            return [self._only]
        return [one.path for one in run_folders(self.directory) if run_id in (None, one.run_id)]

    def find(self, variables: Variables) -> Optional[LocalRun]:
        """The run that variables name."""
        name = variables.get("name") or variables.get("run") or variables.get("runName")
        wanted = RunPath(variables.get("entity") or "", variables.get("project") or "", str(name))
        for folder in reversed(self.folders(wanted.id)):
            run = self.open(folder)
            if (run.entity, run.project, run.run_id) == wanted:
                return run
        return None

    def _by_id(self, storage_id: str) -> LocalRun:
        folder = Path(storage_id)
        if folder.parent.absolute() != self.directory.absolute() or not folder.is_dir():
            raise CommError(f"{storage_id} is no run of {self.directory}")
        return self.open(folder)

    def artifact(self, path: ArtifactPath) -> Artifact:
        """The version that a path names. Raises ArtifactError where none was logged here."""
        from ._artifacts import find

        return find(self, path)

    # --- answers ------------------------------------------------------------------------------------------------------

    def execute(self, document: str, variables: Optional[Variables] = None, repeatable: bool = True) -> Answer:
        found = _OPERATION.search(document)
        operation = found.group(1) if found else ""
        answer = _ANSWERS.get(operation) or _about_others(operation)
        if answer is None:
            raise CommError(f"{operation} needs a server, and this Api reads the logs in {self.directory}")
        try:
            return answer(self, document, variables or {})
        except (LogError, OSError) as error:
            raise CommError(f"{operation}: {error}") from None

    def _user_node(self) -> Answer:
        entity, user = self.owner
        return {
            "id": user, "name": user, "username": user, "email": "", "admin": False, "flags": "{}", "entity": entity,
            "deletedAt": None, "apiKeys": {"edges": []}, "teams": {"edges": []},
        }  # fmt: skip

    def _viewer(self, document: str, variables: Variables) -> Answer:
        return {"viewer": self._user_node()}

    def _users(self, document: str, variables: Variables) -> Answer:
        known = self.owner.user.startswith(variables["query"])
        return {"users": {"edges": [{"node": self._user_node()}] if known else []}}

    def _projects(self, document: str, variables: Variables) -> Answer:
        nodes: Dict[str, Answer] = {}
        for run in self.runs():
            if run.entity == variables["entity"] and run.project not in nodes:
                nodes[run.project] = self._project_node(run)
        return {"models": page_of([{"node": node} for node in nodes.values()], variables)}

    def _project(self, document: str, variables: Variables) -> Answer:
        where = (variables["entity"], variables["name"])
        first = next((run for run in self.runs() if (run.entity, run.project) == where), None)
        return {"project": None if first is None else self._project_node(first)}

    def _project_node(self, first: LocalRun) -> Answer:
        return {
            "id": f"{first.entity}/{first.project}", "name": first.project, "entityName": first.entity,
            "createdAt": iso_time(first.started), "isBenchmark": False, "user": first.attrs(full=False)["user"],
        }  # fmt: skip

    def _list_runs(self, document: str, variables: Variables) -> Answer:
        where = (variables["entity"], variables["project"])
        views = [run.view() for run in self.runs() if (run.entity, run.project) == where]
        if not views and not self._has_sweeps(variables):
            return {"project": None}
        try:
            chosen = [view for view in views if matches(view, json.loads(variables.get("filters") or "{}"))]
            chosen = ordered(chosen, variables.get("order"))
        except FilterError as error:
            raise CommError(str(error)) from None
        full = "summaryMetrics" in document
        page = page_of([{"node": view.run} for view in chosen], variables)
        for edge in page["edges"]:
            edge["node"] = edge["node"].attrs(full)
        return {"project": {"internalId": None, "readOnly": False, "runCount": len(chosen), "runs": page}}

    def _has_sweeps(self, variables: Variables) -> bool:
        from ._sweeps import sweeps_of

        return bool(sweeps_of(self, variables))

    def _one_run(self, document: str, variables: Variables) -> Answer:
        run = self.find(variables)
        return _of(None if run is None else run.attrs("summaryMetrics" in document))

    def _history_keys(self, document: str, variables: Variables) -> Answer:
        run = self.find(variables)
        if run is None:
            return _of(None)
        last = run.replay.scan().last_step
        return _of({"historyKeys": {"lastStep": -1 if last is None else last, "sets": [], "keys": {}}})

    def _sample(self, document: str, variables: Variables) -> Answer:
        run = self.find(variables)
        if run is None:
            return _of(None)
        count = variables.get("samples") or SAMPLES_DEFAULT
        if "events(" in document:
            rows = list(run.replay.system)
            return _of({"events": [json.dumps(rows[place]) for place in evenly(range(len(rows)), count)]})
        return _of({"history": [json.dumps(row) for row in sample(run.replay, None, count)]})

    def _sample_of_keys(self, document: str, variables: Variables) -> Answer:
        run = self.find(variables)
        if run is None:
            return _of(None)
        specs = [json.loads(text) for text in variables["specs"]]
        rows = [sample(run.replay, spec["keys"], spec.get("samples") or SAMPLES_DEFAULT) for spec in specs]
        return _of({"sampledHistory": rows})

    def _exports(self, document: str, variables: Variables) -> Answer:
        run = self.find(variables)
        first = None if run is None else run.replay.scan().first_step
        live = [] if first is None else [{"_step": first}]
        return _of(None if run is None else {"parquetHistory": {"parquetUrls": [], "liveData": live}})

    def _files(self, document: str, variables: Variables) -> Answer:
        run = self.find(variables)
        if run is None:
            return _of(None)
        names = sorted(run.files())
        if variables.get("fileNames"):
            names = list(variables["fileNames"])
        elif variables.get("pattern"):
            like = _like(variables["pattern"])
            names = [name for name in names if like.fullmatch(name)]
        page = page_of([{"node": name} for name in names], variables, "fileCursor", "fileLimit")
        for edge in page["edges"]:
            edge["node"] = run.file_node(edge["node"])
        return _of({"fileCount": len(run.files()), "files": page})

    def _console(self, document: str, variables: Variables) -> Answer:
        run = self.find(variables)
        if run is None:
            return _of(None)
        total = run.replay.scan().state.console.count
        if "last" in variables:
            lines = run.console_tail(variables["last"])
        else:
            lines = run.console_page(int(variables.get("after") or -1), variables["first"])
        end = lines[-1].number if lines else -1
        info = {"endCursor": str(end), "hasNextPage": "first" in variables and bool(lines) and end + 1 < total}
        edges = [{"node": console_node(line)} for line in lines]
        return _of({"logLineCount": total, "logLines": {"edges": edges, "pageInfo": info}})

    # --- changes ------------------------------------------------------------------------------------------------------

    def _update(self, document: str, variables: Variables) -> Answer:
        run = self._by_id(variables["id"])
        changes.update(run, variables)
        return {"upsertBucket": {"bucket": {"id": variables["id"]}}}

    def _delete(self, document: str, variables: Variables) -> Answer:
        changes.delete(self._by_id(variables["id"]))
        return {"deleteRun": {"clientMutationId": None}}

    def _create_files(self, document: str, variables: Variables) -> Answer:
        run = self.find(variables)
        if run is None:
            raise CommError(f"there is no run {variables['run']} in {self.directory}")
        files = [{"name": name, "uploadUrl": run.file_node(name)["url"]} for name in variables["files"]]
        return {"createRunFiles": {"runID": str(run.folder), "uploadHeaders": [], "files": files}}

    # --- bytes --------------------------------------------------------------------------------------------------------

    def scan(
        self, run: RunPath, keys: Optional[Sequence[str]], min_step: int, stop_step: int, page_size: int
    ) -> Iterator[Row]:
        found = self.find({"entity": run.entity, "project": run.project, "name": run.id})
        if found is None:
            raise CommError(f"there is no run {run} in {self.directory}")
        try:
            yield from scan(found.replay, keys, min_step, stop_step)
        except LogError as error:
            raise CommError(f"the history of {run} ends here: {error}") from None

    def fetch(self, url: str, name: str, write: Callable[[bytes], object]) -> int:
        run, path = self._place(url)
        opener = run.files().get(path)
        if opener is None:
            raise CommError(f"the run {run.run_id} has no file {path}")
        taken = 0
        try:
            file = opener()
        except OSError as error:
            raise CommError(f"the file {path} of the run {run.run_id} can't be read: {error}") from None
        with file:
            for piece in iter(lambda: file.read(_PIECE_BYTES), b""):
                write(piece)
                taken += len(piece)
        return taken

    def put(self, url: str, headers: List[str], path: Union[str, os.PathLike[str]], name: str) -> str:
        run, target = self._place(url)
        digest = changes.add_file(run, Path(path), target)
        with self._lock:
            self._known.pop(run.folder, None)
        return digest

    def _place(self, url: str) -> Tuple[LocalRun, str]:
        parts = urlsplit(url)
        return self._by_id(url2pathname(parts.path)), unquote(parts.fragment)


def _of(run: Optional[Answer]) -> Answer:
    return {"project": {"internalId": None, "run": run}}


def _like(pattern: str) -> re.Pattern[str]:
    """SQL's LIKE: % stands for any text and _ for any letter."""
    signs = {"%": ".*", "_": "."}
    return re.compile("".join(signs.get(sign) or re.escape(sign) for sign in pattern), re.DOTALL | re.IGNORECASE)


def _user_name() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return _ENTITY_DEFAULT  # a container whose user has no name


def _about_others(operation: str) -> Optional[Callable[[LocalLogs, str, Variables], Answer]]:
    # These take parts of the package that runs don't need.
    if operation in ("GetSweep", "GetSweeps"):
        from ._sweeps import ANSWERS as about_sweeps

        return about_sweeps[operation]
    from ._artifacts import ANSWERS as about_artifacts

    return about_artifacts.get(operation)


_ANSWERS: Dict[str, Callable[[LocalLogs, str, Variables], Answer]] = {
    "GetViewer": LocalLogs._viewer,
    "SearchUsers": LocalLogs._users,
    "GetProjects": LocalLogs._projects,
    "GetProject": LocalLogs._project,
    "Runs": LocalLogs._list_runs,
    "Run": LocalLogs._one_run,
    "RunState": LocalLogs._one_run,
    "RunHistoryKeys": LocalLogs._history_keys,
    "RunFullHistory": LocalLogs._sample,
    "RunSampledHistory": LocalLogs._sample_of_keys,
    "RunParquetHistory": LocalLogs._exports,
    "RunFiles": LocalLogs._files,
    "RunConsoleLogPage": LocalLogs._console,
    "RunConsoleLogTail": LocalLogs._console,
    "UpsertBucket": LocalLogs._update,
    "DeleteRun": LocalLogs._delete,
    "CreateRunFiles": LocalLogs._create_files,
}
