"""Artifacts of a server and of this machine, through the Api."""

from __future__ import annotations

from pathlib import Path
from typing import Any, List, Set

import pytest
from live_server import LiveServer
from logged_projects import dataset

import wandb
from wandb import Artifact, CommError
from wandb.apis.public import ArtifactCollection

_logged: Set[str] = set()


def logged(project: str) -> str:
    """The path of an artifact with three versions, in a project of two runs."""
    with wandb.init(project=project, name="maker") as run:
        for version in range(3):
            run.log_artifact(dataset(version), aliases=[f"a{version}"], tags=["even"] if version % 2 == 0 else ["odd"])
    with wandb.init(project=project, name="other"):
        pass
    return f"{project}/digits"


@pytest.fixture
def collection(server: LiveServer, request: pytest.FixtureRequest) -> str:
    """An artifact that the test may change."""
    return logged(request.node.name.replace("_", "-")[:100])


@pytest.fixture
def fixed(server: LiveServer) -> str:
    """An artifact that stays as it is."""
    if server.url not in _logged:
        _logged.add(server.url)
        logged("fixed")
    return "fixed/digits"


def run_named(collection: str, name: str) -> Any:
    (run,) = wandb.Api().runs(collection.split("/")[0], {"display_name": name})
    return run


def names(artifacts: Any) -> List[str]:
    return [artifact.name for artifact in artifacts]


def test_versions_are_listed_page_by_page_the_latest_first(fixed: str) -> None:
    api = wandb.Api()
    versions = api.artifacts("dataset", fixed, per_page=2)
    assert (len(versions), versions.more) == (3, True)
    assert names(versions) == ["digits:v2", "digits:v1", "digits:v0"]
    assert [one.metadata for one in versions[1:]] == [{"version": 1}, {"version": 0}]
    assert [one.tags for one in versions] == [["even"], ["odd"], ["even"]]
    first = api.artifacts("dataset", fixed, per_page=2)
    first.next()
    assert names(api.artifacts("dataset", fixed, start=first.cursor)) == ["digits:v0"]
    assert names(api.artifacts("dataset", fixed, order="+versionIndex"))[0] == "digits:v0"
    assert names(api.artifacts("dataset", fixed, tags=["even"])) == ["digits:v2", "digits:v0"]
    assert names(api.artifacts("dataset", fixed, tags=["odd"], per_page=1)) == ["digits:v1"]
    assert names(api.artifact_versions("dataset", fixed)) == names(versions)
    assert versions[0].id == api.artifact(fixed).id


def test_a_collection_can_be_changed(collection: str) -> None:
    api = wandb.Api()
    changed = api.artifact_collection("dataset", collection)
    assert (changed.name, changed.type, changed.description, changed.tags) == ("digits", "dataset", None, [])
    assert sorted(changed.aliases) == ["a0", "a1", "a2", "latest"]
    changed.name, changed.description, changed.tags = "figures", "digits, drawn", ["one", "two"]
    changed.save()
    changed.tags = ["two", "three"]
    changed.save()
    renamed = collection.replace("digits", "figures")
    found = api.artifact_collection("dataset", renamed)
    assert (found.description, sorted(found.tags), found.is_sequence()) == ("digits, drawn", ["three", "two"], True)
    assert str(found.updated_at) >= found.created_at
    found.change_type("pictures")
    assert api.artifact(renamed).type == "pictures"
    assert not api.artifact_collection_exists(renamed, "dataset")
    assert names(api.artifact_collection("pictures", renamed).artifacts())[0] == "figures:v2"
    for wrong in ("a/b", "", "wandb-internal"):
        with pytest.raises(ValueError, match="type"):
            found.change_type(wrong)
    found.tags = ["a/b"]
    with pytest.raises(ValueError, match="tag"):
        found.save()
    with pytest.raises(ValueError, match="name"):
        found.name = "a b"
    found.delete()
    assert not api.artifact_collection_exists(renamed, "pictures")


