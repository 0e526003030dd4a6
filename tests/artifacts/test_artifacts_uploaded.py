"""Artifacts on a real server: each once in effect, its files once in all, in the order in which they were logged."""

from __future__ import annotations

import datetime
import json
import os
import shutil
from pathlib import Path
from typing import Any, Dict, List

import pytest
from live_server import LiveServer
from logged import records_of
from made_artifacts import FILES, LARGE, contents, made

import wandb
from wandb.errors import CommError
from wandb.sdk.artifacts.exceptions import ArtifactNotLoggedError, WaitTimeoutError
from wandb_storage import Artifact as Record
from wandb_storage import staged_artifacts
from wandb_uploader import run_status, upload

VERSIONS = """query V($project: String!, $name: String!) { project(name: $project) {
    artifactCollection(name: $name) { artifacts { edges { node { id digest state aliases { alias } } } } } } }"""


def versions(server: LiveServer, name: str = "ds") -> List[Dict[str, Any]]:
    """The oldest first."""
    collection = server.execute(VERSIONS, project=os.environ["WANDB_PROJECT"], name=name)["project"]
    return [edge["node"] for edge in reversed(collection["artifactCollection"]["artifacts"]["edges"])]


def test_what_was_logged_is_at_the_server(server: LiveServer) -> None:
    with wandb.init() as run:
        logged = run.log_artifact(made(metadata={"k": 1}, description="words"), aliases=["best"], tags=["t"])
        with pytest.raises(ArtifactNotLoggedError, match="call wait"):
            _ = logged.version
        logged.wait(60)
        assert (logged.name, logged.state, sorted(logged.aliases)) == ("ds:v0", "COMMITTED", ["best", "latest"])
        assert (logged.tags, logged.metadata, logged.description) == (["t"], {"k": 1}, "words")
        assert logged.qualified_name == f"{server.user}/{run.project}/ds:v0"
        assert logged.url.endswith(f"/{server.user}/{run.project}/artifacts/dataset/ds/v0")
        assert (logged.file_count, logged.size) == (4, sum(map(len, FILES.values())))
        used = run.use_artifact("ds:best")
        assert contents(used.download()) == FILES
        used.verify()
    assert versions(server)[0]["digest"] == made().digest
    maker, users = used.logged_by(), used.used_by()
    assert maker is not None
    assert (maker.id, [user.id for user in users]) == (run.id, [run.id])


def test_a_new_artifact_that_a_run_uses_is_none_of_its_outputs(server: LiveServer) -> None:
    with wandb.init() as run:
        used = run.use_artifact(made())
    assert used.logged_by() is None
    assert [user.id for user in used.used_by()] == [run.id]


def test_a_run_finds_what_it_has_logged_itself(server: LiveServer) -> None:
    with wandb.init() as run:
        for version in range(2):
            run.log_artifact(made(files={"a.txt": bytes([version])}))
            assert contents(run.use_artifact("ds:latest").download(str(version))) == {"a.txt": bytes([version])}
        run.log_artifact(wandb.Artifact("ds", type="model"))  # is refused
        assert run.use_artifact("ds:latest").version == "v1"


def test_files_leave_the_runs_folder_for_the_cache_when_the_server_has_them(server: LiveServer, tmp_path: Path) -> None:
    with wandb.init() as run:
        run.log_artifact(made()).wait(60)
    (staged,) = staged_artifacts(Path(run.sync_dir))
    assert staged.header().released
    assert sorted(path.name for path in staged.folder.iterdir()) == ["entries", "owner"]
    cached = [path for path in (tmp_path / "cache" / "wandb" / "artifacts" / "obj").rglob("*") if path.is_file()]
    assert sorted(path.read_bytes() for path in cached) == []  # new_file says skip_cache
    (tmp_path / "large.bin").write_bytes(LARGE)
    with wandb.init() as run:
        logged = run.log_artifact("large.bin", name="kept").wait(60)
    (path,) = (path for path in (tmp_path / "cache" / "wandb" / "artifacts" / "obj").rglob("*") if path.is_file())
    assert path.read_bytes() == LARGE
    assert contents(logged.download()) == {"large.bin": LARGE}


def test_a_file_is_sent_once_whatever_version_it_is_in(server: LiveServer, tmp_path: Path) -> None:
    def offline(files: Dict[str, bytes]) -> Path:
        with wandb.init(mode="offline") as run:
            run.log_artifact(made(files=files))
        return Path(run.sync_dir)

    first = upload(offline({"large": LARGE, "a": b"1"}), server.url)
    second = upload(offline({"large": LARGE, "b": b"2"}), server.url)
    again = upload(offline({"large": LARGE, "b": b"2"}), server.url)
    assert first.bytes > len(LARGE) > second.bytes
    assert again.bytes < len(LARGE)
    assert [node["digest"] for node in versions(server)] == [
        made(files={"large": LARGE, "a": b"1"}).digest, made(files={"large": LARGE, "b": b"2"}).digest,
    ]  # fmt: skip


