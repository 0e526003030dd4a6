"""Every route, tried by every role: with an API key, and where a browser uses it, with a session."""

from __future__ import annotations

import base64
import re
import secrets
from collections.abc import Iterator
from typing import Any, Dict, NamedTuple, Tuple

import pytest
import requests
from operations import CHANGE, EXCLUDED, LEAD, OPEN, READ, ROLES, roles_to_try
from starlette.routing import Mount, Route
from world import DIGEST, TEAM, World

from wandb.server._auth import ACCESSES, PUBLIC, RESTRICTED

NOBODY = "nobody"  # without a key or a session
GUEST, RUN_GUEST = "guest", "run guest"  # with a link to the project, to its run r1
ROOT = "root"  # the server's administrator


class Way(NamedTuple):
    """How a route is tried, and the least role that may: NOBODY for one that is for everybody."""

    least: str
    path: str
    body: Any = None


RUN, PROJECT = f"{TEAM}/demo/r1", f"{TEAM}/demo"
WAYS: Dict[str, Way] = {
    "POST /graphql": Way(OPEN, "/graphql", {"query": "{ viewer { id } }"}),
    "POST /files/{entity}/{project}/{run}/file_stream": Way(CHANGE, f"/files/{RUN}/file_stream", {}),
    "GET /files/{entity}/{project}/{run}/{name:path}": Way(READ, f"/files/{RUN}/a.txt"),
    "GET /healthz": Way(NOBODY, "/healthz"),
    "GET /metrics": Way(ROOT, "/metrics"),
    "GET /api/projects": Way(OPEN, "/api/projects"),
    "GET /api/runs/{entity}/{project}/{run}": Way(READ, f"/api/runs/{RUN}"),
    "GET /api/runs/{entity}/{project}/{run}/series": Way(READ, f"/api/runs/{RUN}/series"),
    "GET /api/runs/{entity}/{project}/{run}/console": Way(READ, f"/api/runs/{RUN}/console"),
    "GET /api/runs/{entity}/{project}/{run}/media": Way(READ, f"/api/runs/{RUN}/media"),
    "GET /api/runs/{entity}/{project}/{run}/media/values": Way(READ, f"/api/runs/{RUN}/media/values?key=a&line=0"),
    "GET /api/runs/{entity}/{project}/{run}/files": Way(READ, f"/api/runs/{RUN}/files"),
    "POST /api/runs/{entity}/{project}/{run}/stop": Way(CHANGE, f"/api/runs/{RUN}/stop"),
    "POST /api/sign-in-link": Way(OPEN, "/api/sign-in-link", {}),
    "GET /api/projects/{entity}/{project}/artifacts": Way(READ, f"/api/projects/{PROJECT}/artifacts"),
    "GET /api/projects/{entity}/{project}/artifacts/{name}/{version}": Way(
        READ, f"/api/projects/{PROJECT}/artifacts/ds/v0"
    ),
    "GET /api/projects/{entity}/{project}/lineage": Way(READ, f"/api/projects/{PROJECT}/lineage?run=r1"),
    "GET /api/projects/{entity}/{project}/sweeps": Way(READ, f"/api/projects/{PROJECT}/sweeps"),
    "GET /api/projects/{entity}/{project}/sweeps/{sweep}": Way(READ, f"/api/projects/{PROJECT}/sweeps/SWEEP"),
    "GET /api/projects/{entity}/{project}/sweeps/{sweep}/next": Way(READ, f"/api/projects/{PROJECT}/sweeps/SWEEP/next"),
    "POST /api/projects/{entity}/{project}/sweeps/{sweep}/{state}": Way(
        CHANGE, f"/api/projects/{PROJECT}/sweeps/SWEEP/pause"
    ),
    "GET /api/projects/{entity}/{project}/runs": Way(READ, f"/api/projects/{PROJECT}/runs"),
    "POST /api/projects/{entity}/{project}/runs/change": Way(
        CHANGE, f"/api/projects/{PROJECT}/runs/change", {"runs": ["r1"], "group": "g"}
    ),
    "GET /api/projects/{entity}/{project}/columns": Way(READ, f"/api/projects/{PROJECT}/columns"),
    "GET /api/projects/{entity}/{project}/metrics": Way(READ, f"/api/projects/{PROJECT}/metrics?runs=r1"),
    "GET /api/projects/{entity}/{project}/series": Way(READ, f"/api/projects/{PROJECT}/series?runs=r1&keys=loss"),
    "GET /api/artifact-files/{client_id}/{name:path}": Way(READ, f"/api/artifact-files/{'c' * 128}/file"),
    "GET /api/projects/{entity}/{project}/queues": Way(READ, f"/api/projects/{PROJECT}/queues"),
    "POST /api/projects/{entity}/{project}/queues/{item:int}/remove": Way(
        CHANGE, f"/api/projects/{PROJECT}/queues/1/remove"
    ),
    "GET /api/projects/{entity}/{project}/settings": Way(READ, f"/api/projects/{PROJECT}/settings"),
    "POST /api/projects/{entity}/{project}/settings": Way(
        CHANGE, f"/api/projects/{PROJECT}/settings", {"description": "d"}
    ),
    "GET /api/projects/{entity}/{project}/shares": Way(CHANGE, f"/api/projects/{PROJECT}/shares"),
    "POST /api/projects/{entity}/{project}/shares": Way(CHANGE, f"/api/projects/{PROJECT}/shares", {}),
    "POST /api/projects/{entity}/{project}/shares/access": Way(LEAD, f"/api/projects/{PROJECT}/shares/access", {}),
    "POST /api/projects/{entity}/{project}/shares/{link:int}/end": Way(
        CHANGE, f"/api/projects/{PROJECT}/shares/LINK/end"
    ),
    "GET /api/account": Way(OPEN, "/api/account"),
    "POST /api/account/keys": Way(OPEN, "/api/account/keys", {}),
    "POST /api/account/teams": Way(OPEN, "/api/account/teams", {}),
    "POST /api/teams/{team}/service-accounts": Way(LEAD, f"/api/teams/{TEAM}/service-accounts", {"description": "ci"}),
    "POST /api/teams/{team}": Way(LEAD, f"/api/teams/{TEAM}", {"user": "newcomer", "role": "viewer"}),
    "GET /sandbox/figures/{library}": Way(NOBODY, "/sandbox/figures/plotly"),
    "GET /sandbox/scripts/{name}": Way(NOBODY, "/sandbox/scripts/plotly.min.js"),
    "GET /sandbox/files/{entity}/{project}/{run}/{name:path}": Way(READ, f"/sandbox/files/{RUN}/a.txt"),
    "GET /artifactsV2/{region}/{entity}/{project}/{collection}/{birth}/{digest}/{name:path}": Way(
        READ, f"/artifactsV2/default/{PROJECT}/ds/BIRTH/DIGEST/file"
    ),
}
# These are tried below, by themselves.
OTHERS = ("POST /api/account/forget-key", "GET /login", "POST /login", "POST /logout", "GET /share/{token}")
# They are about a team, or about whoever asks.
OF_NO_PROJECT = (
    "POST /api/teams/{team}", "POST /api/teams/{team}/service-accounts", "GET /api/account", "POST /api/account/keys",
    "POST /api/account/teams", "GET /api/projects", "POST /graphql", "GET /metrics",
    "POST /api/sign-in-link",
)  # fmt: skip


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with World(tmp_path_factory.mktemp("world") / "data") as made:
        yield made


