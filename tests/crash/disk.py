"""A disk that reorders: what it may hold after any beginning of the events that the shim (`iolog.c`) has written down.

Everything that was not yet synced is there or not, each on its own: pages, parts of pages, and names in folders.
"""

from __future__ import annotations

import dataclasses
import random
import shutil
import struct
from pathlib import Path
from typing import Dict, Iterator, List, Optional, Tuple, Union

OPEN, WRITE, TRUNCATE, SYNC, RENAME, UNLINK, MARK, MKDIR, POWER_LOSS = range(1, 10)
_EVENT = struct.Struct("<BBHIiIQ")
PAGE, SECTOR = 4096, 512
KEEP = (0.0, 0.1, 0.5, 0.9, 1.0)
# Where a name ends with a slash it is a folder's, and has no bytes.
Contents = Dict[str, bytes]


@dataclasses.dataclass
class Event:
    op: int
    synchronous: bool
    pid: int
    fd: int
    path: str
    data: bytes
    offset: int
    files: Contents = dataclasses.field(default_factory=dict)  # what a power loss has left


def parse(raw: bytes, folder: Path) -> Iterator[Event]:
    """The events, with paths below `folder`."""
    prefix, at = f"{folder}/", 0
    while at < len(raw):
        op, synchronous, path_bytes, pid, fd, data_bytes, offset = _EVENT.unpack_from(raw, at)
        at += _EVENT.size
        path = raw[at : at + path_bytes].decode()
        data = raw[at + path_bytes : at + path_bytes + data_bytes]
        at += path_bytes + data_bytes
        path = "" if path == str(folder) else path.replace(prefix, "", 1)
        if op == RENAME:
            data = data.replace(prefix.encode(), b"", 1)
        yield Event(op, bool(synchronous), pid, fd, path, data, offset)


def write_files(folder: Path, contents: Contents) -> None:
    """Make a folder hold these, and nothing else."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name, content in contents.items():
        if name.endswith("/"):
            (folder / name).mkdir(exist_ok=True)
        else:
            (folder / name).write_bytes(content)


def read_files(folder: Path) -> Contents:
    """What `write_files` wrote; folders before what is in them."""
    paths = sorted(folder.rglob("*"))
    return {
        f"{path.relative_to(folder)}{'/' * path.is_dir()}": b"" if path.is_dir() else path.read_bytes()
        for path in paths
    }


class File:
    """A file's durable bytes, and what was done to it since its last sync."""

    def __init__(self, durable: bytes = b"") -> None:
        self.durable = bytearray(durable)
        self.waiting: List[Tuple[int, Optional[bytes]]] = []  # (offset, bytes), or (size, None) for a truncate

    def sync(self) -> None:
        for offset, data in self.waiting:
            _apply(self.durable, offset, data)
        self.waiting.clear()

    def state(self, rng: random.Random) -> bytes:
        """What a disk may hold that wrote some of it."""
        content, keep = bytearray(self.durable), rng.choice(KEEP)
        for offset, data in self.waiting:
            if data is None:
                if rng.random() < keep:
                    _apply(content, offset, None)
                continue
            for start, piece in _pieces(offset, data, PAGE):
                if rng.random() < keep:
                    _apply(content, start, piece)
                elif rng.random() < 0.1:  # torn: some of the page's sectors
                    for sector, part in _pieces(start, piece, SECTOR):
                        if rng.random() < 0.5:
                            _apply(content, sector, part)
        return bytes(content)


class Folder:
    """A folder's names as processes see them, as the disk has them, and what was done since its last sync."""

    def __init__(self) -> None:
        self.names: Dict[str, Node] = {}
        self.durable: Dict[str, Node] = {}
        self.waiting: List[Tuple[str, Optional[Node]]] = []

    def name(self, name: str, node: Optional[Node]) -> None:
        _link(self.names, name, node)
        self.waiting.append((name, node))

    def sync(self) -> None:
        for name, node in self.waiting:
            _link(self.durable, name, node)
        self.waiting.clear()

    def state(self, rng: random.Random, contents: Contents, prefix: str, files: Dict[File, bytes]) -> None:
        """Put below `prefix` what a disk may hold that wrote some of it. `files`: those whose state is known."""
        names, keep = dict(self.durable), rng.choice(KEEP)
        for name, node in self.waiting:
            if rng.random() < keep:
                _link(names, name, node)
        for name, node in names.items():
            if isinstance(node, File):
                if node not in files:
                    files[node] = node.state(rng)
                contents[prefix + name] = files[node]
            else:
                contents[f"{prefix}{name}/"] = b""
                node.state(rng, contents, f"{prefix}{name}/", files)


