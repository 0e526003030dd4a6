"""Running the server: the socket, the first start, what is printed, and stopping."""

from __future__ import annotations

import contextlib
import gc
import json
import os
import socket
import ssl
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import uvicorn
from starlette.applications import Starlette
from uvicorn.protocols.http.auto import AutoHTTPProtocol

from ._app import create_app
from ._auth import create_sign_in_token, ensure_first_user, first_user
from ._data_lock import DataLock, DataLockedError
from ._database import DatabaseUrlError
from ._formats import DatabaseVersionError
from ._limits import CONNECTIONS_MAX, REQUESTS_PER_SECOND_MAX
from ._objects import BucketError
from ._pages import sign_in_path
from ._patience import impatient
from ._request_log import log_as_json
from ._services import Services

# Requests in flight get this long to end; every one of them is short.
_SHUTDOWN_SECONDS = 3

# Longer than load balancers keep a connection: who of the two closes first may cut off a request of the other.
_KEEP_ALIVE_SECONDS = 75

_BACKLOG = 128

_OBJECTS_UNTIL_COLLECTION = 20_000


class ServeError(RuntimeError):
    """The server cannot start; the message says what to do."""


@dataclass(frozen=True)
class ServeOptions:
    """What `wandb server` was told."""

    data: Path
    host: str = "127.0.0.1"
    port: int = 8080
    ready_file: Path | None = None
    database_url: str | None = None
    files_url: str | None = None
    public_url: str | None = None  # at which clients reach it, where that is not where it listens
    tls_cert: Path | None = None
    tls_key: Path | None = None
    trusted_proxies: str = ""  # addresses whose X-Forwarded headers are believed
    requests_per_second: float = REQUESTS_PER_SECOND_MAX
    log: str = "text"  # or "json", or "requests": JSON, with a line for each of them


def serve(options: ServeOptions, show: Callable[[str], None]) -> None:
    """Serve until SIGTERM or Ctrl-C."""
    data, database_url = options.data, options.database_url
    public_url = _checked_url(options.public_url)
    tls = _tls(options)
    listener = _listen(options.host, options.port)
    # Servers that share a database take turns there; two on one directory would not know of each other.
    lock = DataLock(data) if database_url is None else None
    try:
        if lock is not None:
            _acquire(lock)
        app = _create_app(options, public_url)
        services: Services = app.state.services
        now = services.clock()
        with services.database.write() as connection:
            key = ensure_first_user(connection, services.secret, now)
            user = first_user(connection)
            token = create_sign_in_token(connection, services.secret, user, now)
        url = public_url or _url(options.host, listener.getsockname()[1], "https" if tls else "http")
        config = uvicorn.Config(
            app,
            http=impatient(AutoHTTPProtocol),
            ws="none",
            limit_concurrency=CONNECTIONS_MAX,
            log_level="warning",
            # Addresses hold tokens and signatures, which do not belong in a log.
            access_log=False,
            timeout_graceful_shutdown=_SHUTDOWN_SECONDS,
            timeout_keep_alive=_KEEP_ALIVE_SECONDS,
            server_header=False,
            # Nobody else may say where a request came from.
            proxy_headers=bool(options.trusted_proxies),
            forwarded_allow_ips=options.trusted_proxies or None,
            **tls,
        )
        if options.log != "text":
            log_as_json(options.log == "requests")

        # What there is by now stays to the end. A collection looks through all that isn't frozen, and rows by the
        # thousand set off one after the other: it was 7 % of the time of taking them.
        gc.freeze()
        gc.set_threshold(_OBJECTS_UNTIL_COLLECTION, 20, 20)

        def ready() -> None:
            show(_welcome(url, data, user.name, key, url + sign_in_path(token, "/")))
            if options.ready_file is not None:
                _write_ready_file(options.ready_file, url, key)

        # uvicorn raises Ctrl-C again after it has shut down in order; that was all it asked for.
        with contextlib.suppress(KeyboardInterrupt):
            _Server(config, ready).run(sockets=[listener])
    finally:
        listener.close()
        if lock is not None:
            lock.release()


