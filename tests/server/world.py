"""A team with one of everything that a server keeps, and users in each role."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path
from typing import Any, Dict

import requests
from live_server import UPSERT, LiveServer

from wandb.server._auth import PRIVATE, User, create_api_key, create_user, user_by_name

TEAM, PROJECT = "crew", "demo"
CONTENT = b"the bytes of an artifact"
DIGEST = base64.b64encode(hashlib.md5(CONTENT).digest()).decode()


class World:
    """`ids` are the variables of all operations. `excluded` is a member whom a restricted project doesn't let in, and a
    `guest` has a link to the project, a `run guest` one to its run `r1` alone."""

    def __init__(self, data: Path, access: str = PRIVATE, **options: Any) -> None:
        self.server = LiveServer(data, **options)
        self.access = access
        self.keys: Dict[str, str] = {}
        self.ids: Dict[str, Any] = {"entity": TEAM, "project": PROJECT}

    def __enter__(self) -> World:
        self.server.__enter__()
        self._make_users()
        self._make_run()
        self._make_sweep_and_queue()
        self._make_artifact()
        self._make_chart()
        self._share()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.__exit__()

    def user(self, role: str) -> User:
        with self.server.services.database.read() as connection:
            found = user_by_name(connection, self.names[role])
        assert found is not None
        return found

    def session(self, role: str) -> requests.Session:
        session = requests.Session()
        session.trust_env = False
        if role in self.keys:
            session.auth = ("api", self.keys[role])
        elif role in self.links:
            session.get(self.links[role], timeout=30, allow_redirects=False)
        return session

    def _make_users(self) -> None:
        server = self.server
        server.execute('mutation { createTeam(input: {teamName: "crew"}) { entity { name } } }')
        self.names = {role: role for role in ("outsider", "excluded", "viewer", "member", "lead")}
        self.names["root"] = server.user
        self.keys["root"] = server.key
        with server.services.database.write() as connection:
            for name in ("outsider", "excluded", "viewer", "member", "lead", "newcomer"):
                user = create_user(connection, name, False, server.clock())
                self.keys[name] = create_api_key(connection, server.services.secret, user, server.clock())
        invite = """mutation I($name: String, $role: String) { createInvite(input: {entityName: "crew",
            username: $name, role: $role}) { invite { id } } }"""
        for name, role in (("viewer", "viewer"), ("member", "member"), ("excluded", "member"), ("lead", "admin")):
            made = server.execute(invite, name=name, role=role)["createInvite"]["invite"]
            self.ids[f"{name}Id"] = made["id"]
        made = server.execute("""mutation { createServiceAccount(input: {entityName: "crew", description: "ci"}) {
            user { username } apiKey { name } } }""")["createServiceAccount"]
        self.names["service"], self.keys["service"] = made["user"]["username"], made["apiKey"]["name"]
        keys = server.execute("{ viewer { apiKeys { edges { node { id } } } } }")["viewer"]["apiKeys"]["edges"]
        self.ids["rootKey"] = keys[0]["node"]["id"]

    def _make_run(self) -> None:
        server = self.server
        self.ids["runId"] = server.execute(UPSERT, name="r1", project=PROJECT, entity=TEAM)["upsertBucket"]["bucket"][
            "id"
        ]
        rows = [json.dumps({"_step": step, "loss": 1 / (step + 1)}) for step in range(5)]
        lines = {"wandb-history.jsonl": rows, "wandb-events.jsonl": ["{}"], "output.log": ["2026-01-01T00:00:00 hello"]}
        body = {"files": {name: {"offset": 0, "content": content} for name, content in lines.items()}}
        assert server.post(f"/files/{TEAM}/{PROJECT}/r1/file_stream", body).status_code == 200
        made = server.execute("""mutation { createRunFiles(input: {entityName: "crew", projectName: "demo",
            runName: "r1", files: ["a.txt"]}) { files { uploadUrl } } }""")["createRunFiles"]["files"][0]
        assert requests.put(made["uploadUrl"], data=b"of the run", timeout=30).status_code == 200
        found = server.execute("""{ project(name: "demo", entityName: "crew") { id run(name: "r1") {
            files { edges { node { id } } } } } }""")["project"]
        self.ids["projectId"] = found["id"]
        self.ids["fileId"] = found["run"]["files"]["edges"][0]["node"]["id"]

    def _make_sweep_and_queue(self) -> None:
        server, ids = self.server, self.ids
        config = "method: random\nparameters: {lr: {min: 0.0, max: 1.0}}\n"
        made = server.execute(
            """mutation S($config: String) { upsertSweep(input: {entityName: "crew", projectName: "demo",
            config: $config}) { sweep { id name } } }""", config=config,
        )["upsertSweep"]["sweep"]  # fmt: skip
        ids["sweep"], ids["sweepId"] = made["name"], made["id"]
        ids["agentId"] = server.execute(
            """mutation A($sweep: String!) { createAgent(input: {host: "h", entityName: "crew", projectName: "demo",
            sweep: $sweep}) { agent { id } } }""", sweep=ids["sweep"],
        )["createAgent"]["agent"]["id"]  # fmt: skip
        ids["queueId"] = server.execute("""mutation { createRunQueue(input: {entityName: "crew", projectName: "demo",
            queueName: "q", access: PROJECT}) { queueID } }""")["createRunQueue"]["queueID"]
        ids["itemId"] = server.execute("""mutation { pushToRunQueueByName(input: {entityName: "crew",
            projectName: "demo", queueName: "q", runSpec: "{}"}) { runQueueItemId } }""")[
            "pushToRunQueueByName"
        ]["runQueueItemId"]
        ids["launchAgentId"] = server.execute(
            """mutation L($queue: ID!) { createLaunchAgent(input: {entityName: "crew", projectName: "demo",
            runQueues: [$queue], hostname: "h"}) { launchAgentId } }""", queue=ids["queueId"],
        )["createLaunchAgent"]["launchAgentId"]  # fmt: skip

    def _make_chart(self) -> None:
        self.server.execute("""mutation { createCustomChart(input: {entity: "crew", name: "bars", displayName: "Bars",
            type: "vega2", access: "PRIVATE", spec: "{}"}) { chart { id } } }""")

    def _make_artifact(self) -> None:
        ids = self.ids
        ids["artifactId"] = self.make_artifact("ds", commit=True, clientID="c" * 128)
        ids["draftId"] = self.make_artifact("draft", commit=False)
        self._begin_parts()
        found = self.server.execute("""{ project(name: "demo", entityName: "crew") { artifactCollection(name: "ds") {
            id } } }""")
        ids["sequenceId"] = found["project"]["artifactCollection"]["id"]
        self.server.execute(
            """mutation L($artifact: ID!) { linkArtifact(input: {artifactID: $artifact, entityName: "crew",
            projectName: "demo", artifactPortfolioName: "reg"}) { versionIndex } }""", artifact=ids["artifactId"],
        )  # fmt: skip
        found = self.server.execute("""{ project(name: "demo", entityName: "crew") { artifactCollection(name: "reg") {
            id } } }""")
        ids["portfolioId"] = found["project"]["artifactCollection"]["id"]
        ids["clientID"] = "c" * 128

    def _share(self) -> None:
        path = f"/api/projects/{TEAM}/{PROJECT}/shares"
        self.links = {
            role: self.server.post(path, asked).json()["url"]
            for role, asked in (("guest", {}), ("run guest", {"run": "r1"}))
        }
        people = [self.names[role] for role in ("viewer", "member", "service")]
        answer = self.server.post(path + "/access", {"access": self.access, "people": people})
        assert answer.status_code == 200, answer.text

    def _begin_parts(self) -> None:
        """A file of the draft, whose only part is here."""
        part = b"in parts"
        digest = base64.b64encode(hashlib.md5(part).digest()).decode()
        given = [{"partNumber": 1, "hexMD5": hashlib.md5(part).hexdigest()}]
        spec = {"artifactID": self.ids["draftId"], "name": "parts", "md5": digest, "uploadPartsInput": given}
        node = self._ask_for_file(spec)
        upload = node["uploadMultipartUrls"]
        tag = requests.put(upload["uploadUrlParts"][0]["uploadUrl"], data=part, timeout=30).headers["ETag"].strip('"')
        self.ids.update(partPath=node["storagePath"], uploadId=upload["uploadID"], partTag=tag)

    def _ask_for_file(self, spec: Dict[str, Any]) -> Dict[str, Any]:
        asked = self.server.execute(
            """mutation F($input: CreateArtifactFilesInput!) { createArtifactFiles(input: $input) { files { edges {
            node { storagePath uploadUrl uploadMultipartUrls { uploadID uploadUrlParts { uploadUrl } } } } } } }""",
            input={"artifactFiles": [spec], "storageLayout": "V2"},
        )  # fmt: skip
        node: Dict[str, Any] = asked["createArtifactFiles"]["files"]["edges"][0]["node"]
        return node

    def make_artifact(self, name: str, commit: bool, entity: str = TEAM, **more: Any) -> str:
        server = self.server
        lines = f"wandb-artifact-manifest-v1\nfile:{DIGEST}\n".encode()
        given = {
            "artifactTypeName": "dataset", "artifactCollectionName": name, "projectName": PROJECT,
            "entityName": entity, "digest": hashlib.md5(lines + name.encode()).hexdigest(), **more,
        }  # fmt: skip
        create = "mutation C($input: CreateArtifactInput!) { createArtifact(input: $input) { artifact { id } } }"
        artifact = server.execute(create, input=given)["createArtifact"]["artifact"]["id"]
        spec = {"artifactID": artifact, "name": "file", "md5": DIGEST}
        url = self._ask_for_file(spec)["uploadUrl"]
        if url is not None:
            assert requests.put(url, data=CONTENT, timeout=30).status_code == 200
        contents = {"file": {"digest": DIGEST, "size": len(CONTENT)}}
        document = json.dumps({"version": 1, "contents": contents}).encode()
        digest = base64.b64encode(hashlib.md5(document).digest()).decode()
        manifest = server.execute(
            """mutation M($id: ID!, $digest: String!) { createArtifactManifest(input: {artifactID: $id, type: FULL,
            name: "wandb_manifest.json", digest: $digest}) { artifactManifest { id file { uploadUrl } } } }""",
            id=artifact, digest=digest,
        )["createArtifactManifest"]["artifactManifest"]  # fmt: skip
        self.ids["manifestId"] = manifest["id"]
        assert requests.put(manifest["file"]["uploadUrl"], data=document, timeout=30).status_code == 200
        if commit:
            server.execute(
                "mutation C($id: ID!) { commitArtifact(input: {artifactID: $id}) { artifact { id } } }", id=artifact
            )
        return str(artifact)
