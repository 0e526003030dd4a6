"""The ways to a server: proxies, TLS, names, prefixes, compression, identity tokens."""

from __future__ import annotations

import gzip
import os
import socket
import ssl
from pathlib import Path
from typing import Iterator

import certifi
import pytest
import trustme
from logged_runs import Clock, check_same, finished_run
from w_b_server import Fault, WBServer

from wandb_uploader import CredentialsRefused, TransientError, upload
from wandb_uploader._destination import Destination

NAME = "http://tracker.example"


def fails(folder: Path, url: str, clock: Clock) -> TransientError:
    with pytest.raises(TransientError) as raised:
        upload(folder, url, clock=clock, sleep=clock.sleep, give_up_seconds=0)
    assert raised.value.unreachable
    return raised.value


def test_a_proxy_is_used(server: WBServer, wandb_dir: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", server.url)
    folder = finished_run(wandb_dir, NAME)
    assert upload(folder, NAME, clock=clock, sleep=clock.sleep).done
    check_same(server.runs["r1"], folder)


def test_a_proxy_that_fails_is_named(wandb_dir: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    assert "HTTPS_PROXY" in str(fails(finished_run(wandb_dir, NAME), NAME, clock))


def test_a_name_that_is_not_known_passes(wandb_dir: Path, clock: Clock) -> None:
    url = "http://nowhere.invalid"
    error = fails(finished_run(wandb_dir, url), url, clock)
    assert "no connection" in str(error)
    assert "nowhere.invalid" in str(error)


def test_a_server_without_tls_behind_https_is_said(server: WBServer, wandb_dir: Path, clock: Clock) -> None:
    url = server.url.replace("http", "https")
    assert "SSL_CERT_FILE" in str(fails(finished_run(wandb_dir, url), url, clock))


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def tls_server(authority: trustme.CA) -> Iterator[WBServer]:
    server = WBServer()
    server.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(server.tls)
    with server:
        yield server


def test_a_server_is_trusted_by_the_authority_that_is_named(
    tls_server: WBServer, authority: trustme.CA, wandb_dir: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = finished_run(wandb_dir, tls_server.url)
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    assert "SSL_CERT_FILE" in str(fails(folder, tls_server.url, clock))
    with authority.cert_pem.tempfile() as path:
        monkeypatch.setenv("SSL_CERT_FILE", path)
        assert upload(folder, tls_server.url, clock=clock, sleep=clock.sleep).done
    check_same(tls_server.runs["r1"], folder)


@pytest.mark.parametrize("bundle", [False, True])
def test_a_server_is_not_checked_where_somebody_says_so(
    tls_server: WBServer, wandb_dir: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch, bundle: bool
) -> None:
    if bundle:
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", certifi.where())
    folder = finished_run(wandb_dir, tls_server.url)
    environment = {**os.environ, "WANDB_INSECURE_DISABLE_SSL": "True"}
    assert upload(folder, tls_server.url, clock=clock, sleep=clock.sleep, environment=environment).done
    check_same(tls_server.runs["r1"], folder)


def test_headers_of_ones_own_go_to_the_server_and_not_to_its_store(
    server: WBServer, wandb_dir: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", server.url)
    folder = finished_run(wandb_dir, NAME)
    environment = {**os.environ, "WANDB__EXTRA_HTTP_HEADERS": '{"Proxy-Authorization": "Bearer s3cret", "X-Ü": "no"}'}
    assert upload(folder, NAME, clock=clock, sleep=clock.sleep, environment=environment).done
    for request in server.requests:
        expected = None if request.path.startswith("/storage") else "Bearer s3cret"
        assert request.headers.get("Proxy-Authorization") == expected, request.path
    assert server.of("/storage")


def test_a_server_that_says_nothing_is_given_up_for_now(
    wandb_dir: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wandb_uploader._transport.GRAPHQL_SECONDS", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        assert "no answer in time" in str(fails(finished_run(wandb_dir, url), url, clock))


def test_a_base_url_may_have_a_path(server: WBServer, wandb_dir: Path, clock: Clock) -> None:
    server.prefix = "/tracking/wandb"
    folder = finished_run(wandb_dir, server.url)
    assert upload(folder, server.url + "/", clock=clock, sleep=clock.sleep).done
    check_same(server.runs["r1"], folder)


@pytest.mark.parametrize("offered", [True, False])
def test_the_stream_is_compressed_where_the_server_offers_it(
    server: WBServer, wandb_dir: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch, offered: bool
) -> None:
    monkeypatch.setenv("HTTP_PROXY", server.url)
    server.features = ["FILESTREAM_GZIP"] if offered else []
    folder = finished_run(wandb_dir, NAME, rows=500)
    assert upload(folder, NAME, clock=clock, sleep=clock.sleep).done
    check_same(server.runs["r1"], folder)
    encodings = [request.headers.get("Content-Encoding") for request in server.of("file_stream")]
    assert encodings == (["gzip", None] if offered else [None, None]), "the last one is too small for it"
    assert int(server.of("file_stream")[0].headers["Content-Length"]) < 20_000 or not offered
    assert gzip.compress(b"") != b""


def test_nobody_compresses_for_the_same_machine(server: WBServer, wandb_dir: Path, clock: Clock) -> None:
    server.features = ["FILESTREAM_GZIP"]
    upload(finished_run(wandb_dir, server.url, rows=500), server.url, clock=clock, sleep=clock.sleep)
    assert not server.of("ServerFeaturesQuery")


def test_an_identity_token_takes_the_place_of_a_key(
    server: WBServer, wandb_dir: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    token = tmp_path / "token"
    token.write_text("signed-by-the-platform\n")
    monkeypatch.setenv("WANDB_IDENTITY_TOKEN_FILE", str(token))
    monkeypatch.delenv("WANDB_API_KEY")
    folder = finished_run(wandb_dir, server.url)
    assert upload(folder, server.url, clock=clock, sleep=clock.sleep).done
    check_same(server.runs["r1"], folder)
    (exchange,) = server.of("/oidc/token")
    assert b"assertion=signed-by-the-platform" in exchange.body
    assert server.of("UpsertBucket")[0].headers["Authorization"] == "Bearer access-0"
    for path in wandb_dir.rglob("*"):
        if path.is_file():
            assert b"access-0" not in path.read_bytes()


def test_an_access_token_is_renewed_before_it_ends(
    server: WBServer, wandb_dir: Path, clock: Clock, tmp_path: Path
) -> None:
    (tmp_path / "token").write_text("t")
    destination = Destination(server.url, {"WANDB_IDENTITY_TOKEN_FILE": str(tmp_path / "token")}, clock)
    assert (destination.key(), destination.key()) == ("access-0", "access-0")
    clock.now += 3301
    assert destination.key() == "access-1"
    destination.close()


def test_an_identity_token_that_is_refused_pauses(server: WBServer, wandb_dir: Path, clock: Clock) -> None:
    folder = finished_run(wandb_dir, server.url)
    for content, words in ((None, "can't be read"), ("", "is empty"), ("bad", "not this one")):
        path = wandb_dir.parent / "token"
        if content is not None:
            path.write_text(content)
        server.faults = [Fault(status=400, body=b'{"error": "not this one"}', only="/oidc/token")] if content else []
        with pytest.raises(CredentialsRefused, match=words):
            upload(
                folder, server.url, clock=clock, sleep=clock.sleep,
                environment={"WANDB_IDENTITY_TOKEN_FILE": str(path)},
            )  # fmt: skip
