"""All campaigns in their long form, one line each: what was tried, how often, what was lost.

    python -m tests.crash --seed 1 --write      # tox -e crash -- --seed 1 --write

Each campaign is a program of its own, so that one which hangs or is killed takes no other with it. With `--write` the
lines go into RESULTS.md. `--kills 0`, `--states 0` and the like leave a campaign out.
"""

from __future__ import annotations

import argparse
import datetime
import os
import platform
import subprocess
import sys
import time
from pathlib import Path
from typing import Dict, List, NamedTuple, Optional

HERE = Path(__file__).parent
TESTS = HERE.parent
RESULTS = HERE / "RESULTS.md"


class Campaign(NamedTuple):
    name: str
    command: List[str]
    environment: Dict[str, str]


def campaigns(arguments: argparse.Namespace) -> List[Campaign]:
    """Those that were asked for, in the order in which they run."""
    seed = str(arguments.seed)
    found: List[Campaign] = []

    def program(name: str, script: str, option: str, count: int) -> None:
        if count:
            command = [sys.executable, str(TESTS / script), option, str(max(0, count)), "--seed", seed]
            found.append(Campaign(name, command, {}))

    def tests(name: str, folder: str, environment: Dict[str, str]) -> None:
        options = [
            "-c",
            str(TESTS.parent / "pyproject.toml"),
            "--rootdir",
            str(TESTS.parent),
            "-q",
            "-p",
            "no:cacheprovider",
        ]
        found.append(Campaign(name, [sys.executable, "-m", "pytest", *options, str(TESTS / folder)], environment))

    program("process death", "crash/kill.py", "--kills", arguments.kills)
    program("power loss", "crash/power_loss.py", "--states", arguments.states)
    program("failing calls", "fault/failing_calls.py", "--cases", arguments.cases)
    program("flipped bits", "fault/flips.py", "--flips", arguments.flips)
    if arguments.examples:
        tests("model", "model", {"WANDB_TEST_MODEL_EXAMPLES": str(arguments.examples)})
    if arguments.full_seconds:
        environment = {"WANDB_TEST_FULL_SECONDS": str(arguments.full_seconds)}
        tests("a starved machine", "fault/test_starved.py", environment)
    if arguments.stress:
        tests("forks, ends, stops, moves", "stress", {})
    return found


def run(campaign: Campaign) -> Optional[str]:
    """Its line; None where it failed, with everything that it said on the terminal."""
    start = time.monotonic()
    environment = {**os.environ, **campaign.environment}
    done = subprocess.run(campaign.command, env=environment, capture_output=True, text=True, check=False, cwd=TESTS)
    lines = [line for line in done.stdout.splitlines() if line.strip()]
    if done.returncode or not lines:
        print(f"{campaign.name}: FAILED (exit code {done.returncode})\n{done.stdout}{done.stderr}", flush=True)
        return None
    line = lines[-1]
    if not line.startswith(campaign.name):  # pytest's own last line
        settings = ", ".join(f"{name}={value}" for name, value in campaign.environment.items()) or "no settings"
        seconds = time.monotonic() - start
        line = f"{campaign.name}: {line.strip('= ')}, {settings}, {seconds:.0f} s: 0 lost"
    print(line, flush=True)
    return line


def write_results(lines: List[str], seed: int) -> None:
    """One table, of this run."""
    machine = f"{platform.system()} {platform.release()}, {platform.machine()}, {os.cpu_count()} cores"
    today = datetime.datetime.now(datetime.timezone.utc).date()
    text = (
        "# The campaigns' last long form\n\n"
        f"`python -m tests.crash --seed {seed} --write` wrote this on {today}: "
        f"{machine}, Python {platform.python_version()}.\n\n"
        "| campaign | what was tried, how often, what was lost |\n|---|---|\n"
    )
    for line in lines:
        name, _, rest = line.partition(": ")
        text += f"| {name} | {rest} |\n"
    RESULTS.write_text(text)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.crash", description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=10_000)
    parser.add_argument("--states", type=int, default=100_000)
    parser.add_argument("--cases", type=int, default=-1, help="failing calls: a sample of so many; -1 for every one")
    parser.add_argument("--flips", type=int, default=10_000)
    parser.add_argument("--examples", type=int, default=2_000, help="lives of the model")
    parser.add_argument("--full-seconds", type=float, default=600, help="how long a full filesystem stays full")
    parser.add_argument("--stress", type=int, default=1)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--write", action="store_true", help="write RESULTS.md")
    arguments = parser.parse_args()
    lines = [run(campaign) for campaign in campaigns(arguments)]
    passed = [line for line in lines if line is not None]
    if arguments.write and len(passed) == len(lines):
        write_results(passed, arguments.seed)
    return 0 if len(passed) == len(lines) else 1


if __name__ == "__main__":
    sys.exit(main())
