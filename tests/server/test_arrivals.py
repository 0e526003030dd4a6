"""Files of artifacts that arrive together are noted together."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import URL
from sqlalchemy.exc import IntegrityError

from wandb.server._arrivals import Arrivals
from wandb.server._artifact_commit import blob_size
from wandb.server._database import Database
from wandb.server._store import ensure_project

FILES = 64


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = Database(URL.create("sqlite", database=str(tmp_path / "server.db")))
    with database.write() as connection:
        ensure_project(connection, "me", "demo", 0.0)
    yield database
    database.close()


def size_of(database: Database, project_id: int, key: str) -> int | None:
    with database.read() as connection:
        return blob_size(connection, project_id, key)


def test_each_is_noted_when_its_own_request_is_answered(database: Database) -> None:
    arrivals = Arrivals(database)

    def arrive(number: int) -> int | None:
        arrivals.record(1, f"md5-{number}", number, 0.0)
        return size_of(database, 1, f"md5-{number}")

    with ThreadPoolExecutor(8) as clients:
        assert list(clients.map(arrive, range(FILES))) == list(range(FILES))


def test_the_same_bytes_from_several_clients_are_one(database: Database) -> None:
    arrivals = Arrivals(database)
    with ThreadPoolExecutor(8) as clients:
        list(clients.map(lambda _: arrivals.record(1, "md5-same", 7, 0.0), range(FILES)))
    assert size_of(database, 1, "md5-same") == 7


def test_one_that_cant_be_noted_fails_alone(database: Database) -> None:
    """Its project was deleted while the bytes came in."""
    arrivals = Arrivals(database)

    def arrive(number: int) -> bool:
        try:
            arrivals.record(1 if number % 8 else 2, f"md5-{number}", 1, 0.0)
        except IntegrityError:
            return False
        return True

    with ThreadPoolExecutor(8) as clients:
        assert list(clients.map(arrive, range(FILES))) == [bool(number % 8) for number in range(FILES)]
    assert [size_of(database, 1, f"md5-{number}") for number in range(FILES) if number % 8] == [1] * (FILES * 7 // 8)
