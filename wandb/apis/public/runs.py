"""Runs of the public Api: reading one, changing it, and lists of them."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any, Callable, Dict, List, Mapping, Optional
from urllib.parse import quote

from ...sdk._values import storable
from .._errors import RunNotFoundError as RunNotFoundError
from .._source import Source
from ..attrs import frame_html
from ._run_documents import (
    DELETE_RUN,
    DELETE_RUN_AND_ARTIFACTS,
    HEAVY_FIELDS,
    RUN_STATE,
    STOP_RUN,
    UPDATE_RUN,
    UPDATE_RUN_STATE,
    run_document,
)
from ._run_parts import RunParts
from .users import User

if TYPE_CHECKING:
    from .api import Api
    from .run_lists import AgentRuns as AgentRuns
    from .run_lists import Runs as Runs
    from .summary import HTTPSummary
    from .sweeps import Sweep

# Keys of a config that are the client's own.
INTERNAL_KEYS = ("_wandb", "wandb_version")
# A run in one of these states goes on, or will.
_UNFINISHED = ("running", "pending", "preempting", "preempted")
_POLL_SECONDS = 5.0
# What can be changed, and what it is called in a change.
_LABELS = {
    "displayName": "displayName", "description": "description", "notes": "notes", "tags": "tags",
    "group": "groupName", "jobType": "jobType",
}  # fmt: skip


def _label(name: str, what: str) -> Any:
    """A value that can be set, and that `update` sends."""

    def get(run: Run) -> Any:
        return run._attrs.get(name)

    def put(run: Run, value: Any) -> None:
        run._attrs[name] = value

    return property(get, put, doc=what)


class Run(RunParts):
    """A run, as `Api.run` and `Api.runs` give it.

    `state`, `created_at`, `heartbeat_at`, `user`, `config`, `summary` and so on are what the server said when the run
    was loaded; `load(force=True)` asks again. What is set here, `name`, `notes`, `tags`, `group`, `job_type`, values
    in `config` and `summary`, reaches the server with `update()`.

    >>> run = wandb.Api().runs("digits")[0]
    >>> run.state, run.config["lr"], run.summary["loss"]
    ('finished', 0.1, 0.25)
    >>> [row["loss"] for row in run.scan_history(keys=["loss"])]
    [0.5, 0.25]
    >>> run.tags.append("best")
    >>> run.update()
    """

    name = _label("displayName", "The run's name on its page.")
    notes = _label("notes", "What is special about the run.")
    description = _label("description", "What notes were once called.")
    tags = _label("tags", "The run's tags, a list.")
    group = _label("group", "The group that the run belongs to.")
    job_type = _label("jobType", "What the run does in its group: train, eval, …")

    def __init__(
        self,
        source: Source,
        entity: str,
        project: str,
        run_id: str,
        attrs: Optional[Mapping[str, Any]] = None,
        include_sweeps: bool = False,
        lazy: bool = True,
        load_more: Optional[Callable[[], None]] = None,
    ) -> None:
        """load_more: what fills in the heavy attributes of a run that was listed without them."""
        super().__init__({"name": run_id, **(attrs or {})})
        self._source, self._entity, self.project = source, entity, project
        self._lazy, self._load_more = lazy, load_more
        self._summary: Optional[HTTPSummary] = None
        self._sweep: Optional[Sweep] = None
        self._metadata: Optional[Dict[str, Any]] = None
        self._held: Dict[str, str] = {}  # what the server has, of what can be changed
        if attrs:
            self._take(attrs)
        else:
            self.load(force=True)
        if include_sweeps and self.sweep_name:
            self._sweep = self.sweep

    def __getstate__(self) -> Dict[str, Any]:
        # Those that were listed with it stay behind.
        return {**super().__getstate__(), "_load_more": None}

    def __getattr__(self, name: str) -> Any:
        if name in HEAVY_FIELDS:
            return self._heavy(name)
        return super().__getattr__(name)

    # --- what it is ---------------------------------------------------------------------------------------------------

    @property
    def id(self) -> str:
        """The run's id, unique in its project."""
        return str(self._attrs["name"])

    @id.setter
    def id(self, new_id: str) -> None:
        self._attrs["name"] = new_id

    @property
    def entity(self) -> str:
        return self._entity

    @property
    def username(self) -> str:
        """`entity`, under its name of 2020."""
        return self._entity

    @property
    def storage_id(self) -> str:
        """What the server calls the run."""
        return str(self._attrs["id"])

    @property
    def project_internal_id(self) -> Optional[int]:
        """The server's number of the project."""
        number = self._attrs.get("projectId")
        return None if number is None else int(number)

    @property
    def state(self) -> str:
        """running, pending, finished, failed, crashed, killed, preempting or preempted, when the run was loaded."""
        return str(self._attrs.get("state", "not found"))

    @property
    def user(self) -> User:
        """Who started the run."""
        if not self._attrs.get("user"):
            raise AttributeError(f"nothing is known of who started the run {self.id}")
        return User(self._source, self._attrs["user"])

    @property
    def path(self) -> List[str]:
        """[entity, project, id], each as it stands in addresses."""
        return [quote(part, safe="") for part in self._where]

    @property
    def url(self) -> str:
        """The run's page; of a local run, its folder."""
        if "url" in self._attrs:
            return str(self._attrs["url"])
        entity, project, run_id = self.path
        return f"{self._source.app_url}/{entity}/{project}/runs/{run_id}"

    # --- what it was given and what it came to ------------------------------------------------------------------------

    @property
    def config(self) -> Dict[str, Any]:
        """The run's config."""
        config: Dict[str, Any] = self._heavy("config")
        return config

    @property
    def rawconfig(self) -> Dict[str, Any]:
        """The config with what the client itself keeps there, under `_wandb`."""
        return {**self.config, **self._attrs["internalConfig"]}

    @property
    def json_config(self) -> str:
        """The whole config as the server takes it. Raises DataError for a value that can't be stored."""
        whole = {**self._heavy("internalConfig"), **self.config}
        wrapped = {key: {"value": value, "desc": None} for key, value in whole.items()}
        return json.dumps(wrapped, default=lambda value: storable(value, "config", for_config=True))

    @property
    def summary_metrics(self) -> Dict[str, Any]:
        """The summary, as the server gave it."""
        metrics: Dict[str, Any] = self._heavy("summaryMetrics")
        return metrics

    @property
    def summary(self) -> HTTPSummary:
        """The summary: a dictionary whose changes reach the server with its `update()`, or the run's."""
        if self._summary is None:
            from .summary import HTTPSummary

            self._summary = HTTPSummary(self.summary_metrics, self._save_summary)
        return self._summary

    @property
    def system_metrics(self) -> Dict[str, Any]:
        """The last sample of the machine's metrics."""
        metrics: Dict[str, Any] = self._heavy("systemMetrics")
        return metrics

    @property
    def history_keys(self) -> Optional[Dict[str, Any]]:
        """What the server knows of the history's keys: `{"lastStep": …, "keys": {key: …}}`."""
        keys: Optional[Dict[str, Any]] = self._heavy("historyKeys")
        return keys

    @property
    def metadata(self) -> Optional[Dict[str, Any]]:
        """What the run told of its program and machine: the file `wandb-metadata.json`; None where there is none."""
        if self._metadata is None:
            from .files import read_json

            self._metadata = read_json(self.file("wandb-metadata.json"))
        return self._metadata

    @property
    def sweep_name(self) -> Optional[str]:
        """The id of the sweep that the run is a trial of."""
        name: Optional[str] = self._attrs.get("sweepName")
        return name

    @property
    def sweep(self) -> Optional[Sweep]:
        """The sweep that the run is a trial of."""
        if self._sweep is None and self.sweep_name:
            from .sweeps import find_sweep

            self._sweep = find_sweep(self._source, self.entity, self.project, self.sweep_name)
        return self._sweep

    def know_sweep(self, sweep: Optional[Sweep]) -> None:
        """Take the sweep from whoever has it already."""
        self._sweep = sweep

    # --- loading ------------------------------------------------------------------------------------------------------

    def load(self, force: bool = False) -> Dict[str, Any]:
        """What the server says of the run; with `force`, now, and what was changed here and not sent is forgotten.

        Raises RunNotFoundError where it has no such run, CommError.
        """
        if force or "state" not in self._attrs:
            self._take(self._ask(full=not self._lazy))
            self._summary = self._metadata = None
        return self._attrs

    def load_full_data(self, force: bool = False) -> Dict[str, Any]:
        """Load config, summary, system metrics and keys too, which otherwise happens when one is first used."""
        if force:
            self._lazy = False
            return self.load(force=True)
        if not self.loaded_fully:
            self.fill_in(self._ask(full=True))
        return self._attrs

    def _ask(self, full: bool) -> Dict[str, Any]:
        answer = self._source.execute(
            run_document(full), {"entity": self.entity, "project": self.project, "name": self.id}
        )
        found: Optional[Dict[str, Any]] = (answer.get("project") or {}).get("run")
        if found is None:
            raise RunNotFoundError(f"there is no run {self._where} at {self._source.base_url}")
        return found

    @property
    def loaded_fully(self) -> bool:
        """Whether config, summary, system metrics and keys are here."""
        return "config" in self._attrs

    def _heavy(self, name: str) -> Any:
        if not self.loaded_fully and self._load_more is not None:
            self._load_more()
        if not self.loaded_fully:
            self.fill_in(self._ask(full=True))
        return self._value(name)

    def _take(self, answer: Mapping[str, Any]) -> None:
        """Take everything that the server said."""
        self._attrs = {key: value for key, value in answer.items() if key not in HEAVY_FIELDS}
        self._held = {name: json.dumps(self._attrs.get(name)) for name in _LABELS}
        if "config" in answer:
            self.fill_in(answer)

    def fill_in(self, answer: Mapping[str, Any]) -> None:
        """Take the heavy part of what the server said, and leave alone what may have been changed here."""
        config = {
            key: value["value"] if isinstance(value, dict) and "value" in value else value
            for key, value in _object(answer.get("config")).items()
        }
        internal = {key: config.pop(key) for key in INTERNAL_KEYS if key in config}
        self._attrs.update(
            config=config,
            internalConfig=internal,
            summaryMetrics=_object(answer.get("summaryMetrics")),
            systemMetrics=_object(answer.get("systemMetrics")),
            historyKeys=answer.get("historyKeys"),
        )
        self._held["config"] = self.json_config

    # --- changing it --------------------------------------------------------------------------------------------------

    def update(self) -> None:
        """Send what was changed here. Raises CommError."""
        changed = {
            variable: "" if self._attrs.get(name) is None else self._attrs[name]
            for name, variable in _LABELS.items()
            if json.dumps(self._attrs.get(name)) != self._held[name]
        }
        if self.loaded_fully and self.json_config != self._held["config"]:
            changed["config"] = self.json_config
        if changed:
            self._source.execute(UPDATE_RUN, {"id": self.storage_id, **changed})
            self._held.update((name, json.dumps(self._attrs.get(name))) for name in _LABELS)
            if "config" in changed:
                self._held["config"] = changed["config"]
        if self._summary is not None:
            self._summary.update()

    def save(self) -> None:
        """`update`."""
        self.update()

    def _save_summary(self, summary: Dict[str, Any]) -> None:
        self._source.execute(UPDATE_RUN, {"id": self.storage_id, "summaryMetrics": json.dumps(summary)})
        self._attrs["summaryMetrics"] = summary

    def delete(self, delete_artifacts: bool = False) -> None:
        """Delete the run at the server; with `delete_artifacts`, the artifacts that it logged too. Raises CommError."""
        if delete_artifacts:
            self._source.execute(DELETE_RUN_AND_ARTIFACTS, {"id": self.storage_id, "deleteArtifacts": True})
        else:
            self._source.execute(DELETE_RUN, {"id": self.storage_id})

    def stop(self) -> None:
        """Ask the program that logs the run to end, as the button on its page does. Raises CommError."""
        self._source.execute(STOP_RUN, {"id": self.storage_id})

    def update_state(self, state: str) -> bool:
        """Set the state of a run that nobody logs: to `"pending"`, or to `"failed"`. Returns whether the server did it.

        Raises CommError where the server refuses.
        """
        answer = self._source.execute(UPDATE_RUN_STATE, {"input": {"id": self.storage_id, "state": state}})
        done = bool((answer.get("updateRunState") or {}).get("success"))
        if done:
            self._attrs["state"] = state
        return done

    def wait_until_finished(self) -> None:
        """Return when the run has ended, however it did. Raises CommError."""
        while True:
            answer = self._source.execute(RUN_STATE, {"entity": self.entity, "project": self.project, "name": self.id})
            found = (answer.get("project") or {}).get("run")
            if found is None:
                raise RunNotFoundError(f"there is no run {self._where} at {self._source.base_url} any more")
            self._attrs["state"] = found["state"]
            if found["state"] not in _UNFINISHED:
                return
            time.sleep(_POLL_SECONDS)

    @classmethod
    def create(
        cls,
        api: Api,
        run_id: Optional[str] = None,
        project: Optional[str] = None,
        entity: Optional[str] = None,
        state: str = "running",
    ) -> Run:
        """Make a run at the server without logging to it: `"pending"`, for a job that is still to start, or
        `"running"`. Raises CommError.
        """
        return api.make_run(run_id, project, entity, state)

    # --- showing it ---------------------------------------------------------------------------------------------------

    def to_html(self, height: int = 420, hidden: bool = False) -> str:
        """The run's page in a frame; with `hidden`, behind a button."""
        return frame_html(self.url, f"run {self.name or self.id}", height, hidden)

    def _repr_html_(self) -> str:
        return self.to_html()

    def __repr__(self) -> str:
        return f"<Run {'/'.join(self.path)} ({self.state})>"


def _object(value: Any) -> Dict[str, Any]:
    """A JSON object that is one already, or stands in a text."""
    if isinstance(value, (str, bytes)):
        value = json.loads(value or "{}", strict=False)  # control characters, as old clients sent them
    return value if isinstance(value, dict) else {}


def __getattr__(name: str) -> Any:
    if name in ("AgentRuns", "Runs"):
        from . import run_lists

        return getattr(run_lists, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
