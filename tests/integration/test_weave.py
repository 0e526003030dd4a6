"""What Weave asks of this package, and when it is begun. Weave itself needs a service of W&B's, so here it is a module
with the names that are called; `weave/wandb_interface` calls `active_run_path` as the first test does."""

from __future__ import annotations

import sys
import types
from typing import List, Optional

import pytest
from own_place import own_place as own_place
from own_server import Server, eventually

import wandb
from wandb.integration.weave import RunPath, active_run_path, ensure_version, init_weave, init_weave_if_imported


class Client:
    def __init__(self, path: str) -> None:
        self.entity, _, self.project = path.rpartition("/")
        self.ensure_project_exists = True


class Weave(types.ModuleType):
    """`weave`, as far as it is called."""

    __version__ = "0.52.3"

    def __init__(self) -> None:
        super().__init__("weave")
        self.begun: List[str] = []
        self.client: Optional[Client] = None

    def init(self, path: str) -> None:
        self.begun.append(path)
        self.client = Client(path)

    def get_client(self) -> Optional[Client]:
        return self.client


@pytest.fixture
def weave(monkeypatch: pytest.MonkeyPatch) -> Weave:
    module = Weave()
    monkeypatch.setitem(sys.modules, "weave", module)
    return module


def test_the_active_run_is_where_traces_belong(server: Server) -> None:
    assert active_run_path() is None
    with wandb.init() as run:
        path = eventually(active_run_path)  # the server says who owns the run
        assert path == RunPath(run.entity or "", run.project or "", run.id)
    assert active_run_path() is None


def test_init_begins_weave_where_the_program_has_imported_it(server: Server, weave: Weave) -> None:
    with wandb.init(entity=wandb.Api().default_entity) as run:
        path = f"{run.entity}/{run.project}"
        assert weave.begun == [path]
        init_weave(run.entity, run.project)
        assert weave.begun == [path]
        with pytest.raises(wandb.UsageError, match=f"weave is initialized for {path} already"):
            init_weave("me", "another")


def test_an_offline_run_leaves_weave_alone(weave: Weave) -> None:
    wandb.init(mode="offline").finish()
    assert weave.begun == []


def test_weave_can_be_kept_out(weave: Weave, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_DISABLE_WEAVE", "true")
    init_weave_if_imported("me", "digits")
    assert weave.begun == []
    with pytest.raises(wandb.UsageError, match="WANDB_DISABLE_WEAVE"):
        init_weave("me", "digits")


def test_a_version_that_is_too_old_is_named(weave: Weave) -> None:
    ensure_version("0.52.3")
    ensure_version("0.9")
    with pytest.raises(ImportError, match=r"weave>=0\.60 required; found weave==0\.52\.3"):
        ensure_version("0.60")


def test_weave_that_fails_is_told_and_the_run_goes_on(
    weave: Weave, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(path: str) -> None:
        raise ConnectionError("no service")

    monkeypatch.setattr(weave, "init", fail)
    init_weave_if_imported("me", "digits")
    assert "weave could not be initialized: no service" in capsys.readouterr().err
