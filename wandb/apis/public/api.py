"""`wandb.Api`: reading back what was logged, from a server or from the logs on this machine."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Union

from ...errors import Error
from ...sdk._names import new_run_id
from .._errors import RequestError
from ._api_artifacts import ArtifactsPart
from ._api_queues import QueuesPart
from ._connection import PathLike
from ._run_documents import CREATE_RUN
from .projects import Project, Projects
from .run_lists import ORDER_DEFAULT, Runs
from .runs import Run
from .sweeps import Sweep, find_sweep
from .teams import Team
from .users import SEARCH_USERS, User

_CREATE_PROJECT = """
mutation CreateProject($input: UpsertModelInput!) {
  result: upsertModel(input: $input) {
    project { id name entityName description access views } model { id name entityName description access views }
    inserted
  }
}
"""

_CREATE_CHART = """
mutation CreateCustomChart($entity: String!, $chartName: String!, $displayName: String!, $chartType: String!,
    $access: String!, $spec: JSONString!) {
  createCustomChart(input: {entity: $entity, name: $chartName, displayName: $displayName, type: $chartType,
      access: $access, spec: $spec}) {
    chart { id }
  }
}
"""


class Api(ArtifactsPart, QueuesPart):
    """What was logged, read back: runs, their histories and files, artifacts, sweeps, projects, users and teams.

    >>> import wandb
    >>> with wandb.init(project="digits", mode="offline", config={"lr": 0.1}) as run:
    ...     for loss in (0.5, 0.25):
    ...         run.log({"loss": loss})
    >>> api = wandb.Api(local=True)
    >>> for run in api.runs("digits", filters={"config.lr": 0.1}, order="-summary_metrics.loss"):
    ...     print(run.state, run.config, run.summary["loss"], [row["loss"] for row in run.scan_history()])
    finished {'lr': 0.1} 0.25 [0.5, 0.25]

    overrides: `entity`, `project` and `base_url` for this Api, before the settings. timeout: seconds to wait for an
    answer. api_key: before every other. local: read the runs of this machine's wandb folder instead of a server, those
    that no server has too; or the path of another such folder.

    Nothing is asked before it is needed. Every method that asks a server raises AuthenticationError for a key that it
    doesn't take, and CommError where it says no or can't be reached; what passes is tried again for about a minute.
    """

    # --- runs ---------------------------------------------------------------------------------------------------------

    def run(self, path: str = "") -> Run:
        """The run `entity/project/id`, `project/id`, `id`, the address of its page, or the path of a run's folder on
        this machine.

        Raises ValueError for what is no path, and where there is no such run.
        """
        folder = _run_folder(path)
        if folder is not None:
            from .._local import run_in

            return run_in(folder, self.chosen)
        where = self.parse_path(path)
        return Run(self.source, where.entity, where.project, where.id, lazy=False)

    def runs(
        self,
        path: Optional[str] = None,
        filters: Optional[Mapping[str, Any]] = None,
        order: str = ORDER_DEFAULT,
        per_page: int = 50,
        include_sweeps: bool = False,
        lazy: bool = True,
    ) -> Runs:
        """The runs of the project `entity/project` or `project`.

        filters: MongoDB's language, on `state`, `display_name`, `tags`, `created_at`, `config.KEY`,
        `summary_metrics.KEY` and so on: `{"$and": [{"config.lr": {"$lt": 0.1}}, {"tags": "best"}]}`.
        order: `+` or `-` before `created_at`, `heartbeat_at`, `config.KEY.value` or `summary_metrics.KEY`.
        per_page: how many are fetched at once. lazy: leave config and summary out of lists until one is used.
        """
        entity, project = self.parse_project_path(path)
        return Runs(self.source, entity, project, filters, order, per_page, include_sweeps, lazy)

    def create_run(
        self, *, run_id: Optional[str] = None, project: Optional[str] = None, entity: Optional[str] = None
    ) -> Run:
        """Make a run at the server without logging to it; `wandb.init` is what logs."""
        return self.make_run(run_id, project, entity, "running")

    def make_run(self, run_id: Optional[str], project: Optional[str], entity: Optional[str], state: str) -> Run:
        """See `Run.create`."""
        entity, project = self.parse_project_path(f"{entity}/{project}" if entity and project else project)
        name = run_id or new_run_id()
        made = self.source.execute(CREATE_RUN, {"entity": entity, "project": project, "name": name, "state": state})
        bucket = made["upsertBucket"]["bucket"]
        owner = bucket["project"]
        return Run(self.source, owner["entity"]["name"], owner["name"], bucket["name"], lazy=False)

    # --- sweeps and projects ------------------------------------------------------------------------------------------

    def sweep(self, path: str = "") -> Sweep:
        """The sweep `entity/project/id`, `project/id` or `id`. Raises ValueError where there is none."""
        where = self.parse_path(path)
        found = find_sweep(self.source, where.entity, where.project, where.id)
        if found is None:
            raise RequestError(f"there is no sweep {where} at {self.source.base_url}")
        return found

    def project(self, name: str, entity: Optional[str] = None) -> Project:
        """A project, about which the server is asked when something of it is first used."""
        return Project(self.source, self.entity_or_default(entity), name)

    def projects(self, entity: Optional[str] = None, per_page: int = 200) -> Projects:
        """The projects of a user or a team, by default of the default entity."""
        return Projects(self.source, self.entity_or_default(entity), per_page)

    def create_project(self, name: str, entity: str) -> None:
        """Make a project; one that is there already stays as it is."""
        self.source.execute(_CREATE_PROJECT, {"input": {"name": name, "entityName": entity}})

    def from_path(self, path: str) -> Union[Run, Sweep, Project]:
        """What a path leads to: `project` or `entity/project`, `entity/project/id` or `entity/project/runs/id` for a
        run, `entity/project/sweeps/id` for a sweep, or the address of one of their pages.

        Raises wandb.Error for what leads nowhere.
        """
        parts = path.partition("?")[0].strip("/ ").split("/")
        if "sweeps" in parts[:-1]:
            return self.sweep(path)
        if "runs" in parts[:-1] or (len(parts) == 3 and "://" not in path):
            return self.run(path)
        try:
            entity, project = self.parse_project_path(path)
        except ValueError as error:
            raise Error(f"{error}: it names neither a project, nor a run, nor a sweep") from None
        return self.project(project, entity)

    # --- users and teams ----------------------------------------------------------------------------------------------

    def user(self, username_or_email: str) -> Optional[User]:
        """A user; None where there is none of that name or address."""
        return next(iter(self.users(username_or_email)), None)

    def users(self, username_or_email: str) -> List[User]:
        """The users whose names or addresses begin like that."""
        found = self.source.execute(SEARCH_USERS, {"query": username_or_email}).get("users") or {}
        return [User(self.source, edge["node"]) for edge in found.get("edges", ())]

    def create_user(self, email: str, admin: Optional[bool] = False) -> User:
        """Make a user, as an administrator of the server may."""
        return User.create(self, email, admin)

    def team(self, team: str) -> Team:
        """A team and its members. Raises ValueError where there is none of that name."""
        return Team(self.source, team)

    def create_team(self, team: str, admin_username: Optional[str] = None) -> Team:
        """Make a team, whose administrator is by default whoever asks."""
        return Team.create(self, team, admin_username)

    # --- others -------------------------------------------------------------------------------------------------------

    def create_custom_chart(
        self,
        entity: str,
        name: str,
        display_name: str,
        spec_type: str,
        access: str,
        spec: Union[str, Mapping[str, Any]],
    ) -> str:
        """Keep a chart of the Vega language for `wandb.plot_table`; returns its id, `entity/name`.

        spec_type: `"vega2"`. access: `"private"` or `"public"`.
        """
        variables: Dict[str, Any] = {
            "entity": entity, "chartName": name, "displayName": display_name, "chartType": spec_type,
            "access": access.upper(), "spec": spec if isinstance(spec, str) else _json(spec),
        }  # fmt: skip
        return str(self.source.execute(_CREATE_CHART, variables)["createCustomChart"]["chart"]["id"])

    def __repr__(self) -> str:
        return f"<wandb.Api {self.local_logs.base_url if self.is_local else self.settings['base_url']}>"


def _json(value: Mapping[str, Any]) -> str:
    import json

    return json.dumps(value)


def _run_folder(path: PathLike) -> Optional[Path]:
    """The folder of the run that a path of this machine leads to; None for paths of a server."""
    text = os.fspath(path)
    place = Path(text).expanduser()
    if not text or "://" in text or not place.exists():
        return None
    from wandb_storage import LogError

    from ...replay import find_run

    try:
        folder = find_run(place)
    except LogError:
        return None
    # A file here may have the name of a run elsewhere.
    return folder if folder.resolve().parent in place.resolve().parents else None
