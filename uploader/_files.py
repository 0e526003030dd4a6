"""The files of a run: which belong on the server, what is generated, and how they are opened.

A run's files live in `files/` inside its folder. A name that leaves that folder, through `..` or a link, is refused:
whoever can make a run save a link must not be able to publish the file behind it.
"""

from __future__ import annotations

import errno
import hashlib
import io
import os
import stat
import tempfile
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Callable, Dict, Iterator, List, NamedTuple, Optional, cast

from wandb_storage import Console, FromLane, Reader, RunState, Shape, is_log_file

from ._batch import summary_line
from ._config_wire import config_yaml, wire_config
from ._cursor import Cursor
from ._feed import READ_BYTES
from ._writer import writer_of

# Files that other parts of the client leave in the folder without a record of their own.
STANDARD_FILES = ("requirements.txt", "diff.patch", "conda-environment.yaml")
_HASH_BYTES = 1 << 20
_PRINTING_KINDS = (Console.kind, FromLane.kind, Shape.kind)  # of a lane's records some may need a shape


class Source(NamedTuple):
    """One file to upload. `open` raises OSError, with the reason, where it can't be had."""

    path: str  # relative, with forward slashes
    open: Callable[[], BinaryIO]
    stored: bool = True  # in the run's folder; otherwise it is made from the log


class FileRefused(OSError):
    """A name that doesn't lead to a regular file within the run's files folder."""


def run_files(folder: Path, cursor: Cursor, state: RunState, console: ConsoleText) -> List[Source]:
    """The files of a run that has ended, each once, in a fixed order."""
    writer = writer_of(state.start)
    generated: Dict[str, Callable[[], BinaryIO]] = {}
    if writer.primary:
        generated["config.yaml"] = lambda: io.BytesIO(config_yaml(wire_config(state, cursor.earlier.config)).encode())
        generated["wandb-summary.json"] = lambda: io.BytesIO(summary_line(cursor, state).encode())
        if state.start.environment:
            generated["wandb-metadata.json"] = lambda: io.BytesIO(state.start.environment.encode())
    if state.console.count:
        generated[writer.output_file] = console.open
    root = folder / "files"
    saved = [path for path in sorted(state.files) if path not in generated]
    standard = [path for path in STANDARD_FILES * writer.primary if path not in saved and (root / path).is_file()]
    sources = [Source(path, opener, False) for path, opener in generated.items()]
    sources += [source_of(root, path) for path in [*saved, *standard]]
    return [source for source in sources if writer.wants(source.path)]


def files_of(folder: Path, state: RunState) -> Dict[str, Callable[[], BinaryIO]]:
    """What a server would get of a run that ends here, for who reads it on this machine: path -> how it is opened."""
    console = ConsoleText(folder)
    opened = {source.path: source.open for source in run_files(folder, Cursor(""), state, console)}
    # A reader closes what it opened, and leaves nothing open behind.
    return {path: console.to_file if open_it == console.open else open_it for path, open_it in opened.items()}


def source_of(root: Path, path: str) -> Source:
    return Source(path, lambda: open_inside(root, path))


def open_inside(root: Path, path: str) -> BinaryIO:
    """Open a regular file below `root`. Raises FileRefused for what lies elsewhere, OSError for what can't be read."""
    pure = PurePosixPath(path)
    if not path or pure.is_absolute() or ".." in pure.parts or "\0" in path:
        raise FileRefused(errno.EPERM, "the name leaves the run's files folder", path)
    if is_log_file(pure.name):
        raise FileRefused(errno.EPERM, "it has the name of a log's file", path)
    base = root.resolve()
    target = (base / pure).resolve(strict=True)
    if base not in target.parents:
        raise FileRefused(errno.EPERM, "it is a link to a file outside of the run's files folder", path)
    # Without O_NONBLOCK a pipe of that name would hold up the uploader for ever.
    descriptor = os.open(target, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise FileRefused(errno.EPERM, "it is no regular file", path)
    return os.fdopen(descriptor, "rb")


def file_digest(file: BinaryIO) -> str:
    """The MD5 of a file from its beginning."""
    digest = hashlib.md5(usedforsecurity=False)
    while True:
        piece = file.read(_HASH_BYTES)
        if not piece:
            return digest.hexdigest()
        digest.update(piece)


class ConsoleText:
    """The console output of a run as plain text, as a terminal would have left it: read from the log once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file: Optional[BinaryIO] = None

    def open(self) -> BinaryIO:
        if self._file is None:
            self._file = self.to_file()
        copy = os.fdopen(os.dup(self._file.fileno()), "rb")
        copy.seek(0)
        return copy

    def to_file(self) -> BinaryIO:
        """A file of the caller's own, which is gone when it is closed."""
        file = cast(BinaryIO, tempfile.TemporaryFile())  # noqa: SIM115  the caller closes it
        for text in _final_lines(self._folder):
            file.write(text.encode("utf-8", "replace") + b"\n")
        file.flush()
        file.seek(0)
        return file

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


def _final_lines(folder: Path) -> Iterator[str]:
    """Lines by number. Kept back is only what a later write can still change: from the oldest open line on."""
    state = RunState()
    pending: Dict[int, str] = {}
    written, position = 0, 1
    with Reader(folder) as reader:
        while True:
            # Most of a log are rows, which needn't be taken apart.
            frames = reader.read_frames(position, READ_BYTES)
            if not frames:
                break
            position = frames[-1][0] + 1
            for frame in frames:
                if frame[1] in _PRINTING_KINDS:
                    lines = state.apply(reader.entry(*frame).record).console
                    pending.update((line.number, line.text) for line in lines)
            for number in range(written, state.console.settled):
                yield pending.pop(number)
                written = number + 1
    yield from (pending[number] for number in sorted(pending))
