"""A real PostgreSQL in a folder of its own."""

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

# It refuses to run as root, which tests in a container often are.
_USER = "postgres" if os.geteuid() == 0 else None


class NotInstalledError(Exception):
    """There is no PostgreSQL here."""


def _program(name: str) -> str:
    found = shutil.which(name) or next(map(str, sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))), None)
    if found is None:
        raise NotInstalledError(f"PostgreSQL is not installed: there is no {name}")
    return found


class Cluster:
    """Makes room for servers in a running PostgreSQL."""

    def __init__(self, folder: Path, durable: bool) -> None:
        self._folder, self._durable = folder, durable
        self._made = 0
        self._process: subprocess.Popen[bytes] | None = None

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

    def start(self) -> None:
        settings = ["-c", "listen_addresses=", "-c", f"unix_socket_directories={self._folder}"]
        if not self._durable:
            # What is killed is a process, of which the system keeps what it wrote.
            settings += ["-c", "fsync=off"]
        command = [_program("postgres"), "-D", str(self._folder / "data"), *settings]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(command, user=_USER, stderr=log, cwd=self._folder)
        deadline = time.monotonic() + 60
        while True:
            try:
                psycopg.connect(self.url).close()
                return
            except psycopg.OperationalError:
                assert self._process.poll() is None, "PostgreSQL ended"
                assert time.monotonic() < deadline, "PostgreSQL does not answer"
                time.sleep(0.05)

    def stop(self) -> None:
        """End at once, in the midst of whatever clients are doing: the next start recovers."""
        if self._process is not None:
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait()
            self._process = None


@contextmanager
def running_cluster(durable: bool = False) -> Iterator[Cluster]:
    """One that survives a loss of power, if it is to be durable. Raises NotInstalledError."""
    initdb = _program("initdb")
    folder = Path(tempfile.mkdtemp(prefix="wandb-test-postgres-"))
    cluster = Cluster(folder, durable)
    try:
        if _USER is not None:
            shutil.chown(folder, _USER)
        data = folder / "data"
        make = [initdb, "-D", str(data), "-U", "tester", "-A", "trust", "--no-sync", "-E", "UTF8", "--locale=C"]
        subprocess.run(make, check=True, user=_USER, stdout=subprocess.DEVNULL, cwd=folder)
        cluster.start()
        yield cluster
    finally:
        cluster.stop()
        shutil.rmtree(folder)
