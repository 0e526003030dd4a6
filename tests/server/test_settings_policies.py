"""Policies on the server: who may set which, what is refused, and how one reaches the runs of a program."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from live_server import LiveServer

from wandb.server._auth import create_api_key
from wandb.server._policies import POLICY_CHARACTERS_MAX

SET = """
mutation Set($scope: PolicyScope!, $entity: String, $project: String, $document: JSONString!) {
  setSettingsPolicy(input: {scope: $scope, entityName: $entity, projectName: $project, document: $document}) {
    policy { scope name document updatedBy }
  }
}
"""
GET = """
query Get($entity: String, $project: String) {
  settingsPolicies(entityName: $entity, projectName: $project) { scope name document }
}
"""
QUIET = {"quiet": {"value": True, "enforced": True}}


def set_policy(server: LiveServer, scope: str, document: Any = QUIET, **names: str) -> Any:
    return server.execute(SET, scope=scope, document=json.dumps(document), **names)["setSettingsPolicy"]["policy"]


def errors(server: LiveServer, **variables: Any) -> str:
    variables = {"scope": "USER", "document": json.dumps(QUIET), **variables}
    return str(server.post("/graphql", {"query": SET, "variables": variables}).json()["errors"][0]["message"])


def scopes(server: LiveServer, **names: str) -> Any:
    return [(one["scope"], one["name"]) for one in server.execute(GET, **names)["settingsPolicies"]]


def test_all_that_hold_for_a_project_are_listed_from_wide_to_narrow(server: LiveServer) -> None:
    me = server.user
    set_policy(server, "PROJECT", project="p")
    set_policy(server, "USER")
    set_policy(server, "TEAM", entity="crew")
    assert set_policy(server, "ORGANIZATION") == {
        "scope": "ORGANIZATION", "name": "", "document": json.dumps(QUIET), "updatedBy": me
    }  # fmt: skip
    assert scopes(server, project="p") == [("ORGANIZATION", ""), ("USER", me), ("PROJECT", f"{me}/p")]
    assert scopes(server, entity="crew", project="p") == [("ORGANIZATION", ""), ("TEAM", "crew"), ("USER", me)]
    assert scopes(server) == [("ORGANIZATION", ""), ("USER", me)]


def test_a_policy_replaces_the_one_before_and_an_empty_one_removes_it(server: LiveServer) -> None:
    set_policy(server, "USER")
    set_policy(server, "USER", {"console": {"value": "off"}})
    [policy] = server.execute(GET)["settingsPolicies"]
    assert json.loads(policy["document"]) == {"console": {"value": "off"}}
    assert set_policy(server, "USER", {}) is None
    assert scopes(server) == []


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        ("[]", "a policy is an object"),
        ("{", "a policy is an object"),
        ("x" * (POLICY_CHARACTERS_MAX + 1), "at most"),
        ('{"Quiet!": {"value": 1}}', "'Quiet!' is not the name of a setting"),
        ('{"quiet": true}', "the entry of 'quiet' must be"),
        ('{"quiet": {"enforced": true}}', "the entry of 'quiet' must be"),
        ('{"quiet": {"value": true, "other": 1}}', "the entry of 'quiet' must be"),
        ('{"quiet": {"value": true, "enforced": "yes"}}', "must be true or false"),
    ],
)
def test_what_is_no_policy_is_refused_with_a_reason(server: LiveServer, document: str, problem: str) -> None:
    assert problem in errors(server, document=document)
    assert scopes(server) == []


def test_users_decide_for_themselves_and_administrators_for_all(server: LiveServer) -> None:
    from sqlalchemy import insert

    from wandb.server._auth import User
    from wandb.server._tables import users

    with server.services.database.write() as connection:
        connection.execute(insert(users).values(id=7, name="other", admin=False, created_at=0.0))
        key = create_api_key(connection, server.services.secret, User(7, "other", False), 0.0)
    set_policy(server, "ORGANIZATION")
    admin, server.session.auth = server.user, ("api", key)
    assert "only an administrator" in errors(server, scope="ORGANIZATION")
    assert "only an administrator" in errors(server, scope="TEAM", entity="other")
    assert "may not use" in errors(server, entity=admin)
    assert "may not use" in errors(server, scope="PROJECT", entity=admin, project="p")
    assert "project name" in errors(server, scope="PROJECT", project="a/b")
    set_policy(server, "USER")
    set_policy(server, "PROJECT", project="p")
    assert scopes(server, project="p") == [("ORGANIZATION", ""), ("USER", "other"), ("PROJECT", "other/p")]


def test_a_policy_reaches_the_next_run_of_a_program(server: LiveServer, tmp_path: Path) -> None:
    """The first run's uploader fetches it, and the second run has it when `init` returns."""
    set_policy(server, "PROJECT", {"console": {"value": "off", "enforced": True}}, project="p")
    program = """
import pathlib, time, wandb
run = wandb.init(project="p", settings={"console": "wrap"})
print("console", run.settings.console, run.settings.source("console"), flush=True)
run.finish()
deadline = time.monotonic() + 30
while not list(pathlib.Path("cache").rglob("*.json")) and time.monotonic() < deadline:
    time.sleep(0.01)
"""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("WANDB")}
    environment.update(
        HOME=str(tmp_path), WANDB_API_KEY=server.key, WANDB_BASE_URL=server.url, WANDB_CACHE_DIR=str(tmp_path / "cache")
    )
    said = []
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, "-c", program],
            cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        said.append(done)
    stop = [sys.executable, "-m", "wandb_uploader", "stop", "--dir", "wandb", "--url", server.url]
    subprocess.run(stop, cwd=tmp_path, env=environment, capture_output=True, check=False)
    assert "console wrap init(settings=)" in said[0].stdout
    assert "console off enforced project policy" in said[1].stdout
    assert "not 'wrap' from init(settings=)" in said[1].stderr
