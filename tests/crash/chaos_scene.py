"""Where misfortunes happen: runs that are being written, uploaders that follow one another, and a server."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import Callable, Counter

sys.path.insert(0, str(Path(__file__).parent.parent / "uploader"))  # of a program of its own

from chaos_proxy import ChaosProxy
from w_b_server import KEY, WBServer

from wandb_uploader._spawn import python_command

OTHER_KEY = "local-" + "fedcba9876543210" * 3
END_SECONDS = 300.0
# Between two rows of a run. A campaign of many deaths takes long: its runs needn't grow all the faster.
PAUSE_SECONDS, PAUSE_LONG_SECONDS, LONG_KILLS = 0.002, 0.02, 100

WRITE = """
import json, random, sys, time
from pathlib import Path
from wandb_storage import *
home, url, ended, count, seed = Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]), int(sys.argv[4]), int(sys.argv[5])
pause, chance, logs = float(sys.argv[6]), random.Random(seed), []
for number in range(count):
    folder = home / f"run-20260102_030405-r{number}"
    (folder / "files").mkdir(parents=True)
    (folder / "files" / "note.txt").write_text(f"of run {number}")
    log = Log.create(folder, f"r{number}")
    settings = json.dumps({"base_url": url})
    log.append(RunStart(run_id=f"r{number}", project="p", time=1000.0, settings=settings, version="1.0"))
    log.append(FileSaved(path="note.txt", policy=chance.choice(["now", "live", "end"]), time=1000.0))
    logs.append(log)
step = 0
while not ended.exists():
    for log in logs:
        row = {"loss": 1 / (step + 1), "again": chance.random()}
        log.append_row(row, step, 1000.0 + step, chance.choice([0, 2, 2]))
        if step % 10 == 0:
            log.append(Console(time=1000.0 + step, stream=step % 20 // 10, text=f"\\rstep {step}" + "\\n" * (step % 3)))
            log.append(SystemMetrics(time=1000.0 + step, json='{"cpu": %d}' % step))
        if step % 50 == 0:
            log.append(ConfigChange(json='{"step": %d}' % step))
    step += 1
    time.sleep(pause)
for log in logs:
    log.append(Exit(code=0, time=2000.0 + step))
    log.close()
"""


def own_environment(netrc: Path) -> dict[str, str]:
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("WANDB_")},
        "PYTHONPATH": os.pathsep.join(part for part in sys.path if part), "NETRC": str(netrc),
    }  # fmt: skip


class Directory:
    """A wandb directory, its writer, and the uploaders that follow one another."""

    def __init__(self, scratch: Path, url: str, seed: int) -> None:
        self.home, self.url = scratch / "wandb", url
        self.home.mkdir(parents=True)
        self.netrc = scratch / "netrc"
        self.chance = random.Random(seed)
        self.environment = own_environment(self.netrc)
        self._ended, self._seed = scratch / "ended", seed

    def use_key(self, key: str) -> None:
        self.netrc.write_text(f"machine 127.0.0.1 login user password {key}\n")

    def run_folder(self, number: int) -> Path:
        return self.home / f"run-20260102_030405-r{number}"

    def writer(self, runs: int, pause: float) -> subprocess.Popen[bytes]:
        """Writes so many runs until `end_runs`."""
        arguments = [str(self.home), self.url, str(self._ended), str(runs), str(self._seed), str(pause)]
        return subprocess.Popen([sys.executable, "-c", WRITE, *arguments], env=self.environment)

    def end_runs(self) -> None:
        self._ended.touch()

    def uploader(self, *before: str) -> subprocess.Popen[bytes]:
        """`before` is what starts the command."""
        command = [*before, *python_command(), "run", "--dir", str(self.home), "--url", self.url]
        return subprocess.Popen(
            command, env=self.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/"
        )


class Scene(Directory):
    """A directory whose server, one in miniature, is behind a proxy."""

    def __init__(self, scratch: Path, seed: int) -> None:
        self.server = WBServer()
        self.server.start()
        self.proxy = ChaosProxy(self.server.url, random.Random(seed + 1))
        super().__init__(scratch, self.proxy.url, seed)
        self.use_key(KEY)

    def use_key(self, key: str) -> None:
        super().use_key(key)
        self.server.key = key

    def ended(self, runs: int) -> bool:
        with self.server.lock:
            found = list(self.server.runs.values())
        return sum(run.exit_code is not None for run in found) == runs

    def kill_one(self, tried: Counter[str]) -> None:
        """One uploader's life: to a random instant of its start, or of its work, with what may happen meanwhile."""
        seen = len(self.server.requests)
        dice = self.chance.random()
        with self.uploader() as uploader:
            try:
                if dice < 0.8:
                    wait(lambda: len(self.server.requests) > seen or uploader.poll() is not None, 5.0)
                if dice < 0.1:
                    tried["server restarts"] += 1
                    self.server.stop()
                    time.sleep(self.chance.random() * 0.1)
                    self.server.start()
                elif dice < 0.2:
                    tried["keys changed"] += 1
                    self.use_key(OTHER_KEY if self.server.key == KEY else KEY)
                time.sleep(self.chance.random() * 0.15)  # the random instant itself, nothing is waited for
            finally:
                uploader.kill()
        tried["kills"] += 1

    def bring_home(self, runs: int) -> None:
        """A last uploader, which is left alone."""
        with self.uploader() as uploader:
            try:
                assert wait(lambda: self.ended(runs), END_SECONDS), "the last uploader doesn't come to the end"
            finally:
                uploader.kill()

    def close(self) -> None:
        self.proxy.close()
        self.server.stop()


def wait(condition: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.005)
    return True
