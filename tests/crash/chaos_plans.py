"""The plans of the uploader's campaign. Each raises AssertionError where something is lost, or there twice."""

from __future__ import annotations

import collections
import functools
import os
import random
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Counter, List, Optional

from chaos_proxy import PASSING, REFUSING, ChaosProxy
from chaos_scene import (
    END_SECONDS,
    LONG_KILLS,
    PAUSE_LONG_SECONDS,
    PAUSE_SECONDS,
    Directory,
    Scene,
    own_environment,
    wait,
)
from logged_runs import Clock, Fold, as_text, check_same, end, finished_run, log_rows, new_folder, start_log
from real_server import RealServer
from w_b_server import KEY, Fault, Request, WBServer

from wandb_storage import Alert, Console, FileSaved, SystemMetrics
from wandb_uploader import CredentialsRefused, upload
from wandb_uploader._files import file_digest


def kills(scratch: Path, count: int, seed: int, runs: int = 3, misfortunes: bool = True) -> Counter[str]:
    """Uploaders are killed at random instants while `runs` are written."""
    scene = Scene(scratch, seed)
    scene.proxy.luck = 0.6 if misfortunes else 1.0
    tried: Counter[str] = collections.Counter()
    writer = scene.writer(runs, PAUSE_SECONDS if count < LONG_KILLS else PAUSE_LONG_SECONDS)
    try:
        for number in range(count):
            scene.kill_one(tried)
            if number == count // 2:
                scene.end_runs()
                assert writer.wait(60) == 0
            if number % 50 == 49:
                print(f"... {number + 1:,} kills of uploaders", file=sys.stderr, flush=True)
    finally:
        scene.end_runs()
        writer.wait(60)
    scene.proxy.luck = 1.0
    scene.bring_home(runs)
    for number in range(runs):
        served = scene.server.runs[f"r{number}"]
        check_same(served, scene.run_folder(number))
        assert served.files.get("note.txt") == f"of run {number}".encode(), "a file is missing"
        tried["rows"] += len(served.rows())
    tried.update(scene.proxy.tried)
    tried["requests"] = len(scene.server.requests)
    scene.close()
    return tried


def refusals(scratch: Path, rounds: int, seed: int) -> Counter[str]:
    """Answers of any status to any request. What was parked is tried again until it is there."""
    home = scratch / "wandb"
    home.mkdir(parents=True)
    chance, clock = random.Random(seed), Clock()
    tried: Counter[str] = collections.Counter()
    with WBServer() as server:
        proxy = ChaosProxy(server.url, chance, 0.5, (*PASSING, *REFUSING))
        folders = [_run_of_all_kinds(home, proxy.url, f"r{number}") for number in range(rounds)]
        send = functools.partial(
            upload, base_url=proxy.url, clock=clock, sleep=clock.sleep, retry_parked=True,
            environment={"WANDB_API_KEY": KEY, "NETRC": str(scratch / "none")},
        )  # fmt: skip
        for number, folder in enumerate(folders):
            for _ in range(20):
                try:
                    result = send(folder)
                except CredentialsRefused:
                    tried["refused keys"] += 1
                    continue
                tried["parked"] += bool(result.parked) + len(result.parked_items) + len(result.parked_files)
            proxy.luck = 1.0
            result = send(folder)
            assert result.done, result.parked
            assert [result.parked, result.parked_items, result.parked_files] == ["", {}, {}], result
            check_same(server.runs[f"r{number}"], folder)
            assert server.runs[f"r{number}"].files.get("note.txt") == b"note", "a file is missing"
            proxy.luck = 0.5
        assert [alert["title"] for alert in server.alerts] == [f"alert of r{number}" for number in range(rounds)]
        tried["requests"] = len(server.requests)
        tried.update(proxy.tried)
        proxy.close()
    return tried


def _run_of_all_kinds(home: Path, url: str, run_id: str) -> Path:
    folder = new_folder(home, run_id)
    (folder / "files" / "note.txt").write_text("note")
    log = start_log(folder, url, run_id)
    log_rows(log, 30)
    log.append(SystemMetrics(time=1000.0, json='{"cpu": 1}'))
    log.append(Console(time=1000.0, text="one\ntwo\rTWO\nthree\n"))
    # With the client's own default wait: of two copies of one request a server can't tell that they are one.
    log.append(Alert(title=f"alert of {run_id}", text="text", level="WARN", wait_seconds=60.0, time=1000.0))
    log.append(FileSaved(path="note.txt", policy="end", time=1000.0))
    log_rows(log, 30, first=30)
    end(log)
    return folder


