"""The server's reliability: SIGKILL at random instants under load, its database restarted, its disk full.

Four writers log rows, system metrics, console lines that are written over, summaries, configs and files, each to a run
of its own, and know which requests were acknowledged. After each misfortune the server must have all of those, and of
the request that was under way all or nothing; then that request is sent once more, as clients do, and must not count
twice.

    killed      the server with its SQLite
    two         one of two servers on one PostgreSQL that both serve all runs
    restarted   that PostgreSQL ends in the midst of everything and comes back, the server lives on
    full        the filesystem of the data is full, until room is made (as root, on a tmpfs)

    python tests/crash/server_kills.py --kills 200 --seed 1
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import os
import random
import secrets
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Counter, Iterator, List

sys.path.insert(0, str(Path(__file__).parent.parent / "server"))  # of a program of its own

from postgres import Cluster, NotInstalledError, running_cluster
from server_scene import Client, ForkedServer, Writer, write_for
from spread import scratch_folder

WRITERS = 4
_KILLS_OF_A_FOLDER = 10
_DELAY_SECONDS_MAX = 1.0
_FULL_MEGABYTES = 24
_LEFT_BYTES = 500_000
_FILLED_SECONDS_MAX = 120


def _writers(servers: List[ForkedServer], rng: random.Random, tried: Counter[str]) -> List[Writer]:
    return [Writer(Client(servers), f"r{number}", random.Random(rng.random()), tried) for number in range(WRITERS)]


def _check(writers: List[Writer]) -> None:
    for writer in writers:
        writer.check()


def killed(scratch: Path, kills: int, rng: random.Random, tried: Counter[str]) -> None:
    server = ForkedServer(scratch, scratch / "data")
    writers = _writers([server], rng, tried)
    try:
        for _ in range(kills):
            server.start()
            write_for(writers, rng.uniform(0, _DELAY_SECONDS_MAX), server.kill)
            tried["kills"] += 1
            server.start()
            _check(writers)
            server.kill()
    finally:
        server.kill()


def two(scratch: Path, cluster: Cluster, kills: int, rng: random.Random, tried: Counter[str]) -> None:
    url = cluster.new_database()
    os.environ["WANDB_SERVER_SECRET"] = secrets.token_hex(32)
    # The folder of files is shared, as a bucket would be.
    servers = [ForkedServer(scratch, scratch / "shared", url) for _ in range(2)]
    writers = _writers(servers, rng, tried)
    try:
        for _ in range(kills):
            for server in servers:
                if not server.runs:
                    server.start()
            victim = rng.choice(servers)
            write_for(writers, rng.uniform(0, _DELAY_SECONDS_MAX), victim.kill)
            tried["kills of one of two"] += 1
            victim.start()
            _check(writers)
    finally:
        del os.environ["WANDB_SERVER_SECRET"]  # other tests of this process have servers of their own
        for server in servers:
            server.kill()


def restarted(scratch: Path, cluster: Cluster, restarts: int, rng: random.Random, tried: Counter[str]) -> None:
    server = ForkedServer(scratch, scratch / "restarted", cluster.new_database())
    writers = _writers([server], rng, tried)

    def restart() -> None:
        cluster.stop()
        time.sleep(rng.uniform(0, 0.3))  # requests come meanwhile
        cluster.start()
        time.sleep(0.3)  # and afterwards

    try:
        server.start()
        for _ in range(restarts):
            write_for(writers, rng.uniform(0, _DELAY_SECONDS_MAX), restart)
            tried["restarts"] += 1
            _check(writers)
    finally:
        server.kill()


@contextlib.contextmanager
def small_filesystem(scratch: Path, megabytes: int) -> Iterator[Path]:
    place = scratch / "small"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(place)], check=True)
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


def full(scratch: Path, rounds: int, rng: random.Random, tried: Counter[str]) -> None:
    for _ in range(rounds):
        with small_filesystem(scratch, _FULL_MEGABYTES) as place:
            server = ForkedServer(scratch, place / "data")
            writers = _writers([server], rng, tried)
            ballast = place / "ballast"
            try:
                server.start()
                write_for(writers, 0.3, lambda: None)
                ballast.write_bytes(bytes(os.statvfs(place).f_bavail * os.statvfs(place).f_frsize - _LEFT_BYTES))
                refused = tried["refused"]
                deadline = time.monotonic() + _FILLED_SECONDS_MAX
                while tried["refused"] < refused + 10:
                    assert time.monotonic() < deadline, "the disk is never full"
                    write_for(writers, 0.5, lambda: None)
                _check(writers)
                ballast.unlink()
                acknowledged = tried["acknowledged"]
                write_for(writers, 0.5, lambda: None)
                assert tried["acknowledged"] > acknowledged, "the server does not go on when there is room again"
                _check(writers)
                tried["full disks"] += 1
            finally:
                server.kill()
        place.rmdir()


def campaign(scratch: Path, kills: int, others: int, seed: int) -> tuple[Counter[str], str]:
    """What was tried, and the first thing that was wrong. `others`: of the misfortunes that aren't plain kills."""
    tried: Counter[str] = collections.Counter()
    rng = random.Random(seed)
    try:
        for first in range(0, kills, _KILLS_OF_A_FOLDER):
            with tempfile.TemporaryDirectory(dir=scratch) as folder:
                killed(Path(folder), min(_KILLS_OF_A_FOLDER, kills - first), rng, tried)
            print(f"... {tried['kills']} kills", file=sys.stderr, flush=True)
        try:
            with running_cluster() as cluster:
                two(scratch, cluster, others, rng, tried)
                restarted(scratch, cluster, others, rng, tried)
        except NotInstalledError as error:
            print(f"... {error}", file=sys.stderr, flush=True)
        if os.geteuid() == 0 and others:
            full(scratch, max(1, others // 10), rng, tried)
    except AssertionError as error:
        return tried, f"seed {seed}: {error}"
    return tried, ""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--others", type=int, default=30, help="kills of one of two, restarts of PostgreSQL")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    arguments = parser.parse_args()
    start = time.monotonic()
    with scratch_folder() as scratch:
        tried, wrong = campaign(scratch, arguments.kills, arguments.others, arguments.seed)
    print(
        f"server: {tried['kills']} kills, {tried['kills of one of two']} of one of two servers on one PostgreSQL, "
        f"{tried['restarts']} restarts of PostgreSQL, {tried['full disks']} full disks; {tried['acknowledged']:,} "
        f"requests acknowledged, {tried['rows']:,} rows sent, seed {arguments.seed}, {time.monotonic() - start:.0f} s: "
        f"{'LOST: ' + wrong if wrong else '0 lost'}"
    )
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