def _checked_url(url: str | None) -> str | None:
    if url is None:
        return None
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.netloc or parts.path.strip("/") or parts.query:
        raise ServeError(f"--url {url!r} is no address of a server; it looks like https://wandb.example.com")
    return f"{parts.scheme}://{parts.netloc}"


def _tls(options: ServeOptions) -> dict[str, Any]:
    """What uvicorn needs for TLS; nothing without a certificate."""
    if options.tls_cert is None:
        if options.tls_key is not None:
            raise ServeError("--tls-key needs --tls-cert, the file of the certificate")
        return {}
    try:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(options.tls_cert, options.tls_key, password=_no_password)
    except (OSError, ssl.SSLError, _PasswordNeeded) as error:
        raise ServeError(f"the certificate in {options.tls_cert} can't be used with its key: {error}") from None
    return {"ssl_certfile": options.tls_cert, "ssl_keyfile": options.tls_key}


class _PasswordNeeded(Exception):
    """A key that asks for a password can't be used by a server that starts by itself."""


def _no_password() -> str:
    raise _PasswordNeeded("the key is encrypted; give one that only this user can read")


def _create_app(options: ServeOptions, public_url: str | None) -> Starlette:
    data = options.data
    try:
        return create_app(
            data, database_url=options.database_url, files_url=options.files_url, public_url=public_url,
            requests_per_second=options.requests_per_second, log_requests=options.log == "requests",
        )  # fmt: skip
    except (DatabaseVersionError, DatabaseUrlError, BucketError) as error:
        raise ServeError(str(error)) from None
    except OSError as error:
        raise ServeError(
            f"cannot use {error.filename or data}: {error.strerror}; choose another directory with --data"
        ) from None


def _acquire(lock: DataLock) -> None:
    try:
        lock.acquire()
    except DataLockedError as error:
        raise ServeError(str(error)) from None
    except OSError as error:
        raise ServeError(f"cannot use {error.filename}: {error.strerror}; choose another with --data") from None


class _Server(uvicorn.Server):
    """Says when it listens."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._ready()


def _listen(host: str, port: int) -> socket.socket:
    try:
        found = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP, flags=socket.AI_PASSIVE
        )
    except socket.gaierror:
        raise ServeError(f"the host {host!r} is not known; use an address of this machine") from None
    # The protocol is named on purpose: asyncio turns off Nagle's delay only on sockets that do.
    family, kind, protocol, _, address = found[0]
    listener = socket.socket(family, kind, protocol)
    if os.name == "posix":
        # Lets a restarted server take its port back at once. On Windows the same option would
        # let two servers share a port.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(address)
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        raise ServeError(
            f"cannot listen on {host} port {port}: {error.strerror or error}; "
            "choose another with --port (0 takes a free one)"
        ) from None
    return listener


def _url(host: str, port: int, scheme: str) -> str:
    # An address that means "every interface" is not one that a browser can go to.
    shown = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared, not bound
    return f"{scheme}://[{shown}]:{port}" if ":" in shown else f"{scheme}://{shown}:{port}"


def _welcome(url: str, data: Path, user: str, key: str | None, link: str) -> str:
    lines = [
        f"wandb server is listening on {url}",
        f"  data        {data}",
        f"  sign in     {link}",
        "              (works once, for 10 minutes)",
    ]
    if key is not None:
        lines.append(f"  API key     {key}")
        lines.append(f"              (for user {user}, shown this once; more: wandb server key)")
    lines.append(f"  use it      wandb login --host {url}")
    lines.append("  stop        Ctrl-C")
    return "\n".join(lines)


def _write_ready_file(path: Path, url: str, key: str | None) -> None:
    """Tell a script that the server listens. The file appears complete and private."""
    content: dict[str, object] = {"url": url, "pid": os.getpid()}
    if key is not None:
        content["api_key"] = key
    # `mkstemp` makes files that only their owner can read.
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.name)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        json.dump(content, file)
    os.replace(temporary, path)
