"""The filesystem of a folder, from the system's table of mounts: here that of this machine, and made-up ones."""

from __future__ import annotations

import os
from pathlib import Path
from typing import List

import pytest

from wandb_storage import FilesystemKind, filesystem_of

LINE = "{number} 1 {device} / {point} rw,relatime shared:1 - {type} {source} rw\n"


def table(folder: Path, *mounts: List[str]) -> Path:
    """A table of mounts: [point, type, source, device] each."""
    path = folder / "mountinfo"
    lines = [
        LINE.format(number=number, point=mount[0], type=mount[1], source=mount[2], device=(*mount, "0:99")[3])
        for number, mount in enumerate(mounts)
    ]
    path.write_text("".join(lines))
    return path


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("ext4", "local"), ("xfs", "local"), ("btrfs", "local"), ("zfs", "local"), ("tmpfs", "memory"),
        ("overlay", "overlay"), ("nfs", "network"), ("nfs4", "network"), ("cifs", "network"), ("smb3", "network"),
        ("lustre", "network"), ("9p", "network"), ("gpfs", "network"), ("ceph", "network"), ("virtiofs", "network"),
        ("fuse.sshfs", "fuse"), ("fuse", "fuse"), ("fuseblk", "fuse"), ("fuse.s3fs", "fuse"),
    ],
)  # fmt: skip
def test_each_kind_is_known_by_its_name(tmp_path: Path, name: str, kind: str) -> None:
    mounts = table(tmp_path, ["/", "ext4", "/dev/sda1"], [os.fspath(tmp_path), name, "server:/export"])
    found = filesystem_of(tmp_path, mounts)
    assert (found.type, found.kind, found.source) == (name, FilesystemKind(kind), "server:/export")
    assert found.mount_point == tmp_path
    assert found.holds_live_logs == (kind in ("local", "memory", "overlay"))


def test_the_deepest_mount_counts(tmp_path: Path) -> None:
    mounts = table(tmp_path, ["/", "ext4", "a"], [f"{tmp_path}/home", "nfs", "b"], [f"{tmp_path}/ho", "cifs", "c"])
    assert filesystem_of(tmp_path / "home" / "me", mounts).type == "nfs"
    assert filesystem_of(tmp_path / "homework", mounts).type == "ext4"


def test_a_later_mount_hides_an_earlier_one(tmp_path: Path) -> None:
    """An automounter's placeholder, and then what it mounted."""
    mounts = table(tmp_path, [f"{tmp_path}/home", "autofs", "auto"], [f"{tmp_path}/home", "nfs4", "server:/home"])
    assert filesystem_of(tmp_path / "home", mounts).type == "nfs4"


def test_a_hidden_mount_is_not_the_one(tmp_path: Path) -> None:
    """What was mounted over a folder hides what is mounted deeper in it; the device tells."""
    status = os.stat(tmp_path)
    device = f"{os.major(status.st_dev)}:{os.minor(status.st_dev)}"
    mounts = table(tmp_path, [os.fspath(tmp_path), "nfs", "hidden"], ["/", "ext4", "/dev/sda1", device])
    assert filesystem_of(tmp_path, mounts).type == "ext4"


def test_spaces_in_names_are_read(tmp_path: Path) -> None:
    folder = tmp_path / "my runs"
    folder.mkdir()
    mounts = table(
        tmp_path, ["/", "ext4", "a"], [os.fspath(folder).replace(" ", "\\040"), "cifs", "//server/my\\040share"]
    )
    found = filesystem_of(folder, mounts)
    assert (found.mount_point, found.source) == (folder, "//server/my share")


def test_links_are_followed(tmp_path: Path) -> None:
    (tmp_path / "share").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "share")
    mounts = table(tmp_path, ["/", "ext4", "a"], [f"{tmp_path}/share", "nfs", "b"])
    assert filesystem_of(tmp_path / "link" / "run", mounts).type == "nfs"


@pytest.mark.parametrize("text", ["", "nonsense\n", "1 2 3 - x y\n", " - \n"])
def test_a_system_that_does_not_tell_is_trusted(tmp_path: Path, text: str) -> None:
    (tmp_path / "mountinfo").write_text(text)
    for mounts in (tmp_path / "mountinfo", tmp_path / "missing"):
        found = filesystem_of(tmp_path, mounts)
        assert (found.kind, found.holds_live_logs) == (FilesystemKind.UNKNOWN, True)


@pytest.mark.skipif(not Path("/proc/self/mountinfo").exists(), reason="this system has no such table")
def test_this_machine_tells() -> None:
    assert filesystem_of("/proc/self").type == "proc"
    assert filesystem_of("/nowhere/at/all").mount_point == filesystem_of("/").mount_point
