"""Logs that live on a local disk while their runs go on: where everybody finds them, and every way home."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any, Callable, Dict, List

import children
import pytest

from wandb_storage import (
    Acknowledged,
    Log,
    LogDamaged,
    LogElsewhere,
    LogInUse,
    LogUnavailable,
    Reader,
    Row,
    bring_home,
    create_away,
    disk_use,
    find_run_id,
    is_log_file,
    local_root,
    log_folder,
    recover,
    retain,
    send_away,
    verify,
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "wandb" / "run-20260102_030405-r"
    (folder / "files").mkdir(parents=True)
    return folder


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "local"
    root.mkdir()
    return root


def start(folder: Path, root: Path) -> Log:
    return create_away(folder, "r", root, lambda message: None, "process")


def rows(log: Log, *numbers: int) -> None:
    for step in numbers:
        log.append_row({"loss": 0.5}, step, 1.0, 2)


def steps(folder: Path) -> List[int]:
    with Reader(folder) as reader:
        return [entry.record.step for entry in reader.entries() if isinstance(entry.record, Row)]


def names(folder: Path) -> List[str]:
    return sorted(path.name for path in folder.iterdir())


READERS: Dict[str, Callable[[Path], Any]] = {
    "read": Reader, "recover": recover, "open": Log.open, "verify": verify, "find": find_run_id, "bring": bring_home,
}  # fmt: skip


def test_the_log_lives_away_and_comes_home(folder: Path, root: Path) -> None:
    with start(folder, root) as log:
        rows(log, 0, 1)
        assert names(folder) == ["files", "run-r.pointer"]
        assert is_log_file("run-r.pointer")
        assert log.folder == log_folder(folder)
        assert log.folder.parent == root
        assert steps(folder) == [0, 1], "everybody on this machine finds it"
        assert find_run_id(folder) == "r"
        assert verify(folder).writer is not None
        assert disk_use(folder).log > disk_use(folder).files
        with pytest.raises(LogInUse):
            bring_home(folder)
    assert bring_home(folder)
    assert names(folder) == ["files", "run-r.wandb"]
    assert names(root) == []
    assert steps(folder) == [0, 1]
    assert not bring_home(folder), "it is there"


def test_a_run_that_goes_on_takes_its_log_away_again(folder: Path, root: Path) -> None:
    with start(folder, root) as log:
        rows(log, 0)
    bring_home(folder)
    for step in (1, 2):
        place = send_away(folder, root)
        with Log.open(folder) as log:
            assert log.folder == place
            rows(log, step)
        assert send_away(folder, root) == place, "it is away already"
        bring_home(folder)
    assert steps(folder) == [0, 1, 2]
    assert verify(folder).severity == 0
    assert names(root) == []


def test_a_killed_run_s_log_is_recovered_and_comes_home(folder: Path, root: Path) -> None:
    """By whoever comes next on this machine."""
    script = """
import os, signal, sys
from pathlib import Path
from wandb_storage import create_away
log = create_away(Path(sys.argv[1]), "r", Path(sys.argv[2]), print, "process")
for step in range(100):
    log.append_row({"loss": 0.5}, step, 1.0, 2)