def test_a_run_of_a_server_uses_and_logs_versions(collection: str) -> None:
    api = wandb.Api()
    run = run_named(collection, "other")
    assert (list(run.used_artifacts()), list(run.logged_artifacts())) == ([], [])
    used = run.use_artifact(api.artifact(f"{collection}:v1"))
    assert isinstance(used, Artifact)
    assert names(run.used_artifacts()) == ["digits:v1"]
    assert [user.name for user in used.used_by()] == ["other"]
    run.log_artifact(api.artifact(f"{collection}:v0"), aliases=["again"])
    assert sorted(api.artifact(f"{collection}:v0").aliases) == ["a0", "again"]
    assert names(run_named(collection, "maker").logged_artifacts(per_page=2)) == ["digits:v0", "digits:v1", "digits:v2"]


def test_what_a_run_cannot_use_or_log(fixed: str) -> None:
    run = run_named(fixed, "other")
    draft: Any = wandb.Artifact("draft", "dataset")
    for call, wrong in ((run.use_artifact, "digits:v0"), (run.use_artifact, draft), (run.log_artifact, draft)):
        with pytest.raises(ValueError, match=r"takes an artifact|at no server"):
            call(wrong)
    with pytest.raises(TypeError, match="log_artifact takes"):
        run.log_artifact("digits:v0")
    with wandb.init(project="elsewhere"):
        pass
    (other,) = wandb.Api().runs("elsewhere")
    with pytest.raises(ValueError, match="its own project"):
        other.log_artifact(wandb.Api().artifact(fixed))
    assert names(other.used_artifacts()) == []


def test_a_portfolio_holds_links(collection: str) -> None:
    api = wandb.Api()
    project = collection.split("/")[0]
    api.artifact(f"{collection}:v1").link(f"{project}/chosen", aliases=["prod"])
    chosen = api.artifact_collection("dataset", f"{project}/chosen")
    assert (chosen.is_sequence(), sorted(chosen.aliases)) == (False, ["latest", "prod"])
    (linked,) = chosen.artifacts()
    assert (linked.name, linked.source_name, linked.is_link) == ("chosen:v0", "digits:v1", True)
    assert sorted(linked.aliases) == ["latest", "prod"]
    assert sorted(one.name for one in api.project(project).collections()) == ["chosen", "digits"]
    with pytest.raises(ValueError, match="portfolio"):
        chosen.type = "model"
    chosen.delete()
    assert api.artifact_exists(f"{collection}:v1")
    assert not api.artifact_exists(f"{project}/chosen:v0")


def test_types_and_collections_of_a_project(fixed: str) -> None:
    api = wandb.Api()
    project = fixed.split("/")[0]
    assert [kind.name for kind in api.artifact_types(project)] == ["dataset"]
    kind = api.artifact_type("dataset", project)
    assert [one.name for one in kind.collections()] == ["digits"]
    assert kind.collection("digits").id == api.artifact_collections(project, "dataset")[0].id
    assert [one.name for one in kind.collections(filters={"name": "digits"})] == ["digits"]
    assert [one.name for one in kind.collections(filters={"name": "other"})] == []
    assert [kind.name for kind in api.project(project).artifacts_types()] == ["dataset"]
    for missing in (
        lambda: kind.collection("nothing"),
        lambda: api.artifact_type("nothing", project),
        lambda: list(api.artifact_types("no-such-project")),
        lambda: list(api.artifacts("model", fixed)),
        lambda: api.artifact(fixed, type="model"),
        lambda: api.artifact("a/b/c/d:v0"),
    ):
        with pytest.raises(ValueError, match=r"there is no|has no|no such|not 'model'|is no artifact"):
            missing()