def server_deaths(scratch: Path, count: int, seed: int, runs: int = 3) -> Counter[str]:
    """`wandb server` is killed at random instants while runs are written and uploaded."""
    scratch.mkdir(parents=True)
    server = RealServer(scratch)
    server.start()
    directory = Directory(scratch, server.url, seed)
    directory.use_key(server.key)
    writer = directory.writer(runs, PAUSE_SECONDS)
    uploader = directory.uploader()
    tried: Counter[str] = collections.Counter()
    try:
        for _ in range(count):
            time.sleep(directory.chance.random() * 1.5)  # the random instant itself, nothing is waited for
            server.kill()
            time.sleep(directory.chance.random() * 0.3)
            server.start()
            tried["server kills"] += 1
        directory.end_runs()
        assert writer.wait(60) == 0
        ended = functools.partial(_have_ended, server, runs)
        assert wait(ended, END_SECONDS), "the runs don't come to their end"
        for number in range(runs):
            tried["rows"] += _check_served(server, f"r{number}", directory.run_folder(number))
    finally:
        directory.end_runs()
        uploader.kill()
        for process in (writer, uploader):
            process.wait(60)
        server.kill()
    return tried


def _have_ended(server: RealServer, runs: int) -> bool:
    found = [server.facts(f"r{number}") for number in range(runs)]
    return all(run is not None and run["state"] == "finished" for run in found)


def _check_served(server: RealServer, run: str, folder: Path) -> int:
    fold, facts = Fold(folder), server.facts(run)
    assert facts is not None
    rows = server.rows(run, fold.state.step)
    assert as_text(rows) == as_text(fold.rows), f"{run}: {len(rows)} rows of {len(fold.rows)}"
    assert (facts["eventsLineCount"], facts["logLineCount"]) == (len(fold.events), len(fold.console))
    return len(rows)


