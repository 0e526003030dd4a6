"""Runs opened and finished by the thousand in one process leave nothing behind: no descriptor, thread or memory.

The short form runs with the other tests. The long form has `WANDB_TEST_MANY_RUNS=10000` in its environment.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Dict

RUNS = int(os.environ.get("WANDB_TEST_MANY_RUNS", "120"))

_SCRIPT = """
import gc, json, os, shutil, sys, threading
import psutil, wandb

def measured():
    gc.collect()
    return {
        "descriptors": len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else process.num_fds(),
        "threads": threading.active_count(),
        "children": len(process.children()),
        "objects": len(gc.get_objects()),
        "rss": process.memory_info().rss,
        "wrapped": "write" in vars(sys.stdout) or "write" in vars(sys.stderr),
    }

def one_run(number):
    run = wandb.init(mode="offline", project="p", config={"number": number}, settings={"silent": True})
    run.define_metric("loss", summary="min")
    for step in range(3):
        run.log({"loss": number / (step + 1), "text": f"row {number}"})
    run.summary["best"] = number
    print("run", number, file=sys.stderr)
    run.finish()
    shutil.rmtree(run.sync_dir)

process, runs = psutil.Process(), int(sys.argv[1])
warm = runs // 4
for number in range(warm):
    one_run(number)
before = measured()
for number in range(warm, runs):
    one_run(number)
after = measured()
print(json.dumps([before, after]))
"""

# A run's objects number in the thousands, and an allocator keeps a few pages more or less.
_OBJECTS_MAX = 200
_BYTES_MAX = 4 << 20


def test_nothing_is_left_behind(tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("WANDB_")}
    done = subprocess.run(
        [sys.executable, "-c", _SCRIPT, str(RUNS)],
        cwd=tmp_path, env={**environment, "HOME": str(tmp_path)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    before, after = json.loads(done.stdout)
    told = f"{RUNS} runs: {before} became {after}"
    _check(before, after, told)


def _check(before: Dict[str, Any], after: Dict[str, Any], told: str) -> None:
    for name in ("descriptors", "threads", "children", "wrapped"):
        assert after[name] == before[name], told
    assert after["objects"] - before["objects"] < _OBJECTS_MAX, told
    assert after["rss"] - before["rss"] < _BYTES_MAX, told
