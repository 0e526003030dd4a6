"""The one seam to a server: GraphQL, the run stream and file uploads over one HTTP session.

Every failure leaves as one of the exceptions of `_errors`; no message holds a key or a signed URL.
"""

from __future__ import annotations

import contextlib
import ipaddress
import json
import os
import re
import ssl
import zlib
from types import MappingProxyType
from typing import Any, BinaryIO, Callable, Dict, Iterator, List, Mapping, NamedTuple, Optional, Tuple
from urllib.parse import quote, urlencode, urljoin, urlsplit

import requests
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase, HTTPBasicAuth
from urllib3 import disable_warnings
from urllib3.exceptions import InsecureRequestWarning
from urllib3.poolmanager import PoolKey

from ._body import PIECE_BYTES, UPLOAD_ID, Body, arrived_bytes, hexadecimal, upload_id
from ._credentials import BearerToken
from ._errors import CredentialsRefused, Refused, ReplyTooLong, TransientError
from ._retry import classify, server_words

CONNECT_SECONDS = 10.0
# A GraphQL request is answered at once or not at all; a stream request may wait for a busy server's disk.
GRAPHQL_SECONDS = 30.0
STREAM_SECONDS = 180.0
# Time without a single byte in either direction, not of a whole upload.
PUT_SECONDS = 180.0
# The largest honest reply is the config and the last rows of a run that is resumed.
REPLY_BYTES_MAX = 32 << 20

# Below this a body isn't worth compressing. The lowest level: rows of numbers get hardly smaller with a higher one.
GZIP_BYTES_MIN = 4096
GZIP_LEVEL = 1

# A file's URL may point to a storage, and that to another; more than this is a circle.
REDIRECTS_MAX = 5
_REDIRECTS = (301, 302, 303, 307, 308)

# What a proxy or a sign-in page answers with, and no store does.
_PAGE = re.compile(rb"\s*<(!doctype )?html", re.IGNORECASE)

USER_AGENT = "wandb-uploader"
Key = Callable[[], Optional[str]]
Headers = Mapping[str, str]
NO_HEADERS: Headers = {}


class Manner(NamedTuple):
    """How a server is asked."""

    headers: Headers = MappingProxyType({"User-Agent": USER_AGENT})
    own_headers: Headers = MappingProxyType({})  # for the server itself, not for a store that it names
    proxies: Mapping[str, str] = MappingProxyType({})  # scheme -> URL, before those of the environment
    verify: bool = True  # whether the server must prove who it is
    graphql_seconds: float = GRAPHQL_SECONDS
    reply_bytes_max: int = REPLY_BYTES_MAX


class StreamReply(NamedTuple):
    """A stream request was applied. `values` is empty where the server said nothing more."""

    values: Dict[str, Any]
    headers: Headers


class _NoAuth(AuthBase):
    """Without this, requests would look up credentials for the host by itself."""

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        return request


class _Bearer(AuthBase):
    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request


class _Session(requests.Session):
    """One that looks at the environment once for each host: doing so costs as much as the rest of a small request."""

    def __init__(self) -> None:
        super().__init__()
        self._surroundings: Dict[str, Dict[str, Any]] = {}  # host -> its proxies and certificates

    def merge_environment_settings(
        self, url: Any, proxies: Any, stream: Any, verify: Any, cert: Any
    ) -> Any:  # fmt: skip
        """What all requests here say of these is the same."""
        host = "/".join(str(url).split("/", 3)[:3])
        if host not in self._surroundings:
            self._surroundings[host] = dict(super().merge_environment_settings(url, proxies, stream, verify, cert))
        return dict(self._surroundings[host])


class _Adapter(HTTPAdapter):
    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        if "key_blocksize" in PoolKey._fields:  # urllib3 before 2.0, which older boto3 wants, doesn't know it
            options["blocksize"] = PIECE_BYTES
        super().init_poolmanager(*arguments, **options)


