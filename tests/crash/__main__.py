"""All campaigns in their long form, one line each: what was tried, how often, what was lost.

    python -m tests.crash --seed 1 --write                       # tox -e crash -- --seed 1 --write
    python -m tests.crash --seed 7 --write --only "power loss"   # one of them; the others' lines stay as they are

Each campaign is a program of its own, so that one which hangs or is killed takes no other with it. Its line is printed
when it ends; how far it is stands on stderr. With `--write` each line goes into RESULTS.md at once, in the place of the
campaign's earlier one.
"""

from __future__ import annotations

import argparse
import datetime
import os
import platform
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Dict, List, NamedTuple, Optional

from wandb_storage import PROMISES

TESTS = Path(__file__).parent.parent
RESULTS = Path(__file__).with_name("RESULTS.md")
_ROW = re.compile(r"\| (?P<name>[^|]+) \| (?P<when>[^|]+) \| (?P<what>.+) \|")


class Campaign(NamedTuple):
    name: str
    command: List[str]
    environment: Dict[str, str]


class Line(NamedTuple):
    """A campaign's line in RESULTS.md."""

    when: str
    what: str


def campaigns(arguments: argparse.Namespace) -> List[Campaign]:
    """All of them, in the order in which they run."""
    python, seed, jobs = sys.executable, str(arguments.seed), str(arguments.jobs)

    def program(name: str, script: str, *options: object) -> Campaign:
        return Campaign(name, [python, str(TESTS / script), *map(str, options)], {})

    def tests(name: str, folder: str, **environment: object) -> Campaign:
        root = TESTS.parent
        options = ["-c", str(root / "pyproject.toml"), "--rootdir", str(root), "-q", "-p", "no:cacheprovider"]
        command = [python, "-m", "pytest", *options, str(TESTS / folder)]
        return Campaign(name, command, {name: str(value) for name, value in environment.items()})

    seeded = ("--seed", seed)
    return [
        program("process death", "crash/kill.py", "--kills", arguments.kills, *seeded, "--jobs", jobs),
        program("power loss", "crash/power_loss.py", "--states", arguments.states, *seeded, "--jobs", jobs),
        program("failing calls", "fault/failing_calls.py", "--cases", arguments.cases, *seeded),
        program("flipped bits", "fault/flips.py", "--flips", arguments.flips, *seeded),
        program("fuzzing", "fault/fuzz.py", "--seconds", arguments.fuzz_seconds, *seeded),
        program("uploads", "crash/chaos.py", "--kills", arguments.upload_kills, *seeded),
        program("server", "crash/server_kills.py", "--kills", arguments.server_kills, *seeded),
        program("sweeps", "crash/sweep_kills.py", "--trials", arguments.trials, *seeded),
        program("sweeps of a server", "crash/server_sweep_kills.py", "--trials", arguments.trials, *seeded),
        program("hostile requests", "server/fuzz_server.py", "--requests", arguments.requests, *seeded),
        program("long run", "bench/long_run.py", "--rows", arguments.rows),
        tests("a disk that lies", "fault/test_the_disk_lies.py"),
        tests("model", "model", WANDB_TEST_MODEL_EXAMPLES=arguments.examples),
        tests("a starved machine", "fault/test_starved.py", WANDB_TEST_FULL_SECONDS=arguments.full_seconds),
        tests("forks and ends", "stress"),
    ]


def run(campaign: Campaign) -> Optional[str]:
    """What it says for itself; None where it failed, with everything that it said on the terminal."""
    print(f"{campaign.name}: began at {datetime.datetime.now():%H:%M:%S}", file=sys.stderr, flush=True)
    start = time.monotonic()
    with tempfile.NamedTemporaryFile("r") as slowest:
        environment = {**os.environ, **campaign.environment, "WANDB_TEST_SLOWEST": slowest.name}
        done = subprocess.run(
            campaign.command, env=environment, stdout=subprocess.PIPE, text=True, check=False, cwd=TESTS
        )
        appends = [float(line) for line in slowest]
    lines = [line for line in done.stdout.splitlines() if line.strip()]
    if done.returncode or not lines:
        print(f"{campaign.name}: FAILED (exit code {done.returncode})\n{done.stdout}", flush=True)
        return None
    line = lines[-1]
    if line.startswith(campaign.name):
        line = line.partition(": ")[2]
    else:  # pytest's own last line
        told = [line.strip("= "), *(f"{name}={value}" for name, value in campaign.environment.items())]
        if appends:
            told.append(f"the slowest append took {max(appends):.1f} ms")
        line = f"{', '.join(told)}, {time.monotonic() - start:.0f} s: 0 lost"
    print(f"{campaign.name}: {line}", flush=True)
    return line


def read_results() -> Dict[str, Line]:
    """The lines that are in RESULTS.md, by the campaigns' names."""
    if not RESULTS.exists():
        return {}
    rows = (_ROW.fullmatch(line) for line in RESULTS.read_text().splitlines())
    return {row["name"]: Line(row["when"], row["what"]) for row in rows if row and row["name"] != "campaign"}


def write_results(names: List[str], lines: Dict[str, Line]) -> None:
    """One table, of the last long form of each campaign."""
    text = "# The campaigns' last long form\n\n`python -m tests.crash --write` writes this. What is promised:\n\n"
    text += "".join(f"* `{mode}`: {promise}\n" for mode, promise in PROMISES.items())
    text += "\n| campaign | when, seed, where | what was tried, how often, what was lost |\n|---|---|---|\n"
    text += "".join(f"| {name} | {lines[name].when} | {lines[name].what} |\n" for name in names if name in lines)
    RESULTS.write_text(text)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.crash", description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=10_000)
    parser.add_argument("--states", type=int, default=100_000)
    parser.add_argument("--cases", type=int, default=0, help="failing calls: a sample of so many; 0 for every one")
    parser.add_argument("--flips", type=int, default=10_000)
    parser.add_argument("--upload-kills", type=int, default=1_000, help="of uploaders")
    parser.add_argument("--server-kills", type=int, default=200, help="of servers")
    parser.add_argument("--trials", type=int, default=200, help="of a sweep whose agents are killed")
    parser.add_argument("--requests", type=int, default=100_000, help="to the server, most of them nonsense")
    parser.add_argument("--fuzz-seconds", type=int, default=3600)
    parser.add_argument("--rows", type=int, default=50_000_000, help="of the long run")
    parser.add_argument("--examples", type=int, default=2_000, help="lives of the model")
    parser.add_argument("--full-seconds", type=float, default=600, help="how long a full filesystem stays full")
    parser.add_argument("--only", metavar="NAME,...", help="these campaigns")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="processes at a time, of those that can")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--write", action="store_true", help="write RESULTS.md")
    arguments = parser.parse_args()
    everything = campaigns(arguments)
    names = [campaign.name for campaign in everything]
    chosen = [name.strip() for name in arguments.only.split(",")] if arguments.only else names
    if not set(chosen) <= set(names):
        parser.error(f"--only: the campaigns are {', '.join(names)}")
    for mode, promise in PROMISES.items():
        print(f"{mode}: {promise}", flush=True)
    machine = f"{platform.system()} {platform.release()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    failed = 0
    for campaign in everything:
        if campaign.name not in chosen:
            continue
        line = run(campaign)
        failed += line is None
        if line is not None and arguments.write and not line.startswith("skipped"):
            today = datetime.datetime.now(datetime.timezone.utc).date()
            lines = {**read_results(), campaign.name: Line(f"{today}, seed {arguments.seed}, {machine}", line)}
            write_results(names, lines)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
