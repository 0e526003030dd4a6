"""`wandb.init`: from settings to a run whose identity is durable, without waiting for any network."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Sequence, Union

from wandb_storage import LogError

from .._terminal import follow_settings, termerror, termlog, termwarn
from ..errors import AuthenticationError, DataError, Error, UsageError
from . import _globals, _jupyter, _report
from ._config_sources import initial_config, read_config_file
from ._exit import program_end
from ._folders import link_latest, make_wandb_folder
from ._live_log import bring_log_home
from ._names import new_run_id
from ._open_run import open_run
from ._settings._sources import INIT, INIT_SETTINGS
from ._settings._told import tell
from ._upload import start_uploader
from .wandb_run import Run
from .wandb_settings import NO_KEY, Settings, merged

_running: List[Run] = []


def init(
    entity: Optional[str] = None,
    project: Optional[str] = None,
    dir: Optional[Union[str, Path]] = None,
    id: Optional[str] = None,
    name: Optional[str] = None,
    notes: Optional[str] = None,
    tags: Optional[Sequence[str]] = None,
    config: Any = None,
    config_exclude_keys: Optional[Sequence[str]] = None,
    config_include_keys: Optional[Sequence[str]] = None,
    allow_val_change: Optional[bool] = None,
    group: Optional[str] = None,
    job_type: Optional[str] = None,
    mode: Optional[str] = None,
    force: Optional[bool] = None,
    reinit: Union[None, bool, str] = None,
    resume: Union[None, bool, str] = None,
    resume_from: Optional[str] = None,
    fork_from: Optional[str] = None,
    save_code: Optional[bool] = None,
    tensorboard: Optional[bool] = None,
    sync_tensorboard: Optional[bool] = None,
    monitor_gym: Optional[bool] = None,
    settings: Union[None, Settings, Mapping[str, Any]] = None,
    anonymous: Optional[str] = None,
    magic: Any = None,
    sync: Any = None,
) -> Run:
    """Start a run, or go on with one.

    >>> import wandb
    >>> with wandb.init(project="digits", config={"lr": 0.1}, mode="offline") as run:
    ...     run.log({"loss": 0.5})
    >>> with wandb.init(fork_from=f"{run.id}?_step=0", mode="offline") as fork:
    ...     fork.log({"loss": 0.4})
    >>> fork.config.lr, fork.starting_step
    (0.1, 1)

    project, entity, name, notes, tags, group, job_type: what the run is called and where it belongs.
    config: its configuration, a dictionary, a Namespace, absl's FLAGS or the path of a YAML file; include or exclude
    top-level keys. `config-defaults.yaml` in the working directory holds defaults, `WANDB_CONFIG` (JSON) overrides.
    dir: the folder in which the `wandb` folder stands.
    mode: "online" uploads in the background, "offline" doesn't, "disabled" records nothing. "shared" is online for
    several processes that write the run with the same `id`: docs/shared.md.
    force: raise where there is no API key, instead of logging offline.
    reinit: while runs are active, "return_previous" (the default) returns the one that `wandb.run` names, or else the
    newest; True or "finish_previous" finishes them first (the default in notebooks); "create_new" starts another beside
    them, and `wandb.run` stays what it is.
    allow_val_change: let values of the config change once they are set, as they may in notebooks.
    resume: "allow", "must" or "never" go on with the run of the same id, "auto" with the one that a crash ended. The
    local log is the truth; the server is asked where there is none, for `resume_timeout` seconds.
    fork_from, resume_from: "ID?_step=N" goes on behind that step of a run, as another run or as the same one. The
    run's log may be in this folder, or the server has the run: it is asked for `resume_timeout` seconds.
    save_code: keep a copy of the program with the run; of a notebook, its cells.
    sync_tensorboard, or tensorboard: log what the program writes for TensorBoard, too: docs/tensorboard.md.
    monitor_gym: log the videos of environments that Gymnasium or Gym records.
    anonymous, magic, sync: accepted for callers of other versions, with a warning.
    settings: more of them, by name; the arguments here are stronger. docs/settings.md lists all.

    Returns the run, whose identity is then durable. Raises UsageError for arguments that make no sense. Where no run
    can be recorded for another reason, an error is printed and the run that is returned records nothing, unless
    `problem` is "fatal".
    """
    arguments = {
        "project": project, "entity": entity, "run_id": id, "run_name": name, "run_notes": notes, "run_tags": tags,
        "run_group": group, "run_job_type": job_type, "mode": mode, "resume": resume, "resume_from": resume_from,
        "fork_from": fork_from, "root_dir": dir, "reinit": reinit, "allow_val_change": allow_val_change,
        "force": force, "save_code": save_code, "monitor_gym": monitor_gym, "anonymous": anonymous, "magic": magic,
        "sync": sync,
        "sync_tensorboard": tensorboard if sync_tensorboard is None else sync_tensorboard,
    }  # fmt: skip
    chosen = merged((INIT_SETTINGS, settings), (INIT, arguments))
    follow_settings(chosen)
    previous = _previous(chosen)
    if previous is not None:
        return previous
    tell(chosen)
    initial = initial_config(config, config_include_keys, config_exclude_keys, chosen.config_paths)
    of_sweep = read_config_file(Path(chosen.sweep_param_path)) if chosen.sweep_param_path else {}
    # The run begins with them: a server that saw it without would have that point of the sweep tried again.
    initial.update(of_sweep)
    try:
        run = _start(chosen, initial)
    except (UsageError, DataError):
        raise
    except Exception as error:
        run = _start_without_log(chosen, initial, error)
    if of_sweep:
        run.config.update_locked(of_sweep, user="the sweep")
    _running.append(run)
    program_end.install(finish_all)
    if chosen.monitor_gym:
        from ..integration.gym import monitor

        monitor()
    active = _globals.active_run()
    if chosen.reinit != "create_new" or active is None or active._pid != os.getpid():
        _globals.set_active(run)
    if "weave" in sys.modules and chosen.mode not in ("offline", "disabled"):
        from ..integration.weave import init_weave_if_imported

        init_weave_if_imported(run.entity, run.project)
    return run


def _previous(settings: Settings) -> Optional[Run]:
    """The run that goes on instead of a new one; what else is to end before the new one begins is finished."""
    notebook = _jupyter.notebook() is not None
    if settings.allow_val_change is None and notebook:
        settings.update({"allow_val_change": True}, "the notebook")  # a cell that is run again sets values again
    active = _globals.active_run()
    own = [run for run in _running if run._pid == os.getpid()]
    if settings.reinit in (True, "finish_previous") or (settings.reinit == "default" and notebook):
        for run in own:
            run.finish()
        return None
    if settings.reinit == "create_new" or (active is None and not own):
        return None
    if active is None or (active._pid != os.getpid() and settings.reinit != "return_previous"):
        active = own[-1] if own else None  # a parent's run is not a child's: this process starts one of its own
    if active is not None and settings.resume == "must" and active.id != settings.run_id:
        raise UsageError(
            f'the run {active.id} is active, and resume="must" names another; finish it first, or pass '
            'reinit="create_new" or "finish_previous"'
        )
    if active is not None and not active.disabled:
        termlog(
            f'The run {active.id} is active, and init() returns it; reinit="finish_previous" finishes it, and '
            '"create_new" starts another beside it',
            repeat=False,
        )
    return active


def _start(settings: Settings, config: Dict[str, Any]) -> Run:
    if settings.mode == "disabled":
        return _start_disabled(settings, config)
    if settings.mode != "offline" and not _has_key(settings):
        settings.update({"mode": "offline"}, NO_KEY)
    if settings.shared:
        from ._shared import join_others

        join_others(settings)
    folder = make_wandb_folder(settings.root_dir)
    run = open_run(settings, folder, config, on_finish=_finished)
    if settings.symlink:
        link_latest(Path(run.sync_dir))
    if settings.mode != "offline":
        start_uploader(folder, settings)
    _report.show_start(run)
    run._watch_program()
    return run


def _start_disabled(settings: Settings, config: Dict[str, Any]) -> Run:
    from .lib.disabled import RunDisabled

    settings.update({"run_id": settings.run_id or new_run_id()}, "disabled")
    settings.update({"run_name": settings.run_name or f"dummy-{settings.run_id}"}, "disabled")
    run = RunDisabled(settings, Path.cwd(), None, time.time(), on_finish=_forget)
    run.config.update(config)
    return run


def _start_without_log(settings: Settings, config: Dict[str, Any], error: Exception) -> Run:
    """No run can be recorded, and the training goes on: raise only where the user wants it."""
    reason = (error.strerror or str(error)) if isinstance(error, OSError) else str(error)
    message = f"no run can be recorded: {reason if isinstance(error, (OSError, LogError, Error)) else repr(error)}"
    if settings.problem == "fatal":
        raise Error(f"{message}. Set dir= to another folder") from error
    if settings.problem == "warn":
        termerror(f"{message}. The program goes on, and NOTHING IS LOGGED. WANDB_PROBLEM=fatal makes init raise")
    settings.update({"mode": "disabled"}, "no run can be recorded")
    return _start_disabled(settings, config)


def _has_key(settings: Settings) -> bool:
    """Whether the run can be uploaded: there is a key, or somebody at the terminal who types one."""
    from .wandb_login import ask_for_key, has_credentials

    try:
        if settings.api_key or (not settings.relogin and has_credentials(settings)):
            return True
    except AuthenticationError as error:
        termwarn(str(error))
    somebody = sys.stdin is not None and sys.stdin.isatty() and sys.stderr.isatty()
    if somebody and ask_for_key(settings.base_url, settings.login_timeout):
        return True
    if settings.force:
        raise UsageError(f"there is no API key for {settings.base_url}; run `wandb login` or set WANDB_API_KEY")
    termwarn(
        f"there is no API key for {settings.base_url}, so this run is logged offline. To upload it and later ones, "
        f"run `wandb login --host {settings.base_url}` (a server of your own: `wandb server`) and then `wandb sync`"
    )
    return False


# --- the end ----------------------------------------------------------------------------------------------------------


def _finished(run: Run, quiet: bool, wait: Optional[bool]) -> None:
    """A run's log is sealed: say how it went, and show the upload."""
    from ._documents import write_documents

    _forget(run)
    write_documents(run)
    bring_log_home(Path(run.sync_dir))
    if not run.offline:
        # The uploader that init started may have been killed or stopped since.
        start_uploader(Path(run.sync_dir).parent, run.settings)
    _report.show_end(run, quiet, wait)


def _forget(run: Run, *_: Any) -> None:
    if run in _running:
        _running.remove(run)
    _globals.clear_active(run)
    if not run._exit_code and run.settings.resume == "auto":
        from ._resume import forget

        forget(Path(run.sync_dir).parent)


def finish_all(exit_code: Optional[int] = None) -> None:
    """Finish what is still running; without an exit code, with how the program ended."""
    for run in list(_running):
        run.finish(exit_code=program_end.code if exit_code is None else exit_code)


def finish(exit_code: Optional[int] = None, quiet: Optional[bool] = None, wait: Optional[bool] = None) -> None:
    """Finish the active run, if there is one, as `Run.finish` does.

    >>> import wandb
    >>> run = wandb.init(mode="disabled")
    >>> wandb.finish()
    >>> wandb.run is None
    True
    """
    run = _globals.active_run()
    if run is not None:
        run.finish(exit_code=exit_code, quiet=quiet, wait=wait)


def join(exit_code: Optional[int] = None) -> None:
    """`finish`, as older scripts call it.

    >>> import wandb
    >>> run = wandb.init(mode="disabled")
    >>> wandb.join()
    """
    finish(exit_code)
