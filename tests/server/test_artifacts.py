"""Artifacts as requests: what is checked, what a repeated request changes (nothing), what deletion frees."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

import pytest
import requests
from live_server import LiveServer

from wandb.server._artifacts import blob_place

CREATE = "mutation C($input: CreateArtifactInput!) { createArtifact(input: $input) { artifact { id state } } }"
MANIFEST = """mutation M($artifactID: ID!, $digest: String!) { createArtifactManifest(input: {artifactID: $artifactID,
    name: "wandb_manifest.json", digest: $digest, type: FULL}) { artifactManifest { id file { id uploadUrl } } } }"""
FILES = """mutation F($input: CreateArtifactFilesInput!) { createArtifactFiles(input: $input) { files { edges { node {
    storagePath uploadUrl uploadMultipartUrls { uploadID uploadUrlParts { partNumber uploadUrl } } } } } } }"""
COMMIT = """mutation C($artifactID: ID!) { commitArtifact(input: {artifactID: $artifactID}) {
    artifact { id state versionIndex size fileCount aliases { alias } } } }"""
COMPLETE = """mutation C($input: CompleteMultipartUploadArtifactInput!) {
    completeMultipartUploadArtifact(input: $input) { digest } }"""


def md5(data: bytes) -> str:
    return base64.b64encode(hashlib.md5(data).digest()).decode()


def create(server: LiveServer, files: dict[str, bytes], **more: Any) -> Any:
    """Ask for a version that holds these files."""
    lines = "".join(f"{path}:{md5(data)}\n" for path, data in sorted(files.items()))
    digest = hashlib.md5(f"wandb-artifact-manifest-v1\n{lines}".encode()).hexdigest()
    names = {"artifactTypeName": "dataset", "artifactCollectionName": "ds", "projectName": "demo", "entityName": ""}
    given = {**names, "digest": digest, "aliases": [{"artifactCollectionName": "ds", "alias": "latest"}], **more}
    return server.execute(CREATE, input=given)["createArtifact"]["artifact"]


def ask_for_files(server: LiveServer, artifact: Any, files: dict[str, bytes], **more: Any) -> list[Any]:
    specs = [{"artifactID": artifact["id"], "name": name, "md5": md5(data), **more} for name, data in files.items()]
    answer = server.execute(FILES, input={"artifactFiles": specs, "storageLayout": "V2"})
    return [edge["node"] for edge in answer["createArtifactFiles"]["files"]["edges"]]


def send_manifest(server: LiveServer, artifact: Any, files: dict[str, bytes]) -> None:
    contents = {name: {"digest": md5(data), "size": len(data)} for name, data in files.items()}
    document = json.dumps({"version": 1, "contents": contents}).encode()
    answer = server.execute(MANIFEST, artifactID=artifact["id"], digest=md5(document))
    url = answer["createArtifactManifest"]["artifactManifest"]["file"]["uploadUrl"]
    assert requests.put(url, data=document, timeout=30).status_code == 200


def log(server: LiveServer, files: dict[str, bytes], **more: Any) -> Any:
    """The whole way of a version; what its commit answers is returned."""
    artifact = create(server, files, **more)
    if artifact["state"] == "COMMITTED":
        return artifact
    for node, data in zip(ask_for_files(server, artifact, files), files.values()):
        if node["uploadUrl"] is not None:
            assert requests.put(node["uploadUrl"], data=data, timeout=30).status_code == 200
    send_manifest(server, artifact, files)
    return server.execute(COMMIT, artifactID=artifact["id"])["commitArtifact"]["artifact"]


def versions(server: LiveServer) -> list[str]:
    query = """{ project(name: "demo") { artifactType(name: "dataset") { artifactCollection(name: "ds") {
        artifacts { edges { version } } } } } }"""
    found = server.execute(query)["project"]["artifactType"]["artifactCollection"]["artifacts"]["edges"]
    return [edge["version"] for edge in found]


def error_of(server: LiveServer, query: str, **variables: Any) -> str:
    answer = server.post("/graphql", {"query": query, "variables": variables}).json()
    return str(answer["errors"][0]["message"])


def test_every_step_can_be_repeated(server: LiveServer) -> None:
    files = {"a": b"1", "b/c": b"22"}
    first = create(server, files, clientID="c" * 128)
    assert create(server, files, clientID="c" * 128) == first
    for _ in range(2):
        for node, data in zip(ask_for_files(server, first, files), files.values()):
            if node["uploadUrl"]:
                requests.put(node["uploadUrl"], data=data, timeout=30)
        send_manifest(server, first, files)
    done = server.execute(COMMIT, artifactID=first["id"])["commitArtifact"]["artifact"]
    assert (done["state"], done["versionIndex"], done["size"], done["fileCount"]) == ("COMMITTED", 0, "3", 2)
    assert server.execute(COMMIT, artifactID=first["id"])["commitArtifact"]["artifact"] == done
    assert versions(server) == ["v0"]


def test_the_same_content_is_the_same_version(server: LiveServer) -> None:
    log(server, {"a": b"1"})
    again = create(server, {"a": b"1"}, aliases=[{"artifactCollectionName": "ds", "alias": "best"}])
    assert again["state"] == "COMMITTED"
    log(server, {"a": b"2"})
    assert versions(server) == ["v1", "v0"]
    query = '{ project(name: "demo") { best: artifact(name: "ds:best") { id } latest: artifact(name: "ds") { id } } }'
    found = server.execute(query)["project"]
    assert found["best"]["id"] == again["id"] != found["latest"]["id"]


def test_equal_content_is_found_by_the_ids_of_all_who_logged_it(server: LiveServer) -> None:
    first = log(server, {"a": b"1"}, clientID="a" * 128, sequenceClientID="s" * 128)
    assert log(server, {"a": b"1"}, clientID="b" * 128, sequenceClientID="t" * 128)["id"] == first["id"]
    second = log(server, {"a": b"2"}, clientID="c" * 128, sequenceClientID="u" * 128)
    # The same run, sent to another project.
    other = log(server, {"a": b"3"}, clientID="a" * 128, projectName="other")
    query = "query Q($id: ID!) { clientIDMapping(clientID: $id) { serverID } }"
    found = [server.execute(query, id=name * 128)["clientIDMapping"] for name in "abcstu"]
    assert [one["serverID"] for one in found] == [other["id"], first["id"], second["id"], *[second["id"]] * 3]
    assert server.execute(query, id="x" * 128)["clientIDMapping"] is None
    assert server.get(f"/api/artifact-files/{'b' * 128}/a").content == b"1"


def test_bytes_that_are_not_the_announced_ones_are_refused(server: LiveServer) -> None:
    artifact = create(server, {"a": b"1"})
    (node,) = ask_for_files(server, artifact, {"a": b"1"})
    assert requests.put(node["uploadUrl"], data=b"2", timeout=30).status_code == 400
    assert ask_for_files(server, artifact, {"a": b"1"})[0]["uploadUrl"] is not None


def test_a_version_is_not_committed_without_its_files(server: LiveServer) -> None:
    artifact = create(server, {"a": b"1"})
    assert "manifest" in error_of(server, COMMIT, artifactID=artifact["id"])
    send_manifest(server, artifact, {"a": b"1"})
    assert "'a' was not uploaded" in error_of(server, COMMIT, artifactID=artifact["id"])


@pytest.mark.parametrize("path", ["../up", "/root", "a/../b", "C:/x"])
def test_a_path_that_leaves_the_folder_of_a_download_is_refused(server: LiveServer, path: str) -> None:
    artifact = create(server, {"a": b"1"})
    send_manifest(server, artifact, {path: b"1"})
    assert "relative path" in error_of(server, COMMIT, artifactID=artifact["id"])


def test_a_large_file_comes_in_parts(server: LiveServer) -> None:
    parts = [b"a" * 5000, b"b" * 5000, b"c" * 10]
    data = b"".join(parts)
    artifact = create(server, {"big": data})
    given = [{"partNumber": number, "hexMD5": hashlib.md5(part).hexdigest()} for number, part in enumerate(parts, 1)]
    (node,) = ask_for_files(server, artifact, {"big": data}, uploadPartsInput=given)
    upload = node["uploadMultipartUrls"]
    tags = {}
    for target, part in zip(upload["uploadUrlParts"], parts):
        answer = requests.put(target["uploadUrl"], data=part, timeout=30)
        tags[target["partNumber"]] = answer.headers["ETag"].strip('"')
    completed = [{"partNumber": number, "hexMD5": tag} for number, tag in tags.items()]
    finish = {
        "completeMultipartAction": "Complete",
        "completedParts": completed,
        "artifactID": artifact["id"],
        "storagePath": node["storagePath"],
        "uploadID": upload["uploadID"],
    }
    for _ in range(2):
        assert server.execute(COMPLETE, input=finish)["completeMultipartUploadArtifact"]["digest"]
    send_manifest(server, artifact, {"big": data})
    done = server.execute(COMMIT, artifactID=artifact["id"])["commitArtifact"]["artifact"]
    assert done["size"] == str(len(data))
    query = '{ project(name: "demo") { artifact(name: "ds") { files { edges { node { name directUrl } } } } } }'
    (edge,) = server.execute(query)["project"]["artifact"]["files"]["edges"]
    assert requests.get(edge["node"]["directUrl"], timeout=30).content == data


def kept(server: LiveServer, content: bytes) -> bool:
    """Whether the bytes of a file of artifacts are there, wherever bytes are kept."""
    place = blob_place(1, f"md5-{hashlib.md5(content).hexdigest()}")
    return server.services.bytes.read(place) == content


@pytest.mark.parametrize("at_once", [1, 400])
def test_deletion_frees_what_no_other_version_needs(
    server: LiveServer, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    monkeypatch.setattr("wandb.server._artifact_deletion._BLOBS_AT_ONCE", at_once)
    first = log(server, {"only": b"one", "both": b"two"})
    log(server, {"both": b"two"})
    assert [kept(server, content) for content in (b"one", b"two")] == [True, True]
    delete = (
        "mutation D($id: ID!) { deleteArtifact(input: {artifactID: $id, deleteAliases: true}) { artifact { id } } }"
    )
    server.execute(delete, id=first["id"])
    assert [kept(server, content) for content in (b"one", b"two")] == [False, True]
    assert versions(server) == ["v1"]


def test_a_version_lives_as_long_as_it_was_given(server: LiveServer) -> None:
    log(server, {"a": b"1"}, ttlDurationSeconds=3600)
    server.clock.advance(3601)
    assert server.execute('{ project(name: "demo") { artifact(name: "ds") { id } } }')["project"]["artifact"] is None
    assert log(server, {"a": b"1"})["versionIndex"] == 1


def test_the_type_of_an_artifact_stays(server: LiveServer) -> None:
    log(server, {"a": b"1"})
    given = {"artifactTypeName": "model", "artifactCollectionName": "ds", "projectName": "demo", "digest": "d"}
    assert "has the type 'dataset'" in error_of(server, CREATE, input=given)


def test_an_artifact_of_somebody_else_is_not_found(server: LiveServer) -> None:
    artifact = log(server, {"a": b"1"})
    query = "query A($id: ID!) { artifact(id: $id) { id } }"
    assert server.execute(query, id=artifact["id"])["artifact"]
    with server.as_new_user("other") as other:
        answer = other.post(f"{server.url}/graphql", json={"query": query, "variables": {"id": artifact["id"]}})
        assert "was not found" in answer.json()["errors"][0]["message"]
