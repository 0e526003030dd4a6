"""`wandb.api`: what scripts and libraries call of the client's own Api. `wandb.Api` reads the same better."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any, Dict, List, Mapping, Optional, Sequence, Tuple, Union

import yaml

from ..errors import CommError, UsageError
from ._errors import RequestError
from ._paths import RunPath

if TYPE_CHECKING:
    from ._client import Client
    from .public.api import Api as PublicApi

_VIEWER = "query Viewer { viewer { id entity username email flags teams { edges { node { name } } } } }"

_PROJECTS = """
query Models($entity: String, $cursor: String) {
  models(first: 100, after: $cursor, entityName: $entity) {
    edges { node { id name description } } pageInfo { endCursor hasNextPage }
  }
}
"""

_UPSERT_PROJECT = """
mutation UpsertModel($name: String!, $id: String, $entity: String!, $description: String) {
  upsertModel(input: {id: $id, name: $name, entityName: $entity, description: $description}) {
    model { name description }
  }
}
"""

_UPSERT_SWEEP = """
mutation UpsertSweep($id: ID, $config: String, $description: String, $entityName: String, $projectName: String,
    $controller: JSONString, $scheduler: JSONString, $state: String, $displayName: String) {
  upsertSweep(input: {id: $id, config: $config, description: $description, entityName: $entityName,
      projectName: $projectName, controller: $controller, scheduler: $scheduler, state: $state,
      displayName: $displayName}) {
    sweep { name project { id name entity { id name } } }
    configValidationWarnings
  }
}
"""

_SWEEP_WITH_RUNS = """
query SweepWithRuns($entity: String, $project: String, $sweep: String!, $specs: [JSONString!]!) {
  project(name: $project, entityName: $entity) {
    sweep(sweepName: $sweep) {
      id name method state description config createdAt heartbeatAt updatedAt earlyStopJobRunning bestLoss controller
      scheduler
      runs {
        edges {
          node {
            name state config exitcode heartbeatAt shouldStop failed stopped running summaryMetrics
            sampledHistory(specs: $specs)
          }
        }
      }
    }
  }
}
"""

_CREATE_AGENT = """
mutation CreateAgent($host: String!, $projectName: String, $entityName: String, $sweep: String!) {
  createAgent(input: {host: $host, projectName: $projectName, entityName: $entityName, sweep: $sweep}) {
    agent { id }
  }
}
"""

_HEARTBEAT = """
mutation Heartbeat($id: ID!, $metrics: JSONString, $runState: JSONString) {
  agentHeartbeat(input: {id: $id, metrics: $metrics, runState: $runState}) { agent { id } commands }
}
"""


class Api:
    """The client's own Api, as far as others call it. What it needs of a server is asked when it is needed.

    >>> import wandb
    >>> wandb.api.parse_slug("digits/1a2b")
    ('digits', '1a2b')
    """

    def __init__(
        self, default_settings: Optional[Mapping[str, Any]] = None, load_settings: bool = True, **_: Any
    ) -> None:
        """default_settings: `entity`, `project`, `base_url`, before the settings. The others are those of 2020."""
        self._overrides = {key: value for key, value in (default_settings or {}).items() if value is not None}
        self._public: Optional[PublicApi] = None

    @property
    def _api(self) -> PublicApi:
        if self._public is None:
            self._public = self._new_api()
        return self._public

    def _new_api(self) -> PublicApi:
        from .public.api import Api as Public

        return Public({key: self._overrides[key] for key in _SETTINGS if key in self._overrides})

    @property
    def _client(self) -> Client:
        return self._api.client

    # --- who and where ------------------------------------------------------------------------------------------------

    @property
    def api_key(self) -> Optional[str]:
        """The API key for the server; None where there is none. Looked for anew, since a script may have logged in."""
        from ._client import client_for

        return client_for(self._new_api().chosen).key

    @property
    def api_url(self) -> str:
        """The server's address."""
        return str(self._api.settings["base_url"])

    @property
    def app_url(self) -> str:
        """Where the server's pages are."""
        from wandb_uploader import app_url

        return app_url(self.api_url)

    @property
    def default_entity(self) -> Optional[str]:
        """The user or team that is meant where none is named."""
        return self._api.default_entity

    def viewer(self) -> Dict[str, Any]:
        """What the server says of whose key it is; empty where it doesn't know."""
        viewer: Dict[str, Any] = self._client.execute(_VIEWER).get("viewer") or {}
        return viewer

    def settings(self, key: Optional[str] = None, section: Optional[str] = None) -> Any:
        """`entity`, `project` and `base_url`, or one of them."""
        settings = {name: self._api.settings.get(name) for name in _SETTINGS}
        return settings if key is None else settings[key]

    def set_setting(self, key: str, value: Any, globally: bool = False, persist: bool = False) -> None:
        """Set `entity`, `project` or `base_url` for this Api and later runs of this process; with `persist`, in the
        settings file of this folder, or of the user where it is to hold `globally`, too."""
        if key not in _SETTINGS:
            raise UsageError(f"{key!r} can't be set here; wandb.Settings lists every setting")
        self._overrides[key] = value
        self._public = None
        os.environ[f"WANDB_{key.upper()}"] = str(value)
        if persist:
            from ..sdk._settings._files import global_settings_path, write_setting
            from ..sdk.wandb_settings import local_settings_path

            write_setting(global_settings_path() if globally else local_settings_path(), key, str(value))

    def clear_setting(self, key: str, globally: bool = False, persist: bool = False) -> None:
        """Take back what `set_setting` set for this process."""
        self._overrides.pop(key, None)
        self._public = None
        os.environ.pop(f"WANDB_{key.upper()}", None)

    def parse_slug(
        self, slug: Optional[str], project: Optional[str] = None, run: Optional[str] = None
    ) -> Tuple[str, str]:
        """(project, run) of `project/run`, or of a run with the project of the settings. Raises CommError."""
        if slug and "/" in slug:
            project, run = slug.split("/")[:2]
        project = project or self.settings("project")
        run = run or slug or os.environ.get("WANDB_RUN_ID")
        if not project:
            raise CommError("no project is named; write project/run, or set WANDB_PROJECT")
        if not run:
            raise CommError("no run is named; write project/run, or set WANDB_RUN_ID")
        return project, run

    # --- projects and files -------------------------------------------------------------------------------------------

    def list_projects(self, entity: Optional[str] = None) -> List[Dict[str, Any]]:
        """The projects of an entity: `id`, `name`, `description`."""
        owner = entity or self.default_entity
        found: List[Dict[str, Any]] = []
        page: Dict[str, Any] = {"endCursor": None, "hasNextPage": True}
        while page["hasNextPage"]:
            answer = self._client.execute(_PROJECTS, {"entity": owner, "cursor": page["endCursor"]})["models"]
            found += [edge["node"] for edge in answer["edges"]]
            page = answer["pageInfo"]
        return found

    def format_project(self, project: str) -> str:
        """A name as projects of 2020 had them: small letters, digits and hyphens."""
        return "".join(sign if sign.isalnum() else "-" for sign in project.lower())

    def upsert_project(
        self, project: str, id: Optional[str] = None, description: Optional[str] = None, entity: Optional[str] = None
    ) -> Dict[str, Any]:
        """Make a project, or change its description: `name`, `description`."""
        variables = {
            "name": project, "id": id, "description": description, "entity": entity or self.default_entity
        }  # fmt: skip
        made: Dict[str, Any] = self._client.execute(_UPSERT_PROJECT, variables)["upsertModel"]["model"]
        return made

    def _run(self, project: str, run: Optional[str], entity: Optional[str]) -> Any:
        _, name = self.parse_slug(None, project, run)
        return self._api.run(str(RunPath(entity or str(self.default_entity), project, name)))

    def run_config(
        self, project: str, run: Optional[str] = None, entity: Optional[str] = None
    ) -> Tuple[Optional[str], Dict[str, Any], Optional[str], Dict[str, Any]]:
        """What is needed to run a run again: (commit, config, patch, metadata). Raises ValueError, CommError."""
        found = self._run(project, run, entity)
        file = found.file("diff.patch")
        patch = file.read().decode("utf-8", "replace") if file.size else None
        return found.commit, found.config, patch, found.metadata or {}

    def download_urls(
        self, project: str, run: Optional[str] = None, entity: Optional[str] = None
    ) -> Dict[str, Dict[str, Any]]:
        """The files of a run: name -> `{"name", "url", "md5", "updatedAt"}`. Raises ValueError, CommError."""
        return {file.name: _described(file) for file in self._run(project, run, entity).files()}

    def download_url(
        self, project: str, file_name: str, run: Optional[str] = None, entity: Optional[str] = None
    ) -> Optional[Dict[str, Any]]:
        """One file of a run, as in `download_urls`; None where it isn't there. Raises ValueError, CommError."""
        file = self._run(project, run, entity).file(file_name)
        return _described(file) if file.updated_at else None

    def push(
        self,
        files: Sequence[str],
        run: Optional[str] = None,
        entity: Optional[str] = None,
        project: Optional[str] = None,
        description: Optional[str] = None,
        force: bool = True,
        progress: Any = False,
    ) -> List[Any]:
        """Add files of this machine to a run. Raises ValueError, CommError, OSError. `description`, `force` and
        `progress` change nothing any more."""
        project, run = self.parse_slug(run, project)
        found = self._run(project, run, entity)
        return [found.upload_file(name) for name in files]

    # --- sweeps -------------------------------------------------------------------------------------------------------

    def sweep(
        self, sweep: str, specs: str, project: Optional[str] = None, entity: Optional[str] = None
    ) -> Dict[str, Any]:
        """A sweep with its runs and samples of their histories. Raises ValueError where there is none, CommError."""
        where = {**self._where(project, entity), "sweep": sweep}
        answer = self._client.execute(_SWEEP_WITH_RUNS, {**where, "specs": specs})
        found: Optional[Dict[str, Any]] = (answer.get("project") or {}).get("sweep")
        if found is None:
            raise RequestError(f"there is no sweep {'/'.join(str(part) for part in where.values())}")
        return {**found, "runs": [edge["node"] for edge in found["runs"]["edges"]]}

    def upsert_sweep(
        self,
        config: Mapping[str, Any],
        controller: Optional[str] = None,
        scheduler: Optional[str] = None,
        obj_id: Optional[str] = None,
        project: Optional[str] = None,
        entity: Optional[str] = None,
        state: Optional[str] = None,
        display_name: Optional[str] = None,
    ) -> Tuple[str, List[str]]:
        """Make or change a sweep; returns its id, and what the server says against the config. Raises CommError."""
        where = self._where(project, entity)
        answer = self._client.execute(_UPSERT_SWEEP, {
            "id": obj_id, "config": yaml.safe_dump(json.loads(json.dumps(config))), "controller": controller,
            "description": config.get("description"), "entityName": where["entity"], "projectName": where["project"],
            "scheduler": scheduler, "state": state, "displayName": display_name,
        }, repeatable=obj_id is not None)["upsertSweep"]  # fmt: skip
        return answer["sweep"]["name"], answer.get("configValidationWarnings") or []

    def register_agent(
        self,
        host: str,
        sweep_id: Optional[str] = None,
        project_name: Optional[str] = None,
        entity: Optional[str] = None,
    ) -> Dict[str, Any]:
        """Make an agent of a sweep: `{"id"}`. Raises CommError."""
        where = self._where(project_name, entity)
        variables = {
            "host": host, "sweep": sweep_id, "projectName": where["project"], "entityName": where["entity"]
        }  # fmt: skip
        made: Dict[str, Any] = self._client.execute(_CREATE_AGENT, variables, False)["createAgent"]["agent"]
        return made

    def agent_heartbeat(
        self, agent_id: str, metrics: Mapping[str, Any], run_states: Mapping[str, bool]
    ) -> List[Dict[str, Any]]:
        """Tell the server that an agent lives and which of its runs do; returns what it is to do. Raises CommError."""
        variables = {"id": agent_id, "metrics": json.dumps(metrics), "runState": json.dumps(run_states)}
        commands = self._client.execute(_HEARTBEAT, variables)["agentHeartbeat"].get("commands")
        return json.loads(commands) if commands else []

    def _where(self, project: Optional[str], entity: Optional[str]) -> Dict[str, Union[None, str]]:
        return {"entity": entity or self.default_entity, "project": project or self.settings("project")}

    def __repr__(self) -> str:
        return f"<wandb.InternalApi {self.api_url}>"


_SETTINGS = ("entity", "project", "base_url")


def _described(file: Any) -> Dict[str, Any]:
    return {"name": file.name, "url": file.url, "md5": file.md5, "updatedAt": file.updated_at}


# What `wandb.api` is.
api = Api()
