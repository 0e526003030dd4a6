"""What a server is run with: TLS, a proxy before it, figures for Prometheus, a log for machines, users by command."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import requests
from live_server import LiveServer
from test_command import finish, started

from wandb.server._request_log import JSONLines


def certificate(folder: Path) -> tuple[Path, Path]:
    """A self-signed one for 127.0.0.1."""
    cert, key = folder / "cert.pem", folder / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", str(key), "-out", str(cert),
         "-days", "2", "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"],
        check=True, capture_output=True,
    )  # fmt: skip
    return cert, key


# --- TLS and proxies --------------------------------------------------------------------------------------------------


def test_it_speaks_tls(tmp_path: Path) -> None:
    cert, key = certificate(tmp_path)
    with started(tmp_path, "--tls-cert", str(cert), "--tls-key", str(key)) as (_, ready):
        assert ready["url"].startswith("https://127.0.0.1:")
        answer = requests.get(f"{ready['url']}/healthz", verify=str(cert), timeout=30)
        assert answer.headers["Strict-Transport-Security"]
        with pytest.raises(requests.exceptions.SSLError):
            requests.get(f"{ready['url']}/healthz", timeout=30)
        here = {"Origin": ready["url"]}
        signed_in = requests.post(
            f"{ready['url']}/login", {"key": ready["api_key"]}, headers=here, verify=str(cert), timeout=30,
            allow_redirects=False,
        )  # fmt: skip
        assert "secure" in signed_in.headers["Set-Cookie"].lower()


def test_a_certificate_that_cant_be_used_is_named(tmp_path: Path) -> None:
    cert, key = certificate(tmp_path)
    (tmp_path / "no.pem").write_text("no certificate")
    (tmp_path / "other").mkdir()
    _, other_key = certificate(tmp_path / "other")
    locked = tmp_path / "locked.pem"
    subprocess.run(
        ["openssl", "rsa", "-aes128", "-passout", "pass:secret", "-in", str(key), "-out", str(locked)], check=True,
        capture_output=True,
    )  # fmt: skip
    for one, two, why in (("no.pem", key, "no.pem"), (cert, other_key, "cert.pem"), (cert, locked, "encrypted")):
        answer = finish(["--data", str(tmp_path / "data"), "--tls-cert", str(tmp_path / one), "--tls-key", str(two)])
        assert answer.returncode == 1
        assert why in answer.stderr
        assert "Traceback" not in answer.stderr
    assert "--tls-cert" in finish(["--data", str(tmp_path / "data"), "--tls-key", str(key)]).stderr


def test_behind_a_proxy_its_own_address_is_in_no_answer(tmp_path: Path) -> None:
    public = "https://wandb.example.com"
    with LiveServer(tmp_path / "data", public_url=public) as server:
        server.upsert()
        made = server.execute("""mutation { createRunFiles(input: {projectName: "demo", runName: "r1", files: ["a"]}) {
            files { uploadUrl } } }""")["createRunFiles"]["files"][0]["uploadUrl"]
        assert made.startswith(f"{public}/storage/")
        put = requests.put(made.replace(public, server.url), data=b"a", timeout=30)
        assert put.status_code == 200
        link = server.post("/api/sign-in-link", {}).json()["url"]
        assert link.startswith(f"{public}/login?")
        with requests.Session() as browser:
            answer = browser.get(link.replace(public, server.url), timeout=30, allow_redirects=False)
            assert "secure" in answer.headers["Set-Cookie"].lower()
            cookies = {"Cookie": answer.headers["Set-Cookie"].partition(";")[0]}
            stop = f"{server.url}/api/runs/{server.user}/demo/r1/stop"
            assert browser.post(stop, headers={**cookies, "Origin": server.url}, timeout=30).status_code == 403
            assert browser.post(stop, headers={**cookies, "Origin": public}, timeout=30).status_code == 200


@pytest.mark.parametrize("url", ["wandb.example.com", "ftp://x", "https://x/folder", "https://"])
def test_an_address_that_is_none_is_refused(tmp_path: Path, url: str) -> None:
    answer = finish(["--data", str(tmp_path / "data"), "--url", url])
    assert answer.returncode == 1
    assert "looks like https://wandb.example.com" in answer.stderr


@pytest.mark.parametrize("trusted", [True, False])
def test_a_proxy_is_believed_only_where_it_is_known(tmp_path: Path, trusted: bool) -> None:
    options = ["--log", "requests", *(["--trust-proxy", "127.0.0.1"] if trusted else [])]
    with started(tmp_path, *options) as (process, ready):
        headers = {"X-Forwarded-For": "203.0.113.7", "X-Forwarded-Proto": "https"}
        requests.get(f"{ready['url']}/healthz", headers=headers, timeout=30)
        process.terminate()
        (line,) = [one for one in log_lines(process.communicate(timeout=30)[0]) if one.get("route") == "/healthz"]
    assert line["client"] == ("203.0.113.7" if trusted else "127.0.0.1")


# --- figures ----------------------------------------------------------------------------------------------------------


def figures(text: str) -> dict[str, float]:
    return {
        name: float(value)
        for name, _, value in (line.rpartition(" ") for line in text.splitlines() if not line.startswith("#"))
    }


def test_prometheus_gets_figures_with_an_administrators_key(tmp_path: Path) -> None:
    with LiveServer(tmp_path / "data") as server, server.as_new_user("guest") as guest:
        server.upsert("secret-run-name", "secret-project-name")
        content = [json.dumps({"_step": step}) for step in range(7)]
        files = {"wandb-history.jsonl": {"offset": 0, "content": content}}
        server.stream({"files": files}, "secret-run-name", "secret-project-name")
        server.get("/nothing/of/that/kind/is/here/at/all")
        answer = server.get("/metrics")
        assert answer.headers["Content-Type"].startswith("text/plain")
        found = figures(answer.text)
        stream = '{method="POST",route="/files/{entity}/{project}/{run}/file_stream"'
        assert found[f'wandb_requests_total{stream},status="200"}}'] == 1
        assert found[f"wandb_request_seconds_count{stream}}}"] == 1
        assert found[f"wandb_received_bytes_total{stream}}}"] > 50
        assert found['wandb_requests_total{method="GET",route="(none)",status="404"}'] == 1
        assert found['wandb_lines_total{stream="history"}'] == 7
        assert found['wandb_runs{state="running"}'] == 1
        assert found["wandb_users"] == 2
        assert found["wandb_requests_in_flight"] == 1, "this one"
        assert found["process_resident_memory_bytes"] > 1e6
        assert "secret" not in answer.text
        assert guest.get(f"{server.url}/metrics", timeout=30).status_code == 403
        assert requests.get(f"{server.url}/metrics", timeout=30).status_code == 401


# --- the log ----------------------------------------------------------------------------------------------------------


def log_lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


def test_every_request_is_a_line_without_a_secret(tmp_path: Path) -> None:
    with started(tmp_path, "--log", "requests") as (process, ready):
        url, key = ready["url"], ready["api_key"]
        auth = ("api", key)
        upsert = r"""mutation { upsertBucket(input: {name: "r", modelName: "p", config: "{\"hidden\": 1}"}) {
            inserted } }"""
        first = requests.post(f"{url}/graphql", json={"query": upsert}, auth=auth, timeout=30)
        create = """mutation { createRunFiles(input: {projectName: "p", runName: "r", files: ["hidden-name"]}) {
            files { uploadUrl } } }"""
        made = requests.post(f"{url}/graphql", json={"query": create}, auth=auth, timeout=30).json()
        upload = made["data"]["createRunFiles"]["files"][0]["uploadUrl"]
        requests.put(upload, data=b"hidden-content", timeout=30)
        link = requests.post(f"{url}/api/sign-in-link", json={}, auth=auth, timeout=30).json()["url"]
        cookie = requests.get(link, timeout=30, allow_redirects=False).headers["Set-Cookie"].partition(";")[0]
        requests.get(f"{url}/api/account?hidden=query", headers={"Cookie": cookie}, timeout=30)
        requests.get(f"{url}/api/account", auth=("api", "0" * 40), timeout=30)
        process.terminate()
        text = process.communicate(timeout=30)[0]
    said = text.partition("stop        Ctrl-C")[2]  # what it shows at its start is for a person, and holds a key
    for secret in (key, "hidden", link.partition("token=")[2], upload.partition("signature=")[2], cookie.split("=")[1]):
        assert secret not in said
    lines = [line for line in log_lines(said) if line["event"] == "request"]
    assert [(line["method"], line["route"], line["status"]) for line in lines] == [
        ("POST", "/graphql", 200), ("POST", "/graphql", 200), ("PUT", "/storage/{run_id:int}/{name:path}", 200),
        ("POST", "/api/sign-in-link", 200), ("GET", "/login", 303), ("GET", "/api/account", 200),
        ("GET", "/api/account", 401),
    ]  # fmt: skip
    assert lines[0]["request"] == first.headers["X-Request-ID"]
    assert lines[0]["user"] == lines[5]["user"] != lines[6]["user"]
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]+\+00:00", line["time"]) for line in lines)
    assert all(line["milliseconds"] > 0 for line in lines)


def test_what_goes_wrong_is_one_line_too() -> None:
    import logging

    try:
        raise ValueError("a\nb")
    except ValueError:
        record = logging.LogRecord("x", logging.ERROR, "", 1, "it failed: %s", ("why",), sys.exc_info())
    line = JSONLines().format(record)
    assert "\n" not in line
    assert json.loads(line)["event"] == "it failed: why"
    assert "ValueError: a" in json.loads(line)["exception"]


# --- users ------------------------------------------------------------------------------------------------------------


def test_users_come_and_go_by_command_beside_the_running_server(tmp_path: Path) -> None:
    data = ["--data", str(tmp_path / "data")]
    with started(tmp_path) as (_, ready):
        auth = ("api", ready["api_key"])
        team = 'mutation { createTeam(input: {teamName: "crew"}) { entity { name } } }'
        requests.post(f"{ready['url']}/graphql", json={"query": team}, auth=auth, timeout=30)

        def account(key: str) -> Any:
            return requests.get(f"{ready['url']}/api/account", auth=("api", key), timeout=30)

        key = finish(["user", "add", "ada", "--team", "crew", "--role", "viewer", *data]).stdout.splitlines()[-1]
        assert account(key).status_code == 200
        second = finish(["key", "--user", "ada", *data]).stdout.splitlines()[-1]
        assert "ada  2 keys, crew (viewer)" in finish(["user", "list", *data]).stdout
        listed = json.loads(finish(["user", "list", "--json", *data]).stdout)["users"]
        assert {"name": "ada", "admin": False, "teams": {"crew": "viewer"}, "keys": 2} in listed
        assert finish(["user", "disable", "ada", *data]).returncode == 0
        assert [account(one).status_code for one in (key, second)] == [401, 401]
        assert "ada  0 keys" in finish(["user", "list", *data]).stdout
        for arguments, why in (
            (["user", "add", "ada"], "is taken"), (["user", "add", "crew"], "is taken"),
            (["user", "add", "a/b"], "'/'"),
            (["user", "add", "eve", "--team", "none"], "'none' was not found"),
            (["user", "disable", "nobody"], "was not found"), (["key", "--user", "nobody"], "was not found"),
        ):  # fmt: skip
            refused = finish([*arguments, *data])
            assert refused.returncode == 1
            assert why in refused.stderr
        first = finish(["user", "list", *data]).stdout.splitlines()
        (root,) = [line.partition("  ")[0] for line in first if "administrator" in line]
        assert "only administrator" in finish(["user", "disable", root, *data]).stderr
        assert account(ready["api_key"]).status_code == 200