@pytest.fixture(scope="module", params=ACCESSES)
def any_world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with World(tmp_path_factory.mktemp("world") / "data", request.param) as made:
        yield made


def is_page(path: str) -> bool:
    """A document that shows nothing by itself: its script asks for what the reader may see."""
    return path in ("/", "/account", "/{entity}") or path.startswith("/{entity}/{project}")


def routes_of(world: World) -> Dict[str, str]:
    """Method and path of each route -> path."""
    found = {}
    waiting = list(world.server.app.routes)
    while waiting:
        route = waiting.pop()
        if isinstance(route, Mount):
            assert not route.path or route.path.startswith("/static")
            waiting += [] if route.path else route.routes
            continue
        assert isinstance(route, Route)
        for method in (route.methods or set()) - {"HEAD"}:
            found[f"{method} {route.path}"] = route.path
    return found


def test_every_route_is_tried(world: World) -> None:
    others = {
        name for name, path in routes_of(world).items()
        if name not in OTHERS and not path.startswith("/storage/") and not is_page(path)
    }  # fmt: skip
    assert set(WAYS) == others


def send(world: World, session: requests.Session, name: str, way: Way) -> requests.Response:
    birth = world.ids["artifactId"]
    digest = base64.b64decode(DIGEST).hex()
    path = way.path.replace("SWEEP", world.ids["sweep"]).replace("BIRTH", birth).replace("DIGEST", digest)
    if "LINK" in path:
        shares = f"/api/projects/{PROJECT}/shares"
        world.server.post(shares, {})
        path = path.replace("LINK", str(world.server.json(shares)["links"][0]["id"]))
    method = name.partition(" ")[0]
    body = {**way.body, "name": f"team-{secrets.token_hex(4)}"} if name == "POST /api/account/teams" else way.body
    return session.request(method, world.server.url + path, json=body, timeout=30, allow_redirects=False)


