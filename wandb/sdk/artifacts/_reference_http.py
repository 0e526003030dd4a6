"""References to what a web server has. Its ETag stands for the content; without one the address does."""

from __future__ import annotations

import contextlib
import os
import posixpath
from typing import IO, Iterator, List, Optional

import requests

from ...errors import CommError
from .artifact_manifest_entry import ArtifactManifestEntry
from .exceptions import ArtifactError

_CONNECT_SECONDS, _SILENCE_SECONDS = 10.0, 60.0
_PIECE_BYTES = 1 << 18


def find(uri: str, name: Optional[str], checksum: bool, max_objects: int) -> List[ArtifactManifestEntry]:
    """One entry. With a checksum the server is asked for the ETag and the size."""
    path = name or posixpath.basename(uri)
    if not checksum:
        return [ArtifactManifestEntry(path, uri, uri)]
    with _get(uri) as reply:
        address = str(reply.request.url)
        etag, length = reply.headers.get("etag"), reply.headers.get("content-length")
        # A length is of the bytes on the way; of compressed ones it says nothing.
        size = int(length) if length and length.isdecimal() and not reply.headers.get("content-encoding") else None
        return [ArtifactManifestEntry(path, _digest(etag, address), address, None, size, _extra(etag))]


def load(entry: ArtifactManifestEntry, file: IO[bytes]) -> None:
    """Raises ArtifactError where it has changed, FileNotFoundError, CommError."""
    assert entry.ref is not None
    with _get(entry.ref) as reply:
        digest = _digest(reply.headers.get("etag"), entry.ref)
        if entry.digest not in (digest, entry.ref):
            raise ArtifactError(
                f"{entry.path} refers to {entry.ref}, which has changed: its ETag was {entry.digest} and is {digest}"
            )
        try:
            for piece in reply.iter_content(_PIECE_BYTES):
                file.write(piece)
        except requests.RequestException as error:
            raise CommError(f"{entry.ref} broke off ({type(error).__name__}); try again") from None


def _digest(etag: Optional[str], address: str) -> str:
    return etag.strip('"') if etag else address


def _extra(etag: Optional[str]) -> dict[str, str]:
    return {"etag": etag} if etag else {}


@contextlib.contextmanager
def _get(uri: str) -> Iterator[requests.Response]:
    with requests.Session() as session:
        session.headers["Accept-Encoding"] = "identity"
        if not (os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE")):
            session.verify = os.environ.get("SSL_CERT_FILE") or True
        try:
            reply = session.get(uri, stream=True, timeout=(_CONNECT_SECONDS, _SILENCE_SECONDS))
        except requests.RequestException as error:
            raise CommError(f"{uri} can't be reached ({type(error).__name__})") from None
        with reply:
            if reply.status_code in (404, 410):
                raise FileNotFoundError(f"there is nothing at {uri} (HTTP {reply.status_code})")
            if not reply.ok:
                raise CommError(f"{uri}: HTTP {reply.status_code} {reply.reason}")
            yield reply
