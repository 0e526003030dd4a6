"""What a run is called, where it stands and how far it has come: its properties, of which only the labels are set."""

from __future__ import annotations

import datetime
import os
import time
from pathlib import Path
from typing import Any, Iterable, NamedTuple, Optional, Sequence, Tuple

from wandb_storage import Labels, Record

from ..errors import UsageError
from ._restored import Restored
from ._upload import upload_status
from .wandb_config import Config, StaticConfig
from .wandb_settings import Settings
from .wandb_summary import Summary


class Progress:
    """What every `log` call changes: kept apart, since setting an attribute of a Run is checked."""

    __slots__ = ("as_is", "complete", "late_rows", "step")

    def __init__(self, step: int) -> None:
        self.step = step
        self.complete = 1  # whether the last call completed its row
        self.late_rows = 0
        self.as_is = True  # whether the last row was stored as it came: of the next one the same is likely


class SyncStatus(NamedTuple):
    """How far the upload of a run is, in records of its log."""

    sync_items_total: int
    sync_items_pending: int
    sync_time: Optional[datetime.datetime]  # of the last record that the server has, in local time


class RunFacts:
    """The properties of a run."""

    def __init__(self, settings: Settings, folder: Path, start: float, restored: Restored) -> None:
        self._settings = settings
        self._folder = folder
        self._start = start
        self._pid = os.getpid()
        self._progress = Progress(restored.step)
        self._starting_step = restored.step
        self._runtime_before = restored.runtime
        self._resumed = restored.resumed
        self._labels = Labels(
            name=settings.run_name,
            notes=settings.run_notes,
            tags=list(settings.run_tags or ()),
            group=settings.run_group,
            job_type=settings.run_job_type,
        )
        self._config: Config
        self._summary: Summary

    # --- identity -----------------------------------------------------------------------------------------------------

    @property
    def id(self) -> str:
        """The run's id, unique in its project."""
        assert self._settings.run_id is not None
        return self._settings.run_id

    @property
    def project(self) -> Optional[str]:
        """The project."""
        return self._settings.project

    def project_name(self) -> Optional[str]:
        """The project, as older callers ask for it."""
        return self._settings.project

    @property
    def entity(self) -> Optional[str]:
        """The user or team that owns the run; None until the server has said so, where nobody named one."""
        return self._settings.entity or self._page_part(0)

    @property
    def path(self) -> str:
        """entity/project/id, without what isn't known yet."""
        return "/".join(part for part in (self.entity, self.project, self.id) if part)

    @property
    def group(self) -> Optional[str]:
        """The group that the run belongs to."""
        return self._settings.run_group

    @property
    def job_type(self) -> Optional[str]:
        """What kind of run it is: train, eval, …"""
        return self._settings.run_job_type

    @property
    def sweep_id(self) -> Optional[str]:
        """The sweep that the run is a trial of."""
        return self._settings.sweep_id

    @property
    def settings(self) -> Settings:
        """The settings that the run was made with. What follows from them is there, too: `run_url`, `sync_dir`, ..."""
        from ._settings_of_run import SettingsOfRun

        return SettingsOfRun.of(self)

    @property
    def mode(self) -> str:
        """online, offline, disabled or shared."""
        return self._settings.mode

    @property
    def offline(self) -> bool:
        """Whether nothing is uploaded while the run lasts."""
        return self._settings.mode == "offline"

    @property
    def disabled(self) -> bool:
        """Whether nothing is recorded."""
        return False

    @property
    def resumed(self) -> bool:
        """Whether the run goes on with what an earlier session logged."""
        return self._resumed

    # --- labels -------------------------------------------------------------------------------------------------------

    @property
    def name(self) -> Optional[str]:
        """The run's name on the page."""
        return self._labels.name

    @name.setter
    def name(self, name: str) -> None:
        self._relabel(name=str(name))

    @property
    def notes(self) -> Optional[str]:
        """What is special about the run."""
        return self._labels.notes

    @notes.setter
    def notes(self, notes: str) -> None:
        self._relabel(notes=str(notes))

    @property
    def tags(self) -> Tuple[str, ...]:
        """The run's tags."""
        return tuple(self._labels.tags)

    @tags.setter
    def tags(self, tags: Sequence[str]) -> None:
        if isinstance(tags, str) or not isinstance(tags, Iterable):
            raise UsageError(f"tags is a list of strings, not {tags!r}")
        self._relabel(tags=list(dict.fromkeys(str(tag) for tag in tags)), tags_changed=True)

    def _relabel(self, **labels: Any) -> None:
        self._append(Labels(**labels, time=time.time()))
        for label, value in labels.items():
            setattr(self._labels, label, value)

    def _append(self, record: Record) -> None:
        raise NotImplementedError

    # --- what it holds ------------------------------------------------------------------------------------------------

    @property
    def config(self) -> Config:
        """The run's configuration."""
        return self._config

    @property
    def config_static(self) -> StaticConfig:
        """A copy of the configuration as it is now, which can't be changed."""
        return StaticConfig(self._config.as_dict())

    @property
    def summary(self) -> Summary:
        """One value a key: what the rows add up to."""
        return self._summary

    @property
    def step(self) -> int:
        """The step of the row that the next call to `log` belongs to."""
        return self._progress.step

    @property
    def starting_step(self) -> int:
        """The first step of this session."""
        return self._starting_step

    @property
    def start_time(self) -> float:
        """When this session began, in seconds since the epoch."""
        return self._start

    # --- places -------------------------------------------------------------------------------------------------------

    @property
    def dir(self) -> str:
        """The folder of the run's files."""
        return str(self._folder / "files")

    @property
    def sync_dir(self) -> str:
        """The run's folder."""
        return str(self._folder)

    @property
    def _attach_id(self) -> str:
        """What `wandb.attach` finds this run by, from any folder."""
        return self.sync_dir

    @property
    def url(self) -> Optional[str]:
        """The run's page; None offline, and until the server has said who owns the run."""
        status = None if self.offline else upload_status(self._folder, self._settings.base_url)
        return status.url or None if status is not None else None

    def get_url(self) -> Optional[str]:
        """The run's page, as older callers ask for it."""
        return self.url

    @property
    def project_url(self) -> Optional[str]:
        """The project's page."""
        return self._project_page("")

    def get_project_url(self) -> Optional[str]:
        """The project's page, as older callers ask for it."""
        return self.project_url

    @property
    def sweep_url(self) -> Optional[str]:
        """The page of the run's sweep; None where it has none."""
        return self._project_page(f"/sweeps/{self.sweep_id}") if self.sweep_id else None

    def get_sweep_url(self) -> Optional[str]:
        """The page of the run's sweep, as older callers ask for it."""
        return self.sweep_url

    def _project_page(self, below: str) -> Optional[str]:
        page, runs, _ = (self.url or "").rpartition("/runs/")
        return f"{page}{below}" if runs else None

    def _page_part(self, index: int) -> Optional[str]:
        """A part of the run's page, ENTITY/PROJECT: what the server has made of names that nobody gave."""
        page = self.project_url
        return page.rsplit("/", 2)[1 + index] if page else None

    def status(self) -> SyncStatus:
        """How far the upload is."""
        total = self._last_record()
        known = None if self.offline else upload_status(self._folder, self._settings.base_url)
        if known is None:
            return SyncStatus(total, total, None)
        until = datetime.datetime.fromtimestamp(known.acked_time) if known.acked_time else None
        return SyncStatus(total, max(0, total - known.sequence_acked), until)

    def _last_record(self) -> int:
        """The number of the last record of the run's log."""
        return 0

    # --- as an object -------------------------------------------------------------------------------------------------

    def __reduce__(self) -> Tuple[Any, ...]:
        from ._child import pickled

        return pickled(self)

    def __repr__(self) -> str:
        return f"<wandb.Run {self.id} in {self._folder}>"
