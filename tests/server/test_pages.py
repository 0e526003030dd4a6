"""What every page and answer carries, and what it never carries."""

from __future__ import annotations

import re

import pytest
import requests
from live_server import LiveServer

STATIC = ("app.js", "chart.js", "style.css", "icon.svg")


@pytest.mark.parametrize(
    "path", ["/login", "/", "/static/app.js", "/healthz", "/graphql", "/api/projects", "/a/b/c/d/e"]
)
def test_security_headers_are_on_every_answer(server: LiveServer, path: str) -> None:
    headers = requests.get(server.url + path, allow_redirects=False, timeout=30).headers
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"


def test_pages_need_a_session_and_lead_back_after_signing_in(server: LiveServer) -> None:
    for path in ("/", "/x", "/x/y", "/x/y/runs/z?a=b"):
        answer = requests.get(server.url + path, allow_redirects=False, timeout=30)
        assert answer.status_code == 303
        assert answer.headers["Location"].startswith("/login?next=%2F")


def test_pages_hold_no_scripts_or_styles_of_their_own(server: LiveServer) -> None:
    with requests.Session() as session:
        session.get(server.url + server.sign_in_path("/"), timeout=30)
        for path in ("/", "/login"):
            text = session.get(server.url + path, timeout=30).text
            assert "<style" not in text
            assert not re.search(r"<script(?![^>]*\ssrc=)", text)
            assert not re.search(r"\s(on\w+|style)=", text)
            assert "http://" not in text.replace("http://www.w3.org", "")
            assert "https://" not in text


def test_static_files_ask_nothing_of_the_internet(server: LiveServer) -> None:
    for name in STATIC:
        answer = requests.get(f"{server.url}/static/{name}", timeout=30)
        assert answer.status_code == 200
        assert not re.findall(r"https?://(?!www\.w3\.org)", answer.text)


def test_the_next_address_cannot_become_markup(server: LiveServer) -> None:
    answer = requests.get(server.url + "/login", params={"next": '/"><script>alert(1)</script>'}, timeout=30)
    assert "<script>" not in answer.text


def test_health_answers_without_a_key(server: LiveServer) -> None:
    assert requests.get(server.url + "/healthz", timeout=30).json() == {"status": "ok"}


def test_errors_are_json_and_say_what_was_not_found(server: LiveServer) -> None:
    assert server.get(f"/api/projects/{server.user}/nope/runs").json() == {
        "error": f"project {server.user}/nope was not found"
    }
    assert server.get(f"/api/runs/{server.user}/nope/x").status_code == 404
    assert server.get("/graphql").json() == {"error": "there is no page at /graphql"}


def test_the_run_table_has_user_values_only(server: LiveServer) -> None:
    config = '{"lr":{"value":NaN},"opt":{"desc":null,"value":{"name":"adam"}},"_wandb":{"value":{"t":{}}}}'
    server.upsert(displayName="<b>bold</b>", config=config)
    summary = '{"loss":Infinity,"_wandb":{"runtime":7}}'
    server.stream({"files": {"wandb-summary.json": {"offset": 0, "content": [summary]}}})
    table = server.json(f"/api/projects/{server.user}/demo/runs")
    (run,) = table["runs"]
    assert table["total"] == 1
    assert run["name"] == "<b>bold</b>"
    assert run["values"] == {"config.lr": "NaN", "config.opt.name": "adam", "summary.loss": "Infinity"}
    assert run["seconds"] == 7
