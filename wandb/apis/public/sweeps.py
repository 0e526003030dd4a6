"""Sweeps of the public Api, and the agents that work on them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Dict, List, Mapping, Optional
from urllib.parse import quote

import yaml

from ..._terminal import termwarn
from ...errors import CommError
from .._errors import RefusedError, RequestError
from .._source import Source
from ..attrs import Attrs, frame_html
from ..paginator import Page, SizedPaginator
from .run_lists import ORDER_DEFAULT, AgentRuns, Runs
from .runs import Run

if TYPE_CHECKING:
    from .api import Api

_FIELDS = "id name displayName method state description bestLoss config createdAt updatedAt runCount runCountExpected"
# What servers of some years ago know.
_OLD_FIELDS = "id name state bestLoss config"

_SWEEP = """
query GetSweep($name: String!, $project: String, $entity: String) {
  project(name: $project, entityName: $entity) { sweep(sweepName: $name) { FIELDS } }
}
"""

_SWEEPS = """
query GetSweeps($project: String!, $entity: String!, $cursor: String, $perPage: Int = 50) {
  project(name: $project, entityName: $entity) {
    totalSweeps
    sweeps(after: $cursor, first: $perPage) {
      edges { node { FIELDS } }
      pageInfo { endCursor hasNextPage }
    }
  }
}
""".replace("FIELDS", _FIELDS)

_FILTERED_SWEEPS = _SWEEPS.replace("$cursor: String,", "$cursor: String, $filters: JSONString!,").replace(
    "first: $perPage", "first: $perPage, filters: $filters"
)

_AGENT_FIELDS = "id name host state totalRuns createdAt heartbeatAt"

_AGENT = """
query GetSweepAgent($agentID: String!, $sweep: String!, $entity: String, $project: String) {
  project(name: $project, entityName: $entity) {
    sweep(sweepName: $sweep) { agent(agentName: $agentID) { FIELDS } }
  }
}
""".replace("FIELDS", _AGENT_FIELDS)

_AGENTS = """
query GetSweepAgents($sweep: String!, $entity: String, $project: String) {
  project(name: $project, entityName: $entity) {
    sweep(sweepName: $sweep) { agents { edges { node { FIELDS } } } }
  }
}
""".replace("FIELDS", _AGENT_FIELDS)

_ENQUEUE = """
mutation EnqueueSweepRun($id: ID!, $config: JSONString!, $displayName: String) {
  enqueueSweepRun(input: {id: $id, config: $config, displayName: $displayName}) { id runQueueItemId }
}
"""


class Sweeps(SizedPaginator["Sweep"]):
    """The sweeps of a project, fetched page by page.

    >>> [sweep.config["method"] for sweep in wandb.Api().project("digits").sweeps()]
    ['random']
    """

    def __init__(
        self,
        source: Source,
        entity: str,
        project: str,
        per_page: int = 50,
        filters: Optional[Mapping[str, Any]] = None,
    ) -> None:
        super().__init__(per_page)
        if filters and not source.supports("SWEEPS_QUERY_FILTERING"):
            raise CommError(f"{source.base_url} can't filter sweeps; choose among them here")
        self.entity, self.project = entity, project
        self._source, self._filters = source, dict(filters or {})

    def _fetch(self, cursor: Optional[str], count: int) -> Page[Sweep]:
        variables: Dict[str, Any] = {
            "entity": self.entity, "project": self.project, "cursor": cursor, "perPage": count
        }  # fmt: skip
        if self._filters:
            variables["filters"] = json.dumps(self._filters)
        found = self._source.execute(_FILTERED_SWEEPS if self._filters else _SWEEPS, variables).get("project")
        if not found:
            raise RequestError(f"there is no project {self.entity}/{self.project} at {self._source.base_url}")
        nodes = [edge["node"] for edge in found["sweeps"]["edges"]]
        sweeps = [Sweep(self._source, self.entity, self.project, node["name"], node) for node in nodes]
        page = found["sweeps"]["pageInfo"]
        total = None if self._filters else found["totalSweeps"]
        return Page(sweeps, page["endCursor"], page["hasNextPage"], total)

    def __repr__(self) -> str:
        return f"<Sweeps {self.entity}/{self.project}>"


def find_sweep(
    source: Source,
    entity: str,
    project: str,
    sweep_id: str,
    order: Optional[str] = None,
    document: Optional[str] = None,
) -> Optional[Sweep]:
    """A sweep by its id; None where the server has none. order: of its runs. document: asks for it in other words."""
    variables = {"entity": entity, "project": project, "name": sweep_id}
    try:
        answer = source.execute(document or _SWEEP.replace("FIELDS", _FIELDS), variables)
    except RefusedError:
        answer = source.execute(_SWEEP.replace("FIELDS", _OLD_FIELDS), variables)
    found = (answer.get("project") or {}).get("sweep")
    return None if found is None else Sweep(source, entity, project, sweep_id, found, order)


class Sweep(Attrs):
    """A sweep: `state`, `config`, `runs`, `best_run()`.

    >>> sweep = wandb.Api().project("digits").sweeps()[0]
    >>> sweep.state, sweep.order, sweep.best_run()
    ('PENDING', '+summary_metrics.loss', None)
    """

    def __init__(
        self,
        source: Source,
        entity: str,
        project: str,
        sweep_id: str,
        attrs: Optional[Mapping[str, Any]] = None,
        order: Optional[str] = None,
    ) -> None:
        super().__init__(attrs or {})
        self._source, self._entity, self.project, self.id = source, entity, project, sweep_id
        self._runs_order = order or ORDER_DEFAULT
        self._runs: Optional[Runs] = None
        self.load()

    @property
    def entity(self) -> str:
        """The user or team that owns the sweep."""
        return self._entity

    @property
    def username(self) -> str:
        """`entity`, under its name of 2020."""
        return self._entity

    @property
    def config(self) -> Dict[str, Any]:
        """What the sweep was made with."""
        config = yaml.safe_load(self._attrs["config"]) or {}
        assert isinstance(config, dict)
        return config

    @property
    def name(self) -> str:
        """The name on its page, else that of its config, else its id."""
        return str(self._attrs.get("displayName") or self.config.get("name") or self.id)

    @property
    def runs(self) -> Runs:
        """The sweep's runs, the oldest first."""
        if self._runs is None:
            self._runs = self._list(self._runs_order)
        return self._runs

    def _list(self, order: str, per_page: int = 50) -> Runs:
        return Runs(self._source, self.entity, self.project, {"$and": [{"sweep": self.id}]}, order, per_page)

    def load(self, force: bool = False) -> Dict[str, Any]:
        """What the server says of the sweep. Raises ValueError where it has none of that id."""
        if force or not self._attrs:
            found = find_sweep(self._source, self.entity, self.project, self.id)
            if found is None:
                raise RequestError(
                    f"there is no sweep {self.entity}/{self.project}/{self.id} at {self._source.base_url}"
                )
            self._attrs, self._runs = found._attrs, None
        return self._attrs

    @property
    def order(self) -> Optional[str]:
        """The order that puts the best run first, by the metric of the config; None where that names none."""
        metric = self.config.get("metric") or {}
        if not metric.get("name"):
            return None
        sign = "-" if metric.get("goal", "minimize") == "maximize" else "+"
        return f"{sign}summary_metrics.{metric['name']}"

    def best_run(self, order: Optional[str] = None) -> Optional[Run]:
        """The best run by the metric of the config, or the first in `order`; None where there are no runs."""
        order = self.order if order is None else order_of(order)
        if order is None:
            termwarn(f"the config of sweep {self.id} names no metric: this is its latest run, not its best")
        return next(iter(self._list(order or "-created_at", per_page=1)), None)

    @property
    def expected_run_count(self) -> Optional[int]:
        """How many runs the sweep will have; None where it goes on until it is stopped."""
        count: Optional[int] = self._attrs.get("runCountExpected")
        return count

    @property
    def path(self) -> List[str]:
        """[entity, project, id], each as it stands in addresses."""
        return [quote(part, safe="") for part in (self.entity, self.project, self.id)]

    @property
    def url(self) -> str:
        """The sweep's page."""
        entity, project, sweep_id = self.path
        return f"{self._source.app_url}/{entity}/{project}/sweeps/{sweep_id}"

    @classmethod
    def get(
        cls,
        api: Api,
        entity: Optional[str] = None,
        project: Optional[str] = None,
        sid: Optional[str] = None,
        order: Optional[str] = None,
        query: Optional[str] = None,
    ) -> Optional[Sweep]:
        """A sweep by its id; None where the server has none. order: of its runs. query: a document of GraphQL that
        asks for it in other words."""
        where = api.parse_path("/".join(part for part in (entity, project, sid) if part))
        return find_sweep(api.source, where.entity, where.project, where.id, order, query)

    def agent(self, agent_id: str) -> Agent:
        """One of the sweep's agents. Raises CommError where there is none of that id."""
        answer = self._source.execute(_AGENT, {**self._variables, "agentID": agent_id})
        found = ((answer.get("project") or {}).get("sweep") or {}).get("agent")
        if found is None:
            raise CommError(f"there is no agent {agent_id} of the sweep {self.id}")
        return Agent(self._source, found, self.entity, self.project, self.id)

    def agents(self) -> List[Agent]:
        """The agents that work, or have worked, on the sweep."""
        answer = self._source.execute(_AGENTS, self._variables)
        edges = (((answer.get("project") or {}).get("sweep") or {}).get("agents") or {}).get("edges", ())
        return [Agent(self._source, edge["node"], self.entity, self.project, self.id) for edge in edges]

    @property
    def _variables(self) -> Dict[str, str]:
        return {"entity": self.entity, "project": self.project, "sweep": self.id}

    def enqueue_run(self, config: Mapping[str, Any], display_name: Optional[str] = None) -> str:
        """Let an agent run a config of your own; returns the run's id. Raises CommError where the server can't."""
        if not self._source.supports("SWEEPS_LOCAL_SCHEDULER"):
            raise CommError(f"{self._source.base_url} takes no runs for sweeps from outside")
        variables = {"id": self._attrs["id"], "config": json.dumps(config), "displayName": display_name}
        return str(self._source.execute(_ENQUEUE, variables, repeatable=False)["enqueueSweepRun"]["id"])

    def to_html(self, height: int = 420, hidden: bool = False) -> str:
        """The sweep's page in a frame; with `hidden`, behind a button."""
        return frame_html(self.url, f"sweep {self.name}", height, hidden)

    def _repr_html_(self) -> str:
        return self.to_html()

    def __repr__(self) -> str:
        return f"<Sweep {'/'.join(self.path)} ({self._attrs.get('state', 'unknown')})>"


