"""SIGKILL of the uploader at random instants, while a run is written: the server ends up with the log, row for row."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import List

import pytest
from logged_runs import check_same, new_folder, wait_until
from w_b_server import Fault, Request, WBServer

from wandb_uploader._spawn import python_command

KILLS = int(os.environ.get("UPLOADER_KILLS", "6"))

WRITE = """
import json, sys, time
from pathlib import Path
from wandb_storage import *
log = Log.create(Path(sys.argv[1]), "r1")
log.append(RunStart(run_id="r1", project="p", time=1000.0, settings=json.dumps({"base_url": sys.argv[2]})))
step = 0
while not Path(sys.argv[3]).exists():
    log.append_row({"loss": 1 / (step + 1), "again": step}, step, 1000.0 + step, 2)
    if step % 10 == 0:
        log.append(Console(time=1000.0 + step, stream=step % 20 // 10, text=f"\\rstep {step}" + "\\n" * (step % 3)))
        log.append(SystemMetrics(time=1000.0 + step, json='{"cpu": %d}' % step))
    if step % 50 == 0:
        log.append(ConfigChange(json='{"step": %d}' % step))
    step += 1
    if step % 5 == 0:
        time.sleep(0.001)
log.append(Exit(code=0, time=2000.0 + step))
log.close()
"""


def kill_at_random(arguments: List[str], server: WBServer, chance: random.Random, at_work: bool) -> None:
    """Start an uploader and kill it: within its start, or in the middle of its work."""
    seen = len(server.requests)
    with subprocess.Popen(arguments) as uploader:
        try:
            if at_work:
                wait_until(lambda: len(server.requests) > seen)
            time.sleep(chance.random() * 0.05)
        finally:
            uploader.kill()


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_killed_at_random_instants(server: WBServer, wandb_dir: Path, tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)

    def misfortune(request: Request) -> Fault | None:
        dice = chance.random()
        if dice < 0.1:
            return Fault(drop_after=True)
        if dice < 0.2:
            return Fault(drop_before=True)
        return Fault(delay=0.02) if dice < 0.4 else None

    server.fault = misfortune

    def ended_there() -> bool:
        return "r1" in server.runs and server.runs["r1"].exit_code is not None

    folder, ended = new_folder(wandb_dir), tmp_path / "ended"
    arguments = [*python_command(), "run", "--dir", str(wandb_dir), "--url", server.url]
    with subprocess.Popen([sys.executable, "-c", WRITE, str(folder), server.url, str(ended)]) as writer:
        try:
            for number in range(KILLS):
                if number == KILLS // 2:
                    ended.touch()
                    writer.wait(30)
                kill_at_random(arguments, server, chance, at_work=number % 2 == 1 and not ended_there())
        finally:
            ended.touch()
    server.fault = lambda request: None
    with subprocess.Popen(arguments) as uploader:
        try:
            wait_until(ended_there)
        finally:
            uploader.kill()
    check_same(server.runs["r1"], folder)
    assert server.runs["r1"].exit_code == 0
