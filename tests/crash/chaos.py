"""Misfortune on the way to a server, deaths of everybody on it, and the server's rows held against the log's.

* **kills**: uploaders are killed at random instants while runs are written, behind a proxy (`chaos_proxy`) that delays,
  cuts, halves, truncates and repeats requests, answers with statuses and loses replies. Meanwhile the server, one in
  miniature, goes away and comes back, and the key is changed.
* **many**: the same with so many runs at once, and without the proxy's tricks.
* **refusals**: answers of any status, those that are final included, and what they parked is tried again.
* **server**: `wandb server` itself is killed and comes back while runs are written.
* **file**: uploaders are killed in the middle of one large file.
* **outage**: days without a server, on a clock of its own.
* **full**: the filesystem takes no more of the uploader's own state for a while.

At the end each run at the server must be the fold of its log, row for row, and no history or events line may ever have
been rewritten by another text.

    python tests/crash/chaos.py --kills 1000 --seed 1 --only kills,file
"""

from __future__ import annotations

import argparse
import collections
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Callable, Counter, Dict, List

import chaos_plans
from chaos_proxy import MISFORTUNES

Plan = Callable[[Path], Counter[str]]


def plans(arguments: argparse.Namespace) -> Dict[str, Plan]:
    seed = arguments.seed
    return {
        "kills": lambda scratch: chaos_plans.kills(scratch, arguments.kills, seed),
        "many": lambda scratch: chaos_plans.kills(scratch, 20, seed, runs=arguments.runs, misfortunes=False),
        "refusals": lambda scratch: chaos_plans.refusals(scratch, arguments.refusals, seed),
        "server": lambda scratch: chaos_plans.server_deaths(scratch, arguments.server_kills, seed),
        "file": lambda scratch: chaos_plans.large_file(scratch, arguments.file_bytes, 20, seed),
        "outage": lambda scratch: chaos_plans.outage(scratch, arguments.days, seed),
        "full": lambda scratch: chaos_plans.disk_full(scratch, seed),
    }


def told(tried: Counter[str], arguments: argparse.Namespace, names: List[str]) -> str:
    """What the plans that were carried out have tried."""
    misfortunes = sum(tried[name] for name in MISFORTUNES)
    said = {
        "kills": f"{arguments.kills:,} kills of uploaders of 3 runs that were being written",
        "many": f"20 of {arguments.runs} such runs",
        "refusals": f"{tried['parked']:,} parked items tried again, {tried['refused keys']:,} refused keys",
        "server": f"{tried['server kills']} kills of the server",
        "file": f"{tried['in the file']} kills in the middle of a file of {arguments.file_bytes:,} bytes",
        "outage": f"{arguments.days:g} days without a server",
        "full": "a full filesystem",
    }
    parts = [said[name] for name in names]
    parts += [f"{misfortunes:,} misfortunes in {tried['requests']:,} requests"] if tried["requests"] else []
    parts += [f"{tried['server restarts']} restarts of the server", f"{tried['keys changed']} changes of the key"]
    return ", ".join([*parts, f"{tried['rows']:,} rows"])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=1_000)
    parser.add_argument("--runs", type=int, default=200, help="that are written and uploaded at once")
    parser.add_argument("--refusals", type=int, default=20, help="runs that meet refusals of all kinds")
    parser.add_argument("--server-kills", type=int, default=30)
    parser.add_argument("--file-bytes", type=int, default=10 << 30, help="of the large file")
    parser.add_argument("--days", type=float, default=30.0, help="without a server")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--only", metavar="NAME,...", help="these plans")
    arguments = parser.parse_args()
    everything = plans(arguments)
    names = arguments.only.split(",") if arguments.only else list(everything)
    if not set(names) <= set(everything):
        parser.error(f"--only: the plans are {', '.join(everything)}")
    start, wrong = time.monotonic(), ""
    tried: Counter[str] = collections.Counter()
    scratch = Path(tempfile.mkdtemp(prefix="chaos-"))
    for name in names:
        print(f"... {name}", file=sys.stderr, flush=True)
        try:
            tried.update(everything[name](scratch / name))
        except AssertionError as error:
            wrong = f"{name}, seed {arguments.seed}: {error}"
            break
    shutil.rmtree(scratch, ignore_errors=True)
    print(
        f"uploads: {told(tried, arguments, names)}, seed {arguments.seed}, {time.monotonic() - start:.0f} s: "
        f"{'LOST: ' + wrong if wrong else '0 lost'}"
    )
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
