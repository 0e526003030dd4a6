"""A sweep on a server."""

from __future__ import annotations

import json
import os
import socket
from typing import Any, Collection, Dict, List, Mapping, Optional, Sequence, Tuple

from ..apis._client import Client
from ..apis._errors import RefusedError
from ..errors import CommError, UsageError
from ._config import check_config
from ._dispatch import STATES, SweepRun
from ._home import Command
from ._search import Trial, values_of

_UPSERT = """mutation UpsertSweep($id: ID, $config: String, $description: String, $displayName: String,
    $entityName: String, $projectName: String, $controller: JSONString, $scheduler: JSONString, $state: String,
    $priorRunsFilters: JSONString) {
  upsertSweep(input: {id: $id, config: $config, description: $description, displayName: $displayName,
      entityName: $entityName, projectName: $projectName, controller: $controller, scheduler: $scheduler,
      state: $state, priorRunsFilters: $priorRunsFilters}) {
    sweep { name project { name entity { name } } }
    configValidationWarnings
  }
}"""

_SWEEP = """query SweepWithRuns($entity: String, $project: String!, $sweep: String!, $specs: [JSONString!]!) {
  project(name: $project, entityName: $entity) {
    name
    entity { name }
    sweep(sweepName: $sweep) {
      id name state config controller scheduler
      runs {
        edges {
          node { name state config summaryMetrics shouldStop sampledHistory(specs: $specs) }
        }
      }
    }
  }
}"""

_AGENT = """mutation CreateAgent($host: String!, $projectName: String!, $entityName: String, $sweep: String!) {
  createAgent(input: {host: $host, projectName: $projectName, entityName: $entityName, sweep: $sweep}) {
    agent { id }
  }
}"""

_BEAT = """mutation Heartbeat($id: ID!, $metrics: JSONString, $runState: JSONString) {
  agentHeartbeat(input: {id: $id, metrics: $metrics, runState: $runState}) { agent { id } commands }
}"""

# Of a run's metric, as many points as any curve needs for deciding whether to stop.
_HISTORY_SAMPLES = 100_000


