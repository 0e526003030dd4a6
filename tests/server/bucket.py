"""An S3 server for the tests: moto's, since no package of a real one can be installed where they run."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Iterator

import boto3
import pytest
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server


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
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = make_server("127.0.0.1", 0, DomainDispatcherApplication(create_backend_app), threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    endpoint = f"http://127.0.0.1:{server.server_port}"
    variables = {"AWS_ENDPOINT_URL": endpoint, "AWS_REGION": "us-east-1", "AWS_DEFAULT_REGION": "us-east-1",
                 "AWS_ACCESS_KEY_ID": "tester", "AWS_SECRET_ACCESS_KEY": "secret"}  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        for name, value in variables.items():
            patch.setenv(name, value)
        patch.delenv("AWS_SESSION_TOKEN", raising=False)
        try:
            yield Buckets(endpoint)
        finally:
            server.shutdown()
            thread.join()
            server.server_close()
