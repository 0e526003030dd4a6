"""Who may do what: API keys, sessions, sign-in links."""

from __future__ import annotations

import stat
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from live_server import LiveServer

from wandb.server._auth import User, create_api_key
from wandb.server._limits import SESSION_SECONDS, SIGN_IN_LINK_SECONDS


def browser() -> requests.Session:
    session = requests.Session()
    session.trust_env = False
    return session


def go(server: LiveServer, session: requests.Session, path: str, method: str = "GET", **options: Any) -> Any:
    return session.request(method, server.url + path, allow_redirects=False, timeout=30, **options)


@pytest.mark.parametrize("path", ["/graphql", "/files/x/demo/r1/file_stream", "/api/sign-in-link"])
def test_a_wrong_key_is_refused_with_a_remedy(server: LiveServer, path: str) -> None:
    body = {"query": "{ viewer { id } }"}
    wrong = requests.post(server.url + path, json=body, auth=("api", "0" * 40), timeout=30)
    assert wrong.status_code == 401
    assert "wandb server key" in wrong.json()["error"]
    for headers in ({}, {"Authorization": "Basic ???"}, {"Authorization": "Bearer x"}):
        answer = requests.post(server.url + path, json=body, headers=headers, timeout=30)
        assert answer.status_code == 401
        assert answer.json()["error"]


def test_keys_are_long_and_only_their_digest_is_kept(server: LiveServer) -> None:
    assert len(server.key) >= 40
    for path in server.data.iterdir():
        if path.is_file():
            assert server.key.encode() not in path.read_bytes()
    assert stat.S_IMODE((server.data / "secret").stat().st_mode) == 0o600
    assert stat.S_IMODE(server.data.stat().st_mode) == 0o700


def test_only_the_end_of_a_key_is_shown(server: LiveServer) -> None:
    viewer = server.execute("{ viewer { admin entity apiKeys { edges { node { id name } } } } }")["viewer"]
    assert viewer["admin"] is True
    assert viewer["entity"] == server.user
    assert [edge["node"]["name"] for edge in viewer["apiKeys"]["edges"]] == [f"...{server.key[-4:]}"]


def test_a_user_who_is_no_administrator_sees_only_the_own_entity(server: LiveServer) -> None:
    from sqlalchemy import insert

    from wandb.server._tables import users

    server.upsert()
    secret = server.services.secret
    with server.services.database.write() as connection:
        connection.execute(insert(users).values(id=2, name="guest", admin=False, created_at=0.0))
        key = create_api_key(connection, secret, User(2, "guest", False), 0.0)
    owner, server.session.auth = server.user, ("api", key)
    assert server.json("/api/projects") == {"projects": []}
    assert server.get(f"/api/runs/{owner}/demo/r1").status_code == 404
    assert server.post(f"/files/{owner}/demo/r1/file_stream", {}).status_code == 404
    query = 'query Q($entity: String) { project(name: "demo", entityName: $entity) { id } }'
    answer = server.post("/graphql", {"query": query, "variables": {"entity": owner}}).json()
    assert "may not use" in answer["errors"][0]["message"]
    assert server.upsert()["bucket"]["project"]["entity"]["name"] == "guest"


def test_a_sign_in_link_works_once(server: LiveServer) -> None:
    link = server.post("/api/sign-in-link", {"next": "/a/b?c=1"}).json()["url"]
    path = link.removeprefix(server.url)
    with browser() as first, browser() as second:
        answer = go(server, first, path)
        assert (answer.status_code, answer.headers["Location"]) == (303, "/a/b?c=1")
        cookie = answer.headers["Set-Cookie"].lower()
        assert "httponly" in cookie
        assert "samesite=lax" in cookie
        assert go(server, first, "/").status_code == 200
        assert go(server, first, "/api/projects").status_code == 200
        refused = go(server, second, path)
        assert refused.status_code == 401
        assert "Set-Cookie" not in refused.headers
        assert go(server, second, "/").headers["Location"] == "/login?next=%2F"


def test_sign_in_links_and_sessions_expire(server: LiveServer) -> None:
    late, early = server.sign_in_path("/"), server.sign_in_path("/")
    with browser() as session:
        assert go(server, session, early).status_code == 303
        server.clock.advance(SIGN_IN_LINK_SECONDS + 1)
        assert go(server, session, late).status_code == 401
        assert go(server, session, "/").status_code == 200
        server.clock.advance(SESSION_SECONDS)
        assert go(server, session, "/").status_code == 303
        assert go(server, session, "/api/projects").status_code == 401


@pytest.mark.parametrize("target", ["//evil.example", "https://evil.example", "/\\evil.example", "x", "/a\r\nX: y", ""])
def test_signing_in_never_leads_to_another_site(server: LiveServer, target: str) -> None:
    with browser() as session:
        answer = go(server, session, server.sign_in_path(target))
    assert answer.headers["Location"] == "/"
    assert "X" not in answer.headers


def test_signing_in_with_a_key_and_out_again(server: LiveServer) -> None:
    here = {"Origin": server.url}
    with browser() as session:
        wrong = go(server, session, "/login", "POST", data={"key": "nope", "next": "/x"}, headers=here)
        assert wrong.status_code == 401
        assert "does not know" in wrong.text
        form = {"key": f" {server.key} ", "next": "/demo"}
        right = go(server, session, "/login", "POST", data=form, headers=here)
        assert (right.status_code, right.headers["Location"]) == (303, "/demo")
        assert go(server, session, "/").status_code == 200
        kept = session.cookies.copy()
        assert go(server, session, "/logout", "POST", headers=here).status_code == 303
        session.cookies.update(kept)
        # The session itself has ended, not only its cookie.
        assert go(server, session, "/").status_code == 303


def test_other_sites_cannot_act_with_a_session(server: LiveServer) -> None:
    server.upsert()
    stop = f"/api/runs/{server.user}/demo/r1/stop"
    with browser() as session:
        go(server, session, server.sign_in_path("/"))
        port = urlsplit(server.url).port
        for origin in (None, "https://evil.example", f"http://127.0.0.1:{(port or 0) + 1}", "null"):
            headers = {"Origin": origin} if origin else {}
            assert go(server, session, stop, "POST", headers=headers).status_code == 403
            form = {"key": server.key}
            assert go(server, session, "/login", "POST", data=form, headers=headers).status_code == 403
            assert go(server, session, "/logout", "POST", headers=headers).status_code == 403
        assert server.run("stopped")["stopped"] is False
        assert go(server, session, stop, "POST", headers={"Origin": server.url}).json() == {"stopping": True}
        # Keys never act through a cookie.
        assert go(server, session, "/graphql", "POST", json={"query": "{ viewer { id } }"}).status_code == 401
        assert go(server, session, "/api/sign-in-link", "POST", json={}).status_code == 401
