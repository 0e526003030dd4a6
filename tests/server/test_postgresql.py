"""What holds on SQLite holds on PostgreSQL: the same tests, and two servers on one database."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from live_server import LiveServer
from postgres import Cluster, NotInstalledError, running_cluster
from test_artifacts import *  # noqa: F403 - collected here again, with the fixture below
from test_formats import test_runs_of_format_2_are_all_there as test_runs_of_format_2_are_all_there
from test_formats import test_versions_of_format_7_keep_their_ids as test_versions_of_format_7_keep_their_ids
from test_lines import *  # noqa: F403
from test_queues import queue as queue
from test_queues import (
    test_two_hundred_agents_on_one_queue_get_each_item_once as test_two_hundred_agents_on_one_queue_get_each_item_once,
)
from test_stream import *  # noqa: F403

from wandb.server._database import DatabaseUrlError, open_database


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    try:
        with running_cluster() as running:
            yield running
    except NotInstalledError as error:
        pytest.skip(str(error))


@pytest.fixture
def database_url(cluster: Cluster) -> str:
    return cluster.new_database()


@pytest.fixture
def server(database_url: str, tmp_path: Path) -> Iterator[LiveServer]:
    with LiveServer(tmp_path / "data", database_url=database_url) as running:
        yield running


def test_two_servers_on_one_database_lose_nothing_of_each_other(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANDB_SERVER_SECRET", "5a" * 32)
    url = cluster.new_database()
    with LiveServer(tmp_path / "a", database_url=url) as one, LiveServer(tmp_path / "b", database_url=url) as two:
        one.upsert()
        addresses = [one.url, two.url]

        def write(number: int) -> None:
            for row in range(number, 60, 6):
                path = f"{addresses[row % 2]}/files/{one.user}/demo/r1/file_stream"
                body = {"files": {"wandb-history.jsonl": {"offset": row, "content": [f'{{"_step": {row}}}']}}}
                assert requests.post(path, json=body, auth=("api", one.key), timeout=60).status_code == 200

        threads = [threading.Thread(target=write, args=(number,)) for number in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        run = one.run("historyLineCount history(minStep: 0, maxStep: 100)")
        assert run["historyLineCount"] == len(run["history"]) == 60


def test_a_database_that_cannot_be_reached_is_named_without_its_password(tmp_path: Path) -> None:
    with pytest.raises(DatabaseUrlError, match="cannot reach") as raised:
        open_database(f"postgresql://me:hunter2@/none?host={tmp_path}")
    assert "hunter2" not in str(raised.value)


@pytest.mark.parametrize("url", ["mysql://host/name", "not a url"])
def test_only_what_the_server_knows_is_taken_as_a_database(url: str) -> None:
    with pytest.raises(DatabaseUrlError):
        open_database(url)
