"""The formats of the database: an older one is brought to the present one with all that is in it."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from live_server import LiveServer
from sqlalchemy import Connection, text

import wandb.server
from wandb.server._database import Database, open_database
from wandb.server._formats import FORMAT, DatabaseVersionError
from wandb.server._tables import metadata


@pytest.fixture
def database_url(tmp_path: Path) -> str:
    (tmp_path / "data").mkdir()
    return f"sqlite:///{tmp_path}/data/server.db"


def alembic() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(wandb.server.__file__).parent / "migrations"))
    return config


def older(database_url: str, revision: str) -> Database:
    """A database as a release with this format left it."""
    database = open_database(database_url)
    with database.write() as connection:
        metadata.drop_all(connection)
        connection.execute(text("DROP TABLE alembic_version"))
        config = alembic()
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
        if revision == "2":
            connection.execute(text("DROP TABLE alembic_version"))
            connection.execute(text("INSERT INTO schema_versions VALUES (1, 2)"))
    return database


def insert(connection: Connection, table: str, **values: Any) -> None:
    names = ", ".join(values)
    places = ", ".join(f":{name}" for name in values)
    connection.execute(text(f"INSERT INTO {table} ({names}) VALUES ({places})"), values)


def test_the_formats_lead_to_the_tables_as_they_are(database_url: str) -> None:
    """A table that was changed without a revision, or otherwise than the revision says, shows here."""
    database = older(database_url, FORMAT)
    with database.write() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []
    database.close()
    assert ScriptDirectory.from_config(alembic()).get_heads() == [FORMAT]


def test_runs_of_format_2_are_all_there(database_url: str, tmp_path: Path) -> None:
    database = older(database_url, "2")
    with database.write() as connection:
        insert(connection, "users", id=1, name="ann", admin=True, created_at=1.0)
        insert(connection, "projects", id=1, entity="ann", name="demo", description="", created_at=1.0, runs_made=1)
        run = {"id": 1, "project_id": 1, "user_id": 1, "name": "r1", "display_name": "old", "tags": "[]"}
        state = {"config": "{}", "summary": "{}", "state": "finished", "preempting": False, "stop_requested": False}
        counts = {"history_count": 5000, "events_count": 1, "log_count": 7, "rewrites": 0}
        insert(connection, "runs", **run, **state, **counts, created_at=1.0, heartbeat_at=1.0)
        rows = [("h", number, number * 2, f'{{"_step": {number * 2}, "v": {number}}}') for number in range(5000)]
        others = [("e", 0, 0, "{}"), ("l", 0, None, "first"), ("l", 6, None, "seventh")]
        for kind, line, step, content in rows + others:
            insert(connection, "lines", run_id=1, kind=kind, line=line, step=step, content=content)
    database.close()
    with LiveServer(tmp_path / "data", database_url=database_url) as server:
        run = server.run("historyLineCount history(minStep: 9990, maxStep: 10000) events logLineCount")
        assert run["history"] == [content for _, _, step, content in rows if step is not None and step >= 9990]
        assert run["historyLineCount"] == 5000
        assert [line["text"] for line in server.run_api("/console")["lines"]] == ["first", "seventh"]
        # What is sent once more is known by its step.
        server.stream({"files": {"wandb-history.jsonl": {"offset": 5000, "content": [rows[-1][3]]}}})
        assert server.run("historyLineCount")["historyLineCount"] == 5000


def test_versions_of_format_7_keep_their_ids(database_url: str, tmp_path: Path) -> None:
    database = older(database_url, "7")
    with database.write() as connection:
        insert(connection, "users", id=1, name="ann", admin=True, created_at=1.0)
        insert(connection, "projects", id=1, entity="ann", name="demo", description="", created_at=1.0, runs_made=0)
        row = {"project_id": 1, "type": "dataset", "portfolio": False, "tags": "[]", "versions_made": 1}
        times = {"created_at": 1.0, "updated_at": 1.0}
        insert(connection, "artifact_collections", id=1, name="ds", client_id="line", **row, **times)
        insert(connection, "artifact_collections", id=2, name="no", client_id=None, **row, **times)
        fixed = {"state": "COMMITTED", "algorithm": "MANIFEST_MD5", "metadata": "{}", "tags": "[]", "aliases": "[]"}
        for number, client_id in ((1, "one"), (2, None)):
            values = {"digest": "d", "user_id": 1, "size": 0, "file_count": 0, "client_id": client_id, **times}
            insert(connection, "artifacts", id=number, collection_id=1, version=number - 1, **fixed, **values)
    database.close()
    with LiveServer(tmp_path / "data", database_url=database_url) as server:
        ids = server.execute("""{ one: clientIDMapping(clientID: "one") { serverID }
            line: clientIDMapping(clientID: "line") { serverID } }""")
    assert [base64.b64decode(found["serverID"]) for found in ids.values()] == [b"Artifact:v1:1", b"Artifact:v1:2"]


def test_a_database_of_a_newer_release_is_left_alone(database_url: str) -> None:
    database = open_database(database_url)
    with database.write() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '99'"))
    database.close()
    with pytest.raises(DatabaseVersionError, match=f"has format 99, this release reads up to {FORMAT}"):
        open_database(database_url)
