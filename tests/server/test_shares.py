"""Who sees a project besides those who always do: it may be restricted or public, and have links for others."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict, Iterator
from urllib.parse import quote

import pytest
import requests
from live_server import UPSERT
from test_artifacts import log
from world import PROJECT, TEAM, World

SHARES = f"/api/projects/{TEAM}/{PROJECT}/shares"
RUN = f"/api/runs/{TEAM}/{PROJECT}/r1"
DAY = 24 * 3600.0


@pytest.fixture(scope="module")
def shared_world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with World(tmp_path_factory.mktemp("world") / "data") as made:
        yield made


@pytest.fixture
def world(shared_world: World) -> World:
    """One world for all, its project as it was in the beginning."""
    assert change(shared_world, "lead", SHARES + "/access", {"access": "PRIVATE", "people": []}).status_code == 200
    return shared_world


@pytest.fixture
def own_world(tmp_path: Path) -> Iterator[World]:
    with World(tmp_path / "data") as made:
        yield made


def status(world: World, role: str, path: str = RUN) -> int:
    with world.session(role) as session:
        return session.get(world.server.url + path, timeout=30).status_code


def change(world: World, role: str, path: str, body: Dict[str, Any]) -> requests.Response:
    with world.session(role) as session:
        return session.post(world.server.url + path, json=body, timeout=30)


# --- access -----------------------------------------------------------------------------------------------------------


def test_a_project_is_opened_and_closed_by_who_leads_the_team(world: World) -> None:
    access = SHARES + "/access"
    assert status(world, "outsider") == 404
    assert change(world, "member", access, {"access": "PUBLIC"}).status_code == 403
    assert change(world, "lead", access, {"access": "PUBLIC"}).status_code == 200
    assert status(world, "outsider") == 200
    assert change(world, "lead", access, {"access": "RESTRICTED", "people": ["viewer"]}).status_code == 200
    assert [status(world, role) for role in ("outsider", "member", "viewer", "lead", "root")] == [
        404,
        404,
        200,
        200,
        200,
    ]
    assert world.server.json(SHARES) | {"links": []} == {
        "access": "RESTRICTED", "may_lead": True, "people": ["viewer"], "links": [],
    }  # fmt: skip
    assert change(world, "lead", access, {"access": "PRIVATE"}).status_code == 200
    assert status(world, "member") == 200


def test_lists_have_only_what_one_sees(world: World) -> None:
    change(world, "lead", SHARES + "/access", {"access": "RESTRICTED", "people": []})
    query = '{ models(entityName: "crew") { edges { node { name } } } }'
    for role, seen in (("member", False), ("lead", True)):
        with world.session(role) as session:
            projects = session.get(f"{world.server.url}/api/projects", timeout=30).json()["projects"]
            answer = session.post(f"{world.server.url}/graphql", json={"query": query}, timeout=30).json()
        assert (PROJECT in [project["name"] for project in projects]) == seen
        assert (PROJECT in [edge["node"]["name"] for edge in answer["data"]["models"]["edges"]]) == seen
    change(world, "lead", SHARES + "/access", {"access": "PUBLIC"})
    with world.session("outsider") as session:
        projects = session.get(f"{world.server.url}/api/projects", timeout=30).json()["projects"]
    assert TEAM in {project["entity"] for project in projects}


@pytest.mark.parametrize(
    "body", [{"access": "OPEN"}, {"people": ["outsider"]}, {"people": "viewer"}, {"people": [1]}, {"access": None}]
)
def test_an_access_that_there_is_not_changes_nothing(world: World, body: Dict[str, Any]) -> None:
    before = world.server.json(SHARES)
    assert change(world, "lead", SHARES + "/access", body).status_code == 400
    assert world.server.json(SHARES) == before


def test_a_project_is_made_with_its_access_by_scripts(world: World) -> None:
    make = """mutation M($access: String) { upsertModel(input: {entityName: "crew", name: "scripted", access: $access,
        description: "by a script"}) { project { access description } } }"""

    def made(role: str, access: str) -> Any:
        body = {"query": make, "variables": {"access": access}}
        return change(world, role, "/graphql", body).json()

    assert "only who leads" in made("member", "RESTRICTED")["errors"][0]["message"]
    assert "one of PRIVATE" in made("lead", "SECRET")["errors"][0]["message"]
    assert made("lead", "RESTRICTED")["data"]["upsertModel"]["project"] == {
        "access": "RESTRICTED", "description": "by a script",
    }  # fmt: skip
    assert status(world, "member", f"/api/projects/{TEAM}/scripted/settings") == 404


def test_a_project_of_ones_own_is_restricted_already_and_can_be_public(world: World) -> None:
    upsert = 'mutation { upsertBucket(input: {name: "mine", modelName: "own"}) { inserted } }'
    change(world, "outsider", "/graphql", {"query": upsert})
    access = "/api/projects/outsider/own/shares/access"
    assert change(world, "outsider", access, {"access": "RESTRICTED"}).status_code == 400
    assert status(world, "member", "/api/runs/outsider/own/mine") == 404
    assert change(world, "outsider", access, {"access": "PUBLIC"}).status_code == 200
    assert status(world, "member", "/api/runs/outsider/own/mine") == 200


def test_a_public_project_shows_nothing_of_its_team(world: World) -> None:
    change(world, "lead", SHARES + "/access", {"access": "PUBLIC"})
    query = """{ project(name: "demo", entityName: "crew") { access readOnly runQueues { id }
        entity { name members { username } storageBytes }
        run(name: "r1") { user { username teams { edges { node { name } } } } } } }"""
    found = change(world, "outsider", "/graphql", {"query": query}).json()["data"]["project"]
    assert found["access"] == "PUBLIC"
    assert found["readOnly"]
    assert found["entity"] == {"name": TEAM, "members": [], "storageBytes": 0}
    assert TEAM not in str(found["run"]["user"]["teams"])
    with world.session("outsider") as session:
        settings = session.get(f"{world.server.url}/api/projects/{TEAM}/{PROJECT}/settings", timeout=30).json()
        queues = session.get(f"{world.server.url}/api/projects/{TEAM}/{PROJECT}/queues", timeout=30).json()
    assert (settings["team"], settings["policies"], settings["may_change"]) == (None, [], False)
    assert queues == {"queues": [], "agents": []}
    assert found["runQueues"] == []
    assert world.server.json(f"/api/projects/{TEAM}/{PROJECT}/queues")["agents"]


def test_a_run_that_is_seen_shows_nothing_of_artifacts_that_are_not(world: World) -> None:
    server = world.server
    own = log(server, {"a.txt": b"nobody else's"})
    use = """mutation U($id: ID!) { useArtifact(input: {artifactID: $id, entityName: "crew", projectName: "demo",
        runName: "r1"}) { artifact { id } } }"""
    server.execute(use, id=own["id"])
    change(world, "lead", SHARES + "/access", {"access": "PUBLIC"})
    query = """{ project(name: "demo", entityName: "crew") { run(name: "r1") { inputArtifacts { edges { node {
        id } } } } } }"""
    for role, seen in (("root", True), ("outsider", False), ("member", False)):
        found = change(world, role, "/graphql", {"query": query}).json()["data"]["project"]["run"]
        assert (own["id"] in str(found)) == seen, role
        with world.session(role) as session:
            used = session.get(server.url + RUN, timeout=30).json()["artifacts"]["used"]
            assert (server.user in [item["entity"] for item in used]) == seen, role


def test_what_was_closed_stays_closed_by_other_ways(world: World) -> None:
    """By a policy, by the name of the project, by a run of that name."""
    change(world, "lead", SHARES + "/access", {"access": "RESTRICTED", "people": []})
    setting = """mutation { setSettingsPolicy(input: {scope: PROJECT, entityName: "crew", projectName: "demo",
        document: "{}"}) { policy { name } } }"""
    upsert = """mutation { upsertBucket(input: {name: "r2", modelName: "demo", entityName: "crew"}) { inserted } }"""
    rename = """mutation { renameProject(input: {entityName: "crew", oldProjectName: "demo", newProjectName: "d"}) {
        inserted } }"""
    for query in (setting, upsert, rename):
        assert "errors" in change(world, "member", "/graphql", {"query": query}).json()
    assert change(world, "member", f"/files/{TEAM}/{PROJECT}/r1/file_stream", {}).status_code == 404
    assert change(world, "lead", f"/files/{TEAM}/{PROJECT}/r1/file_stream", {}).status_code == 200


def test_who_leaves_the_team_leaves_its_projects(own_world: World) -> None:
    change(own_world, "lead", SHARES + "/access", {"access": "RESTRICTED", "people": ["member"]})
    link = change(own_world, "member", SHARES, {}).json()["url"]
    assert requests.get(link, timeout=30, allow_redirects=False).status_code == 303
    for role in (None, "member"):
        assert change(own_world, "lead", f"/api/teams/{TEAM}", {"user": "member", "role": role}).status_code == 200
        assert status(own_world, "member") == 404, "to be let in again takes more than to be in the team again"
        assert requests.get(link, timeout=30, allow_redirects=False).status_code == 401


# --- links ------------------------------------------------------------------------------------------------------------


def made(world: World, **asked: Any) -> str:
    answer = change(world, "member", SHARES, asked)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["url"])


def browse(link: str) -> requests.Session:
    session = requests.Session()
    session.trust_env = False
    session.get(link, timeout=30, allow_redirects=False)
    return session


def test_a_link_opens_a_page_for_people_without_an_account(world: World) -> None:
    link = made(world, path=f"/{TEAM}/{PROJECT}/runs/r1")
    answer = requests.get(link, timeout=30, allow_redirects=False)
    assert (answer.status_code, answer.headers["Location"]) == (303, f"/{TEAM}/{PROJECT}/runs/r1")
    cookie = answer.headers["Set-Cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie
    with browse(link) as guest:
        url = world.server.url
        assert "<script" in guest.get(f"{url}/{TEAM}/{PROJECT}", timeout=30).text
        assert guest.get(url + RUN, timeout=30).json()["may_change"] is False
        assert guest.get(f"{url}/files/{TEAM}/{PROJECT}/r1/a.txt", timeout=30).content == b"of the run"
        assert [one["name"] for one in guest.get(f"{url}/api/projects", timeout=30).json()["projects"]] == [PROJECT]
        assert guest.get(f"{url}/api/account", timeout=30).status_code == 401
        assert guest.get(f"{url}/api/projects/{TEAM}/other", timeout=30).status_code == 404
        for path in (RUN + "/stop", SHARES, "/api/account/forget-key"):
            assert guest.post(url + path, json={}, headers={"Origin": url}, timeout=30).status_code == 401


def test_a_link_ends(world: World) -> None:
    links = [made(world), made(world, days=2), made(world, days=30)]
    guests = [browse(link) for link in links]
    shown = world.server.json(SHARES)["links"]
    assert [(link["by"], link["expires_at"] - link["created_at"]) for link in shown[:3]] == [
        ("member", 30 * DAY), ("member", 2 * DAY), ("member", 7 * DAY),
    ]  # fmt: skip
    assert not any(link.partition("/share/")[2][:43] in str(shown) for link in links), "what opens it is shown once"

    def seen() -> list[int]:
        return [guest.get(world.server.url + RUN, timeout=30).status_code for guest in guests]

    assert seen() == [200, 200, 200]
    world.server.clock.advance(3 * DAY)
    assert seen() == [200, 401, 200]
    assert change(world, "viewer", f"{SHARES}/{shown[0]['id']}/end", {}).status_code == 403
    assert change(world, "member", f"{SHARES}/{shown[0]['id']}/end", {}).status_code == 200
    assert change(world, "member", f"{SHARES}/{shown[0]['id']}/end", {}).status_code == 404
    assert seen() == [200, 401, 401]
    assert requests.get(links[2], timeout=30, allow_redirects=False).status_code == 401
    for guest in guests:
        guest.close()


def test_links_to_several_projects_add_up_and_a_user_stays_who_he_is(world: World) -> None:
    server = world.server
    server.upsert("other-run", "other")
    other = server.post(f"/api/projects/{server.user}/other/shares", {}).json()["url"]
    with world.session("outsider") as owner:
        key = owner.post(f"{server.url}/api/sign-in-link", json={}, timeout=30).json()["url"]
    with browse(key) as session:
        assert session.get(server.url + RUN, timeout=30).status_code == 404
        for link in (made(world), other):
            session.get(link, timeout=30)
        assert session.get(server.url + RUN, timeout=30).status_code == 200
        assert session.get(f"{server.url}/api/runs/{server.user}/other/other-run", timeout=30).status_code == 200
        assert session.get(f"{server.url}/api/account", timeout=30).json()["name"] == "outsider"
        session.post(f"{server.url}/logout", headers={"Origin": server.url}, timeout=30)
        assert session.get(server.url + RUN, timeout=30).status_code == 401


def test_a_link_to_a_run_shows_this_run_and_nothing_else(own_world: World) -> None:
    server = own_world.server
    server.execute(UPSERT, name="r2", project=PROJECT, entity=TEAM)
    link = made(own_world, run="r1")
    assert link.endswith(f"?next=%2F{TEAM}%2F{PROJECT}%2Fruns%2Fr1")
    assert server.json(SHARES)["links"][0]["run"] == "r1"
    assert change(own_world, "member", SHARES, {"run": "none"}).status_code == 404
    with browse(link) as guest:

        def get(path: str) -> requests.Response:
            return guest.get(server.url + path, timeout=30)

        found = get(RUN).json()
        assert (found["project_seen"], found["may_change"]) == (False, False)
        assert found["artifacts"] == {"logged": [], "used": []}
        assert get(f"/files/{TEAM}/{PROJECT}/r1/a.txt").content == b"of the run"
        assert get("/api/projects").json()["projects"] == []
        for path in (f"/api/runs/{TEAM}/{PROJECT}/r2", f"/api/projects/{TEAM}/{PROJECT}/runs"):
            assert get(path).status_code == 404
        delete = "mutation D($id: ID!) { deleteRun(input: {id: $id}) { clientMutationId } }"
        server.execute(delete, id=own_world.ids["runId"])
        # Not even where another run has its name, or its number in the database.
        server.execute(UPSERT, name="r1", project=PROJECT, entity=TEAM)
        assert get(RUN).status_code == 401


def test_a_link_leads_to_no_other_project_not_even_a_public_one(world: World) -> None:
    world.server.upsert("public-run", "public")
    public = f"{world.server.user}/public"
    assert world.server.post(f"/api/projects/{public}/shares/access", {"access": "PUBLIC"}).status_code == 200
    assert status(world, "outsider", f"/api/runs/{public}/public-run") == 200
    assert status(world, "guest", f"/api/runs/{public}/public-run") == 404


def test_a_link_follows_its_project_and_goes_with_it(own_world: World) -> None:
    with browse(made(own_world)) as guest:
        settings = f"/api/projects/{TEAM}/{PROJECT}/settings"
        assert change(own_world, "lead", settings, {"name": "renamed"}).status_code == 200
        assert guest.get(f"{own_world.server.url}/api/runs/{TEAM}/renamed/r1", timeout=30).status_code == 200
        change(own_world, "lead", f"/api/projects/{TEAM}/renamed/settings", {"delete": True})
        own_world.server.upsert("r1", "renamed", entity=TEAM)
        assert guest.get(f"{own_world.server.url}/api/runs/{TEAM}/renamed/r1", timeout=30).status_code == 401


@pytest.mark.parametrize("days", [0, -1, 366, 1e300, "7", None, True, [1]])
def test_how_long_a_link_works_has_bounds(world: World, days: Any) -> None:
    assert change(world, "member", SHARES, {"days": days}).status_code == 400


@pytest.mark.parametrize("path", ["https://evil.example", "//evil.example", "/\\evil.example"])
def test_a_link_leads_nowhere_else(world: World, path: str) -> None:
    link = made(world, path=path)
    tampered = link.partition("?")[0] + "?next=" + quote(path)
    for one in (link, tampered):
        assert requests.get(one, timeout=30, allow_redirects=False).headers["Location"] == "/"


@pytest.mark.parametrize("cookie", ["x", "." * 1000, "a.b.c", "=", "ä".encode().decode("latin-1"), "9" * 5000])
def test_a_cookie_that_was_made_up_opens_nothing(world: World, cookie: str) -> None:
    name = f"wandb_share_{world.server.services.secret.server_id}"
    answer = requests.get(world.server.url + RUN, headers={"Cookie": f"{name}={cookie}"}, timeout=30)
    assert answer.status_code == 401