def test_files_of_a_version(fixed: str, tmp_path: Path) -> None:
    artifact = wandb.Api().artifact(f"{fixed}:v1")
    files = artifact.files(per_page=1)
    assert (len(files), files.path, [file.name for file in files]) == (
        2, [artifact.entity, artifact.project, "digits:v1"], ["deep/more.txt", "labels.txt"],
    )  # fmt: skip
    file = files[0]
    assert (file.size, file.mimetype, file.read()) == (18, "text/plain", b"deep/more.txt of 1")
    assert file.digest == file.md5 == artifact.manifest.entries["deep/more.txt"].digest
    assert file.url == file.direct_url
    assert file.url.startswith("http")
    with file.download(root=str(tmp_path)) as opened:
        assert opened.read() == "deep/more.txt of 1"
    path = tmp_path / "deep" / "more.txt"
    path.write_text("mine")
    with pytest.raises(ValueError, match="is there already"):
        file.download(root=str(tmp_path))
    with file.download(root=str(tmp_path), exist_ok=True) as opened:
        assert opened.read() == "mine"
    with file.download(root=str(tmp_path), replace=True) as opened:
        assert opened.read() == "deep/more.txt of 1"
    with pytest.raises(ValueError, match="can't be changed"):
        file.delete()
    assert [file.name for file in artifact.files(["labels.txt", "no-such-file"])] == ["labels.txt"]


def test_deleting_a_run_with_what_it_has_logged(collection: str) -> None:
    api = wandb.Api()
    run_named(collection, "maker").delete(delete_artifacts=True)
    assert not api.artifact_exists(collection)
    assert len(api.runs(collection.split("/")[0])) == 1


# --- of this machine --------------------------------------------------------------------------------------------------


@pytest.fixture
def offline(own_place: Path) -> wandb.Api:
    with wandb.init(project="p", mode="offline", name="maker") as run:
        for version in (0, 1, 0):
            run.log_artifact(dataset(version), aliases=[f"a{version}"])
        run.log_artifact(wandb.Artifact("net", type="model"))
    with wandb.init(project="p", mode="offline", name="user") as run:
        run.use_artifact("digits:a1")
    return wandb.Api(local=True)


def test_artifacts_of_this_machine(offline: wandb.Api) -> None:
    maker, user = sorted(offline.runs("p"), key=lambda run: str(run.name))
    assert names(offline.artifacts("dataset", "p/digits", per_page=1)) == ["digits:v1", "digits:v0"]
    assert names(maker.logged_artifacts(per_page=2))[-1] == "net:v0"
    assert names(user.used_artifacts()) == ["digits:v1"]
    artifact = offline.artifact("p/digits:a1", type="dataset")
    assert (artifact.version, artifact.metadata, artifact.state) == ("v1", {"version": 1}, "PENDING")
    assert artifact.files()[1].read() == b"labels.txt of 1"
    assert Path(artifact.download("here"), "labels.txt").read_text() == "labels.txt of 1"
    assert offline.artifact("p/digits").version == "v0", "logged again, and so the latest"
    assert sorted(kind.name for kind in offline.artifact_types("p")) == ["dataset", "model"]
    found: List[ArtifactCollection] = list(offline.artifact_collections("p", "dataset"))
    assert [(one.name, sorted(one.aliases)) for one in found] == [("digits", ["a0", "a1", "latest"])]
    assert sorted(one.name for one in offline.project("p").collections()) == ["digits", "net"]
    assert offline.artifact_exists("p/net:v0")
    assert not offline.artifact_exists("p/net:v1")
    for missing in ("p/nothing", "q/digits"):
        with pytest.raises(ValueError, match="has logged"):
            offline.artifact(missing)


def test_a_run_of_a_folder_knows_its_artifacts(offline: wandb.Api) -> None:
    (maker,) = offline.runs("p", {"display_name": "maker"})
    found = wandb.Api().run(str(Path(maker.url[len("file://") :])))
    assert "net:v0" in names(found.logged_artifacts())


def test_artifacts_of_this_machine_are_not_changed_without_a_server(offline: wandb.Api) -> None:
    collection = offline.artifact_collection("dataset", "p/digits")
    collection.description = "new"
    with pytest.raises(CommError, match="server"):
        collection.save()
    with pytest.raises(CommError, match="server"):
        collection.delete()
    artifact = offline.artifact("p/digits:a1")
    with pytest.raises(CommError, match="server"):
        artifact.delete()
    (user,) = offline.runs("p", {"display_name": "user"})
    with pytest.raises(ValueError, match="at no server"):
        user.use_artifact(artifact)
