"""Running the server: the socket, the first start, what is printed, and stopping."""

from __future__ import annotations

import contextlib
import gc
import json
import os
import socket
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from uvicorn.protocols.http.auto import AutoHTTPProtocol

from ._app import create_app
from ._auth import create_api_key, create_sign_in_token, ensure_first_user, first_user
from ._data_lock import DataLock, DataLockedError
from ._database import DatabaseUrlError
from ._formats import DatabaseVersionError
from ._limits import CONNECTIONS_MAX
from ._objects import BucketError
from ._pages import sign_in_path
from ._patience import impatient
from ._services import DATABASE_FILE, Services, open_services

# Requests in flight get this long to end; every one of them is short.
_SHUTDOWN_SECONDS = 3

# Longer than load balancers keep a connection: who of the two closes first may cut off a request of the other.
_KEEP_ALIVE_SECONDS = 75

_BACKLOG = 128

_OBJECTS_UNTIL_COLLECTION = 20_000


class ServeError(RuntimeError):
    """The server cannot start; the message says what to do."""


def serve(
    host: str,
    port: int,
    data: Path,
    ready_file: Path | None,
    show: Callable[[str], None],
    database_url: str | None = None,
    files_url: str | None = None,
) -> None:
    """Serve until SIGTERM or Ctrl-C."""
    listener = _listen(host, port)
    # Servers that share a database take turns there; two on one directory would not know of each other.
    lock = DataLock(data) if database_url is None else None
    try:
        if lock is not None:
            _acquire(lock)
        app = _create_app(data, database_url, files_url)
        services: Services = app.state.services
        now = services.clock()
        with services.database.write() as connection:
            key = ensure_first_user(connection, services.secret, now)
            user = first_user(connection)
            token = create_sign_in_token(connection, services.secret, user, now)
        url = _url(host, listener.getsockname()[1])
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
        )

        # What there is by now stays to the end. A collection looks through all that isn't frozen, and rows by the
        # thousand set off one after the other: it was 7 % of the time of taking them.
        gc.freeze()
        gc.set_threshold(_OBJECTS_UNTIL_COLLECTION, 20, 20)

        def ready() -> None:
            show(_welcome(url, data, user.name, key, url + sign_in_path(token, "/")))
            if ready_file is not None:
                _write_ready_file(ready_file, url, key)

        # uvicorn raises Ctrl-C again after it has shut down in order; that was all it asked for.
        with contextlib.suppress(KeyboardInterrupt):
            _Server(config, ready).run(sockets=[listener])
    finally:
        listener.close()
        if lock is not None:
            lock.release()


def new_key(data: Path, database_url: str | None = None) -> tuple[str, str]:
    """Make another API key for the local user; the user's name and the key are returned."""
    if database_url is None and not (data / DATABASE_FILE).exists():
        raise ServeError(
            f"there is no server data in {data}; start `wandb server` once, or name the directory with --data"
        )
    services = open_services(data, time.time, database_url=database_url)
    try:
        with services.database.write() as connection:
            ensure_first_user(connection, services.secret, services.clock())
            user = first_user(connection)
            return user.name, create_api_key(connection, services.secret, user, services.clock())
    finally:
        services.database.close()


def _create_app(data: Path, database_url: str | None, files_url: str | None) -> Starlette:
    try:
        return create_app(data, database_url=database_url, files_url=files_url)
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


def _url(host: str, port: int) -> str:
    # An address that means "every interface" is not one that a browser can go to.
    shown = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared, not bound
    return f"http://[{shown}]:{port}" if ":" in shown else f"http://{shown}:{port}"


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
