"""Who may do what: users, teams, roles, keys. And launch queues, which a team shares."""

from __future__ import annotations

from typing import Any

import pytest
import requests
from live_server import UPSERT, LiveServer

INVITE = """mutation I($username: String, $role: String) { createInvite(input: {entityName: "crew",
    username: $username, role: $role}) { invite { id } } }"""
PUSH = """mutation P($spec: JSONString!, $priority: Int) { pushToRunQueueByName(input: {projectName: "demo",
    queueName: "q", runSpec: $spec, priority: $priority}) { runQueueItemId } }"""
POP = 'mutation P { popFromRunQueue(input: {projectName: "demo", queueName: "q"}) { runQueueItemId runSpec } }'


@pytest.fixture
def team(server: LiveServer) -> LiveServer:
    server.execute('mutation { createTeam(input: {teamName: "crew"}) { entity { name } } }')
    server.upsert(entity="crew")
    return server


def ask(server: LiveServer, session: requests.Session, query: str, **variables: Any) -> Any:
    return session.post(f"{server.url}/graphql", json={"query": query, "variables": variables}, timeout=30).json()


@pytest.mark.parametrize(
    ("role", "reads", "changes", "leads"),
    [
        (None, False, False, False),
        ("viewer", True, False, False),
        ("member", True, True, False),
        ("admin",) + (True,) * 3,
    ],
)
def test_a_role_says_what_a_user_may_do(
    team: LiveServer, role: str | None, reads: bool, changes: bool, leads: bool
) -> None:
    with team.as_new_user("guest") as guest:
        if role is not None:
            team.execute(INVITE, username="guest", role=role)
        look = '{ project(name: "demo", entityName: "crew") { run(name: "r1") { name } } }'
        assert ("errors" not in ask(team, guest, look)) == reads
        upsert = ask(team, guest, UPSERT, name="r2", project="demo", entity="crew")
        assert ("errors" not in upsert) == changes
        stream = guest.post(f"{team.url}/files/crew/demo/r1/file_stream", json={}, timeout=30)
        assert stream.status_code == (200 if changes else 403 if reads else 404)
        stop = guest.get(f"{team.url}/api/runs/crew/demo/r1", timeout=30)
        assert stop.status_code == (200 if reads else 404)
        assert ("errors" not in ask(team, guest, INVITE, username=team.user, role="admin")) == leads


def test_a_team_keeps_an_administrator(team: LiveServer) -> None:
    viewer = team.execute("{ viewer { id } }")["viewer"]["id"]
    query = 'mutation D($id: ID!) { deleteInvite(input: {entityName: "crew", id: $id}) { success } }'
    answer = team.post("/graphql", {"query": query, "variables": {"id": viewer}}).json()
    assert "needs an administrator" in answer["errors"][0]["message"]


def test_a_service_account_works_with_the_key_that_is_shown_once(team: LiveServer) -> None:
    query = """mutation { createServiceAccount(input: {entityName: "crew", description: "ci"}) {
        user { username } apiKey { name } } }"""
    made = team.execute(query)["createServiceAccount"]
    with requests.Session() as session:
        session.trust_env = False
        session.auth = ("api", made["apiKey"]["name"])
        assert "errors" not in ask(team, session, UPSERT, name="r3", project="demo", entity="crew")
        assert "errors" in ask(team, session, UPSERT, name="r3", project="demo", entity=team.user)


def test_a_deleted_key_opens_nothing(server: LiveServer) -> None:
    made = server.execute("mutation { generateApiKey(input: {}) { apiKey { id name } } }")["generateApiKey"]["apiKey"]
    query = "{ viewer { username } }"
    auth = ("api", made["name"])
    assert requests.post(f"{server.url}/graphql", json={"query": query}, auth=auth, timeout=30).status_code == 200
    server.execute("mutation D($id: ID!) { deleteApiKey(input: {id: $id}) { success } }", id=made["id"])
    assert requests.post(f"{server.url}/graphql", json={"query": query}, auth=auth, timeout=30).status_code == 401


def test_a_queue_gives_each_item_to_one_agent_the_urgent_ones_first(server: LiveServer) -> None:
    server.execute(
        'mutation { createRunQueue(input: {projectName: "demo", queueName: "q", access: PROJECT}) { success } }'
    )
    server.execute(PUSH, spec='{"n": 1}')
    server.execute(PUSH, spec='{"n": 2}', priority=0)
    taken = [server.execute(POP)["popFromRunQueue"] for _ in range(3)]
    assert [item and item["runSpec"] for item in taken] == [{"n": 2}, {"n": 1}, None]
    acknowledge = """mutation A($id: ID!) { ackRunQueueItem(input: {runQueueItemId: $id, runName: "r"}) { success } }"""
    server.execute(acknowledge, id=taken[0]["runQueueItemId"])
    server.clock.advance(601)
    # The item that nobody acknowledged is there again.
    assert server.execute(POP)["popFromRunQueue"]["runSpec"] == {"n": 1}


def test_an_alert_of_the_same_title_waits(server: LiveServer) -> None:
    server.upsert()
    query = """mutation A($text: String!) { notifyScriptableRunAlert(input: {projectName: "demo", runName: "r1",
        title: "t", text: $text, severity: WARN, waitDuration: 60000}) { success } }"""
    for text in ("one", "two"):
        assert server.execute(query, text=text)["notifyScriptableRunAlert"]["success"]
    server.clock.advance(61)
    server.execute(query, text="three")
    assert [alert["text"] for alert in server.run_api()["alerts"]] == ["three", "one"]


def test_rows_that_come_again_are_taken_once(server: LiveServer) -> None:
    server.upsert()
    rows = [{"_step": step, "x": float("nan")} for step in range(5)]
    server.rows(rows)
    server.rows([dict(reversed(row.items())) for row in rows], offset=5)
    run = server.run("historyLineCount history(minStep: 0, maxStep: 10)")
    assert (run["historyLineCount"], len(run["history"])) == (5, 5)
    # Another writer of the run may use the same step for something else.
    server.rows([{"_step": 0, "y": 1}], offset=5)
    assert server.run("historyLineCount")["historyLineCount"] == 6


@pytest.mark.parametrize("name", ["crew", "", "a/b", None, "x" * 500])
def test_a_team_needs_a_name_that_is_free(team: LiveServer, name: Any) -> None:
    assert team.post("/api/account/teams", {"name": name}).status_code == 400
    assert team.post("/api/account/teams", {"name": team.user}).status_code == 400
    assert team.post("/api/account/teams", {"name": "free"}).status_code == 200