class Transport:
    """A server, for one thread. `key` is asked before each request."""

    def __init__(self, base_url: str, key: Key, manner: Manner = Manner()) -> None:  # noqa: B008 - it can't change
        self.base_url = base_url
        self.host = urlsplit(base_url).netloc.rpartition("@")[2]
        self.answers = 0  # replies of any kind so far
        self._key = key
        self._manner = manner
        self._session = _Session()
        self._session.headers.update(manner.headers)
        self._session.proxies.update(manner.proxies)
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, _Adapter())
        # requests knows variables of its own for this; the one that every other program reads is meant for it too.
        if not (os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE")):
            self._session.verify = os.environ.get("SSL_CERT_FILE") or True
        if not manner.verify:
            disable_warnings(InsecureRequestWarning)  # one for each request

    @property
    def on_this_machine(self) -> bool:
        host = urlsplit(self.base_url).hostname or ""
        try:
            return ipaddress.ip_address(host).is_loopback
        except ValueError:
            return host == "localhost"

    def close(self) -> None:
        self._session.close()

    def graphql(
        self, operation: str, document: str, variables: Mapping[str, Any], headers: Headers = NO_HEADERS,
        seconds: Optional[float] = None,
    ) -> Dict[str, Any]:  # fmt: skip
        """The `data` of the reply, for which `seconds` are waited. Raises Refused where the server answers with
        errors."""
        body = json.dumps({"operationName": operation, "query": document, "variables": variables}).encode()
        what = f"{operation} at {self.host}"
        raw, _ = self._send(
            "POST", f"{self.base_url}/graphql", body, {"Content-Type": "application/json", **headers},
            seconds or self._manner.graphql_seconds, what, self._auth(), conflict_passes=operation == "UpsertBucket",
        )  # fmt: skip
        value = _json_object(raw, what)
        if value.get("errors"):
            raise Refused(f"{what}: {server_words(raw)}")
        data = value.get("data")
        if not isinstance(data, dict):
            raise TransientError(f"{what}: the reply holds no data, so it isn't from a W&B server")
        return data

    def file_stream(
        self, path: Tuple[str, str, str], body: bytes, compress: bool = False, headers: Headers = NO_HEADERS
    ) -> StreamReply:
        """Send lines of the run `path` = (entity, project, run)."""
        headers = {"Content-Type": "application/json", **headers}
        if compress and len(body) >= GZIP_BYTES_MIN:
            body, headers["Content-Encoding"] = _gzip(body), "gzip"
        entity, project, run = (quote(part, safe="") for part in path)
        what = f"the stream of run {path[2]} at {self.host}"
        raw, received = self._send(
            "POST", f"{self.base_url}/files/{entity}/{project}/{run}/file_stream", body, headers, STREAM_SECONDS, what,
            self._auth(),
        )  # fmt: skip
        # An empty reply is a success. Text that isn't JSON comes from a proxy or a sign-in page, and the lines with it.
        return StreamReply(_json_object(raw, what) if raw.strip() else {}, received)

    def put(self, url: str, headers: List[str], file: BinaryIO, name: str, resumable: bool = False) -> Tuple[int, str]:
        """Upload a file's bytes to a URL that the server gave out, and with `resumable` go on where an earlier attempt
        broke off. Returns their number and MD5."""
        if url.startswith("/"):
            url = self.base_url + url
        fields = {key.strip(): value.strip() for key, _, value in (header.partition(":") for header in headers)}
        what = f"file {name} at {urlsplit(url).netloc}"
        size, start = file.seek(0, os.SEEK_END), 0
        known = upload_id(file, name) if resumable else ""
        if known:
            fields[UPLOAD_ID] = known
            start = self._arrived(url, {**fields, "Content-Range": f"bytes */{size}"}, size, what)
            fields["Content-Range"] = f"bytes {start}-{size - 1}/{size}"
        body = Body(file, size, start)
        # requests would send an empty file in chunks, which object stores refuse.
        _, received = self._send("PUT", url, body if size else b"", fields, PUT_SECONDS, what, _NoAuth())
        digest = body.digest.hexdigest()
        if known and hexadecimal(received.get("ETag")) != digest:
            raise TransientError(f"{what}: what arrived is not what was sent; it is sent again")
        return size, digest

    def put_part(self, url: str, headers: List[str], file: BinaryIO, name: str) -> str:
        """Upload a part of a large file; what the store calls it (its ETag) is returned."""
        fields = {key.strip(): value.strip() for key, _, value in (header.partition(":") for header in headers)}
        fields.pop("Content-MD5", None)  # of the whole
        url = self.base_url + url if url.startswith("/") else url
        what = f"{name} at {urlsplit(url).netloc}"
        body = Body(file, file.seek(0, os.SEEK_END), hashed=False)  # parts are hashed before they are announced
        _, received = self._send("PUT", url, body, fields, PUT_SECONDS, what, _NoAuth())
        tag = received.get("ETag", "").strip('"')
        if not tag:
            raise TransientError(f"{what}: the reply names no ETag")
        return tag

    def _arrived(self, url: str, headers: Headers, size: int, what: str) -> int:
        """How much the server has of a file whose upload broke off."""
        with self._reply("PUT", url, b"", headers, PUT_SECONDS, what, _NoAuth()) as reply:
            raw = self._read_bounded(reply, what)
            status, received = reply.status_code, reply.headers
        if status == 308:
            return arrived_bytes(received.get("Range"), size)
        if 200 <= status <= 300:
            return 0  # it isn't what it says it is
        failure = classify(status, received, raw, what, False)
        raise Refused(str(failure), status) if isinstance(failure, CredentialsRefused) else failure

    def get(
        self, url: str, name: str, write: Callable[[bytes], object], start: int = 0, stop: Optional[int] = None
    ) -> bool:
        """Hand the bytes of a file, from `start` on, to `write`, piece by piece; with `stop`, those before it. Returns
        whether the server has sent these alone. The URL is one that the server gave out; the key goes with it only
        where it is the server's own. `write` may have got a part when this raises; what it raises itself leaves as it
        is."""
        url = self.base_url + url if url.startswith("/") else url
        what = f"file {name} at {urlsplit(url).netloc.rpartition('@')[2]}"
        headers = {"Accept-Encoding": "identity"}
        if start or stop is not None:
            headers["Range"] = f"bytes={start}-{'' if stop is None else stop - 1}"
        for _ in range(REDIRECTS_MAX):
            auth = self._auth() if self._is_own(url) else _NoAuth()
            with self._reply("GET", url, None, headers, PUT_SECONDS, what, auth) as reply:
                if reply.status_code in _REDIRECTS and reply.headers.get("Location"):
                    url = urljoin(url, reply.headers["Location"])
                    continue
                if not 200 <= reply.status_code < 300:
                    failure = classify(reply.status_code, reply.headers, self._read_bounded(reply, what), what, False)
                    if isinstance(failure, CredentialsRefused) and not self._is_own(url):
                        failure = Refused(str(failure), reply.status_code)
                    raise failure
                ranged = reply.status_code == 206
                at = start if ranged else 0  # a server without ranges begins at the beginning
                for piece in reply.iter_content(PIECE_BYTES):
                    wanted = piece[max(0, start - at) : None if stop is None else max(0, stop - at)]
                    if wanted:
                        _hand_over(wanted, write)
                    at += len(piece)
                    if stop is not None and at >= stop:
                        break
                return ranged
        raise Refused(f"{what}: redirected more than {REDIRECTS_MAX} times")

    def _is_own(self, url: str) -> bool:
        one, own = urlsplit(url), urlsplit(self.base_url)
        return (one.scheme, one.netloc) == (own.scheme, own.netloc)

    def exchange(self, assertion: str) -> Tuple[str, float]:
        """An access token for an identity token, and the seconds for which it is valid. Raises CredentialsRefused."""
        what = f"the exchange of the identity token at {self.host}"
        form = {"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion": assertion}
        try:
            raw, _ = self._send(
                "POST", f"{self.base_url}/oidc/token", urlencode(form).encode(),
                {"Content-Type": "application/x-www-form-urlencoded"}, GRAPHQL_SECONDS, what, _NoAuth(),
            )  # fmt: skip
        except Refused as error:
            raise CredentialsRefused(str(error)) from None
        value = _json_object(raw, what)
        token, seconds = value.get("access_token"), value.get("expires_in")
        if not isinstance(token, str) or not token or not isinstance(seconds, (int, float)) or not seconds > 0:
            raise TransientError(f"{what}: the reply holds no access token")
        return token, float(seconds)

    def _auth(self) -> AuthBase:
        key = self._key()
        if isinstance(key, BearerToken):
            return _Bearer(key)
        return HTTPBasicAuth("api", key) if key else _NoAuth()

    def _send(
        self, method: str, url: str, body: Any, headers: Headers, seconds: float, what: str, auth: AuthBase,
        conflict_passes: bool = False,
    ) -> Tuple[bytes, Headers]:  # fmt: skip
        with self._reply(method, url, body, headers, seconds, what, auth) as reply:
            raw = self._read_bounded(reply, what)
            status, received = reply.status_code, reply.headers
        if 200 <= status <= 300:
            if method == "PUT" and _PAGE.match(raw):
                raise TransientError(f"{what}: the reply is a page, so it isn't from a store of files")
            return raw, received
        failure = classify(status, received, raw, what, conflict_passes)
        if isinstance(failure, CredentialsRefused) and method == "PUT":
            raise Refused(str(failure), status)  # such a URL carries its own credential; the API key isn't at fault
        raise failure

    @contextlib.contextmanager
    def _reply(
        self, method: str, url: str, body: Any, headers: Headers, seconds: float, what: str, auth: AuthBase
    ) -> Iterator[requests.Response]:
        """A reply whose body is still to be read; what goes wrong until it is read leaves as an UploadError."""
        own = self._manner.own_headers if self._is_own(url) else NO_HEADERS
        try:
            with self._session.request(
                method, url, data=body, headers={**own, **headers}, auth=auth, timeout=(CONNECT_SECONDS, seconds),
                allow_redirects=False, stream=True, verify=None if self._manner.verify else False,
            ) as reply:  # fmt: skip
                reply.raw.enforce_content_length = True  # urllib3 before 2.0 takes a cut-off body for a whole one
                yield reply
                self.answers += 1
        except _NotTaken as failed:
            raise failed.error from None
        except requests.exceptions.InvalidURL as error:
            raise Refused(f"{what}: the URL is invalid; check base_url ({type(error).__name__})") from None
        except requests.exceptions.SSLError as error:
            advice = "for a CA of your own, name its file in SSL_CERT_FILE"
            raise TransientError(f"{what}: no trust ({_reason(error)}); {advice}", unreachable=True) from None
        except requests.exceptions.ProxyError as error:
            advice = "look at HTTPS_PROXY, HTTP_PROXY and NO_PROXY"
            raise TransientError(f"{what}: the proxy fails ({_reason(error)}); {advice}", unreachable=True) from None
        except requests.exceptions.Timeout:
            raise TransientError(f"{what}: no answer in time", unreachable=True) from None
        except (requests.RequestException, OSError) as error:
            raise TransientError(f"{what}: no connection ({_reason(error)})", unreachable=True) from None

    def _read_bounded(self, reply: requests.Response, what: str) -> bytes:
        pieces: List[bytes] = []
        total = 0
        for piece in reply.iter_content(1 << 16):
            pieces.append(piece)
            total += len(piece)
            if total > self._manner.reply_bytes_max:
                raise ReplyTooLong(f"{what}: the reply is longer than {self._manner.reply_bytes_max >> 20} MiB")
        return b"".join(pieces)


class _NotTaken(Exception):
    """The file could not be written; it isn't the server's fault."""

    def __init__(self, error: OSError) -> None:
        super().__init__(error)
        self.error = error


def _hand_over(piece: bytes, write: Callable[[bytes], object]) -> None:
    try:
        write(piece)
    except OSError as error:
        raise _NotTaken(error) from None


def _gzip(body: bytes) -> bytes:
    packer = zlib.compressobj(GZIP_LEVEL, zlib.DEFLATED, 16 + zlib.MAX_WBITS)  # without a time: the same bytes again
    return packer.compress(body) + packer.flush()


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
        elif type(seen).__name__ in ("RemoteDisconnected", "IncompleteRead"):
            reason = type(seen).__name__
        elif type(seen).__name__ == "NameResolutionError":
            reason = "its name is not known"
        if isinstance(seen, ssl.SSLCertVerificationError):
            reason = seen.verify_message
        inner = getattr(seen, "reason", None)
        seen = inner if isinstance(inner, BaseException) else seen.__cause__ or seen.__context__
    return reason
