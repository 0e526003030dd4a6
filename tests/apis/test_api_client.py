"""The way to a server: what is tried again and for how long, what is an error, and who sees the key."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Iterator, List

import pytest
from live_server import LiveServer
from logged_runs import Clock
from w_b_server import KEY, Fault, ServedRun, WBServer

import wandb
from wandb.apis._client import PATIENCE_SECONDS, Client, client_for
from wandb.apis._errors import RefusedError
from wandb.errors import AuthenticationError, CommError, UsageError
from wandb_uploader._body import PIECE_BYTES

VIEWER = "query Viewer { viewer { id username } }"


@pytest.fixture
def failing() -> Iterator[WBServer]:
    with WBServer() as server:
        yield server


@pytest.fixture
def clock() -> Clock:
    return Clock()


def client(server: WBServer, clock: Clock, key: str = KEY) -> Client:
    return Client(server.url, {"WANDB_API_KEY": key} if key else {}, clock=clock, sleep=clock.sleep)


@pytest.mark.parametrize(
    "fault",
    [{"status": 500}, {"status": 429}, {"drop_before": True}, {"drop_after": True}, {"status": 200, "body": b"<p>"}],
)
def test_what_passes_is_tried_again(failing: WBServer, clock: Clock, fault: dict[str, object]) -> None:
    failing.faults = [Fault(**fault), Fault(**fault)]  # type: ignore[arg-type]
    assert client(failing, clock).execute(VIEWER)["viewer"]["username"] == "me"
    assert not failing.faults


def test_a_server_that_has_answered_is_waited_for_longer(failing: WBServer, clock: Clock) -> None:
    one = client(failing, clock)
    one.execute(VIEWER)
    failing.fault = lambda request: Fault(drop_before=True)
    with pytest.raises(CommError, match="Viewer at 127"):
        one.execute(VIEWER)
    assert PATIENCE_SECONDS / 2 < sum(clock.sleeps) <= PATIENCE_SECONDS
    clock.sleeps.clear()
    failing.stop()
    with pytest.raises(CommError, match="no connection"):
        client(failing, clock).execute(VIEWER)
    assert sum(clock.sleeps) < 5


def test_a_wait_that_the_server_names_is_kept(failing: WBServer, clock: Clock) -> None:
    failing.faults = [Fault(status=429, headers={"Retry-After": "120"})]
    client(failing, clock).execute(VIEWER)
    assert clock.sleeps == [120]


def test_what_must_not_happen_twice_is_asked_again_only_where_it_did_not_happen(
    failing: WBServer, clock: Clock
) -> None:
    one = client(failing, clock)
    failing.faults = [Fault(drop_after=True)]
    with pytest.raises(CommError):
        one.execute(VIEWER, repeatable=False)
    failing.faults = [Fault(status=429)]
    one.execute(VIEWER, repeatable=False)


def test_what_is_refused_is_an_error_with_the_servers_words(failing: WBServer, clock: Clock) -> None:
    with pytest.raises(RefusedError, match="unknown operation Nonsense"):
        client(failing, clock).execute("query Nonsense { nonsense }")
    failing.faults = [Fault(status=404, body=b'{"error": "nothing is there"}')]
    with pytest.raises(RefusedError, match="nothing is there") as caught:
        client(failing, clock).execute(VIEWER)
    assert caught.value.status == 404
    assert not clock.sleeps


def test_a_key_that_is_refused_is_told_apart_from_none(failing: WBServer, clock: Clock) -> None:
    wrong = client(failing, clock, "0" * 40)
    for _ in range(2):
        with pytest.raises(AuthenticationError, match="doesn't take the API key"):
            wrong.execute(VIEWER)
    with pytest.raises(AuthenticationError, match="There is no API key"):
        client(failing, clock, "").execute(VIEWER)


def test_settings_say_which_server_and_which_key(failing: WBServer) -> None:
    named = client_for(wandb.Settings(base_url=failing.url, api_key=KEY))
    assert named.execute(VIEWER)["viewer"]["username"] == "me"
    given = client_for(wandb.Settings(base_url=failing.url, api_key="0" * 40), api_key=KEY)
    assert given.execute(VIEWER)["viewer"]["username"] == "me"


def test_an_identity_token_stands_for_a_key(failing: WBServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "token").write_text("signed")
    monkeypatch.setenv("WANDB_IDENTITY_TOKEN_FILE", str(tmp_path / "token"))
    assert client_for(wandb.Settings(base_url=failing.url)).execute(VIEWER)["viewer"]["username"] == "me"


def test_what_is_no_address_is_refused() -> None:
    with pytest.raises(UsageError, match="looks like https"):
        Client("localhost")


def test_features_are_asked_once(failing: WBServer, clock: Clock) -> None:
    failing.features = ["ARTIFACT_TAGS"]
    one = client(failing, clock)
    assert one.supports("ARTIFACT_TAGS")
    assert not one.supports("CLIENT_IDS")
    assert len(failing.of("ServerFeaturesQuery")) == 1


def with_file(server: WBServer, content: bytes) -> str:
    run = server.runs["r"] = ServedRun("r", "me", "p")
    run.files["a"] = content
    return f"{server.url}/storage/r/YQ=="


def test_a_download_that_breaks_off_goes_on_where_it_was(failing: WBServer, clock: Clock) -> None:
    content = bytes(range(256)) * 4096
    url = with_file(failing, content)
    failing.faults = [Fault(cut=300_000), Fault(cut=1), Fault(cut=400_000)]
    pieces: List[bytes] = []
    assert client(failing, clock).fetch(url, "a", pieces.append) == len(content)
    assert b"".join(pieces) == content
    ranges = [request.headers.get("Range") for request in failing.of("/storage/")]
    # urllib3 before 2.0 hands over what came of the last piece, too.
    assert ranges[:2] in ([None, f"bytes={PIECE_BYTES}-"], [None, "bytes=300000-"])
    assert len(ranges) == 4


def test_the_key_goes_to_the_server_alone(failing: WBServer, clock: Clock) -> None:
    """A file's URL, and what it redirects to, may be anybody's."""
    one = client(failing, clock)
    with WBServer() as storage:
        url = with_file(storage, b"content")
        pieces: List[bytes] = []
        one.fetch(url, "a", pieces.append)
        failing.faults = [Fault(status=302, headers={"Location": url})]
        one.fetch(f"{failing.url}/storage/r/YQ==", "a", pieces.append)
        assert pieces == [b"content", b"content"]
        assert "Authorization" in failing.of("/storage/")[0].headers
        assert all("Authorization" not in request.headers for request in storage.requests)


def test_a_file_that_cannot_be_written_is_not_the_servers_fault(failing: WBServer, clock: Clock) -> None:
    def write(piece: bytes) -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        client(failing, clock).fetch(with_file(failing, b"content"), "a", write)
    assert not clock.sleeps


MANY = """
import gc, os, threading, wandb
def held():
    gc.collect()
    return len(os.listdir("/proc/self/fd")), threading.active_count()
wandb.Api().viewer.username  # what is loaded once stays
before = held()
for _ in range(30):
    wandb.Api().viewer.username
print(before == held())
"""


def test_an_api_that_is_gone_has_left_nothing(server: LiveServer) -> None:
    said = subprocess.run([sys.executable, "-c", MANY], capture_output=True, text=True, check=True)
    assert said.stdout == "True\n"
