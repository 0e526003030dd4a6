"""One run of this machine, in the form in which a server answers."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import mimetypes
import os
import threading
from collections import deque
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, Callable, Dict, Iterator, List, Mapping, NamedTuple, Optional, Sequence, Tuple
from urllib.parse import quote

from wandb_storage import ConsoleLine, Stream, is_log_file, log_folder

from ..._filters import MISSING, RunView, sortable_time
from ...replay import Replay
from ...replay._scan import Listeners
from ._history import history_keys
from ._pages import iso_time

PROJECT_DEFAULT = "uncategorized"
_HASH_BYTES = 1 << 20

Open = Callable[[], BinaryIO]


class Owner(NamedTuple):
    """Who is meant where a log doesn't say."""

    entity: str
    user: str


class LocalRun:
    """What the log in a folder says of its run. Safe between threads."""

    def __init__(self, folder: Path, owner: Owner) -> None:
        self.folder = folder
        self.signature = signature(folder)  # of what was read
        self._owner = owner
        self._system: Dict[str, Any] = {}
        read = Replay(folder)
        read.scan(Listeners(system=self._take_system))
        self._replay = read.pinned()
        self._lock = threading.Lock()
        self._console: Optional[Tuple[int, Iterator[ConsoleLine]]] = None  # a pass under way: its last line, the rest
        self._files: Optional[Dict[str, Open]] = None

    def _take_system(self, rows: Sequence[Mapping[str, Any]]) -> None:
        self._system = dict(rows[-1])

    @property
    def replay(self) -> Replay:
        return self._replay

    @property
    def entity(self) -> str:
        return self._replay.start.entity or self._owner.entity

    @property
    def project(self) -> str:
        return self._replay.start.project or PROJECT_DEFAULT

    @property
    def run_id(self) -> str:
        return self._replay.run_id

    @property
    def started(self) -> float:
        return self._replay.start.time or self._replay.scan().created

    # --- what it is ---------------------------------------------------------------------------------------------------

    def attrs(self, full: bool = True) -> Dict[str, Any]:
        """The run under the names of the protocol; with `full`, its config and summary too."""
        found, start = self._replay.scan(), self._replay.start
        light = {
            "id": str(self.folder),
            "projectId": None,
            "tags": list(start.tags),
            "name": self.run_id,
            "displayName": start.name or self.run_id,
            "sweepName": start.sweep_id,
            "state": self._replay.state,
            "group": start.group,
            "jobType": start.job_type,
            "commit": self._commit(),
            "readOnly": False,
            "createdAt": iso_time(self.started),
            "heartbeatAt": iso_time(found.state.last_time or self.started),
            "description": start.notes,
            "notes": start.notes,
            "historyLineCount": self._replay.rows,
            "user": {"name": self._user(), "username": self._user()},
            "url": self.folder.absolute().as_uri(),
        }
        if not full:
            return light
        return {
            **light,
            "config": self.config(),
            "summaryMetrics": self.summary(),
            "systemMetrics": self._system,
            # It takes a pass over all rows, so that it is made for who asks for it.
            "historyKeys": lambda: history_keys(self._replay),
        }

    def config(self) -> Dict[str, Any]:
        """As servers keep it."""
        from wandb_uploader import wire_config

        return wire_config(self._replay.scan().state)

    def summary(self) -> Dict[str, Any]:
        state = self._replay.scan().state
        return {**state.summary, "_wandb": {"runtime": int(state.runtime)}}

    def view(self) -> RunView[LocalRun]:
        """The run as filters see it."""
        start, state = self._replay.start, self._replay.scan().state
        columns: Mapping[str, Any] = {
            "name": self.run_id, "display_name": start.name or self.run_id, "displayName": start.name or self.run_id,
            "state": self._replay.state, "group": start.group, "job_type": start.job_type, "jobType": start.job_type,
            "sweep": start.sweep_id, "notes": start.notes, "description": start.notes, "commit": self._commit(),
            "host": start.host, "username": self._user(), "user": self._user(), "tags": list(start.tags),
            "created_at": sortable_time(self.started), "createdAt": sortable_time(self.started),
            "heartbeat_at": sortable_time(state.last_time), "heartbeatAt": sortable_time(state.last_time),
        }  # fmt: skip
        return RunView(self, lambda key: columns.get(key, MISSING), self.config, self.summary)

    def _environment(self) -> Dict[str, Any]:
        try:
            value = json.loads(self._replay.start.environment or "{}")
        except ValueError:
            return {}
        return value if isinstance(value, dict) else {}

    def _commit(self) -> Optional[str]:
        git = self._environment().get("git")
        return git.get("commit") if isinstance(git, dict) else None

    def _user(self) -> str:
        return str(self._environment().get("username") or self._owner.user)

    # --- console ------------------------------------------------------------------------------------------------------

    def console_page(self, after: int, count: int) -> List[ConsoleLine]:
        """At most `count` lines behind the line numbered `after`. Page after page is one pass over the log."""
        with self._lock:
            if self._console is not None and self._console[0] == after:
                lines = self._console[1]
            else:
                lines = (line for line in self._replay.console if line.number > after)
            page = list(islice(lines, count))
            self._console = (page[-1].number if page else after, lines)
            return page

    def console_tail(self, count: int) -> List[ConsoleLine]:
        return list(deque(self._replay.console, maxlen=max(0, count)))

    # --- files --------------------------------------------------------------------------------------------------------

    def files(self) -> Dict[str, Open]:
        """name -> how it is opened; those too that are made from the log."""
        if self._files is None:
            from wandb_uploader import files_of

            self._files = files_of(self.folder, self._replay.scan().state)
        return self._files

    def file_node(self, name: str) -> Dict[str, Any]:
        """A file as servers describe it; one that isn't there has no bytes."""
        node: Dict[str, Any] = {
            "id": f"{self.folder}#{name}",
            "name": name,
            "url": f"{self.folder.absolute().as_uri()}#{quote(name)}",
            "directUrl": None,
            "sizeBytes": "0",
            "mimetype": mimetypes.guess_type(name)[0],
            "updatedAt": None,
            "md5": None,
        }
        if name in self.files():
            opener = self.files()[name]
            with contextlib.suppress(OSError), opener() as file:
                node["sizeBytes"] = str(file.seek(0, os.SEEK_END))
                node["updatedAt"] = iso_time(os.fstat(file.fileno()).st_mtime if _is_on_disk(file) else self._ended())
            # Reading all bytes of a file is for who asks for their sum.
            node["md5"] = lambda: _md5(opener)
        return node

    def _ended(self) -> float:
        return self._replay.scan().state.last_time


def _is_on_disk(file: BinaryIO) -> bool:
    return isinstance(getattr(file, "name", None), int)


def _md5(opener: Open) -> str:
    digest = hashlib.md5(usedforsecurity=False)
    with opener() as file:
        for piece in iter(lambda: file.read(_HASH_BYTES), b""):
            digest.update(piece)
    return base64.b64encode(digest.digest()).decode()


def signature(folder: Path) -> Sequence[Tuple[str, int, int]]:
    """What changes when a log does. Raises LogError, OSError."""
    facts = []
    for path in log_folder(folder).iterdir():
        if is_log_file(path.name):
            status = path.stat()
            facts.append((path.name, status.st_size, status.st_mtime_ns))
    return sorted(facts)


def console_node(line: ConsoleLine) -> Dict[str, Any]:
    """A line of the console as servers describe it."""
    return {
        "number": line.number,
        # Cut off, not rounded, as the uploader does.
        "timestamp": sortable_time(int(line.time * 1e6) / 1e6)[:-1],
        "level": "error" if line.stream == Stream.STDERR else None,
        "label": None,
        "line": line.text,
    }
