"""The uploader fetches what a server's policies say, beside the upload: once, and never in its way."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Dict, List, Optional

import pytest
from logged_runs import check_same, finished_run, wait_until
from w_b_server import Fault, WBServer

from wandb_uploader import cached_policies
from wandb_uploader._destination import Destination
from wandb_uploader._home import Home
from wandb_uploader._policies import FRESH_SECONDS, UNKNOWN_SECONDS, PolicyFetcher
from wandb_uploader._policy_cache import read_policies
from wandb_uploader._service import Service
from wandb_uploader._transport import Transport

NAMED = (None, "p")
PATH = ("me", "p")


class PolicyServer(WBServer):
    """Knows policies, as the project's own server does."""

    def __init__(self) -> None:
        super().__init__()
        self.policies: Any = []
        self.flags: Optional[str] = None

    def graphql(self, operation: str, variables: Dict[str, Any]) -> Dict[str, Any]:
        if operation == "SettingsPolicies" and self.policies is not None:
            assert variables == {"entity": "me", "project": "p"}
            return {"data": {"settingsPolicies": self.policies}}
        if operation == "Viewer":
            return {"data": {"viewer": {"id": "u", "username": "me", "entity": "me", "flags": self.flags}}}
        return super().graphql(operation, variables)

    @property
    def asked(self) -> int:
        return len(self.of("SettingsPolicies"))


@pytest.fixture
def policy_server() -> Any:
    with PolicyServer() as server:
        yield server


def fetcher(server: WBServer, now: float = 1000.0) -> PolicyFetcher:
    return PolicyFetcher(server.url, Destination(server.url).new_transport, lambda: now)


def looked(server: WBServer, now: float = 1000.0) -> None:
    """Ask, and wait for what was asked to be kept."""
    one = fetcher(server, now)
    one.look(NAMED, PATH)
    wait_until(lambda: getattr(read_policies(server.url, *NAMED), "time", None) == now)


def test_an_upload_brings_the_policies_home(policy_server: PolicyServer, wandb_dir: Path) -> None:
    document = {"console": {"value": "off", "enforced": True}}
    policy_server.policies = [{"scope": "PROJECT", "name": "me/p", "document": json.dumps(document)}]
    folder = finished_run(wandb_dir, policy_server.url, rows=5)
    Service(Home(wandb_dir, policy_server.url), Destination(policy_server.url), idle_seconds=0.1).run()
    check_same(policy_server.runs["r1"], folder)
    wait_until(lambda: bool(cached_policies(policy_server.url, None, "p")))
    assert cached_policies(policy_server.url, None, "p") == [
        {"scope": "project", "name": "me/p", "settings": document}
    ]  # fmt: skip
    assert policy_server.asked == 1


def test_the_server_is_asked_again_when_the_answer_is_old(policy_server: PolicyServer) -> None:
    looked(policy_server)
    fetcher(policy_server, 1000.0 + FRESH_SECONDS - 1).look(NAMED, PATH)
    looked(policy_server, 1000.0 + FRESH_SECONDS)
    assert policy_server.asked == 2


def test_one_uploader_asks_once(policy_server: PolicyServer) -> None:
    one = fetcher(policy_server)
    policy_server.fault = lambda request: Fault(500)
    for _ in range(5):
        one.look(NAMED, PATH)
    wait_until(lambda: policy_server.asked == 1)
    policy_server.fault = lambda request: None
    one.look(NAMED, PATH)
    assert policy_server.asked == 1
    assert read_policies(policy_server.url, *NAMED) is None, "a failure says nothing"


def test_a_server_that_doesnt_know_policies_is_left_alone_and_its_flags_are_read(policy_server: PolicyServer) -> None:
    policy_server.policies, policy_server.flags = None, '{"code_saving_enabled": false}'
    looked(policy_server)
    flags = {"save_code": {"value": False, "enforced": False}}
    assert cached_policies(policy_server.url, *NAMED) == [{"scope": "user", "name": "me", "settings": flags}]
    fetcher(policy_server, 1000.0 + UNKNOWN_SECONDS - 1).look(NAMED, PATH)
    looked(policy_server, 1000.0 + UNKNOWN_SECONDS)
    assert policy_server.asked == 2


def test_an_upload_doesnt_wait_for_policies(policy_server: PolicyServer, wandb_dir: Path) -> None:
    policy_server.fault = lambda request: Fault(delay=60) if request.operation == "SettingsPolicies" else None
    folder = finished_run(wandb_dir, policy_server.url, rows=5)
    Service(Home(wandb_dir, policy_server.url), Destination(policy_server.url), idle_seconds=0.1).run()
    check_same(policy_server.runs["r1"], folder)


@pytest.mark.parametrize(
    ("policies", "kept"),
    [
        ("none", []),
        ([None, 3, {}, {"scope": 1}, {"scope": "TEAM", "name": "t", "document": "{"}], []),
        ([{"scope": "TEAM", "name": "t", "document": "x" * (1 << 19)}], []),
        ([{"scope": "TEAM", "name": "t", "document": "{}"}], [{"scope": "team", "name": "t", "settings": {}}]),
    ],
)
def test_answers_of_another_form_are_passed_over(policy_server: PolicyServer, policies: Any, kept: List[Any]) -> None:
    policy_server.policies = policies
    looked(policy_server)
    assert cached_policies(policy_server.url, *NAMED) == kept


def test_names_never_lead_out_of_the_cache(server: WBServer, tmp_path: Path) -> None:
    from wandb_uploader._policy_cache import write_policies

    for entity, project in (("..", ".."), ("../../x", "/etc/passwd"), ("a" * 300, "b")):
        write_policies(server.url, entity, project, 1.0, True, [])
    found = [path for path in tmp_path.rglob("*.json") if path.is_file()]
    assert len(found) == 2, "a name that no file can have is not kept"
    assert {path.parent.parent for path in found} == {tmp_path / ".cache" / "wandb" / "policies"}


def test_somebody_elses_link_in_the_cache_counts_for_nothing(policy_server: PolicyServer, tmp_path: Path) -> None:
    policy_server.policies = [{"scope": "TEAM", "name": "t", "document": "{}"}]
    looked(policy_server)
    [path] = (tmp_path / ".cache").rglob("*.json")
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    assert read_policies(policy_server.url, *NAMED) is None


def test_the_key_goes_with_the_question(policy_server: PolicyServer) -> None:
    """And an answer that a stranger gets is none."""
    policy_server.key = "local-" + "f" * 48
    one = PolicyFetcher(policy_server.url, lambda: Transport(policy_server.url, lambda: "wrong"), lambda: 1.0)
    one.look(NAMED, PATH)
    wait_until(lambda: policy_server.asked == 1)
    assert read_policies(policy_server.url, *NAMED) is None
