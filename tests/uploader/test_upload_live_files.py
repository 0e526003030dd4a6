"""Files of a living run: at once, again when they change, and never in the way of its rows."""

from __future__ import annotations

import hashlib
import json
import os
import tracemalloc
from pathlib import Path
from typing import Callable, Dict, Iterator

import pytest
from logged_runs import Clock, end, log_rows, new_folder, start_log, wait_until
from w_b_server import Fault, Request, WBServer

from wandb_storage import FileSaved, Log, RunStart
from wandb_uploader import upload
from wandb_uploader._destination import Destination
from wandb_uploader._home import Home
from wandb_uploader._run_upload import RunUpload


class Living:
    """A run that is being written, its upload, and a clock for both."""

    def __init__(self, server: WBServer, wandb_dir: Path, clock: Clock) -> None:
        self.server, self.clock = server, clock
        self.folder = new_folder(wandb_dir)
        self.log: Log = start_log(self.folder, server.url)
        self.destination = Destination(server.url)
        self.upload = RunUpload(Home(wandb_dir, server.url), self.folder, clock)
        self.upload.home.create()

    def save(self, path: str, policy: str, content: bytes) -> None:
        self.write(path, content)
        self.log.append(FileSaved(path=path, policy=policy, time=1000.0))
        self.log.flush()

    def write(self, path: str, content: bytes) -> None:
        (self.folder / "files" / path).parent.mkdir(parents=True, exist_ok=True)
        (self.folder / "files" / path).write_bytes(content)

    def pass_until(self, condition: Callable[[], bool]) -> None:
        """Let the run's time pass, half a second at a time."""

        def step() -> bool:
            self.upload.advance(self.destination)
            self.clock.now += 0.5
            return condition()

        wait_until(step)

    @property
    def files(self) -> Dict[str, bytes]:
        return self.server.runs["r1"].files if "r1" in self.server.runs else {}


@pytest.fixture
def living(server: WBServer, wandb_dir: Path, clock: Clock) -> Iterator[Living]:
    run = Living(server, wandb_dir, clock)
    yield run
    run.log.close()
    run.upload.close()
    run.destination.close()


def test_now_is_while_the_run_lives_and_once(living: Living) -> None:
    living.save("media/image 1.png", "now", b"png")
    living.save("later.txt", "end", b"later")
    living.pass_until(lambda: living.files == {"media/image 1.png": b"png"})
    living.write("media/image 1.png", b"changed")
    start = living.clock.now
    living.pass_until(lambda: living.clock.now > start + 60)
    assert living.files == {"media/image 1.png": b"png"}
    end(living.log)
    living.upload.close()
    assert upload(living.folder, living.server.url).done
    assert living.files["later.txt"] == b"later"


def test_the_server_hears_of_what_has_arrived(living: Living) -> None:
    living.save("a.txt", "now", b"a")
    living.pass_until(lambda: living.server.runs.get("r1") is not None and "a.txt" in living.server.runs["r1"].uploaded)


def test_a_live_file_goes_again_when_it_has_changed(living: Living) -> None:
    living.save("model.ckpt", "live", b"first")
    living.pass_until(lambda: living.files.get("model.ckpt") == b"first")
    count = len(living.server.of("/storage/"))
    start = living.clock.now
    living.pass_until(lambda: living.clock.now > start + 60)
    assert len(living.server.of("/storage/")) == count, "it hasn't changed"
    living.write("model.ckpt", b"the second one")
    living.pass_until(lambda: living.files["model.ckpt"] == b"the second one")


def test_a_file_that_is_still_growing_is_left_until_it_rests(living: Living) -> None:
    living.save("grows", "live", b"1")
    living.pass_until(lambda: "grows" in living.files)
    start, size = living.clock.now, [1]

    def grow() -> bool:
        size[0] += 1
        living.write("grows", b"x" * size[0])
        return living.clock.now > start + 30

    living.pass_until(grow)
    assert living.files["grows"] == b"1"
    living.pass_until(lambda: living.files["grows"] == b"x" * size[0])


