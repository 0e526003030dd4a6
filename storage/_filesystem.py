"""Which filesystem a folder is on, and whether a live log may be there.

LMDB maps its files and locks them with `fcntl`, and the writer's lock is a `flock`. On a filesystem that another
machine serves, or a program, both may lie: a lock that is granted twice, a map that doesn't show what was written.
Linux tells in `/proc/self/mountinfo`; other systems are not asked, and what isn't known is said to be unknown.
"""

from __future__ import annotations

import enum
import os
import re
from pathlib import Path
from typing import List, NamedTuple, Optional, Tuple, Union

MOUNTS = Path("/proc/self/mountinfo")


class FilesystemKind(enum.Enum):
    """What a filesystem means for a log."""

    LOCAL = "local"
    MEMORY = "memory"  # survives the process, not the machine
    OVERLAY = "overlay"  # a container's; its locks and maps are those of the filesystem beneath
    NETWORK = "network"
    FUSE = "fuse"  # a program's: sshfs and s3fs, but also ntfs-3g
    UNKNOWN = "unknown"


class Filesystem(NamedTuple):
    """Where a folder is."""

    type: str  # as the system calls it: "ext4", "nfs4", "fuse.sshfs"; empty where it doesn't tell
    kind: FilesystemKind
    mount_point: Path
    source: str  # "server:/export", "/dev/sda1"

    @property
    def holds_live_logs(self) -> bool:
        """Whether locks and maps can be relied on there. An unknown one is given the benefit of the doubt."""
        return self.kind not in (FilesystemKind.NETWORK, FilesystemKind.FUSE)


# virtiofs and 9p serve a folder of the host to a virtual machine: the host's processes don't see the guest's locks.
_NETWORK = {
    "9p", "acfs", "afs", "beegfs", "ceph", "cifs", "coda", "dvs", "exfs", "gfs", "gfs2", "gpfs", "kafs", "lustre",
    "ncpfs", "ncp", "nfs", "nfs4", "ocfs2", "orangefs", "panfs", "prl_fs", "pvfs2", "smb3", "smbfs", "vboxsf",
    "virtiofs", "vmhgfs", "wekafs",
}  # fmt: skip
_MEMORY = {"tmpfs", "ramfs", "devtmpfs"}
_OVERLAY = {"overlay", "overlayfs", "aufs", "unionfs"}
_ESCAPE = re.compile(r"\\([0-7]{3})")
# A table of mounts is text from the kernel: a machine with many containers has thousands of lines.
_MOUNTS_BYTES_MAX = 16 << 20


def filesystem_of(path: Union[str, os.PathLike[str]], mounts: Optional[Path] = None) -> Filesystem:
    """The filesystem of a path, which need not exist yet: then it is that of the folder that it would be made in."""
    real, device = _nearest(Path(path))
    best: Optional[_Mount] = None
    for mount in _read(mounts or MOUNTS):
        if not _holds(mount.point, real):
            continue
        # The deepest mount point; of two on the same the later hides the earlier; and one that another mount hides
        # has not the device that the path has.
        rank = (mount.device == device, len(mount.point.parts))
        if best is None or rank >= (best.device == device, len(best.point.parts)):
            best = mount
    if best is None:
        return Filesystem("", FilesystemKind.UNKNOWN, Path("/"), "")
    return Filesystem(best.type, _kind(best.type), best.point, best.source)


def _kind(name: str) -> FilesystemKind:
    lower = name.lower()
    if lower in _NETWORK:
        return FilesystemKind.NETWORK
    if lower == "fuse" or lower == "fuseblk" or lower.startswith("fuse."):
        return FilesystemKind.FUSE
    if lower in _MEMORY:
        return FilesystemKind.MEMORY
    return FilesystemKind.OVERLAY if lower in _OVERLAY else FilesystemKind.LOCAL


def _nearest(path: Path) -> Tuple[Path, str]:
    """The path without links, or its nearest ancestor that is there, and its device as mountinfo writes it."""
    real = Path(os.path.realpath(path))
    for candidate in (real, *real.parents):
        try:
            status = os.stat(candidate)
        except OSError:
            continue  # not there, or on a server that is away: its mount point is found by name
        return real, f"{os.major(status.st_dev)}:{os.minor(status.st_dev)}"
    return real, ""


class _Mount(NamedTuple):
    device: str
    point: Path
    type: str
    source: str


def _read(mounts: Path) -> List[_Mount]:
    try:
        with open(mounts, "rb") as file:
            text = os.fsdecode(file.read(_MOUNTS_BYTES_MAX))
    except OSError:
        return []
    found: List[_Mount] = []
    for line in text.split("\n"):
        # 36 35 98:0 /root /point options optional... - type source options; see proc(5)
        before, separator, after = line.partition(" - ")
        fields, rest = before.split(" "), after.split(" ")
        if separator and len(fields) >= 6 and len(rest) >= 2:
            found.append(_Mount(fields[2], Path(_plain(fields[4])), rest[0], _plain(rest[1])))
    return found


def _plain(text: str) -> str:
    """Spaces and the like stand in octal."""
    return _ESCAPE.sub(lambda match: chr(int(match[1], 8)), text)


def _holds(point: Path, path: Path) -> bool:
    return point == path or point in path.parents
