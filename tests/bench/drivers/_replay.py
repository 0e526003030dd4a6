"""Replay of a run of many rows: each form in a process of its own."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Dict, List

from wandb_storage import Exit, Log, RowFlag, RunStart

from ._client import Client, metric_names

_COMMIT = int(RowFlag.COMMIT)
_RUN = "run-20260105_120000-bench"
FORMS: Dict[str, List[str]] = {
    "story": [],
    "csv": ["--csv", "-o", "rows.csv"],
    "json": ["--json", "-o", "rows.json"],
    "parquet": ["--parquet", "-o", "rows.parquet"],
    "sqlite": ["--sqlite", "rows.db"],
    "tensorboard": ["--tensorboard", "events"],
    "html": ["--html", "page.html"],
    "notebook": ["--notebook", "-o", "run.ipynb"],
    "moment": ["--csv", "--keys", "metric_0", "-o", "then.csv"],
    "diff": ["--diff", "log", "log"],
}


def replay_write(client: Client, folder: str, rows: int) -> Dict[str, Any]:
    """A closed log of rows of ten random scalars."""
    place = Path(folder) / "wandb" / _RUN
    place.mkdir(parents=True)
    source, names = random.Random(7), metric_names(10)
    value = source.random
    start = time.perf_counter()
    with Log.create(place, "bench") as log:
        log.append(RunStart(run_id="bench", time=1.7e9, settings="{}"))
        for step in range(rows):
            log.append_row({name: value() for name in names}, step, 1.7e9 + step * 0.01, _COMMIT)
        log.append(Exit(code=0, time=1.7e9 + rows * 0.01))
    return {"seconds": time.perf_counter() - start}


def replay_export(client: Client, folder: str, form: str, rows: int) -> Dict[str, Any]:
    """What one form takes: seconds, CPU, the largest memory, the bytes that came out."""
    made = Path(folder) / form
    made.mkdir()
    moment = ["--at-step", str(rows // 2)] if form == "moment" else []
    command = [sys.executable, "-m", "wandb", "replay", str(Path(folder) / "wandb" / _RUN), *FORMS[form], *moment]
    start = time.perf_counter()
    child = subprocess.Popen(command, cwd=made, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    seconds = time.perf_counter() - start
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise RuntimeError(f"{form}: exit code {child.returncode}")
    written = sum(path.stat().st_size for path in made.rglob("*") if path.is_file())
    shutil.rmtree(made)
    return {
        "seconds": seconds, "cpu_seconds": usage.ru_utime + usage.ru_stime, "memory": usage.ru_maxrss * 1024,
        "bytes": written,
    }  # fmt: skip
