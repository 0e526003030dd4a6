"""What requests share, and what one request knows."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection

from ._arrivals import Arrivals
from ._auth import ServerSecret, User, load_secret
from ._bytes import ByteStore, FolderStore
from ._database import Database, open_database
from ._indexer import Indexer
from ._ingest import Ingest
from ._limits import (
    DOWNLOAD_URL_SECONDS,
    FILE_BYTES_MAX,
    GRAPHQL_SECONDS_MAX,
    INDEXED_ROWS_PER_REQUEST,
    UPLOAD_URL_SECONDS,
)
from ._media import MediaCache
from ._objects import BucketStore
from ._partial import PartialUploads
from ._signing import UrlSigner
from ._tails import Tails

Clock = Callable[[], float]

DATABASE_FILE = "server.db"

# Changes that take long and open the transaction of their last step themselves, so that others needn't wait.
OWN_TRANSACTION = frozenset({"completeMultipartUploadArtifact"})

# What agents of launch queues do all the time, and who pushes: they lock the items that they change, and wait for
# nobody else's.
ITEM_CHANGES = frozenset(
    {
        "ackRunQueueItem",
        "failRunQueueItem",
        "finishRunQueueItem",
        "keepRunQueueItems",
        "popFromRunQueue",
        "returnRunQueueItem",
        "updateRunQueueItemWarning",
    }
)


@dataclass(frozen=True)
class Services:
    """Everything that lives as long as the server."""

    database: Database
    secret: ServerSecret
    bytes: ByteStore
    blobs: Arrivals
    partial: PartialUploads
    signer: UrlSigner
    tails: Tails
    media: MediaCache
    indexer: Indexer
    ingest: Ingest
    clock: Clock
    # By the clock: when this server began to listen.
    since: float
    file_bytes_max: int
    index_rows_max: int
    public_url: str | None


def open_services(
    data: Path,
    clock: Clock,
    file_bytes_max: int = FILE_BYTES_MAX,
    index_rows_max: int = INDEXED_ROWS_PER_REQUEST,
    database_url: str | None = None,
    files_url: str | None = None,
    public_url: str | None = None,
) -> Services:
    """Open a data directory, making it when it is not there. Without URLs the database and the files are in it."""
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    secret = load_secret(data)
    if database_url is None:
        database = Database(URL.create("sqlite", database=str(data / DATABASE_FILE)))
    else:
        database = open_database(database_url)
    store: ByteStore = FolderStore(data / "files") if files_url is None else BucketStore(files_url)
    partial = PartialUploads(data / "partial")
    store.discard_abandoned()
    partial.discard_abandoned()
    indexer = Indexer(database)
    return Services(
        database=database,
        secret=secret,
        bytes=store,
        blobs=Arrivals(database),
        partial=partial,
        signer=UrlSigner(secret),
        tails=Tails(),
        media=MediaCache(),
        indexer=indexer,
        ingest=Ingest(database, secret, clock, indexer.consider),
        clock=clock,
        since=clock(),
        file_bytes_max=file_bytes_max,
        index_rows_max=index_rows_max,
        public_url=public_url,
    )


@dataclass
class RequestContext:
    """What a resolver works with: who asks, when, and the transaction it is part of."""

    services: Services
    connection: Connection
    user: User
    base_url: str
    now: float
    # Whether the request changes something, so that it needs more than leave to look.
    changes: bool = False
    # The name of the client among those that share a run; empty where a run has one alone.
    writer: str = ""
    # By the monotonic clock: after that nobody waits for the answer any more.
    deadline: float = field(default_factory=lambda: time.monotonic() + GRAPHQL_SECONDS_MAX)
    # What resolvers of this request found out for each other.
    memory: dict[Any, Any] = field(default_factory=dict)
    # Called when the transaction is durable, for what a rollback could not undo.
    after_commit: list[Callable[[], None]] = field(default_factory=list)

    def upload_url(self, path: str) -> str:
        """A signed URL by which the bytes of a path can be put."""
        return self.base_url + self.services.signer.url("PUT", path, self.now + UPLOAD_URL_SECONDS)

    def download_url(self, path: str) -> str:
        return self.base_url + self.services.signer.url("GET", path, self.now + DOWNLOAD_URL_SECONDS)


def iso_time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
