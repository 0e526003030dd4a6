"""`run.settings`: the settings of a run, and what callers of the official client look for in them that follows from the
run."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Optional

from .wandb_settings import Settings

if TYPE_CHECKING:
    from ._run_facts import RunFacts


class SettingsOfRun(Settings):
    """The settings of one run; changing one changes the run's.

    >>> import wandb
    >>> with wandb.init(mode="offline") as run:
    ...     run.settings.sync_dir == run.sync_dir, run.settings.run_url, run.settings._offline
    (True, None, True)
    """

    __slots__ = ("_run",)  # beside the values, which are the run's

    @classmethod
    def of(cls, run: RunFacts) -> SettingsOfRun:
        """The settings of a run: the same values, not a copy of them."""
        settings = cls()
        object.__setattr__(settings, "__dict__", run._settings.__dict__)
        object.__setattr__(settings, "_run", run)
        return settings

    @property
    def _facts(self) -> RunFacts:
        run: RunFacts = object.__getattribute__(self, "_run")
        return run

    @property
    def run_url(self) -> Optional[str]:
        """The run's page."""
        return self._facts.url

    @property
    def project_url(self) -> Optional[str]:
        """The project's page."""
        return self._facts.project_url

    @property
    def sweep_url(self) -> Optional[str]:
        """The page of the run's sweep."""
        return self._facts.sweep_url

    @property
    def wandb_dir(self) -> str:
        """The folder in which the runs are."""
        return os.path.dirname(self._facts.sync_dir)

    @property
    def sync_dir(self) -> str:
        """The run's folder."""
        return self._facts.sync_dir

    @property
    def sync_file(self) -> str:
        """The run's log."""
        return os.path.join(self._facts.sync_dir, f"run-{self._facts.id}.wandb")

    @property
    def files_dir(self) -> str:
        """The folder of the run's files."""
        return self._facts.dir

    @property
    def _offline(self) -> bool:
        return self._facts.offline

    @property
    def _noop(self) -> bool:
        return self._facts.disabled
