"""A very long run: rows logged at full speed in one process and read in another meanwhile, and what that takes.

The calls' durations and the memory of both processes at a tenth, at half and at the end: both stay where they were,
however long a run gets. Every row is read back, once and in order.

    python tests/bench/long_run.py --rows 50000000 --folder /big/disk
"""

from __future__ import annotations

import argparse
import array
import json
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Dict, List

import wandb
from wandb_storage import LogNotFound, Reader, Row

KEYS = ("loss", "accuracy", "rate", "norm")
MICROSECONDS_MAX = 1_000_000  # the durations are counted by microseconds up to here
PARTS = (0.1, 0.5, 1.0)  # of the rows, after which the memory is looked at


def megabytes() -> str:
    """The memory of this process, and what it has mapped of files: a segment, which is page cache."""
    status = Path("/proc/self/status").read_text()
    sizes = dict(re.findall(r"(\w+):\s+(\d+) kB", status))
    return f"{int(sizes['RssAnon']) / 1000:.0f}+{int(sizes['RssFile']) / 1000:.0f}"


def write(folder: Path, rows: int) -> Dict[str, Any]:
    """Log the rows: how long the calls took, and the memory."""
    counts = array.array("Q", bytes(8 * (MICROSECONDS_MAX + 1)))
    marks = {max(1, int(rows * part)) for part in PARTS}
    memory: List[str] = []
    settings = wandb.Settings(console="off", x_disable_stats=True, silent=True)
    run = wandb.init(mode="offline", project="long", dir=str(folder), settings=settings)
    clock, slowest, start = time.perf_counter_ns, 0, time.perf_counter()
    for step in range(rows):
        loss = 1.0 / (1 + step)
        row = {"loss": loss, "accuracy": 1 - loss, "rate": step * 1e-9, "norm": (step * 7919 % 10007) / 10007}
        before = clock()
        run.log(row)
        took = clock() - before
        counts[min(took // 1000, MICROSECONDS_MAX)] += 1
        if took > slowest:
            slowest = took
        if step + 1 in marks:
            memory.append(megabytes())
    seconds = time.perf_counter() - start
    run.finish()
    wanted = {"p50": 0.5, "p99": 0.99, "p99.99": 0.9999}
    microseconds = {name: percentile(counts, rows * share) for name, share in wanted.items()}
    return {"seconds": seconds, "microseconds": {**microseconds, "max": slowest // 1000}, "memory": memory}


def percentile(counts: array.array[int], rank: float) -> int:
    """The microseconds that so many calls didn't exceed."""
    seen = 0
    for microseconds, count in enumerate(counts):
        seen += count
        if seen >= rank:
            return microseconds + 1
    return MICROSECONDS_MAX


def read(folder: Path, rows: int) -> Dict[str, Any]:
    """Follow the log until every row has come by, and look at each."""
    marks = {max(1, int(rows * part)) for part in PARTS}
    memory: List[str] = []
    reader = wait_for_log(folder)
    position, step = 1, 0
    while step < rows:
        entries = reader.read(position)
        if not entries:
            time.sleep(0.05)  # the follower's pace, nothing hangs on it
            continue
        for sequence, _, record in entries:
            assert sequence == position, f"record {sequence} in the place of {position}"
            position += 1
            if type(record) is Row:
                assert record.step == step, f"row {record.step} in the place of {step}"
                assert record.values["loss"] == 1.0 / (1 + step), f"row {step} is another"
                step += 1
                if step in marks:
                    memory.append(megabytes())
    reader.close()
    return {"memory": memory, "records": position - 1}


def wait_for_log(folder: Path) -> Reader:
    while True:
        for path in folder.glob("wandb/offline-run-*"):
            try:
                return Reader(path)
            except LogNotFound:
                continue
        time.sleep(0.05)


def campaign(folder: Path, rows: int) -> str:
    """One line: what was done, how long the calls took, and the memory of both sides."""
    start = time.monotonic()
    parts = [
        subprocess.Popen([sys.executable, __file__, "--part", part, "--rows", str(rows), "--folder", str(folder)],
                         stdout=subprocess.PIPE, text=True)
        for part in ("write", "read")
    ]  # fmt: skip
    try:
        writer, reader = (json.loads(part.communicate()[0]) for part in parts)
    finally:
        for part in parts:
            part.kill()
            part.wait()
    log_bytes = sum(path.stat().st_size for path in folder.glob("wandb/*run-*/*.wandb"))
    times = ", ".join(f"{name} {value:,}" for name, value in writer["microseconds"].items())
    return (
        f"long run: {rows:,} rows of {len(KEYS)} metrics in {writer['seconds']:.0f} s, all read back in "
        f"{time.monotonic() - start:.0f} s; microseconds a call: {times}; MB (own + mapped files) at a tenth, half and "
        f"the end: writer {', '.join(writer['memory'])}, reader {', '.join(reader['memory'])}; "
        f"{log_bytes / rows:.1f} bytes a row: 0 lost"
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=50_000_000)
    parser.add_argument("--folder", type=Path, help="where the run goes, else a temporary folder")
    parser.add_argument("--part", choices=("write", "read"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.part is not None:
        print(json.dumps((write if arguments.part == "write" else read)(arguments.folder, arguments.rows)))
        return 0
    with tempfile.TemporaryDirectory(dir=arguments.folder, prefix="long-run-") as folder:
        print(campaign(Path(folder), arguments.rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
