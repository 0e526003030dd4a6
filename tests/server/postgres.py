"""A real PostgreSQL in a folder of its own, for as long as the tests run."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

# It refuses to run as root, which tests in a container often are.
_USER = "postgres"


def _program(name: str) -> str:
    found = shutil.which(name) or next(map(str, sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))), None)
    if found is None:
        pytest.skip(f"PostgreSQL is not installed: there is no {name}")
    return found


class Cluster:
    """Makes room for servers in a running PostgreSQL."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._made = 0

    @property
    def url(self) -> str:
        return f"postgresql://tester@/postgres?host={self._folder}"

    def new_database(self) -> str:
        """The URL of a schema of its own: what a server sees of it is a database, and it is made in no time."""
        self._made += 1
        name = f"test{self._made}"
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(f"CREATE SCHEMA {name}")
        return f"{self.url}&options=-csearch_path%3D{name}"


@contextmanager
def running_cluster() -> Iterator[Cluster]:
    initdb, postgres = _program("initdb"), _program("postgres")
    folder = Path(tempfile.mkdtemp(prefix="wandb-test-postgres-"))
    user = _USER if os.geteuid() == 0 else None
    try:
        if user is not None:
            shutil.chown(folder, user)
        data = folder / "data"
        make = [initdb, "-D", str(data), "-U", "tester", "-A", "trust", "--no-sync", "-E", "UTF8", "--locale=C"]
        subprocess.run(make, check=True, user=user, stdout=subprocess.DEVNULL, cwd=folder)
        # Nothing in it is worth a flush.
        settings = ["-c", "listen_addresses=", "-c", "fsync=off", "-c", f"unix_socket_directories={folder}"]
        log = (folder / "log").open("wb")
        with log, subprocess.Popen([postgres, "-D", str(data), *settings], user=user, stderr=log, cwd=folder) as server:
            try:
                cluster = Cluster(folder)
                _wait_until_it_answers(cluster, server)
                yield cluster
            finally:
                # Ends at once, without writing what nobody will read.
                server.send_signal(signal.SIGQUIT)
    finally:
        shutil.rmtree(folder)


def _wait_until_it_answers(cluster: Cluster, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            psycopg.connect(cluster.url).close()
            return
        except psycopg.OperationalError:
            assert server.poll() is None, "PostgreSQL ended"
            assert time.monotonic() < deadline, "PostgreSQL does not answer"
            time.sleep(0.05)
