"""The command line: starting, stopping, keys, and what survives being killed."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests

pytestmark = pytest.mark.skipif(os.name != "posix", reason="sends POSIX signals")

COMMAND = [sys.executable, "-c", "from wandb.cli.server import server; server()"]
START_SECONDS_MAX = 30


def finish(arguments: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, timeout=60, check=False)


@contextmanager
def started(tmp_path: Path, *arguments: str) -> Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]:
    ready = tmp_path / "ready.json"
    ready.unlink(missing_ok=True)
    options = ["--port", "0", "--data", str(tmp_path / "data"), "--ready-file", str(ready), *arguments]
    process = subprocess.Popen([*COMMAND, *options], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        deadline = time.monotonic() + START_SECONDS_MAX
        while not ready.exists():
            assert process.poll() is None, process.communicate()[0]
            assert time.monotonic() < deadline
            time.sleep(0.02)
        yield process, json.loads(ready.read_text())
    finally:
        process.kill()
        process.communicate()


def test_the_first_start_prints_a_key_once(tmp_path: Path) -> None:
    with started(tmp_path) as (process, ready):
        assert stat.S_IMODE((tmp_path / "ready.json").stat().st_mode) == 0o600
        assert ready["pid"] == process.pid
        viewer = {"query": "{ viewer { username } }"}
        answer = requests.post(ready["url"] + "/graphql", json=viewer, auth=("api", ready["api_key"]), timeout=30)
        assert answer.json()["data"]["viewer"]["username"]
        process.terminate()
        text = process.communicate(timeout=30)[0]
        assert text.count(ready["api_key"]) == 1
        for part in (ready["url"], "/login?token=", f"wandb login --host {ready['url']}"):
            assert part in text
        assert process.returncode in (0, -signal.SIGTERM)
    with started(tmp_path) as (process, again):
        assert "api_key" not in again
        process.terminate()
        assert ready["api_key"] not in process.communicate(timeout=30)[0]


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_signals_stop_it_quickly_although_connections_are_open(tmp_path: Path, how: signal.Signals) -> None:
    with started(tmp_path) as (process, ready), requests.Session() as session:
        session.get(ready["url"] + "/healthz", timeout=30)
        began = time.monotonic()
        process.send_signal(how)
        text = process.communicate(timeout=30)[0]
        assert time.monotonic() - began < 5
        assert "Traceback" not in text


def test_what_was_answered_survives_being_killed(tmp_path: Path) -> None:
    with started(tmp_path) as (process, ready):
        auth = ("api", ready["api_key"])
        upsert = (
            'mutation { upsertBucket(input: {name: "r", modelName: "p"}) { bucket { project { entity { name } } } } }'
        )
        answer = requests.post(ready["url"] + "/graphql", json={"query": upsert}, auth=auth, timeout=30).json()
        entity = answer["data"]["upsertBucket"]["bucket"]["project"]["entity"]["name"]
        body = {"files": {"wandb-history.jsonl": {"offset": 0, "content": ['{"_step":0,"a":1}']}}}
        requests.post(f"{ready['url']}/files/{entity}/p/r/file_stream", json=body, auth=auth, timeout=30)
        process.kill()
        process.wait()
    with started(tmp_path) as (_, again):
        run = requests.get(f"{again['url']}/api/runs/{entity}/p/r", auth=auth, timeout=30).json()
        assert run["rows"] == 1


def test_another_key_can_be_made_while_it_runs(tmp_path: Path) -> None:
    with started(tmp_path) as (_, ready):
        made = finish(["key", "--data", str(tmp_path / "data")])
        assert made.returncode == 0
        key = made.stdout.splitlines()[-1]
        assert key != ready["api_key"]
        assert requests.get(ready["url"] + "/api/projects", auth=("api", key), timeout=30).status_code == 200


def test_a_key_needs_a_server_that_was_started(tmp_path: Path) -> None:
    answer = finish(["key", "--data", str(tmp_path / "none")])
    assert answer.returncode == 1
    assert "start `wandb server` once" in answer.stderr
    assert not (tmp_path / "none").exists()


def test_a_taken_port_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        answer = finish(["--port", port, "--data", str(tmp_path / "data")])
    assert answer.returncode == 1
    assert f"port {port}" in answer.stderr
    assert "--port" in answer.stderr
    assert "Traceback" not in answer.stderr


def test_missing_libraries_lead_to_one_instruction(tmp_path: Path) -> None:
    hide = "import sys; sys.modules['starlette'] = None; from wandb.cli.server import server; server()"
    answer = subprocess.run(
        [sys.executable, "-c", hide, "--data", str(tmp_path)], capture_output=True, text=True, timeout=60, check=False
    )
    assert answer.returncode == 1
    assert 'pip install "wandb[server]"' in answer.stderr
    assert len(answer.stderr.splitlines()) == 1


def test_the_command_alone_does_not_load_the_server() -> None:
    check = (
        "import sys, wandb.cli.server; print([m for m in ('starlette', 'uvicorn', 'sqlalchemy') if m in sys.modules])"
    )
    answer = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, timeout=60, check=True)
    assert answer.stdout.strip() == "[]"


def test_data_of_a_newer_release_is_refused(tmp_path: Path) -> None:
    import sqlite3
    from contextlib import closing

    (tmp_path / "data").mkdir()
    with closing(sqlite3.connect(tmp_path / "data" / "server.db")) as connection:
        connection.execute("CREATE TABLE alembic_version (version_num)")
        connection.execute("INSERT INTO alembic_version VALUES ('99')")
        connection.commit()
    answer = finish(["--port", "0", "--data", str(tmp_path / "data")])
    assert answer.returncode == 1
    assert "upgrade wandb" in answer.stderr
    assert "Traceback" not in answer.stderr


def test_two_servers_do_not_share_a_directory(tmp_path: Path) -> None:
    with started(tmp_path) as (process, _ready):
        second = finish(["--port", "0", "--data", str(tmp_path / "data")])
        assert second.returncode == 1
        assert f"another server (process {process.pid}) uses" in second.stderr
        process.kill()
        process.wait()
    with started(tmp_path):
        # What was killed holds nothing.
        pass


def test_a_backup_of_a_running_server_is_a_server(tmp_path: Path) -> None:
    with started(tmp_path) as (_process, ready):
        auth = ("api", ready["api_key"])
        create = 'mutation { upsertBucket(input: {name: "r", modelName: "p"}) { inserted } }'
        register = """mutation { createRunFiles(input: {projectName: "p", runName: "r", files: ["f"]}) {
            files { uploadUrl } } }"""
        requests.post(ready["url"] + "/graphql", json={"query": create}, auth=auth, timeout=30)
        answer = requests.post(ready["url"] + "/graphql", json={"query": register}, auth=auth, timeout=30).json()
        requests.put(answer["data"]["createRunFiles"]["files"][0]["uploadUrl"], data=b"bytes", timeout=30)
        # A copy that broke off is in nobody's way.
        (tmp_path / "copy.partial" / "files").mkdir(parents=True)
        done = finish(["backup", "--data", str(tmp_path / "data"), str(tmp_path / "copy")])
        assert (done.returncode, "1 file " in done.stdout) == (0, True), done.stderr
        again = finish(["backup", "--data", str(tmp_path / "data"), str(tmp_path / "copy")])
        assert (again.returncode, "not empty" in again.stderr) == (1, True)
    with started(tmp_path, "--data", str(tmp_path / "copy")) as (_process, copy):
        assert "api_key" not in copy
        query = '{ project(name: "p") { run(name: "r") { files { edges { node { url } } } } } }'
        found = requests.post(copy["url"] + "/graphql", json={"query": query}, auth=auth, timeout=30).json()["data"]
        (edge,) = found["project"]["run"]["files"]["edges"]
        assert requests.get(edge["node"]["url"], timeout=30).content == b"bytes"