def test_offline_runs_bring_their_artifacts_uses_and_links(server: LiveServer) -> None:
    with wandb.init(mode="offline") as maker:
        artifact = maker.log_artifact(made(), aliases=["best"])
        maker.link_artifact(artifact, "collected", aliases=["prod"])
    with wandb.init(mode="offline") as user:
        user.use_artifact("ds:best")
    for run in (maker, user):
        result = upload(Path(run.sync_dir), server.url)
        assert (result.done, result.parked_items) == (True, {})
        assert not any(staged.header().released for staged in staged_artifacts(Path(run.sync_dir)))
    with wandb.init() as run:
        found = run.use_artifact("collected:prod")
        assert (found.is_link, found.source_name, found.linked_at is not None) == (True, "ds:v0", True)
        assert [one.id for one in found.source_artifact.used_by()] == [user.id]
        assert contents(found.download()) == FILES


def test_a_repeated_upload_changes_nothing(server: LiveServer) -> None:
    """Though its cursor is lost."""
    with wandb.init(mode="offline") as run:
        run.log_artifact(made(files={"a": b"1"}), aliases=["x"])
        run.log_artifact(made(files={"a": b"2"}))
    for _ in range(3):
        upload(Path(run.sync_dir), server.url)
        shutil.rmtree("wandb/.uploader")
    found = versions(server)
    assert [sorted(one["alias"] for one in node["aliases"]) for node in found] == [["v0", "x"], ["latest", "v1"]]


def test_what_refers_to_an_artifact_that_the_server_lacks_is_parked_and_tried_again(server: LiveServer) -> None:
    with wandb.init(mode="offline") as maker:
        maker.log_artifact(made())
    with wandb.init(mode="offline") as user:
        user.use_artifact("ds:latest")
        user.log_artifact(made("other"))
    result = upload(Path(user.sync_dir), server.url)
    assert result.done
    assert "upload the run that logged it" in result.parked_items["artifact ds:v0"]
    assert len(versions(server, "other")) == 1, "what came after it goes on"
    upload(Path(maker.sync_dir), server.url)
    assert upload(Path(user.sync_dir), server.url, retry_parked=True).parked_items == {}


def test_another_type_under_the_same_name_is_parked_with_the_servers_words(server: LiveServer) -> None:
    with wandb.init() as run:
        run.log_artifact(made()).wait(60)
        wrong = wandb.Artifact("ds", type="model")
        run.log_artifact(wrong)
        with pytest.raises(CommError, match="has the type 'dataset', not 'model'"):
            wrong.wait(60)


def test_files_that_are_gone_park_the_artifact_alone(server: LiveServer) -> None:
    with wandb.init(mode="offline") as run:
        run.log_artifact(made("gone"))
        run.log_artifact(made("there"))
    staged = staged_artifacts(Path(run.sync_dir))
    shutil.rmtree(next(one.folder for one in staged if one.header().about["name"] == "gone"))
    result = upload(Path(run.sync_dir), server.url)
    assert "are gone" in result.parked_items["artifact gone"]
    assert len(versions(server, "there")) == 1


