"""The official client beside ours: the same digests, and each reads what the other has logged, byte for byte."""

from __future__ import annotations

import json
import os
import random
from pathlib import Path
from typing import Any, Dict

import pytest
from live_server import LiveServer
from made_artifacts import contents, write
from peer import VERSIONS, Peer

import wandb
from wandb_storage import import_official
from wandb_uploader import upload

# What both clients run: `make` puts an artifact together in the folder that the test has written.
MAKE = """
import os, wandb

def make(name, algorithm="MD5"):
    other = {} if algorithm == "MD5" else {"digest_algorithm": algorithm}  # which older releases don't know
    artifact = wandb.Artifact(name, type="dataset", description="words", metadata={"a": [1, {"b": None}], "c": 0.5},
                              **other)
    artifact.add_dir("d")
    artifact.add_dir("d", name="again")
    artifact.add_file("d/large.bin", name="one/more.bin", policy="immutable")
    artifact.add_file("d/a.txt", name="media/t.x.json", is_tmp=True)
    artifact.add_reference("https://example.invalid/x/file.csv?v=1", checksum=False)
    here = os.path.abspath("d")
    artifact.add_reference(f"file://{here}", name="refs")
    artifact.add_reference(f"file://{here}/a.txt", name="unchecked", checksum=False)
    with artifact.new_file("new/file.txt", mode="w", encoding="utf-8") as file:
        file.write("grüße")
    return artifact
"""

DIGESTS = (
    MAKE
    + """
import json
found = {}
for algorithm in ("MD5", "XXH128"):
    artifact = make("ds", algorithm)
    document = artifact.manifest.to_manifest_json()
    found[algorithm] = {"digest": artifact.digest, "size": artifact.size, "manifest": document}
with open("result.json", "w") as file:
    json.dump(found, file)
"""
)

LOG = (
    MAKE
    + """
with wandb.init(project="both") as run:
    artifact = run.log_artifact(make("official"), aliases=["best"], tags=["t"])
    artifact.wait()
    run.log_artifact(make("shared"))
"""
)

LOG_OFFLINE = (
    MAKE
    + """
with wandb.init(project="both", mode="offline") as run:
    run.log_artifact(make("carried"), aliases=["best"], tags=["t"])
"""
)

READ = """
import json, os
api = __import__("wandb").Api()
artifact = api.artifact("both/ours:best")
folder = artifact.download("down", allow_missing_references=True, path_prefix="d")
for prefix in ("again", "one", "new", "media", "refs", "a", "large", "sub", "empty", "ä"):
    artifact.download("down", path_prefix=prefix)
found = {"names": [artifact.name, artifact.version, artifact.digest, artifact.type, artifact.description],
         "metadata": artifact.metadata, "aliases": sorted(artifact.aliases), "tags": artifact.tags,
         "size": artifact.size, "maker": artifact.logged_by().id, "users": [run.id for run in artifact.used_by()],
         "shared": api.artifact("both/shared:latest").version,
         "manifest": artifact.manifest.to_manifest_json()["contents"],
         "files": {os.path.relpath(os.path.join(at, name), "down"): open(os.path.join(at, name), "rb").read().hex()
                   for at, _, names in os.walk("down") for name in names}}
with open("result.json", "w") as file:
    json.dump(found, file)
"""


def written(folder: Path) -> Dict[str, bytes]:
    chance = random.Random(7)
    files = {f"sub/{number % 5}/{number}.bin": chance.randbytes(chance.randrange(3000)) for number in range(40)}
    files.update({"a.txt": b"hello", "empty": b"", "large.bin": chance.randbytes(3 << 20), "ä ü.txt": "ß".encode()})
    write(folder / "d", files)
    return files


def without(contents_of: Dict[str, Any], *names: str) -> Dict[str, Any]:
    """Manifest entries without what differs by machine or by server."""
    return {
        path: {name: value for name, value in fields.items() if name not in names and value not in (None, 0, {})}
        for path, fields in contents_of.items()
    }


def ours(code: str) -> Dict[str, Any]:
    names: Dict[str, Any] = {}
    exec(compile(code, "<made>", "exec"), names)  # the very code that the other client runs
    return names


