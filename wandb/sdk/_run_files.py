"""`run.save`: files of the user's, put into the run's folder and recorded in its log.

Nothing gets in that doesn't lie below `base_path`, through no link either, and nothing that has the name of a file of
the log's or of the client's own.

With the policy `now` the run gets a copy of the file as it is. With `live` and `end` it gets the file itself, a hard
link, or a copy where there can't be one; whoever replaces the file is followed, every few seconds or at the end.
"""

from __future__ import annotations

import glob
import os
import shutil
import threading
import time
from pathlib import Path
from typing import Callable, Dict, List, NamedTuple, Optional, Tuple, Union

from wandb_storage import FileSaved, Record, is_log_file

from .._terminal import termwarn
from ..errors import UsageError
from ._periodic import Periodic

POLICIES = ("live", "now", "end")
# How soon a live file that was replaced, as trainers replace their checkpoints, is followed.
_FOLLOW_SECONDS = 5.0
# These are made from the log, and would be taken for it.
_GENERATED = frozenset({"config.yaml", "output.log", "wandb-metadata.json", "wandb-summary.json"})

Location = Union[str, "os.PathLike[str]"]


class _Followed(NamedTuple):
    """A file that the run holds until its end."""

    source: Path
    target: Path
    live: bool


class RunFiles:
    """The files of one run."""

    def __init__(self, root: Path, append: Callable[[Record], None]) -> None:
        self._root = root
        self._append = append
        self._lock = threading.Lock()
        self._followed: Dict[str, _Followed] = {}
        self._copied: Dict[str, Tuple[int, ...]] = {}  # what the source of a copy was like
        self._follower: Optional[Periodic] = None

    def save(self, pattern: Location, base_path: Optional[Location], policy: str, expand: bool) -> List[str]:
        """Save what matches; return the paths in the run's folder. Raises UsageError."""
        if policy not in POLICIES:
            raise UsageError(f"save: policy is one of {', '.join(POLICIES)}, not {policy!r}")
        text = os.fsdecode(pattern)
        if text.startswith(("gs://", "s3://")):
            termwarn(f"save: {text} is no file of this machine; log an artifact with a reference to it")
            return []
        base = _base_of(text, base_path)
        if base not in (Path(os.path.abspath(text)), *Path(os.path.abspath(text)).parents):
            raise UsageError(f"save: {text} is not below {base}; pass base_path, a folder that it is below")
        names = sorted(glob.glob(text, recursive=True)) if expand else [text]
        saved = [self._save(Path(os.path.abspath(name)), base, policy) for name in names]
        if not names or (not expand and not os.path.lexists(text)):
            termwarn(f"save: there is no file {text}", repeat=False)
        return [str(target) for target in saved if target is not None]

    def _save(self, source: Path, base: Path, policy: str) -> Optional[Path]:
        if not source.is_file():
            if source.is_dir():
                termwarn(f"save: {source} is a folder; save {source}/* for its files", repeat=False)
            return None
        inside = self._root in source.parents
        path = source.relative_to(self._root if inside else base)
        problem = self._problem(source, path, self._root if inside else base)
        if problem:
            termwarn(f"save: {source} is not saved: {problem}")
            return None
        target = self._root / path
        with self._lock:
            if not inside:
                try:
                    self._put(source, target, policy == "now")
                except OSError as error:  # a full disk ends no training
                    termwarn(
                        f"save: {source} is not saved: {error.strerror or error}; save it again when that is mended"
                    )
                    return None
                if policy != "now":
                    self._followed[path.as_posix()] = _Followed(source, target, policy == "live")
            self._append(FileSaved(path=path.as_posix(), policy=policy, time=time.time()))
        if policy == "live" and not inside:
            self._follow()
        return target

    def _problem(self, source: Path, path: Path, base: Path) -> str:
        real = base.resolve()
        if real not in source.resolve().parents:
            return f"it is a link that leads out of {base}"
        if is_log_file(path.name):
            return "it has the name of a log's file"
        if path.as_posix() in _GENERATED:
            return "the client makes a file of this name itself"
        target = (self._root / path).parent.resolve()
        if self._root.resolve() not in (target, *target.parents):
            return "its place in the run's folder is a link that leads out of it"
        return ""

    def _put(self, source: Path, target: Path, copy: bool) -> None:
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = target.with_name(f".{target.name}.{os.getpid()}.saving")
        temporary.unlink(missing_ok=True)
        real = source.resolve()
        try:
            if not copy:
                try:
                    os.link(real, temporary)
                except OSError:
                    copy = True  # another file system, or one without links
            if copy:
                self._copied[str(target)] = _stamp(real)
                shutil.copyfile(real, temporary)
            os.replace(temporary, target)
        finally:
            temporary.unlink(missing_ok=True)

    # --- following ----------------------------------------------------------------------------------------------------

    def _follow(self) -> None:
        if self._follower is None:
            self._follower = Periodic("wandb-files", _FOLLOW_SECONDS, self._refresh_live)
            self._follower.start()

    def _refresh_live(self) -> bool:
        self._refresh([followed for followed in list(self._followed.values()) if followed.live])
        return True

    def _refresh(self, chosen: List[_Followed]) -> None:
        for followed in chosen:
            try:
                with self._lock:
                    if not self._is_current(followed):
                        self._put(followed.source, followed.target, False)
            except OSError:
                continue  # it is being replaced, or gone: the run keeps what it has

    def _is_current(self, followed: _Followed) -> bool:
        source = os.stat(followed.source)
        if followed.target.exists() and os.path.samestat(source, os.stat(followed.target)):
            return True
        return self._copied.get(str(followed.target)) == _stamp(followed.source)

    def finish(self) -> None:
        """Take the files as they are at the end."""
        if self._follower is not None:
            self._follower.stop()
        self._refresh(list(self._followed.values()))


def _base_of(pattern: str, base_path: Optional[Location]) -> Path:
    if base_path is not None:
        return Path(os.path.abspath(os.fspath(base_path)))
    if not os.path.isabs(pattern):
        return Path.cwd()
    return Path(os.path.abspath(pattern)).parent.parent  # one folder is kept of an absolute path


def _stamp(path: Path) -> Tuple[int, ...]:
    status = os.stat(path)
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns
