"""Which events files this process writes.

A writer in Python, PyTorch's or tensorboardX's, says so when it is made: its class is wrapped when a run wants to know,
or when its module is imported later. A native one, TensorFlow's, holds its file open, which the system tells.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import os
import sys
import weakref
from pathlib import Path
from types import ModuleType
from typing import Any, Callable, Dict, Iterator, List, NamedTuple, Optional, Set

from .._when_imported import when_imported

_CLASS = "EventFileWriter"
_MODULES = frozenset({"tensorboard.summary.writer.event_file_writer", "tensorboardX.event_file_writer"})
_MARK = "tfevents"
_DESCRIPTORS = "/proc/self/fd"


class _Place(NamedTuple):
    """A folder into which writers write, what was there before them, and those of them that are alive."""

    folder: str
    before: Set[str]
    writers: weakref.WeakSet[Any]


class Writers:
    """The writers of this process, whatever run is active."""

    def __init__(self) -> None:
        self.reader: Optional[object] = None  # the one, of several runs, that takes their events
        self.positions: Dict[str, int] = {}  # up to where earlier runs of this process have taken a file
        self._places: Dict[str, _Place] = {}
        self._installed = False
        self._remote: Set[str] = set()

    def install(self) -> None:
        """Take note of every writer that there is, and that there will be. Idempotent."""
        if self._installed:
            return
        self._installed = True
        there = [sys.modules[name] for name in _MODULES & set(sys.modules)]
        when_imported(_MODULES, self._wrap)
        for module in there:
            kind = getattr(module, _CLASS, None)
            # Those that are there already are found among all objects, once: nobody else knows them.
            for writer in (one for one in gc.get_objects() if kind is not None and type(one) is kind):
                self._note(writer, _written_before_this_process(writer))

    def begin(self) -> None:
        """Leave to earlier runs, or to none, what writers have written that are gone."""
        for place in self._places.values():
            if not place.writers:
                for path in _files_of(place):
                    with contextlib.suppress(OSError):
                        self.positions[os.path.realpath(path)] = path.stat().st_size

    def files(self) -> Iterator[Path]:
        """The events files that are known by now."""
        for place in list(self._places.values()):
            yield from _files_of(place)
        yield from _held_open()

    def remote(self) -> Set[str]:
        """Folders that aren't on this machine, of which no file can be read; each is told once."""
        found, self._remote = self._remote, set()
        return found

    def flush(self) -> bool:
        """Ask the writers that are alive to put what they hold into their files; whether there are any. Some do it in a
        thread of theirs."""
        alive = [writer for place in self._places.values() for writer in place.writers]
        for writer in alive:
            with contextlib.suppress(Exception):  # somebody else's writer, which may be closed
                writer.flush()
        return bool(alive)

    def _wrap(self, module: ModuleType) -> None:
        kind = getattr(module, _CLASS, None)
        if kind is None or hasattr(kind.__init__, "__wrapped__"):
            return
        make: Callable[..., None] = kind.__init__

        @functools.wraps(make)
        def noted(writer: Any, logdir: Any, *arguments: Any, **options: Any) -> None:
            before = _names(logdir)
            make(writer, logdir, *arguments, **options)
            # Names hold seconds: one that was there may be the new writer's, which has begun the file anew.
            self._note(writer, {name for name, changed in _names(logdir).items() if before.get(name) == changed})

        kind.__init__ = noted

    def _note(self, writer: Any, before: Set[str]) -> None:
        folder = os.fspath(writer.get_logdir())
        if "://" in folder:
            self._remote.add(folder)
            return
        folder = os.path.abspath(folder)
        # Of several writers in a folder the first one knows what was there before them all.
        self._places.setdefault(folder, _Place(folder, before, weakref.WeakSet())).writers.add(writer)


def _names(folder: Any) -> Dict[str, int]:
    """The events files in a folder, and when each was changed, in nanoseconds."""
    try:
        with os.scandir(folder) as entries:
            return {entry.name: entry.stat().st_mtime_ns for entry in entries if _MARK in entry.name}
    except OSError:
        return {}  # not made yet, or not on this machine


def _files_of(place: _Place) -> Iterator[Path]:
    return (Path(place.folder, name) for name in sorted(set(_names(place.folder)) - place.before))


def _written_before_this_process(writer: Any) -> Set[str]:
    """The events files of a writer's folder that are older than this process: their names hold seconds."""
    import psutil

    started = int(psutil.Process().create_time())
    return {name for name in _names(writer.get_logdir()) if _seconds(name) < started}


def _seconds(name: str) -> int:
    after: List[str] = name.partition(f"{_MARK}.")[2].split(".")
    return int(after[0]) if after[0].isdigit() else 0


def _held_open() -> Iterator[Path]:
    """Events files that this process has open for writing."""
    try:
        descriptors = os.listdir(_DESCRIPTORS)
    except OSError:  # not Linux
        import psutil

        yield from (Path(file.path) for file in psutil.Process().open_files() if _MARK in os.path.basename(file.path))
        return
    for descriptor in descriptors:
        try:
            target = os.readlink(f"{_DESCRIPTORS}/{descriptor}")
        except OSError:
            continue  # closed since
        if _MARK in os.path.basename(target) and target.startswith("/"):
            yield Path(target)


writers = Writers()