@pytest.mark.peer
def test_digests_and_manifests_are_the_same(
    server: LiveServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    peer = Peer("0.31.0", server, tmp_path / "peer")
    written(tmp_path / "peer")
    peer.run(DIGESTS)
    theirs = peer.result()
    monkeypatch.chdir(tmp_path / "peer")
    make = ours(MAKE)["make"]
    for algorithm in ("MD5", "XXH128"):
        artifact, other = make("ds", algorithm), theirs[algorithm]
        assert isinstance(other, dict)
        document = json.loads(json.dumps(artifact.manifest.to_manifest_json()))
        assert without(document.pop("contents")) == without(other["manifest"].pop("contents"))
        assert document == other["manifest"]
        assert (artifact.digest, artifact.size) == (other["digest"], other["size"])


@pytest.mark.peer
@pytest.mark.parametrize("version", [version for version in VERSIONS if version >= "0.19"])
def test_each_reads_what_the_other_has_logged(
    version: str, server: LiveServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    peer = Peer(version, server, tmp_path / "peer")
    files = written(tmp_path / "peer")
    project = f"both-{version}"
    peer.run(LOG.replace('"both"', f'"{project}"'))
    monkeypatch.chdir(tmp_path / "peer")
    monkeypatch.setenv("WANDB_CACHE_DIR", str(tmp_path / "own-cache"))
    make = ours(MAKE)["make"]
    with wandb.init(project=project) as run:
        logged = run.log_artifact(make("ours"), aliases=["best"], tags=["t"]).wait(60)
        shared = run.log_artifact(make("shared"), aliases=["mine"]).wait(60)
        read = run.use_artifact("official:best")
        run.use_artifact(logged)
    assert (read.digest, read.size, read.type, read.tags) == (logged.digest, logged.size, "dataset", ["t"])
    assert read.metadata == logged.metadata
    assert shared.version == "v0", "equal content is one version, whoever logs it"
    assert sorted(shared.aliases) == ["latest", "mine"]
    assert read.name == "official:best"
    again = {f"again/{path}": content for path, content in files.items()}
    expected = {**files, **again, "one/more.bin": files["large.bin"], "new/file.txt": "grüße".encode()}
    expected["media/5d41402abc4b2a76b971.x.json"] = b"hello"
    expected.update({f"refs/{path}": content for path, content in files.items()})
    for prefix in {path.split("/")[0] for path in expected}:
        read.download("down-ours", path_prefix=prefix)
    assert contents("down-ours") == expected

    peer.run(READ.replace('"both/', f'"{project}/'))
    found = peer.result()
    assert {path: bytes.fromhex(text) for path, text in dict(found["files"]).items()} == expected  # type: ignore[call-overload]
    assert found["names"] == ["ours:best", "v0", read.digest, "dataset", "words"]
    assert (found["metadata"], found["aliases"], found["tags"]) == (logged.metadata, ["best", "latest"], ["t"])
    assert (found["size"], found["maker"], found["users"], found["shared"]) == (logged.size, run.id, [run.id], "v0")
    own = json.loads(json.dumps(read.manifest.to_manifest_json()["contents"]))
    assert without(dict(found["manifest"]), "birthArtifactID") == without(own, "birthArtifactID")  # type: ignore[call-overload]
    assert os.path.exists("down")


@pytest.mark.peer
def test_what_the_official_client_has_logged_offline_is_brought_by_ours(
    server: LiveServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    peer = Peer("0.31.0", server, tmp_path / "peer")
    files = written(tmp_path / "peer")
    peer.run(LOG_OFFLINE)
    [folder] = (tmp_path / "peer" / "wandb").glob("offline-run-*")
    found = import_official(folder)
    assert found.files_left_out == {}
    upload(found.folder, server.url)
    monkeypatch.chdir(tmp_path / "peer")
    with wandb.init(project="both") as run:
        read = run.use_artifact("carried:best")
    assert (read.digest, read.tags) == (ours(MAKE)["make"]("carried").digest, ["t"])
    assert contents(read.download("down", path_prefix="again/")) == {f"again/{path}": files[path] for path in files}
    maker = read.logged_by()
    assert maker is not None
    assert maker.id == found.run_id
