"""The one seam to a server: GraphQL, the run stream and file uploads over one HTTP session.

Every failure leaves as one of the exceptions of `_errors`; no message holds a key or a signed URL.
"""

from __future__ import annotations

import hashlib
import json
import os
from typing import Any, BinaryIO, Callable, Dict, List, Mapping, NamedTuple, Optional, Tuple
from urllib.parse import quote, urlsplit

import requests
from requests.auth import AuthBase, HTTPBasicAuth

from ._errors import CredentialsRefused, Refused, TransientError
from ._retry import classify, server_words

CONNECT_SECONDS = 10.0
# A GraphQL request is answered at once or not at all; a stream request may wait for a busy server's disk.
GRAPHQL_SECONDS = 30.0
STREAM_SECONDS = 180.0
# Time without a single byte in either direction, not of a whole upload.
PUT_SECONDS = 180.0
# The largest honest reply is the config and the last rows of a run that is resumed.
REPLY_BYTES_MAX = 32 << 20

USER_AGENT = "wandb-uploader"
Key = Callable[[], Optional[str]]
Headers = Mapping[str, str]


class StreamReply(NamedTuple):
    """A stream request was applied. `values` is empty where the server said nothing more."""

    values: Dict[str, Any]
    headers: Headers


class _NoAuth(AuthBase):
    """Without this, requests would look up credentials for the host by itself."""

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        return request


class Body:
    """A file of known size as a request's body: exactly that many bytes, however the file changes, and their MD5."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self._file, self._size, self._left = file, size, size
        self.digest = hashlib.md5(usedforsecurity=False)

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Body:
        return self

    def __next__(self) -> bytes:
        piece = self.read(1 << 16)
        if not piece:
            raise StopIteration
        return piece

    def read(self, count: int = -1) -> bytes:
        piece = self._file.read(self._left if count < 0 else min(count, self._left))
        if not piece and self._left:
            raise TransientError("the file became shorter while it was uploaded; it is read again")
        self._left -= len(piece)
        self.digest.update(piece)
        return piece


class Transport:
    """A server, for one thread. `key` is asked before each request."""

    def __init__(self, base_url: str, key: Key) -> None:
        self.base_url = base_url
        self.host = urlsplit(base_url).netloc.rpartition("@")[2]
        self._key = key
        self._session = requests.Session()
        self._session.headers["User-Agent"] = USER_AGENT

    def close(self) -> None:
        self._session.close()

    def graphql(self, operation: str, document: str, variables: Mapping[str, Any]) -> Dict[str, Any]:
        """The `data` of the reply. Raises Refused where the server answers with errors."""
        body = json.dumps({"operationName": operation, "query": document, "variables": variables}).encode()
        what = f"{operation} at {self.host}"
        raw, _ = self._send(
            "POST", f"{self.base_url}/graphql", body, {"Content-Type": "application/json"}, GRAPHQL_SECONDS, what,
            self._auth(), conflict_passes=operation == "UpsertBucket",
        )  # fmt: skip
        value = _json_object(raw, what)
        if value.get("errors"):
            raise Refused(f"{what}: {server_words(raw)}")
        data = value.get("data")
        if not isinstance(data, dict):
            raise TransientError(f"{what}: the reply holds no data, so it isn't from a W&B server")
        return data

    def file_stream(self, path: Tuple[str, str, str], body: bytes) -> StreamReply:
        """Send lines of the run `path` = (entity, project, run)."""
        entity, project, run = (quote(part, safe="") for part in path)
        what = f"the stream of run {path[2]} at {self.host}"
        raw, headers = self._send(
            "POST", f"{self.base_url}/files/{entity}/{project}/{run}/file_stream", body,
            {"Content-Type": "application/json"}, STREAM_SECONDS, what, self._auth(),
        )  # fmt: skip
        # An empty reply is a success. Text that isn't JSON comes from a proxy or a sign-in page, and the lines with it.
        return StreamReply(_json_object(raw, what) if raw.strip() else {}, headers)

    def put(self, url: str, headers: List[str], file: BinaryIO, name: str) -> Tuple[int, str]:
        """Upload a file's bytes to a URL that the server gave out. Returns their number and MD5."""
        if url.startswith("/"):
            url = self.base_url + url
        fields = {key.strip(): value.strip() for key, _, value in (header.partition(":") for header in headers)}
        # requests would send an empty file in chunks, which object stores refuse.
        size = file.seek(0, os.SEEK_END)
        file.seek(0)
        body = Body(file, size)
        what = f"file {name} at {urlsplit(url).netloc}"
        self._send("PUT", url, body if size else b"", fields, PUT_SECONDS, what, _NoAuth())
        return size, body.digest.hexdigest()

    def _auth(self) -> AuthBase:
        key = self._key()
        return HTTPBasicAuth("api", key) if key else _NoAuth()

    def _send(
        self, method: str, url: str, body: Any, headers: Headers, seconds: float, what: str, auth: AuthBase,
        conflict_passes: bool = False,
    ) -> Tuple[bytes, Headers]:  # fmt: skip
        try:
            with self._session.request(
                method, url, data=body, headers=dict(headers), auth=auth, timeout=(CONNECT_SECONDS, seconds),
                allow_redirects=False, stream=True,
            ) as reply:  # fmt: skip
                raw = _read_bounded(reply, what)
                status, received = reply.status_code, reply.headers
        except requests.exceptions.InvalidURL as error:
            raise Refused(f"{what}: the URL is invalid; check base_url ({type(error).__name__})") from None
        except requests.exceptions.Timeout:
            raise TransientError(f"{what}: no answer in time", unreachable=True) from None
        except (requests.RequestException, OSError) as error:
            raise TransientError(f"{what}: {_reason(error)}", unreachable=True) from None
        if 200 <= status <= 300:
            return raw, received
        failure = classify(status, received, raw, what, conflict_passes)
        if isinstance(failure, CredentialsRefused) and method == "PUT":
            raise Refused(str(failure), status)  # such a URL carries its own credential; the API key isn't at fault
        raise failure


def _read_bounded(reply: requests.Response, what: str) -> bytes:
    pieces: List[bytes] = []
    total = 0
    for piece in reply.iter_content(1 << 16):
        pieces.append(piece)
        total += len(piece)
        if total > REPLY_BYTES_MAX:
            raise TransientError(f"{what}: the reply is longer than {REPLY_BYTES_MAX >> 20} MiB")
    return b"".join(pieces)


def _json_object(raw: bytes, what: str) -> Dict[str, Any]:
    try:
        value = json.loads(raw)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise TransientError(f"{what}: the reply isn't JSON, so it isn't from a W&B server: {server_words(raw)!r}")
    return value


def _reason(error: BaseException) -> str:
    """The innermost cause: the messages around it hold URLs."""
    seen: Optional[BaseException] = error
    reason = type(error).__name__
    while seen is not None:
        if isinstance(seen, OSError) and seen.strerror:
            reason = seen.strerror
        elif type(seen).__name__ in ("RemoteDisconnected", "NameResolutionError", "SSLError", "IncompleteRead"):
            reason = type(seen).__name__
        inner = getattr(seen, "reason", None)
        seen = inner if isinstance(inner, BaseException) else seen.__cause__ or seen.__context__
    return f"no connection ({reason})"
