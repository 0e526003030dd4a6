"""The official client against this server: artifacts from the first file to the deletion."""

from __future__ import annotations

from pathlib import Path

import pytest
from live_server import LiveServer
from peer import VERSIONS, Peer

ARTIFACTS = """
import json, os, sys, wandb
old = sys.argv[1] == "old"
os.makedirs("d/sub", exist_ok=True)
with open("d/a.txt", "w") as file: file.write("hello")
with open("d/sub/b.bin", "wb") as file: file.write(bytes(range(256)) * 10)
open("d/empty", "w").close()
with open("ref.csv", "w") as file: file.write("referred to")

def made():
    artifact = wandb.Artifact("ds", type="dataset", description="desc", metadata={"k": 1})
    artifact.add_dir("d")
    artifact.add_reference("file://" + os.path.abspath("ref.csv"), name="ref.csv")
    return artifact

found = {}
with wandb.init(project="arts", name="maker") as run:
    first = made()
    run.log_artifact(first, aliases=["best"])
    first.wait()
    same = made()
    run.log_artifact(same, aliases=["second"])
    same.wait()
    with open("d/a.txt", "w") as file: file.write("changed")
    second = wandb.Artifact("ds", type="dataset")
    second.add_dir("d")
    run.log_artifact(second)
    second.wait()
    found["digest"] = first.digest
    found["versions"] = [first.version, same.version, second.version]
    found["aliases"] = sorted(same.aliases)
    run.log({"table": wandb.Table(columns=["x", "y"], data=[[1, 2]])})
    run.link_artifact(second, "collected", aliases=["prod"])
    run.alert("a title", "a text", level="WARN", wait_duration=300)
with wandb.init(project="arts", name="user") as run:
    folder = run.use_artifact("ds:best").download("down")
    found["text"] = open(os.path.join(folder, "a.txt")).read()
    found["files"] = sorted(os.listdir(folder))

api = wandb.Api()
first = api.artifact("arts/ds:v0")
found["listed"] = sorted(file.name for file in first.files())
found["logged_by"], found["used_by"] = first.logged_by().name, [run.name for run in first.used_by()]
first.aliases.append("late")
first.metadata["m"] = 2
first.save()
found["metadata"] = dict(api.artifact("arts/ds:late").metadata)
found["types"] = sorted(kind.name for kind in api.artifact_types("arts"))
found["collections"] = sorted(item.name for item in api.artifact_type("dataset", "arts").collections())
found["linked"] = api.artifact("arts/collected:prod").version
runs = {run.name: run for run in api.runs("arts")}
found["logged"] = [item.name for item in runs["maker"].logged_artifacts()][:2]
found["used"] = [item.name for item in runs["user"].used_artifacts()]
first.delete(delete_aliases=True)
try:
    api.artifact("arts/ds:best")
except Exception:
    found["deleted"] = True
found["latest"] = api.artifact("arts/ds:latest").version
with open("result.json", "w") as file:
    json.dump(found, file)
"""

HASHES = """
import json, wandb
with open("big", "wb") as file: file.write(bytes(range(256)) * 4096)
with wandb.init(project="arts") as run:
    artifact = wandb.Artifact("fast", type="dataset", digest_algorithm="XXH128")
    artifact.add_file("big")
    run.log_artifact(artifact)
    artifact.wait()
back = wandb.Api().artifact("arts/fast:latest")
with open("result.json", "w") as file:
    json.dump({"same": back.digest == artifact.digest, "size": back.size, "path": back.download()}, file)
"""


@pytest.mark.peer
@pytest.mark.parametrize("version", VERSIONS)
def test_artifacts_go_their_whole_way(version: str, server: LiveServer, tmp_path: Path) -> None:
    peer = Peer(version, server, tmp_path / "home")
    peer.run(ARTIFACTS, "old" if peer.release < (0, 19) else "new")
    assert peer.result() == {
        "digest": "e3768e8acfb0d95224e894174b5cbbe0",
        "versions": ["v0", "v0", "v1"],
        "aliases": ["best", "latest", "second"],
        "text": "hello",
        "files": ["a.txt", "empty", "ref.csv", "sub"],
        "listed": ["a.txt", "empty", "ref.csv", "sub/b.bin"],
        "logged_by": "maker",
        "used_by": ["user"],
        "metadata": {"k": 1, "m": 2},
        "types": ["dataset", "run_table"],
        "collections": ["collected", "ds"],
        "linked": "v0",
        "logged": ["ds:v0", "ds:v1"],
        "used": ["ds:v0"],
        "deleted": True,
        "latest": "v1",
    }


@pytest.mark.peer
@pytest.mark.parametrize("version", [version for version in VERSIONS if version >= "0.31"])
def test_the_fast_digest_is_kept_and_checked(version: str, server: LiveServer, tmp_path: Path) -> None:
    peer = Peer(version, server, tmp_path / "home")
    peer.run(HASHES)
    assert {name: peer.result()[name] for name in ("same", "size")} == {"same": True, "size": 256 * 4096}