Node = Union[File, Folder]


def _pieces(offset: int, data: bytes, size: int) -> Iterator[Tuple[int, bytes]]:
    while data:
        room = size - offset % size
        yield offset, data[:room]
        offset, data = offset + room, data[room:]


def _apply(content: bytearray, offset: int, data: Optional[bytes]) -> None:
    if data is None:
        del content[offset:]
        content.extend(bytes(max(0, offset - len(content))))
        return
    content.extend(bytes(max(0, offset - len(content))))
    content[offset : offset + len(data)] = data


def _link(names: Dict[str, Node], name: str, node: Optional[Node]) -> None:
    if node is None:
        names.pop(name, None)
    else:
        names[name] = node


class Disk:
    """The folder as the processes saw it, as the disk has it, and what the workload has been promised so far.

    A mark is what the workload says, two words and a number: `durable main 7` say, or `begun main 8`.
    """

    def __init__(self) -> None:
        self.root = Folder()
        self.open: Dict[Tuple[int, int], Node] = {}
        self.durable: Dict[str, int] = {}  # rows that were promised, of each writer whose log's creation has returned
        self.begun: Dict[str, int] = {}  # rows whose append had begun

    def apply(self, event: Event) -> None:
        key = (event.pid, event.fd)
        if event.op == OPEN:
            self.open[key] = self._opened(event.path)
        elif event.op == WRITE:
            file = self._file(key)
            file.waiting.append((event.offset, event.data))
            if event.synchronous:  # O_DSYNC makes this write durable, and nothing else
                _apply(file.durable, event.offset, event.data)
        elif event.op == TRUNCATE:
            self._file(key).waiting.append((event.offset, None))
        elif event.op == SYNC:
            self.open[key].sync()
        elif event.op == RENAME:
            node = self._node(event.path)
            self._name(event.data.decode(), node)
            self._name(event.path, None)
        elif event.op == UNLINK:
            self._name(event.path, None)
        elif event.op == MKDIR:
            self._name(event.path, Folder())
        elif event.op == POWER_LOSS:
            self.root = _folder_of(event.files)
        elif event.op == MARK:
            what, writer, count = event.data.decode().split()
            (self.begun if what == "begun" else self.durable)[writer] = int(count)

    def state(self, rng: random.Random) -> Contents:
        contents: Contents = {}
        self.root.state(rng, contents, "", {})
        return contents

    def _opened(self, path: str) -> Node:
        try:
            return self._node(path)
        except KeyError:
            self._name(path, File())
            return self._node(path)

    def _node(self, path: str) -> Node:
        node: Node = self.root
        for part in Path(path).parts:
            assert isinstance(node, Folder)
            node = node.names[part]
        return node

    def _name(self, path: str, node: Optional[Node]) -> None:
        folder = self._node(str(Path(path).parent))
        assert isinstance(folder, Folder)
        folder.name(Path(path).name, node)

    def _file(self, key: Tuple[int, int]) -> File:
        file = self.open[key]
        assert isinstance(file, File)
        return file


def _folder_of(contents: Contents) -> Folder:
    """A folder in which all of this is durable."""
    disk = Disk()
    for name, content in contents.items():
        disk._name(name.rstrip("/"), Folder() if name.endswith("/") else File(content))
    _sync_all(disk.root)
    return disk.root


def _sync_all(folder: Folder) -> None:
    folder.sync()
    for node in folder.names.values():
        if isinstance(node, Folder):
            _sync_all(node)
