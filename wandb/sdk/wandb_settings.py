"""Settings: what they are, where they come from, and who wins. `_settings` lists the sources in their order."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Callable, Iterable, Iterator, Mapping, Optional, Tuple, Union

from .._terminal import termwarn
from ..errors import UsageError
from ._folders import wandb_folder
from ._settings import _kinds as kinds
from ._settings import _process
from ._settings import _sources as sources
from ._settings._field import setting
from ._settings._files import global_settings_path, read_settings_file
from ._settings._layered import Given
from ._settings._official import OfficialSettings
from ._settings._policies import Entry, cached_entries
from ._settings._variables import settings_in

# What a user gets without an account: the server of `wandb server`.
DEFAULT_BASE_URL = "http://127.0.0.1:8080"
DEFAULT_PROJECT = "uncategorized"
# The source of the mode where there is no API key.
NO_KEY = "no API key"

Values = Union[None, "Settings", Mapping[str, Any]]


class Settings(OfficialSettings):
    """The settings of a run.

    >>> settings = Settings(mode="offline", x_disable_stats=True)
    >>> settings.source("mode")
    'settings'

    Every one can also be set in a file, and as `WANDB_<NAME>` in the environment. Raises UsageError for a name that
    doesn't exist and for a value that makes no sense.
    """

    # --- what the run is ---
    entity: Optional[str] = setting(kinds.text, "The user or team that owns the run.", default=None)
    project: Optional[str] = setting(kinds.identifier, "The project of the run.", default=None)
    run_id: Optional[str] = setting(kinds.identifier, "The run's id, unique in its project.", default=None)
    run_name: Optional[str] = setting(kinds.text, "The run's name on the page.", default=None)
    run_notes: Optional[str] = setting(kinds.text, "What is special about the run.", default=None)
    run_tags: Optional[Tuple[str, ...]] = setting(kinds.texts, "Tags, separated by commas.", default=None)
    run_group: Optional[str] = setting(kinds.text, "The group that the run belongs to.", default=None)
    run_job_type: Optional[str] = setting(kinds.text, "What the run does in its group: train, eval, …", default=None)
    sweep_id: Optional[str] = setting(kinds.text, "The sweep that the run is a trial of.", default=None)
    sweep_param_path: Optional[str] = setting(
        kinds.text, "The file with the values of the trial; they go before those of `config`.", default=None
    )

    # --- where it goes ---
    base_url: str = setting(kinds.url, "The server to upload to.", default=DEFAULT_BASE_URL)
    api_key: Optional[str] = setting(
        kinds.text, "The key for the server, before that of netrc.", default=None, secret=True
    )
    identity_token_file: Optional[str] = setting(
        kinds.text,
        "A file with a token from the platform that runs the program, which takes the place of an API key.",
        default=None,
    )
    mode: str = setting(
        kinds.mode,
        "`online`, `offline`, `disabled` or `shared`; `dryrun`, `run` and `noop` as before.",
        default="online",
        policy=True,
    )
    root_dir: str = setting(kinds.text, "The folder in which the wandb folder stands.", default="")
    settings_system: Optional[str] = setting(
        kinds.text, "Another global settings file; from the environment.", default=None
    )
    http_proxy: Optional[str] = setting(
        kinds.text, "The proxy for uploads to http addresses.", default=None, secret=True
    )
    https_proxy: Optional[str] = setting(
        kinds.text, "The proxy for uploads to https addresses.", default=None, secret=True
    )
    x_proxies: Optional[Mapping[str, str]] = setting(
        kinds.mapping, "Both of them, by `http` and `https`.", default=None, secret=True
    )
    x_extra_http_headers: Optional[Mapping[str, str]] = setting(
        kinds.headers,
        "Headers for each request to the server, which something before it wants.",
        default=None,
        secret=True,
    )
    insecure_disable_ssl: bool = setting(
        kinds.flag, "Don't check the server's certificate; SSL_CERT_FILE is the better way.", default=False
    )
    x_graphql_timeout_seconds: float = setting(
        kinds.seconds, "Seconds that `wandb.Api` waits for a server's answer, each time that it asks.", default=20.0
    )

    # --- how it begins and ends ---
    resume: Optional[str] = setting(
        kinds.resume, "`allow`, `must`, `never` or `auto`: what to go on with.", default=None
    )
    resume_from: Optional[str] = setting(
        kinds.text, "`ID?_step=N`: go on behind that step of the run, without what came after it.", default=None
    )
    fork_from: Optional[str] = setting(
        kinds.text, "`ID?_step=N`: begin as a copy of the run up to that step, and go on as another.", default=None
    )
    resume_timeout: float = setting(
        kinds.seconds,
        "Seconds to wait for the server's word on a run that is to be resumed and isn't here.",
        default=5.0,
        policy=True,
    )
    reinit: Union[bool, str] = setting(
        kinds.reinit, "What `init` does with a run that is active; see its arguments.", default="default"
    )
    config_paths: Optional[Tuple[str, ...]] = setting(
        kinds.texts, "YAML files with values for the config, weaker than those of `init`.", default=None
    )
    problem: str = setting(
        kinds.choice("fatal", "warn", "silent"),
        "What `init` does where no run can be recorded: `fatal` raises, the others go on without one.",
        default="warn",
        policy=True,
    )
    allow_val_change: Optional[bool] = setting(
        kinds.flag, "Let config values change once they are set; in a notebook they may.", default=None
    )
    stop_fn: Optional[Callable[[], None]] = setting(
        kinds.anything,
        "Called in a thread when the run is stopped from its page, instead of interrupting the program.",
        default=None,
    )
    force: bool = setting(kinds.flag, "Raise where there is no API key, instead of logging offline.", default=False)
    relogin: bool = setting(kinds.flag, "Ask for an API key even where there is one.", default=False)
    login_timeout: Optional[float] = setting(
        kinds.seconds, "Seconds to wait for somebody at the terminal who types a key.", default=None
    )
    finish_timeout: float = setting(
        kinds.seconds,
        "Seconds without progress after which `finish` leaves the upload to the background: 0 at once, `inf` never.",
        default=30.0,
        policy=True,
    )

    # --- several writers of one run ---
    x_label: Optional[str] = setting(
        kinds.identifier,
        "What marks this writer's system metrics and console lines; in `shared` mode its rank or host by default.",
        default=None,
    )
    x_primary: bool = setting(
        kinds.flag, "Whether this writer brings the files that the client makes itself.", default=True
    )
    x_update_finish_state: bool = setting(
        kinds.flag, "Whether the run has ended at the server when this writer has.", default=True
    )

    # --- what is kept, and how safely ---
    durability: str = setting(
        kinds.choice("process", "power"),
        "What `log` survives when it returns: the death of the process, or `power` loss too.",
        default="process",
        policy=True,
    )
    live_log: str = setting(
        kinds.choice("auto", "local", "run"),
        "Where the log is while the run goes on: `local`, a disk of this machine, `run`, the run's folder, or `auto`, "
        "which is local where the run's folder is on a network filesystem.",
        default="auto",
    )
    local_log_dir: str = setting(
        kinds.text, "The folder on a disk of this machine for logs that live there.", default=""
    )
    disk_budget: Optional[str] = setting(
        kinds.size,
        "What the runs of a wandb folder may take, such as 20GB: beyond it, uploaded parts of logs go.",
        default=None,
    )
    cache_limit: Optional[str] = setting(
        kinds.size,
        "What the cache of artifacts' files may take, 50GB where nothing is said: beyond it, those go that were used "
        "longest ago.",
        default=None,
    )
    save_code: bool = setting(
        kinds.flag, "Keep a copy of the program, of a notebook its cells.", default=False, policy=True
    )
    code_dir: Optional[str] = setting(
        kinds.text, "The folder whose code is kept too, where `save_code` is set.", default=None
    )
    strict: bool = setting(
        kinds.flag, "Raise where a row is late or can't be kept, instead of counting it.", default=False
    )
    symlink: bool = setting(kinds.flag, "Keep the link latest-run up to date.", default=True, policy=True)
    console: str = setting(
        kinds.choice("auto", "wrap", "redirect", "off", "wrap_raw", "wrap_emu"),
        "What is captured of what the program prints: `off`, nothing; `redirect`, also what subprocesses and native "
        "code write to the descriptors; all others, what passes Python's stdout and stderr.",
        default="auto",
        policy=True,
    )
    capture_loggers: Optional[Mapping[str, Union[int, str]]] = setting(
        kinds.levels,
        "Python's loggers whose messages are in the run's console, by name (`root` for all), with the lowest level.",
        default=None,
    )
    ignore_globs: Tuple[str, ...] = setting(
        kinds.texts, "Files that are not uploaded, by patterns of their paths in the run.", default=()
    )
    sync_tensorboard: Optional[bool] = setting(
        kinds.flag, "Log what the program writes for TensorBoard.", default=None, policy=True
    )
    monitor_gym: Optional[bool] = setting(
        kinds.flag, "Log the videos that Gymnasium or Gym records.", default=None, policy=True
    )
    x_disable_stats: bool = setting(kinds.flag, "Don't sample the machine.", default=False, policy=True)
    x_stats_sampling_interval: float = setting(
        kinds.seconds, "Seconds between two samples of the machine.", default=15.0, policy=True
    )

    x_stats_pid: Optional[int] = setting(kinds.integer, "The process to watch, instead of this one.", default=None)
    x_stats_track_process_tree: bool = setting(kinds.flag, "Count the children of the process too.", default=False)
    x_stats_disk_paths: Optional[Tuple[str, ...]] = setting(
        kinds.texts, "Paths whose disks are watched.", default=("/",)
    )
    x_stats_gpu_device_ids: Optional[Tuple[int, ...]] = setting(
        kinds.integers, "The numbers of the GPUs to watch, instead of all.", default=None
    )

    # --- what is told of the program and the machine ---
    program: Optional[str] = setting(kinds.text, "The script that runs.", default=None)
    host: Optional[str] = setting(kinds.text, "The machine's name, instead of its own.", default=None)
    username: Optional[str] = setting(kinds.text, "Who runs the program.", default=None)
    email: Optional[str] = setting(kinds.text, "Their address.", default=None)
    docker: Optional[str] = setting(kinds.text, "The image that the program runs in.", default=None)
    x_executable: Optional[str] = setting(kinds.text, "The interpreter, instead of this one.", default=None)
    x_disable_machine_info: bool = setting(
        kinds.flag, "Record nothing of the machine's parts.", default=False, policy=True
    )
    x_stats_cpu_count: Optional[int] = setting(kinds.integer, "The number of processors to tell.", default=None)
    x_stats_cpu_logical_count: Optional[int] = setting(
        kinds.integer, "The number of logical processors to tell, of which `cpu` is a share.", default=None
    )
    x_stats_gpu_count: Optional[int] = setting(kinds.integer, "The number of GPUs to tell.", default=None)
    x_stats_gpu_type: Optional[str] = setting(kinds.text, "The kind of GPU to tell.", default=None)
    x_save_requirements: bool = setting(kinds.flag, "Save `requirements.txt`.", default=True, policy=True)
    disable_code: bool = setting(
        kinds.flag, "Save neither the program nor what isn't committed of its repository.", default=False, policy=True
    )
    notebook_name: Optional[str] = setting(
        kinds.text, "The notebook's file, where it can't be found out.", default=None
    )
    disable_git: bool = setting(kinds.flag, "Don't look at the code's repository.", default=False, policy=True)
    git_root: Optional[str] = setting(
        kinds.text, "The folder of the repository, instead of the program's.", default=None
    )
    git_remote: str = setting(kinds.text, "The remote whose address is recorded.", default="origin")
    git_remote_url: Optional[str] = setting(
        kinds.text, "The repository's address, instead of the remote's.", default=None
    )
    git_commit: Optional[str] = setting(
        kinds.text, "The code's commit, instead of the one that is checked out.", default=None
    )
    x_disable_meta: bool = setting(
        kinds.flag, "Record nothing of the program and the machine.", default=False, policy=True
    )

    # --- what is printed ---
    silent: bool = setting(kinds.flag, "Print nothing.", default=False)
    quiet: bool = setting(kinds.flag, "Print no history and summary at the end.", default=False, policy=True)
    show_info: bool = setting(kinds.flag, "Print what is neither a warning nor an error.", default=True)
    show_warnings: bool = setting(kinds.flag, "Print warnings.", default=True)
    show_errors: bool = setting(kinds.flag, "Print errors.", default=True)
    show_colors: Optional[bool] = setting(kinds.flag, "Print in colours, whatever the terminal is.", default=None)
    max_end_of_run_history_metrics: int = setting(
        kinds.integer, "Metrics whose course is drawn at the end.", default=10, policy=True
    )
    max_end_of_run_summary_metrics: int = setting(
        kinds.integer, "Metrics whose last value is printed at the end.", default=10, policy=True
    )

    @property
    def shared(self) -> bool:
        """Whether others write the run too, though this writer be offline for want of a key."""
        modes = (self.given("mode"), *(self.overridden("mode") if self.source("mode") == NO_KEY else ()))
        return any(given.value == "shared" for given in modes[:2])


# A value that a source has for a setting, and whether it is passed over where it makes no sense.
_Offer = Tuple[str, Given, bool]


def merged(*layers: Tuple[str, Values], environment: Optional[Mapping[str, str]] = None) -> Settings:
    """The settings from all sources. The layers are those of code, (source, values), the strongest last.

    Raises UsageError for what code gives and makes no sense; elsewhere it is ignored with a warning.
    """
    environment = os.environ if environment is None else environment
    code = [offer for source, values in (*_process.layers, *layers) for offer in _from_code(source, values)]
    variables = [
        (name, Given(value, sources.ENVIRONMENT, variable), True)
        for name, variable, value in settings_in(environment, Settings._fields)
    ]
    explicit = [*variables, *code]
    root = next((given.value for name, given, _ in reversed(explicit) if name == "root_dir"), "")
    offers = [
        *_from_file(sources.GLOBAL_FILE, global_settings_path(environment)),
        *_from_file(sources.LOCAL_FILE, local_settings_path(root)),
        *explicit,
    ]
    settings = _taken(offers)
    advised, enforced = cached_entries(settings.base_url, settings.entity, settings.project or DEFAULT_PROJECT)
    if not advised and not enforced:
        return settings
    return _taken([*_lenient(advised), *offers, *_lenient(enforced)])


def _lenient(entries: Iterable[Entry]) -> Iterator[_Offer]:
    return ((name, given, True) for name, given in entries)


def local_settings_path(root: Any = "") -> Path:
    """The settings file of the wandb folder below `root`."""
    return wandb_folder(os.fspath(root) if isinstance(root, (str, os.PathLike)) else "") / "settings"


def _from_code(source: str, values: Values) -> Iterator[_Offer]:
    if isinstance(values, Settings):
        values = values.chosen()
    elif values is not None and not isinstance(values, Mapping):
        raise UsageError(f"{source}: settings are a wandb.Settings or a dictionary, not {type(values).__name__}")
    for name, value in (values or {}).items():
        if value is not None:
            yield name, Given(value, source), False


def _from_file(source: str, path: Path) -> Iterator[_Offer]:
    try:
        values = read_settings_file(path)
    except UsageError as error:
        termwarn(str(error), repeat=False)
        return
    for name, value in values.items():
        if value:
            yield name, Given(value, source, str(path)), True


def _taken(offers: Iterable[_Offer]) -> Settings:
    """The settings after all offers, in their order."""
    settings = Settings()
    for name, given, lenient in offers:
        try:
            settings.take(name, given)
        except UsageError as error:
            if not lenient:
                raise
            termwarn(f"{error}. It is ignored", repeat=False)
    return settings