def test_a_file_that_vanishes_is_told_only_at_the_end(living: Living) -> None:
    living.save("gone", "now", b"x")
    (living.folder / "files" / "gone").unlink()
    start = living.clock.now
    living.pass_until(lambda: living.clock.now > start + 20)
    assert living.upload.cursor.parked_files == {}
    living.upload.close()
    end(living.log)
    assert "gone" in upload(living.folder, living.server.url).parked_files


def test_trouble_with_files_does_not_hold_up_rows(living: Living) -> None:
    living.server.fault = lambda request: Fault(status=503) if "/storage/" in request.path else None
    living.save("a", "now", b"a")
    living.pass_until(lambda: len(living.server.of("/storage/")) >= 2)
    log_rows(living.log, 5)
    living.log.flush()
    living.pass_until(lambda: len(living.server.runs["r1"].rows()) == 5)
    living.server.fault = lambda request: None
    living.pass_until(lambda: living.files.get("a") == b"a")


def test_a_file_that_changes_while_it_goes_arrives_as_it_is_in_the_end(server: WBServer, wandb_dir: Path) -> None:
    folder = new_folder(wandb_dir)
    log = start_log(folder, server.url)
    log.append(FileSaved(path="a.bin", policy="end", time=1000.0))
    end(log)
    path = folder / "files" / "a.bin"
    path.write_bytes(b"a" * 3_000_000)

    def cut(request: Request) -> Fault | None:
        if len(request.body) == 3_000_000:
            path.write_bytes(b"short")
            return Fault(status=503)
        return None

    server.fault = cut
    assert upload(folder, server.url, sleep=lambda seconds: None).parked_files == {}
    assert server.runs["r1"].files["a.bin"] == b"short"


def test_many_files_go_side_by_side(server: WBServer, wandb_dir: Path) -> None:
    folder = new_folder(wandb_dir)
    log = start_log(folder, server.url)
    for number in range(250):
        (folder / "files" / f"{number} ü.txt").write_text(str(number))
        log.append(FileSaved(path=f"{number} ü.txt", policy="end", time=1000.0))
    end(log)
    server.fault = lambda request: Fault(delay=0.02) if "/storage/" in request.path else None
    assert upload(folder, server.url).parked_files == {}
    assert all(server.runs["r1"].files[f"{number} ü.txt"] == str(number).encode() for number in range(250))
    assert len(server.of("CreateRunFiles")) == 3, "a hundred at a time"


def test_a_session_that_begins_while_the_end_of_the_one_before_is_sent_has_its_own_end(living: Living) -> None:
    for number in range(60):  # more than go out at once
        living.save(f"first-{number}.bin", "end", b"first")
    end(living.log)
    living.pass_until(lambda: any(name.startswith("first") for name in living.files))
    assert not living.upload.cursor.done
    living.log = Log.open(living.folder)
    living.log.append(RunStart(run_id="r1", project="p", time=1001.0, resumed=True, first_step=1))
    living.log.flush()
    living.upload.advance(living.destination)
    living.save("second.bin", "end", b"second")
    end(living.log)
    living.pass_until(lambda: living.upload.cursor.done)
    assert living.files["second.bin"] == b"second"


def test_a_large_file_needs_no_memory_and_gives_signs_of_life(server: WBServer, wandb_dir: Path, clock: Clock) -> None:
    size = 300 << 20
    folder = new_folder(wandb_dir)
    log = start_log(folder, server.url)
    log.append(FileSaved(path="huge", policy="end", time=1000.0))
    end(log)
    with (folder / "files" / "huge").open("wb") as file:
        os.truncate(file.fileno(), size)  # it takes no room on the disk
    server.swallow = True
    run = RunUpload(Home(wandb_dir, server.url), folder, clock)
    run.home.create()
    destination = Destination(server.url)
    tracemalloc.start()
    try:
        while run.advance(destination) is not None:
            clock.now += 31.0
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
        run.close()
        destination.close()
    assert peak < 40 << 20
    assert run.cursor.files["huge"] == hashlib.md5(bytes(size), usedforsecurity=False).hexdigest()
    assert run.cursor.parked_files == {}
    assert b"{}" in [request.body for request in server.of("file_stream")]
    assert json.loads(server.requests[-1].body)["complete"] is True
