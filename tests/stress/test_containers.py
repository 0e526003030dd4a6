"""Two containers that share a folder: in namespaces of their own, so that both writers are process 1, each with its own
host name and, as on two machines or after a reboot, its own boot id."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from pathlib import Path
from typing import Iterator, List

import pytest

from wandb_storage import Reader, Row

_CONTAINER = ["unshare", "--pid", "--fork", "--kill-child", "--uts", "--mount", "--mount-proc"]
_BOOT_ID = "/proc/sys/kernel/random/boot_id"
_ENTER = f"""
import os, signal, socket, subprocess, sys
from pathlib import Path
from wandb_storage import Log, LogError, Reader, recover
signal.alarm(50)
folder, host, boot = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
socket.sethostname(host)
subprocess.run(["mount", "--bind", boot, "{_BOOT_ID}"], check=True)
assert os.getpid() == 1
def append(log, start, stop):
    for step in range(start, stop):
        log.append_row({{"value": step * 0.5}}, step, 1.0, 2)
"""
_WRITE = """
log = Log.create(folder, "r")
append(log, 0, 1000)
print("written", flush=True)
sys.stdin.read()
"""
_TRY = """
for call in (recover, Log.open):
    try:
        call(folder)
    except LogError as error:
        print(error.message)
"""
_GO_ON = """
log = Log.open(folder)
print(log.recovered.writer_lost.cause)
print(log.recovered.writer_lost.evidence)
append(log, 1000, 1100)
log.close()
"""


@pytest.fixture
def boots(tmp_path: Path) -> List[Path]:
    """Files that stand in for the kernel's boot id, one for each container."""
    paths = [tmp_path / "boot-a", tmp_path / "boot-b"]
    for path in paths:
        path.write_text(f"{path.name}\n")
    try:
        probe = f"mount --bind {paths[0]} {_BOOT_ID}"
        subprocess.run([*_CONTAINER, "sh", "-c", probe], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"nobody here may make namespaces: {error}")
    return paths


@contextlib.contextmanager
def container(script: str, folder: Path, host: str, boot: Path) -> Iterator[subprocess.Popen[str]]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(part for part in sys.path if part)}
    command = [*_CONTAINER, sys.executable, "-W", "error", "-c", _ENTER + script, str(folder), host, str(boot)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, env=environment, stdin=pipe, stdout=pipe, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def output(script: str, folder: Path, host: str, boot: Path) -> List[str]:
    with container(script, folder, host, boot) as process:
        told, _ = process.communicate(timeout=50)
    assert process.returncode == 0, told
    return told.splitlines()


@pytest.mark.parametrize(
    ("host", "cause", "evidence"),
    [
        ("box-b", "unknown", "the log was written on box-a and recovered on box-b before anybody closed it"),
        ("box-a", "rebooted", "process 1 on box-a held the log open, and the machine has been restarted since"),
    ],
)
def test_containers_with_equal_pids_are_told_apart(
    tmp_path: Path, boots: List[Path], host: str, cause: str, evidence: str
) -> None:
    """While the first writes, the second is refused with its host and pid, though that pid is the second's own. When
    the first is killed, the second goes on with every record, and doesn't take itself for the one that died."""
    folder = tmp_path / "log"
    folder.mkdir()
    with container(_WRITE, folder, "box-a", boots[0]) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "written\n"
        refusals = output(_TRY, folder, host, boots[1])
        assert len(refusals) == 2
        assert all(line.startswith("process 1 on box-a is writing this log") for line in refusals)
    assert output(_GO_ON, folder, host, boots[1]) == [cause, evidence]
    with Reader(folder) as reader:
        steps = [entry.record.step for entry in reader.entries() if isinstance(entry.record, Row)]
    assert steps == list(range(1100))