class RemoteSweep:
    """A sweep by its name on a server. Safe between threads."""

    def __init__(self, client: Client, entity: Optional[str], project: str, name: str) -> None:
        """Raises CommError where there is no such sweep."""
        self._client, self.id = client, name
        self._variables = {"entity": entity, "project": project, "sweep": name}
        found = self._read(())
        self.entity, self.project = found["entity"], found["project"]
        self._variables["entity"] = self.entity

    @classmethod
    def create(
        cls,
        client: Client,
        config: Mapping[str, Any],
        entity: Optional[str],
        project: Optional[str],
        prior_runs: Sequence[str] = (),
    ) -> Tuple[RemoteSweep, List[str]]:
        """A new sweep, and what the server says about its configuration. Raises CommError."""
        filters = json.dumps({"$or": [{"name": run} for run in prior_runs]}) if prior_runs else None
        variables = {"config": _yaml(config), "entityName": entity, "projectName": project or "uncategorized"}
        made = client.execute(_UPSERT, {**variables, "priorRunsFilters": filters}, repeatable=False)["upsertSweep"]
        sweep = made["sweep"]
        home = cls(client, sweep["project"]["entity"]["name"], sweep["project"]["name"], sweep["name"])
        return home, list(made.get("configValidationWarnings") or ())

    @property
    def label(self) -> str:
        return f"{self._client.app_url}/{self.entity}/{self.project}/sweeps/{self.id}"

    @property
    def path(self) -> str:
        return f"{self.entity}/{self.project}/{self.id}"

    @property
    def environment(self) -> Mapping[str, str]:
        return {"WANDB_ENTITY": self.entity, "WANDB_PROJECT": self.project, "WANDB_BASE_URL": self._client.base_url}

    @property
    def config(self) -> Mapping[str, Any]:
        return _config_of(self._read(())["config"])

    # --- agents -------------------------------------------------------------------------------------------------------

    def register(self) -> str:
        host = f"{socket.gethostname()} {os.getpid()}"
        variables = {
            "host": host, "projectName": self.project, "entityName": self.entity, "sweep": self.id,
        }  # fmt: skip
        return str(self._client.execute(_AGENT, variables, repeatable=False)["createAgent"]["agent"]["id"])

    def held_by(self, agent: str) -> Collection[int]:
        return ()  # a server waits for an agent's next sign of life for longer than a trial takes to begin

    def beat(self, agent: str, alive: Collection[str]) -> List[Command]:
        state = json.dumps(dict.fromkeys(alive, True))
        told = self._client.execute(_BEAT, {"id": agent, "metrics": "{}", "runState": state})["agentHeartbeat"]
        try:
            commands = json.loads(told["commands"] or "[]")
            return [
                Command(command["type"], command.get("run_id") or "", command.get("args") or {}) for command in commands
            ]
        except (ValueError, TypeError, KeyError) as error:
            raise CommError(f"the server's commands can't be read: {error!r}") from None

    # --- state, runs and plan -----------------------------------------------------------------------------------------

    def state(self) -> str:
        return str(self._read(())["state"])

    def set_state(self, state: str) -> None:
        if state not in STATES:
            raise UsageError(f"{state!r} is no state of a sweep; there are {', '.join(STATES)}")
        self._change(state=state)

    def change_config(self, config: Mapping[str, Any]) -> None:
        """Give the sweep another configuration. Raises CommError."""
        self._change(config=_yaml(config))

    def runs(self) -> Sequence[SweepRun]:
        checked = check_config(self.config)
        name = checked.metric["name"] if checked.metric is not None else None
        specs = [json.dumps({"keys": ["_step", name], "samples": _HISTORY_SAMPLES})] if name else []
        found = []
        for edge in self._read(specs)["runs"]["edges"]:
            run = edge["node"]
            values = values_of(checked.parameters, _parsed(run.get("config")))
            rows = [row for rows in run.get("sampledHistory") or () for row in rows]
            metric = [row[name] for row in rows if isinstance(row.get(name), (int, float))]
            if not metric and name:
                last = _parsed(run.get("summaryMetrics")).get(name)
                metric = [last] if isinstance(last, (int, float)) else []
            trial = Trial(values, run["state"], metric)
            found.append(SweepRun(run["name"], trial, stopping=bool(run.get("shouldStop"))))
        return found

    def plan(self) -> Mapping[str, Any]:
        return _parsed(self._read(())["controller"])

    def scheduled(self) -> Sequence[Mapping[str, Optional[str]]]:
        return list(_parsed(self._read(())["scheduler"]).get("scheduled") or ())

    def write_plan(self, plan: Mapping[str, Any]) -> None:
        self._change(controller=json.dumps(plan))

    def _change(self, **values: str) -> None:
        self._client.execute(_UPSERT, {"id": self._read(())["id"], **values})

    def _read(self, specs: Sequence[str]) -> Dict[str, Any]:
        try:
            project = self._client.execute(_SWEEP, {**self._variables, "specs": list(specs)})["project"]
        except RefusedError as error:
            raise CommError(f"the sweep {self.id!r} can't be had: {error}") from None
        if project is None or project["sweep"] is None:
            where = "/".join(filter(None, (self._variables["entity"], self._variables["project"])))
            raise CommError(f"there is no sweep {self.id!r} in {where} at {self._client.base_url}")
        return {**project["sweep"], "project": project["name"], "entity": project["entity"]["name"]}


def _yaml(config: Mapping[str, Any]) -> str:
    import yaml

    return str(yaml.safe_dump(json.loads(json.dumps(dict(config))), sort_keys=False))


def _config_of(text: str) -> Dict[str, Any]:
    import yaml

    value = yaml.safe_load(text)
    return value if isinstance(value, dict) else {}


def _parsed(text: Optional[str]) -> Dict[str, Any]:
    value = json.loads(text) if text else {}
    return value if isinstance(value, dict) else {}