os.kill(os.getpid(), signal.SIGKILL)
"""
    with children.start(script, folder, root) as child:
        child.communicate(timeout=60)
    assert steps(folder) == list(range(100))
    assert bring_home(folder)
    assert steps(folder) == list(range(100))
    assert verify(folder).severity == 0
    assert not any("tail" in name for name in names(folder))


def test_a_log_that_nobody_closed_at_home_is_recovered_before_it_leaves(folder: Path, root: Path) -> None:
    appended = children.killed_after(folder, "create", 0, 500)
    send_away(folder, root)
    with Log.open(folder) as log:
        rows(log, 100_000)
    bring_home(folder)
    assert steps(folder)[:appended] == list(range(appended))
    assert steps(folder)[-1] == 100_000


@pytest.mark.parametrize("how", READERS)
def test_on_another_machine_everybody_is_told_where_it_is(folder: Path, root: Path, how: str) -> None:
    start(folder, root).close()
    change_pointer(folder, host="node17", folder="/scratch/of/node17")
    with pytest.raises(LogElsewhere, match="the run's log is on node17 until the run ends; run `wandb sync` there"):
        READERS[how](folder)


@pytest.mark.parametrize("how", READERS)
def test_a_local_folder_that_is_gone_is_told(folder: Path, root: Path, how: str) -> None:
    start(folder, root).close()
    place = log_folder(folder)
    shutil.rmtree(place)
    with pytest.raises(LogElsewhere, match=f"was written to {place} on this machine; that folder can't be read"):
        READERS[how](folder)


def test_a_folder_of_the_same_path_on_another_machine_is_not_taken_for_it(folder: Path, root: Path) -> None:
    start(folder, root).close()
    change_pointer(folder, host="node17", key="of another folder")
    with pytest.raises(LogElsewhere, match="node17"):
        Reader(folder)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"format": 1}', b'{"format": 1, "run_id": "r", "host": 5}'])
def test_a_damaged_pointer_is_told(folder: Path, root: Path, content: bytes) -> None:
    start(folder, root).close()
    (folder / "run-r.pointer").write_bytes(content)
    for read in READERS.values():
        with pytest.raises(LogDamaged, match=r"run-r\.pointer: this should tell where the run's log is"):
            read(folder)


def change_pointer(run: Path, **changes: str) -> None:
    path = run / "run-r.pointer"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def test_of_two_machines_only_one_takes_a_log(folder: Path, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    start(folder, root).close()
    bring_home(folder)
    before = names(folder)
    link = os.link

    def another_was_faster(source: Path, target: Path) -> None:
        Path(target).write_text("{}")
        link(source, target)

    monkeypatch.setattr(os, "link", another_was_faster)
    with pytest.raises(LogInUse, match="another process has taken the log"):
        send_away(folder, root)
    assert names(folder) == [*before[:1], "run-r.pointer", *before[1:]], "the other's pointer stays"
    assert names(root) == []


def test_a_folder_that_takes_nothing_leaves_the_log_where_it_is(folder: Path, root: Path) -> None:
    with start(folder, root) as log:
        rows(log, 0, 1)
    (folder / ".run-r.wandb.new").mkdir()
    with pytest.raises(LogUnavailable):
        bring_home(folder)
    assert steps(folder) == [0, 1]
    (folder / ".run-r.wandb.new").rmdir()
    assert bring_home(folder)
    assert steps(folder) == [0, 1]


def test_a_copy_is_read_back(folder: Path, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that loses what it was given is found out, and the log stays."""
    with start(folder, root) as log:
        rows(log, 0, 1)

    def forgetful(reading: Any, writing: Any, length: int) -> None:
        writing.write(bytes(len(reading.read())))

    with monkeypatch.context() as patch:
        patch.setattr(shutil, "copyfileobj", forgetful)
        with pytest.raises(LogUnavailable, match="not what can be read back"):
            bring_home(folder)
    assert steps(folder) == [0, 1]
    assert bring_home(folder)


def test_the_log_of_a_run_that_is_away_is_not_removed_to_make_room(folder: Path, root: Path) -> None:
    with start(folder, root) as log:
        rows(log, 0, 1)
    report = retain([folder], 0, lambda folder: Acknowledged(1 << 62, True))
    assert not report.removed
    assert steps(folder) == [0, 1]


# --- a crash at every step --------------------------------------------------------------------------------------------

