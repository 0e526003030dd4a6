"""An S3 server for the tests: SeaweedFS, which comes as a wheel, or moto's where it doesn't."""

from __future__ import annotations

import contextlib
import logging
import os
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
import requests
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server

_KEYS = {"AWS_ACCESS_KEY_ID": "tester", "AWS_SECRET_ACCESS_KEY": "secret"}


class Buckets:
    """Makes buckets in a running server."""

    def __init__(self, endpoint: str) -> None:
        self._client = boto3.client("s3", endpoint_url=endpoint)
        self._made = 0

    def new_bucket(self) -> str:
        """The URL of a folder in a bucket of its own."""
        self._made += 1
        name = f"bucket-{self._made}"
        self._client.create_bucket(Bucket=name)
        return f"s3://{name}/team/files"

    def keys(self, url: str) -> list[str]:
        """What lies in a bucket, unfinished uploads too."""
        bucket = url.split("/")[2]
        unfinished = self._client.list_multipart_uploads(Bucket=bucket).get("Uploads", [])
        found = self._client.list_objects_v2(Bucket=bucket).get("Contents", [])
        return [one["Key"] for one in [*found, *unfinished]]


@contextlib.contextmanager
def running_buckets() -> Iterator[Buckets]:
    """A server, to which the environment leads meanwhile."""
    program = Path(sys.executable).with_name("weed")
    running = _seaweed(program) if program.exists() else _moto()
    with running as endpoint, pytest.MonkeyPatch.context() as patch:
        regions = {"AWS_REGION": "us-east-1", "AWS_DEFAULT_REGION": "us-east-1"}
        for name, value in {"AWS_ENDPOINT_URL": endpoint, **regions, **_KEYS}.items():
            patch.setenv(name, value)
        patch.delenv("AWS_SESSION_TOKEN", raising=False)
        yield Buckets(endpoint)


@contextlib.contextmanager
def _seaweed(program: Path) -> Iterator[str]:
    folder = Path(tempfile.mkdtemp(prefix="wandb-test-seaweed-"))
    ports = _free_ports(8)
    options = ["-s3.port.iceberg=0", "-s3.port.lance=0"]
    # Every bucket takes volumes of its own; those of the standard size are many gigabytes each.
    options += ["-volume.max=1000", "-master.volumeSizeLimitMB=64"]
    for number, service in enumerate(("s3", "master", "volume", "filer")):
        options += [f"-{service}.port={ports[2 * number]}", f"-{service}.port.grpc={ports[2 * number + 1]}"]
    command = [str(program), "server", "-s3", f"-dir={folder}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", *options]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, env={**os.environ, **_KEYS}, stdout=log, stderr=log, cwd=folder)
    try:
        endpoint = f"http://127.0.0.1:{ports[0]}"
        deadline = time.monotonic() + 60
        while not _answers(endpoint):
            assert process.poll() is None, (folder / "log").read_text()
            assert time.monotonic() < deadline, "SeaweedFS does not answer"
            time.sleep(0.05)
        yield endpoint
    finally:
        process.kill()
        process.wait()
        shutil.rmtree(folder)
        # It has sockets there as well, which are named by its ports.
        for port in ports:
            for path in Path("/tmp").glob(f"seaweedfs-*-{port}.sock"):
                path.unlink()


def _free_ports(count: int) -> list[int]:
    """Of those that the system gives nobody by itself, so that they are still free when the server takes them."""
    found: list[int] = []
    while len(found) < count:
        port = random.randrange(10_000, 30_000)
        with socket.socket() as tried, contextlib.suppress(OSError):
            tried.bind(("127.0.0.1", port))
            found.append(port)
    return found


def _answers(endpoint: str) -> bool:
    try:
        requests.get(endpoint, timeout=10)
    except requests.ConnectionError:
        return False
    return True


@contextlib.contextmanager
def _moto() -> Iterator[str]:
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = make_server("127.0.0.1", 0, DomainDispatcherApplication(create_backend_app), threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