class Agent(Attrs):
    """An agent of a sweep: `name`, `host`, `state`, `total_runs`, `heartbeat_at`.

    >>> [agent] = wandb.Api().project("digits").sweeps()[0].agents()
    >>> agent.host
    'a-host'
    """

    def __init__(self, source: Source, attrs: Mapping[str, Any], entity: str, project: str, sweep_id: str) -> None:
        super().__init__(attrs)
        self._source, self._sweep = source, (entity, project, sweep_id)

    def runs(self, per_page: int = 50) -> AgentRuns:
        """The runs that the agent has started."""
        key = self._attrs.get("name") or self._attrs["id"]
        total = int(self._attrs.get("totalRuns") or 0)
        return AgentRuns(self._source, *self._sweep, key, total_runs=total, per_page=per_page)

    def __repr__(self) -> str:
        return f"<Agent {self._attrs.get('id')} ({self._attrs.get('state', 'unknown')})>"


def order_of(text: str) -> str:
    """An order as servers know it, from the name of a metric as users write it; without a sign, the highest first.

    >>> order_of("accuracy"), order_of("+loss"), order_of("-created_at")
    ('-summary_metrics.accuracy', '+summary_metrics.loss', '-created_at')
    """
    sign, key = (text[0], text[1:]) if text[:1] in ("+", "-") else ("-", text)
    known = key in ("created_at", "heartbeat_at") or key.startswith(("config.", "summary_metrics."))
    return f"{sign}{key}" if known else f"{sign}summary_metrics.{key}"
