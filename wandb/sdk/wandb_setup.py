"""`wandb.setup` and `wandb.teardown`: settings for the whole process, and its end."""

from __future__ import annotations

from typing import Any, Mapping, Optional, Union

from ._settings import _process
from ._settings._sources import SETUP
from .wandb_settings import Settings, merged


class Session:
    """What the process has set up. There is one, and `setup` returns it."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    @property
    def settings(self) -> Settings:
        """The settings before any run adds its own. What is changed here holds for every later `init`."""
        return self._settings


_session: Optional[Session] = None


def setup(settings: Union[None, Settings, Mapping[str, Any]] = None) -> Session:
    """Settings for every later run of this process. Nobody has to call it.

    >>> wandb.setup(wandb.Settings(mode="offline")).settings.mode
    'offline'

    settings: what to add to the settings of earlier calls. Returns the process's session, always the same object.
    Raises UsageError for settings that make no sense.
    """
    global _session
    if _session is None or settings is not None:
        fresh = merged((SETUP, settings))
        _session = _session or Session(fresh)
        _session._settings = fresh
        _process.layers[:] = [(SETUP, fresh)]
    return _session


def teardown(exit_code: Optional[int] = None) -> None:
    """Finish every run of this process and forget what `setup` was given.

    >>> run = wandb.init(mode="offline")
    >>> wandb.teardown()
    >>> wandb.run is None
    True

    exit_code: how the program ended; by default as it stands.
    """
    global _session
    from .wandb_init import finish_all

    finish_all(exit_code)
    _session = None
    _process.layers.clear()
