"""Stores for references to lead to: an S3 server (`bucket`), one of Google Cloud Storage (gcp-storage-emulator, a
stand-in: nobody but Google has a real one), and a web server."""

from __future__ import annotations

import contextlib
import logging
import os
import threading
import warnings
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Dict, Iterator, Optional, Tuple

import pytest
from bucket import running_buckets

OBJECTS = {"folder/a.txt": b"hello", "folder/sub/b.bin": bytes(range(256)), "other.txt": b"other"}


class WebServer:
    """Serves `pages`: path -> (content, ETag); counts what it has served."""

    def __init__(self) -> None:
        self.pages: Dict[str, Tuple[bytes, Optional[str]]] = {
            "/with-etag.csv": (b"a,b\n1,2\n", '"etag-1"'),
            "/weak-etag.csv": (b"a,b\n", 'W/"etag-2"'),
            "/without-etag.csv": (b"a\n", None),
        }
        self.served: Dict[str, int] = {}
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, format: str, *args: Any) -> None:
                """Nothing on the terminal."""

            def do_GET(self) -> None:
                outer.served[self.path] = outer.served.get(self.path, 0) + 1
                content, etag = outer.pages.get(self.path, (b"nothing", None))
                self.send_response(200 if self.path in outer.pages else 404)
                self.send_header("Content-Length", str(len(content)))
                if etag is not None:
                    self.send_header("ETag", etag)
                self.end_headers()
                with contextlib.suppress(OSError):
                    self.wfile.write(content)

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@contextlib.contextmanager
def running_stores() -> Iterator[Any]:
    """The client of the S3 server; buckets `plain`, and `kept`, which keeps versions."""
    import boto3

    with running_buckets(), pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_S3_ENDPOINT_URL", os.environ["AWS_ENDPOINT_URL"])
        s3 = boto3.client("s3")
        for bucket in ("plain", "kept"):
            s3.create_bucket(Bucket=bucket)
        for key, content in {**OBJECTS, "folder/": b""}.items():
            s3.put_object(Bucket="plain", Key=key, Body=content)
        s3.put_bucket_versioning(Bucket="kept", VersioningConfiguration={"Status": "Enabled"})
        for content in (b"first", b"second"):
            s3.put_object(Bucket="kept", Key="data/x.bin", Body=content)
        with _running_google(patch):
            yield s3


@contextlib.contextmanager
def _running_google(patch: pytest.MonkeyPatch) -> Iterator[None]:
    with warnings.catch_warnings():  # of libraries that it could use and doesn't need
        warnings.simplefilter("ignore")
        from gcp_storage_emulator.server import create_server
        from google.cloud import storage

    logging.getLogger("gcp_storage_emulator").setLevel(logging.ERROR)
    server = create_server("127.0.0.1", 0, in_memory=True, default_bucket="bucket")
    server.start()
    port = server._api._httpd.server_port
    patch.setenv("STORAGE_EMULATOR_HOST", f"http://127.0.0.1:{port}")
    patch.setenv("GOOGLE_CLOUD_PROJECT", "project")
    try:
        bucket = storage.Client().bucket("bucket")
        for key, content in OBJECTS.items():
            bucket.blob(key).upload_from_string(content)
        yield
    finally:
        server.stop()