@pytest.mark.parametrize("name", sorted(WAYS))
def test_who_may(any_world: World, name: str) -> None:
    way = WAYS[name]
    for role in (NOBODY, RUN_GUEST, GUEST, *roles_to_try(any_world.access)):
        with any_world.session(role) as session:
            answer = send(any_world, session, name, way)
        told = f"{role}: {answer.status_code} {answer.text[:200]}"
        assert answer.status_code in statuses(role, name, any_world.access), told


def statuses(role: str, name: str, access: str) -> Tuple[int, ...]:
    """What a role is answered, where the project has this access."""
    least, done = WAYS[name].least, (200, 303)
    everybody = (NOBODY, *ROLES)
    of_project = name not in OF_NO_PROJECT and least != NOBODY
    if role in (GUEST, RUN_GUEST):
        # A link to one run opens what is asked of this run, and nothing else of its project.
        of_run = "{run}" in name or role == GUEST
        if least == NOBODY or name == "GET /api/projects" or (least == READ and name.startswith("GET") and of_run):
            return done
        if role == RUN_GUEST and of_project and name.startswith("GET"):
            return (404,)
        # A guest only looks, and has no account.
        return (403,) if of_project and name.startswith("GET") else (401,)
    if role == EXCLUDED:
        if access == RESTRICTED and of_project:
            return (404,)
        role = "member"
    if everybody.index(role) >= everybody.index(least):
        return done
    if role == NOBODY:
        return (401,)
    # Who may read learns that it is there; to all others it isn't.
    sees = role != "outsider" or access == PUBLIC
    if sees and least == READ:
        return done
    return (403,) if (sees and of_project) or least == ROOT else (404,)


@pytest.mark.parametrize("name", sorted(WAYS))
def test_a_wrong_key_opens_nothing(world: World, name: str) -> None:
    if WAYS[name].least == NOBODY:
        return
    with requests.Session() as session:
        session.trust_env = False
        session.auth = ("api", "0" * 40)
        assert send(world, session, name, WAYS[name]).status_code == 401


def test_bytes_are_had_by_a_signature_only(world: World) -> None:
    for name, path in routes_of(world).items():
        if not path.startswith("/storage/"):
            continue
        shown = re.sub(r"{\w+:int}", "1", path).replace("{name:path}", "a.txt")
        way = Way(NOBODY, re.sub(r"{\w+}", "x", shown))
        for role in (NOBODY, "root"):
            with world.session(role) as session:
                assert send(world, session, name, way).status_code == 403, name


def test_pages_send_whoever_isnt_signed_in_to_sign_in(world: World) -> None:
    for name, path in routes_of(world).items():
        if is_page(path):
            shown = path.replace("{entity}", TEAM).replace("{", "").replace("}", "")
            with world.session(NOBODY) as session:
                answer = send(world, session, name, Way(OPEN, shown))
            assert answer.status_code == 303, name
            assert answer.headers["Location"].startswith("/login?next=")


def test_a_key_is_forgotten_by_its_owner_only(world: World) -> None:
    key = world.ids["rootKey"]
    for role, status in ((NOBODY, 401), ("lead", 404)):
        with world.session(role) as session:
            answer = send(world, session, "POST ", Way(OPEN, "/api/account/forget-key", {"id": key}))
        assert answer.status_code == status, answer.text
    with world.session("root") as session:
        assert session.get(f"{world.server.url}/api/account", timeout=30).status_code == 200