# The process ends at its n-th call that opens, makes, names or removes a file: Python tells of each before it happens.
CRASHING = """
import itertools, os, shutil, sys
from pathlib import Path
from wandb_storage import *
base = Path(sys.argv[1])
EVENTS = {"open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.link", "shutil.rmtree", "shutil.copyfileobj"}

def steps(folder):
    with Reader(folder) as reader:
        return [entry.record.step for entry in reader.entries() if isinstance(entry.record, Row)]

def in_child(work, count=0):
    pid = os.fork()
    if not pid:
        left = itertools.count(count, -1)
        def hook(event, arguments):
            if event in EVENTS and not next(left):
                os._exit(9)
        if count:
            sys.addaudithook(hook)
        try:
            work()
        except BaseException:
            import traceback
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

def prepare(folder, root, home):
    folder.mkdir(parents=True)
    root.mkdir()
    with create_away(folder, "r", root, print, "process") as log:
        for step in range(20):
            log.append_row({"loss": 0.5}, step, 1.0, 2)
    if home:
        bring_home(folder)

def go_on(folder, root):
    send_away(folder, root)
    with Log.open(folder) as log:
        log.append_row({"loss": 0.5}, 20, 1.0, 2)
    bring_home(folder)

leaving = sys.argv[2] == "leaving"
for count in itertools.count(1):
    folder, root = base / str(count) / "run-1-r", base / str(count) / "root"
    assert in_child(lambda: prepare(folder, root, home=leaving)) == 0
    code = in_child(lambda: send_away(folder, root) if leaving else bring_home(folder), count)
    assert code in (0, 9), code
    assert steps(folder) == list(range(20)), count
    assert in_child(lambda: go_on(folder, root)) == 0, count
    assert steps(folder) == list(range(21)), count
    assert not list(root.iterdir()) or leaving, list(root.iterdir())
    assert not list(folder.glob("*.pointer"))
    shutil.rmtree(base / str(count))
    if code == 0:
        print(count)
        break
"""


@pytest.mark.parametrize("way", ["leaving", "coming home"])
def test_a_crash_at_every_step_leaves_one_whole_log(tmp_path: Path, way: str) -> None:
    (tried,) = children.output(CRASHING, tmp_path, way)
    assert int(tried) > 15


# --- where to ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def mounts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Path, str], None]:
    """Say what a folder is on. The table of mounts is made up: nothing is mounted."""
    table = tmp_path / "mountinfo"
    monkeypatch.setattr("wandb_storage._filesystem.MOUNTS", table)
    table.write_text("1 1 8:1 / / rw - ext4 /dev/sda1 rw\n")
    device = os.stat(tmp_path).st_dev

    def say(folder: Path, type: str) -> None:
        with open(table, "a") as file:
            file.write(f"2 1 {os.major(device)}:{os.minor(device)} / {folder} rw - {type} somewhere rw\n")

    return say


def test_the_state_folder_is_the_place(
    tmp_path: Path, mounts: Callable[[Path, str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    root, filesystem = local_root()
    assert (root, filesystem.type) == (tmp_path / "state" / "wandb" / "live", "ext4")
    assert root.stat().st_mode & 0o777 == 0o700


def test_a_home_on_the_network_is_not(
    tmp_path: Path, mounts: Callable[[Path, str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Then a folder of this user's among the temporary ones, if it is on a disk."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    mounts(tmp_path / "state", "nfs4")
    assert local_root()[0] == tmp_path / "tmp" / f"wandb-{os.getuid()}" / "live"
    mounts(tmp_path / "tmp", "tmpfs")
    mounts(Path("/var/tmp"), "lustre")
    with pytest.raises(LogUnavailable) as raised:
        local_root()
    for said in ("is on nfs4", "is in memory", "is on lustre", "set WANDB_LOCAL_LOG_DIR"):
        assert said in str(raised.value)


def test_a_folder_that_is_named_may_be_in_memory_but_not_on_the_network(
    tmp_path: Path, mounts: Callable[[Path, str], None]
) -> None:
    mounts(tmp_path / "shm", "tmpfs")
    assert local_root(str(tmp_path / "shm"))[0] == tmp_path / "shm"
    mounts(tmp_path / "nfs", "nfs")
    with pytest.raises(LogUnavailable, match="is on nfs"):
        local_root(str(tmp_path / "nfs"))


def test_a_folder_of_somebody_else_s_is_not_used(
    tmp_path: Path, mounts: Callable[[Path, str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    mounts(tmp_path / "state", "nfs")
    mounts(Path("/var/tmp"), "nfs")
    (tmp_path / "planted").mkdir()
    (tmp_path / f"wandb-{os.getuid()}").symlink_to(tmp_path / "planted")
    with pytest.raises(LogUnavailable, match="belongs to somebody else"):
        local_root()
