"""A real server on a loopback port, and what tests ask of it."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import requests
import uvicorn
from uvicorn.protocols.http.auto import AutoHTTPProtocol

from wandb.server import create_app
from wandb.server._auth import create_api_key, create_sign_in_token, create_user, ensure_first_user, first_user
from wandb.server._limits import HEADERS_SECONDS_MAX
from wandb.server._pages import sign_in_path
from wandb.server._patience import impatient
from wandb.server._services import Services

UPSERT = """
mutation UpsertBucket($id: String, $name: String, $project: String, $entity: String, $displayName: String,
    $notes: String, $tags: [String!], $config: JSONString, $state: String, $summaryMetrics: JSONString) {
  upsertBucket(input: {id: $id, name: $name, modelName: $project, entityName: $entity, displayName: $displayName,
      notes: $notes, tags: $tags, config: $config, state: $state, summaryMetrics: $summaryMetrics}) {
    bucket { id name displayName config notes tags state historyLineCount project { name entity { name } } }
    inserted
  }
}
"""


class Clock:
    """Time that moves when a test says so."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds


class LiveServer:
    """Runs the application in a thread of this process."""

    # Where a data folder's database is made that no test names; SQLite in the folder where nothing is said.
    database_of: Callable[[Path], str | None] = staticmethod(lambda data: None)

    def __init__(self, data: Path, header_seconds: float = HEADERS_SECONDS_MAX, **options: Any) -> None:
        options.setdefault("database_url", type(self).database_of(data))
        self.clock = Clock()
        self.data = data
        self.app = app = create_app(data, clock=self.clock, **options)
        self.services: Services = app.state.services
        with self.services.database.write() as connection:
            key = ensure_first_user(connection, self.services.secret, self.clock())
            user = first_user(connection)
            self.user = user.name
            self.key = key or create_api_key(connection, self.services.secret, user, self.clock())
        # asyncio turns off Nagle's delay only on sockets that name their protocol.
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.listen()
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        http = impatient(AutoHTTPProtocol, header_seconds)
        config = uvicorn.Config(app, http=http, log_level="warning", timeout_graceful_shutdown=2)
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, args=([self._socket],))
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.auth = ("api", self.key)

    def __enter__(self) -> LiveServer:
        # Connections wait in the backlog until the server accepts, so there is nothing to poll for.
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.session.close()
        self._server.should_exit = True
        self._thread.join()
        self._socket.close()

    def post(self, path: str, body: Any, **options: Any) -> requests.Response:
        return self.session.post(self.url + path, json=body, timeout=30, **options)

    def get(self, path: str, **options: Any) -> requests.Response:
        return self.session.get(self.url + path, timeout=30, **options)

    def json(self, path: str) -> Any:
        response = self.get(path)
        assert response.status_code == 200, response.text
        return response.json()

    def execute(self, query: str, **variables: Any) -> Any:
        """Run a document that must not fail."""
        answer = self.post("/graphql", {"query": query, "variables": variables, "operationName": ""}).json()
        assert "errors" not in answer, answer
        return answer["data"]

    def upsert(self, name: str = "r1", project: str = "demo", **variables: Any) -> Any:
        return self.execute(UPSERT, name=name, project=project, **variables)["upsertBucket"]

    def stream(self, body: Any, name: str = "r1", project: str = "demo") -> Any:
        response = self.post(f"/files/{self.user}/{project}/{name}/file_stream", body)
        assert response.status_code == 200, response.text
        return response.json()

    def rows(self, rows: list[dict[str, Any]], offset: int = 0, name: str = "r1", **more: Any) -> Any:
        content = [json.dumps(row) for row in rows]
        return self.stream({"files": {"wandb-history.jsonl": {"offset": offset, "content": content}}, **more}, name)

    def run(self, fields: str, name: str = "r1", project: str = "demo") -> Any:
        """Fields of a run."""
        query = "query Run($name: String!, $project: String!) { project(name: $project) { run(name: $name) { %s } } }"
        return self.execute(query % fields, name=name, project=project)["project"]["run"]

    def run_api(self, rest: str = "", name: str = "r1", project: str = "demo") -> Any:
        return self.json(f"/api/runs/{self.user}/{project}/{name}{rest}")

    def series(self, query: str = "", name: str = "r1", project: str = "demo") -> Any:
        """The charts of a run: for each metric its places and values."""
        found = self.run_api(f"/series{query}", name, project)
        return {key: {**column, "x": found["xs"][column["x"]]} for key, column in found["series"].items()}

    def as_new_user(self, name: str) -> requests.Session:
        """A session of a user who is made for it and owns nothing."""
        with self.services.database.write() as connection:
            user = create_user(connection, name, False, self.clock())
            key = create_api_key(connection, self.services.secret, user, self.clock())
        session = requests.Session()
        session.trust_env = False
        session.auth = ("api", key)
        return session

    def sign_in_path(self, next_path: str) -> str:
        with self.services.database.write() as connection:
            user = first_user(connection)
            token = create_sign_in_token(connection, self.services.secret, user, self.clock())
        return sign_in_path(token, next_path)