def test_a_large_file_goes_in_parts(server: LiveServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wandb_uploader._send_artifacts.PARTS_BYTES_MIN", len(LARGE))
    monkeypatch.setattr("wandb_uploader._artifact_files.PART_BYTES", 700_000)
    with wandb.init(mode="offline") as run:
        run.log_artifact(made(files={"large": LARGE + b"x", "small": b"s"}))
    assert upload(Path(run.sync_dir), server.url).parked_items == {}
    with wandb.init() as user:
        assert contents(user.use_artifact("ds:latest").download()) == {"large": LARGE + b"x", "small": b"s"}


def test_several_writers_make_one_version(server: LiveServer) -> None:
    for number in range(2):
        with wandb.init(group="g") as run:
            run.upsert_artifact(made(files={str(number): b"part"})).wait(60)
    with wandb.init(group="g") as run:
        whole = run.finish_artifact(made(files={"last": b"part"})).wait(60)
        assert set(contents(whole.download())) == {"0", "1", "last"}
    assert len(versions(server)) == 1


def test_an_incremental_version_adds_to_the_one_before(server: LiveServer) -> None:
    with wandb.init() as run:
        run.log_artifact(made(files={"a": b"1", "b": b"2"})).wait(60)
        second = run.log_artifact(made(files={"b": b"3", "c": b"4"}, incremental=True)).wait(60)
        assert contents(second.download()) == {"a": b"1", "b": b"3", "c": b"4"}


def test_a_draft_from_a_version_sends_only_what_is_new(server: LiveServer) -> None:
    with wandb.init() as run:
        run.log_artifact(made()).wait(60)
        draft = run.use_artifact("ds:latest").new_draft()
        draft.remove("sub")
        with draft.new_file("new") as file:
            file.write("more")
        second = run.log_artifact(draft).wait(60)
        assert second.version == "v1"
        assert {path: FILES.get(path, b"more") for path in second.manifest.entries} == contents(second.download())


def test_the_fast_digest_is_used_where_the_server_knows_it(server: LiveServer) -> None:
    with wandb.init() as run:
        logged = run.log_artifact(made(digest_algorithm="XXH128")).wait(60)
        assert logged.digest_algorithm.short == "XXH128"
        assert logged.digest == made(digest_algorithm="XXH128").digest
        assert contents(logged.download()) == FILES


def test_changes_of_a_version_are_saved(server: LiveServer) -> None:
    with wandb.init() as run:
        version = run.log_artifact(made(), aliases=["old"], tags=["a", "b"]).wait(60)
        version.aliases = ["new"]
        version.tags.remove("a")
        version.tags.append("c")
        version.metadata["k"] = 2
        version.description = "other words"
        version.ttl = datetime.timedelta(days=30)
        version.save()
        again = run.use_artifact("ds:new")
        assert (again.tags, again.metadata, again.description) == (["b", "c"], {"k": 2}, "other words")
        assert again.ttl == datetime.timedelta(days=30)
        again.ttl = wandb.ArtifactTTL.INHERIT
        again.save()
        with pytest.raises(ValueError, match="there is no artifact"):
            run.use_artifact("ds:old")


def test_links_are_made_listed_and_taken_away(server: LiveServer) -> None:
    with wandb.init() as run:
        version = run.log_artifact(made()).wait(60)
        linked = run.link_artifact(version, "collected", aliases=["prod"])
        assert (linked.name, linked.is_link, sorted(linked.aliases)) == ("collected:v0", True, ["latest", "prod"])
        assert [one.qualified_name for one in version.linked_artifacts] == [linked.qualified_name]
        with pytest.raises(ValueError, match="a link lives as long as its source"):
            linked.ttl = None
        with pytest.raises(ValueError, match=r"delete\(\) removes it"):
            version.unlink()
        linked.unlink()
        assert version.linked_artifacts == []


def test_a_version_is_deleted_with_its_aliases_only_when_told(server: LiveServer) -> None:
    with wandb.init() as run:
        version = run.log_artifact(made(), aliases=["best"]).wait(60)
        with pytest.raises(CommError, match="aliases"):
            version.delete()
        version.delete(delete_aliases=True)
        with pytest.raises(ValueError, match="there is no artifact"):
            run.use_artifact("ds:best")


def test_references_to_an_artifact_on_its_way_are_resolved(server: LiveServer) -> None:
    with wandb.init() as run:
        source = run.log_artifact(made())
        derived = wandb.Artifact("derived", type="dataset")
        entry = source.manifest.entries["large.bin"]
        derived.add_reference(entry, name="big")
        assert derived.manifest.entries["big"].ref == f"wandb-client-artifact://{source._client_id}/large.bin"
        logged = run.log_artifact(derived).wait(60)
        ref = logged.manifest.entries["big"].ref
        assert ref is not None
        assert ref.startswith("wandb-artifact://")
        assert contents(logged.download()) == {"big": LARGE}


def test_wait_gives_up_and_the_upload_goes_on(server: LiveServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:1")
    with wandb.init(settings={"finish_timeout": 0}) as run:
        logged = run.log_artifact(made())
        with pytest.raises(WaitTimeoutError, match="the upload goes on"):
            logged.wait(timeout=0.2)
        with pytest.raises(CommError):
            run.use_artifact("ds:latest")


def test_the_record_of_a_use_names_the_servers_version(server: LiveServer) -> None:
    with wandb.init() as run:
        logged = run.log_artifact(made()).wait(60)
        run.use_artifact(logged)
        draft = run.use_artifact(made("input"))
    used = [record for record in records_of(run, Record) if record.used]
    assert json.loads(used[0].json)["id"] == logged.id
    assert draft.version == "v0"
    status = run_status(Path(run.sync_dir), server.url)
    assert status is not None
    assert {outcome.id for outcome in status.artifacts.values()} == {logged.id, draft.id}
    assert [user.id for user in draft.used_by()] == [run.id]


def test_damaged_bytes_from_a_server_are_noticed(server: LiveServer) -> None:
    with wandb.init() as run:
        logged = run.log_artifact(made(files={"a": b"right"})).wait(60)
    for path in (server.data / "files" / "blobs").rglob("*"):
        if path.is_file() and path.read_bytes() == b"right":
            path.write_bytes(b"wrong")
    with pytest.raises(CommError, match="is not what was logged"):
        logged.download()