def large_file(scratch: Path, size: int, count: int, seed: int) -> Counter[str]:
    """Uploaders are killed in the middle of one file, which takes no room on the disk. What has arrived stays."""
    scene = Scene(scratch, seed)
    scene.server.features, scene.server.swallow = ["RESUMABLE_RUN_FILES"], True
    # Past the proxy, which would hold all of it.
    scene.url = scene.server.url
    folder = new_folder(scene.home)
    with (folder / "files" / "model.bin").open("wb") as file:
        file.truncate(size)
        file.seek(size // 2)
        file.write(b"in the middle of it")
    log = start_log(folder, scene.url)
    log.append(FileSaved(path="model.bin", policy="end", time=1000.0))
    end(log)
    tried: Counter[str] = collections.Counter()
    while tried["kills"] < count and scene.server.part_bytes < size:
        reached = scene.server.part_bytes
        with scene.uploader() as uploader:
            wait(functools.partial(_has_moved, scene, reached, uploader), END_SECONDS)
            time.sleep(scene.chance.random() * size / count / 4e8)  # the random instant itself
            uploader.kill()
        tried["kills"] += 1
        tried["in the file"] += reached < scene.server.part_bytes < size
    scene.bring_home(1)
    with (folder / "files" / "model.bin").open("rb") as file:
        assert scene.server.part_digests == [file_digest(file)]
    assert scene.server.part_bytes <= size + tried["kills"], "what had arrived was sent again"
    scene.close()
    return tried


def _has_moved(scene: Scene, reached: int, uploader: subprocess.Popen[bytes]) -> bool:
    return scene.server.part_bytes > reached or uploader.poll() is not None


def outage(scratch: Path, days: float, seed: int) -> Counter[str]:
    """A server that is away for days, on a clock of its own, in the middle of a run."""
    home = scratch / "wandb"
    home.mkdir(parents=True)
    server = WBServer()
    server.start()
    folder = finished_run(home, server.url, rows=12_000)
    clock, chance = Clock(), random.Random(seed)
    end = 1000.0 + days * 86_400
    environment = {"WANDB_API_KEY": KEY, "NETRC": str(scratch / "none")}
    asked = [0]

    def sleep_on() -> None:
        if clock.now >= end and server._server is None:
            server.start()
        asked[0] += 1

    clock.on_sleep = sleep_on
    served = chance.randint(2, 4)

    def stop_for_days(request: Request) -> Optional[Fault]:
        if len(server.requests) <= served:
            return None
        server.fault = lambda request: None
        threading.Thread(target=server.stop).start()
        return Fault(drop_before=True)

    server.fault = stop_for_days
    try:
        result = upload(folder, server.url, environment=environment, clock=clock, sleep=clock.sleep)
        assert result.done
        assert clock.now >= end, "the outage was shorter than it should be"
        check_same(server.runs["r1"], folder)
    finally:
        server.stop()
    assert asked[0] < days * 86_400 / 50, f"{asked[0]} attempts in {days} days"
    return collections.Counter({"attempts": asked[0], "rows": 12_000})


FULL = """
import os, subprocess, sys
from pathlib import Path
sys.path[:0] = sys.argv[3].split(os.pathsep)
folder, url = Path(sys.argv[1]), sys.argv[2]
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(folder)], check=True)
from logged_runs import Clock, end, log_rows, new_folder, start_log
from wandb_uploader import TransientError, upload
clock, seen = Clock(), 0
environment = {"WANDB_API_KEY": os.environ["WANDB_API_KEY"], "NETRC": str(folder / "none")}

def send(give_up_seconds=None):
    return upload(run, url, environment=environment, clock=clock, sleep=clock.sleep, give_up_seconds=give_up_seconds)

run = new_folder(folder)
log = start_log(run, url)
log_rows(log, 7000)
log.flush()
send()
log_rows(log, 13000, first=7000)
end(log)
filler = open(folder / "filler", "wb", buffering=0)
try:
    while filler.write(bytes(4096)):
        pass
except OSError:
    pass
try:
    send(give_up_seconds=3600.0)
    print("it was sent without a word")
except TransientError as error:
    print(error)
filler.close()
(folder / "filler").unlink()
print(send().rows)
subprocess.run(["cp", "-r", str(run), sys.argv[4]], check=True)
"""


def disk_full(scratch: Path, seed: int) -> Counter[str]:
    """The filesystem takes no more of the uploader's own state for an hour by its clock. Nothing is sent meanwhile,
    since what was sent couldn't be told after a crash; then everything arrives, once.

    Without the right to mount a filesystem, the uploader is one that may write no file.
    """
    unshare = may_mount()
    if unshare is None:
        return _no_file_may_be_written(scratch, seed)
    (scratch / "full").mkdir(parents=True)
    with WBServer() as server:
        paths = os.pathsep.join(part for part in sys.path if part)
        command = [
            *unshare,
            sys.executable,
            "-c",
            FULL,
            str(scratch / "full"),
            server.url,
            paths,
            str(scratch / "copy"),
        ]
        environment = {**own_environment(scratch / "none"), "WANDB_API_KEY": KEY}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        why, rows = done.stdout.splitlines()
        assert "No space left on device" in why, why
        assert rows == "20000"
        check_same(server.runs["r1"], scratch / "copy")
    return collections.Counter({"rows": 20_000, "full": 1})


def may_mount() -> Optional[List[str]]:
    """What makes a namespace in which a filesystem can be mounted; None where nobody may."""
    for unshare in (["unshare", "--mount"], ["unshare", "--map-root-user", "--mount"]):
        try:
            probe = [*unshare, "mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", "/mnt"]
            subprocess.run(probe, check=True, capture_output=True)
            return unshare
        except (OSError, subprocess.CalledProcessError):
            continue
    return None


def _no_file_may_be_written(scratch: Path, seed: int) -> Counter[str]:
    scene = Scene(scratch, seed)
    scene.proxy.luck = 1.0
    folder = finished_run(scene.home, scene.proxy.url, rows=20_000)
    with scene.uploader("/bin/sh", "-c", 'ulimit -f 0; exec "$@"', "sh") as uploader:
        time.sleep(1.0 + scene.chance.random())  # a random instant, nothing is waited for
        uploader.kill()
    scene.bring_home(1)
    check_same(scene.server.runs["r1"], folder)
    scene.close()
    return collections.Counter({"rows": 20_000, "full": 1})
