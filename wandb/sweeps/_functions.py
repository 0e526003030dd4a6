"""`wandb.sweep`, `wandb.agent` and `wandb.controller`, and how a sweep is found by what people call it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Callable, List, Mapping, Optional, Sequence, Tuple, Union

from .._terminal import termlog, termwarn
from ..errors import UsageError
from ..sdk._folders import wandb_folder
from ..sdk.wandb_settings import Settings, merged
from ._config import SweepConfigError, check_config
from ._controller import Controller
from ._home import SweepHome
from ._search import check_searchable

# What `wandb.sweep` made last, for an agent that is told no id.
_last: List[str] = []


def sweep(
    sweep: Union[Mapping[str, Any], Callable[[], Any], str, os.PathLike[str]],
    entity: Optional[str] = None,
    project: Optional[str] = None,
    prior_runs: Optional[Sequence[str]] = None,
) -> str:
    """Make a sweep; returns its id, for `wandb.agent`.

    >>> import wandb
    >>> wandb.setup(wandb.Settings(mode="offline"))                                     # doctest: +ELLIPSIS
    <...>
    >>> sweep_id = wandb.sweep({"method": "grid", "parameters": {"lr": {"values": [0.1, 0.01]}}})
    >>> wandb.agent(sweep_id, lambda: wandb.init().finish())

    sweep: the configuration, the path of a YAML file, or a function that returns one. prior_runs: ids of runs of the
    project that the search is to learn from. With the mode "offline" the sweep is a folder, and needs no server.
    Raises wandb.sweeps.SweepConfigError for what is wrong with the configuration, wandb.Error where the server refuses.
    """
    config = read_config(sweep)
    home, warnings = create(config, entity, project, prior_runs or ())
    for warning in warnings:
        termwarn(warning)
    termlog(f"Created sweep {home.id}: {home.label}")
    _last[:] = [home.id]
    return home.id


def agent(
    sweep_id: Optional[str] = None,
    function: Optional[Callable[[], Any]] = None,
    entity: Optional[str] = None,
    project: Optional[str] = None,
    count: Optional[int] = None,
) -> None:
    """Run trials of a sweep until it is over, or until there have been `count`.

    >>> wandb.agent("my-team/digits/k3j9x2ab", function=train, count=10)                # doctest: +SKIP

    sweep_id: as `wandb.sweep` returned it, or `[entity/]project/id`. function: called for each trial, with `wandb.init`
    in it; the values are in the run's config. Without it the sweep's program is started, a process a trial.
    Raises wandb.Error where there is no such sweep, or the first trials fail one after the other.
    """
    from ._agent import FunctionAgent, ProcessAgent

    home = find(sweep_id, entity, project)
    if function is None:
        ProcessAgent(home, count).run()
    elif callable(function):
        FunctionAgent(home, function, count).run()
    else:
        raise UsageError(f"function is what is called for each trial, not {type(function).__name__}")


def controller(
    sweep_id_or_config: Union[None, str, Mapping[str, Any]] = None,
    entity: Optional[str] = None,
    project: Optional[str] = None,
) -> Controller:
    """The controller of a sweep whose configuration says `controller: {type: local}`; of a new one for a configuration.

    >>> wandb.controller("k3j9x2ab").run()                                               # doctest: +SKIP

    Raises wandb.Error where there is no such sweep, or another controller has it.
    """
    if isinstance(sweep_id_or_config, Mapping):
        config = {"controller": {"type": "local"}, **sweep_id_or_config}
        return Controller(create(config, entity, project)[0])
    return Controller(find(sweep_id_or_config, entity, project))


# --- where sweeps are -------------------------------------------------------------------------------------------------


def read_config(sweep: Any) -> Mapping[str, Any]:
    """A configuration in any form in which `wandb.sweep` takes it. Raises UsageError."""
    found = sweep() if callable(sweep) else sweep
    if isinstance(found, (str, os.PathLike)):
        import yaml

        try:
            found = yaml.safe_load(Path(found).read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            raise UsageError(f"the sweep's configuration {sweep} can't be read: {error}") from None
    if not isinstance(found, Mapping):
        raise SweepConfigError((), f"must be an object with 'method' and 'parameters', not {type(found).__name__}")
    return found


def create(
    config: Mapping[str, Any],
    entity: Optional[str] = None,
    project: Optional[str] = None,
    prior_runs: Sequence[str] = (),
    offline: bool = False,
) -> Tuple[SweepHome, List[str]]:
    """The home of a new sweep, and what is odd about its configuration. Raises SweepConfigError, wandb.Error."""
    checked = check_config(config)
    check_searchable(checked)
    settings = merged()
    if offline or settings.mode == "offline":
        from ._offline import OfflineSweep

        if prior_runs:
            raise UsageError("prior runs are those of a server's project; an offline sweep has none")
        return OfflineSweep.create(wandb_folder(settings.root_dir or ""), config), checked.warnings
    from ..apis._client import client_for
    from ._remote import RemoteSweep

    entity = entity or config.get("entity") or settings.entity
    project = project or config.get("project") or settings.project
    home, warnings = RemoteSweep.create(client_for(settings), config, entity, project, prior_runs)
    return home, [*checked.warnings, *(warning for warning in warnings if warning not in checked.warnings)]


def find(sweep: Optional[str], entity: Optional[str] = None, project: Optional[str] = None) -> SweepHome:
    """A sweep by `[[entity/]project/]id`, or by its folder; the one that this process made last for None.

    Raises UsageError, CommError.
    """
    sweep = sweep or os.environ.get("WANDB_SWEEP_ID") or (_last[0] if _last else None)
    if not sweep:
        raise UsageError("which sweep? Give its id, as `wandb.sweep` returns it")
    settings = merged()
    from ._offline import OfflineSweep

    for folder in (Path(sweep), _offline_folder(settings, sweep)):
        if (folder / "sweep.yaml").is_file():
            return OfflineSweep(folder.absolute())
    *path, name = sweep.strip("/").split("/")
    if path:
        project = project or path[-1]
        entity = entity or (path[-2] if len(path) > 1 else None)
    from ..apis._client import client_for
    from ._remote import RemoteSweep

    project = project or settings.project or "uncategorized"
    return RemoteSweep(client_for(settings), entity or settings.entity, project, name)


def _offline_folder(settings: Settings, sweep: str) -> Path:
    return wandb_folder(settings.root_dir or "") / f"sweep-{sweep.rpartition('/')[2]}"
