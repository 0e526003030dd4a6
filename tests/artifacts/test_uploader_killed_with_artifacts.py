"""SIGKILL of the uploader at random instants: every artifact is at the server once, in order, with all its files."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest
from live_server import LiveServer
from logged_runs import wait_until
from made_artifacts import LARGE, contents, made

import wandb
from wandb_storage import staged_artifacts
from wandb_uploader import run_status

KILLS = int(os.environ.get("UPLOADER_KILLS", "6"))
# The uploader, for which a file of a megabyte is one that goes in parts.
UPLOADER = """
import sys
import wandb_uploader._artifact_files as files, wandb_uploader._send_artifacts as artifacts
artifacts.PARTS_BYTES_MIN, files.PART_BYTES, artifacts.FILES_PER_REQUEST = 1 << 20, 300_000, 10
from wandb_uploader.__main__ import main
main()
"""

CONTENTS = [
    {"a": b"1", "large": LARGE, **{f"many/{number}": str(number).encode() for number in range(35)}},
    {"a": b"2", "large": LARGE},
    {"large": LARGE + b"more", "b": b"1"},
]


def logged() -> Path:
    """A run that an uploader takes for an online one that has ended."""
    with wandb.init(mode="offline", id="r") as run:
        for number, files in enumerate(CONTENTS):
            run.log_artifact(made(files=files), aliases=[f"number-{number}"])
        again = run.use_artifact("ds:number-0")
        run.link_artifact(again, "collected", aliases=["prod"])
    folder = Path(run.sync_dir)
    return folder.rename(folder.with_name(folder.name.replace("offline-", "")))


@pytest.mark.parametrize("seed", [1, 2])
def test_killed_at_random_instants(server: LiveServer, seed: int) -> None:
    chance = random.Random(seed)
    folder = logged()
    arguments = [sys.executable, "-c", UPLOADER, "run", "--dir", str(folder.parent), "--url", server.url]

    def done() -> bool:
        status = run_status(folder, server.url)
        return status is not None and status.done

    def at_work() -> bool:
        return run_status(folder, server.url) is not None

    for number in range(KILLS):
        with subprocess.Popen(arguments, stderr=subprocess.DEVNULL) as uploader:
            try:
                if number:
                    wait_until(at_work)
                time.sleep(chance.random() * 0.2)
            finally:
                uploader.kill()
    with subprocess.Popen(arguments, stderr=subprocess.DEVNULL) as uploader:
        try:
            wait_until(done, 60)
            wait_until(lambda: all(staged.header().released for staged in staged_artifacts(folder)))
        finally:
            uploader.kill()
    status = run_status(folder, server.url)
    assert status is not None
    assert status.parked_items == {}
    with wandb.init() as run:
        for number, files in enumerate(CONTENTS):
            version = run.use_artifact(f"ds:number-{number}")
            assert (version.version, version.digest) == (f"v{number}", made(files=files).digest)
            assert contents(version.download()) == files
            assert [user.id for user in version.used_by()] == (["r"] if number == 0 else [])
        assert run.use_artifact("collected:prod").source_name == "ds:v0"
        with pytest.raises(ValueError, match="there is no artifact"):
            run.use_artifact(f"ds:v{len(CONTENTS)}")
