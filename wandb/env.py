"""The names of the environment's variables, and what libraries read and set of them.

Every reader takes a mapping to read instead of the environment. They tell what the environment says, not what counts in
the end: that is for `wandb.Settings`, which knows files, arguments and policies too.

>>> get_project(env={"WANDB_PROJECT": "digits"}), get_tags(env={"WANDB_TAGS": "a,b"})
('digits', ['a', 'b'])
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any, List, MutableMapping, Optional, Union

AGENT_DISABLE_FLAPPING = "WANDB_AGENT_DISABLE_FLAPPING"
AGENT_KILL_DELAY = "WANDB_AGENT_KILL_DELAY"
AGENT_MAX_INITIAL_FAILURES = "WANDB_AGENT_MAX_INITIAL_FAILURES"
AGENT_REPORT_INTERVAL = "WANDB_AGENT_REPORT_INTERVAL"
ANONYMOUS = "WANDB_ANONYMOUS"
API_KEY = "WANDB_API_KEY"
APP_URL = "WANDB_APP_URL"
ARGS = "WANDB_ARGS"
ARTIFACT_DIR = "WANDB_ARTIFACT_DIR"
ARTIFACT_FETCH_FILE_URL_BATCH_SIZE = "WANDB_ARTIFACT_FETCH_FILE_URL_BATCH_SIZE"
BASE_URL = "WANDB_BASE_URL"
CACHE_DIR = "WANDB_CACHE_DIR"
CONFIG_DIR = "WANDB_CONFIG_DIR"
CONFIG_PATHS = "WANDB_CONFIG_PATHS"
CORE_DEBUG = "WANDB_CORE_DEBUG"
CRASH_NOSYNC_TIME = "WANDB_CRASH_NOSYNC_TIME"
CREDENTIALS_FILE = "WANDB_CREDENTIALS_FILE"
DATA_DIR = "WANDB_DATA_DIR"
DEBUG = "WANDB_DEBUG"
DESCRIPTION = "WANDB_DESCRIPTION"
DIR = "WANDB_DIR"
DISABLE_CODE = "WANDB_DISABLE_CODE"
DISABLE_GIT = "WANDB_DISABLE_GIT"
DISABLE_SSL = "WANDB_INSECURE_DISABLE_SSL"
DOCKER = "WANDB_DOCKER"
ENABLE_DCGM_PROFILING = "WANDB_ENABLE_DCGM_PROFILING"
ENTITY = "WANDB_ENTITY"
ERROR_REPORTING = "WANDB_ERROR_REPORTING"
FILE_PUSHER_TIMEOUT = "WANDB_FILE_PUSHER_TIMEOUT"
GIT_COMMIT = "WANDB_GIT_COMMIT"
GIT_REMOTE_URL = "WANDB_GIT_REMOTE_URL"
GIT_ROOT = "WANDB_GIT_ROOT"
HOST = "WANDB_HOST"
HTTP_TIMEOUT = "WANDB_HTTP_TIMEOUT"
IDENTITY_TOKEN_FILE = "WANDB_IDENTITY_TOKEN_FILE"  # noqa: S105  a name
IGNORE = "WANDB_IGNORE_GLOBS"
INITED = "WANDB_INITED"
INIT_TIMEOUT = "WANDB_INIT_TIMEOUT"
JOB_TYPE = "WANDB_JOB_TYPE"
JUPYTER = "WANDB_JUPYTER"
LAUNCH_QUEUE_ENTITY = "WANDB_LAUNCH_QUEUE_ENTITY"
LAUNCH_QUEUE_NAME = "WANDB_LAUNCH_QUEUE_NAME"
LAUNCH_TRACE_ID = "WANDB_LAUNCH_TRACE_ID"
MAGIC = "WANDB_MAGIC"
MODE = "WANDB_MODE"
NAME = "WANDB_NAME"
NOTEBOOK_NAME = "WANDB_NOTEBOOK_NAME"
NOTES = "WANDB_NOTES"
ORGANIZATION = "WANDB_ORGANIZATION"
PROGRAM = "WANDB_PROGRAM"
PROJECT = "WANDB_PROJECT"
QUIET = "WANDB_QUIET"
RESUME = "WANDB_RESUME"
RUN_DIR = "WANDB_RUN_DIR"
RUN_GROUP = "WANDB_RUN_GROUP"
RUN_ID = "WANDB_RUN_ID"
RUN_STORAGE_ID = "WANDB_RUN_STORAGE_ID"
SAVE_CODE = "WANDB_SAVE_CODE"
SERVICE = "WANDB_SERVICE"
SHOW_RUN = "WANDB_SHOW_RUN"
SILENT = "WANDB_SILENT"
SWEEP_ID = "WANDB_SWEEP_ID"
SWEEP_PARAM_PATH = "WANDB_SWEEP_PARAM_PATH"
TAGS = "WANDB_TAGS"
USERNAME = "WANDB_USERNAME"
USER_EMAIL = "WANDB_USER_EMAIL"
USE_V1_ARTIFACTS = "_WANDB_USE_V1_ARTIFACTS"

Environment = Optional[MutableMapping[str, str]]


def _value(name: str, default: Any, env: Environment) -> Any:
    return (os.environ if env is None else env).get(name, default)


def _flag(name: str, env: Environment = None, default: Optional[str] = "false") -> bool:
    """Whether a variable says yes; False where it says neither yes nor no."""
    value = _value(name, default, env)
    try:
        return bool(value is not None and strtobool(value))
    except ValueError:
        return False


def _number(name: str, default: Any, env: Environment, otherwise: Any = None) -> Any:
    """A whole number; `otherwise` where the variable, or the default, is none."""
    try:
        return int(_value(name, default, env))
    except (TypeError, ValueError):
        return otherwise


def strtobool(val: str) -> bool:
    """What a text like "yes" or "0" means.

    >>> strtobool("on"), strtobool("F")
    (True, False)

    Raises ValueError for a text that means neither.
    """
    word = val.lower()
    if word in ("y", "yes", "t", "true", "on", "1"):
        return True
    if word in ("n", "no", "f", "false", "off", "0"):
        return False
    raise ValueError(f"invalid truth value {word!r}; say true or false")


# --- how the client behaves -------------------------------------------------------------------------------------------


def immutable_keys() -> List[str]:
    """The variables that are to stay as they are while a process lasts."""
    return [
        DIR, ENTITY, PROJECT, API_KEY, IGNORE, DISABLE_CODE, DISABLE_GIT, DOCKER, MODE, BASE_URL, ERROR_REPORTING,
        CRASH_NOSYNC_TIME, MAGIC, USERNAME, USER_EMAIL, SILENT, CONFIG_PATHS, ANONYMOUS, RUN_GROUP, JOB_TYPE, TAGS,
        RESUME, AGENT_REPORT_INTERVAL, HTTP_TIMEOUT, HOST, DATA_DIR, ARTIFACT_DIR, CACHE_DIR, USE_V1_ARTIFACTS,
        ARTIFACT_FETCH_FILE_URL_BATCH_SIZE, DISABLE_SSL, IDENTITY_TOKEN_FILE, CREDENTIALS_FILE,
    ]  # fmt: skip


def is_debug(default: Optional[str] = None, env: Environment = None) -> bool:
    """Whether WANDB_DEBUG says yes."""
    return _flag(DEBUG, env, default)


def is_offline(env: Environment = None) -> bool:
    """Whether WANDB_MODE says offline."""
    return bool(_value(MODE, None, env) == "offline")


def is_quiet() -> bool:
    """Whether WANDB_QUIET says yes."""
    return _flag(QUIET)


def is_silent() -> bool:
    """Whether WANDB_SILENT says yes."""
    return _flag(SILENT)


def error_reporting_enabled() -> bool:
    """Whether WANDB_ERROR_REPORTING leaves reports of errors on. This client makes none in any case."""
    return _flag(ERROR_REPORTING, default="true")


def core_debug(default: Optional[str] = None) -> bool:
    """Whether WANDB_CORE_DEBUG or WANDB_DEBUG says yes."""
    return _flag(CORE_DEBUG, default=default) or is_debug()


def ssl_disabled() -> bool:
    """Whether WANDB_INSECURE_DISABLE_SSL says yes."""
    return _flag(DISABLE_SSL)


def dcgm_profiling_enabled() -> bool:
    """Whether WANDB_ENABLE_DCGM_PROFILING says yes."""
    return _flag(ENABLE_DCGM_PROFILING)


def should_save_code() -> bool:
    """Whether WANDB_SAVE_CODE says yes and WANDB_DISABLE_CODE doesn't."""
    return _flag(SAVE_CODE) and not _flag(DISABLE_CODE)


def disable_git(env: Environment = None) -> bool:
    """Whether WANDB_DISABLE_GIT says anything but false."""
    return bool(_value(DISABLE_GIT, "false", env).lower() != "false")


def get_error_reporting(default: Union[bool, str] = True, env: Environment = None) -> Union[bool, str]:
    """WANDB_ERROR_REPORTING as it stands."""
    found: Union[bool, str] = _value(ERROR_REPORTING, default, env)
    return found


# --- what a run is ----------------------------------------------------------------------------------------------------


def set_entity(value: str, env: Environment = None) -> None:
    """Let later runs belong to `value`."""
    (os.environ if env is None else env)[ENTITY] = value


def set_project(value: Optional[str], env: Environment = None) -> None:
    """Let later runs be part of the project `value`; of `uncategorized` where it is empty."""
    (os.environ if env is None else env)[PROJECT] = value or "uncategorized"


def get_entity(default: Optional[str] = None, env: Environment = None) -> Optional[str]:
    """To whom later runs belong, as far as the environment says."""
    return _text(ENTITY, default, env)


def get_project(default: Optional[str] = None, env: Environment = None) -> Optional[str]:
    """The project of later runs, as far as the environment says."""
    return _text(PROJECT, default, env)


def get_organization(default: Optional[str] = None, env: Environment = None) -> Optional[str]:
    """WANDB_ORGANIZATION."""
    return _text(ORGANIZATION, default, env)


def get_username(default: Optional[str] = None, env: Environment = None) -> Optional[str]:
    """WANDB_USERNAME."""
    return _text(USERNAME, default, env)


def get_user_email(default: Optional[str] = None, env: Environment = None) -> Optional[str]:
    """WANDB_USER_EMAIL."""
    return _text(USER_EMAIL, default, env)


def get_run(default: Optional[str] = None, env: Environment = None) -> Optional[str]:
    """The id of the next run, WANDB_RUN_ID."""
    return _text(RUN_ID, default, env)


def get_description(default: Optional[str] = None, env: Environment = None) -> Optional[str]:
    """WANDB_DESCRIPTION."""
    return _text(DESCRIPTION, default, env)


def get_tags(default: str = "", env: Environment = None) -> List[str]:
    """The tags that WANDB_TAGS names, separated by commas."""
    return [tag for tag in _value(TAGS, default, env).split(",") if tag]


def get_show_run(default: Optional[str] = None, env: Environment = None) -> bool:
    """Whether WANDB_SHOW_RUN says anything."""
    return bool(_value(SHOW_RUN, default, env))


def get_args(default: Optional[List[str]] = None, env: Environment = None) -> Optional[List[str]]:
    """The program's arguments: WANDB_ARGS, a list in JSON, or those of this process; None for what is no JSON."""
    said = _value(ARGS, None, env)
    if not said:
        return default or sys.argv[1:]
    try:
        found: List[str] = json.loads(said)
    except ValueError:
        return None
    return found


def get_docker(default: Optional[str] = None, env: Environment = None) -> Optional[str]:
    """The image that the program runs in, WANDB_DOCKER."""
    return _text(DOCKER, default, env)


def get_magic(default: Optional[str] = None, env: Environment = None) -> Optional[str]:
    """WANDB_MAGIC."""
    return _text(MAGIC, default, env)


def get_ignore(default: Optional[List[str]] = None, env: Environment = None) -> Optional[List[str]]:
    """The patterns of files that aren't uploaded: WANDB_IGNORE_GLOBS, separated by commas."""
    said = _text(IGNORE, None, env)
    return default if said is None else said.split(",")


def get_launch_queue_name(env: Environment = None) -> Optional[str]:
    """WANDB_LAUNCH_QUEUE_NAME."""
    return _text(LAUNCH_QUEUE_NAME, None, env)


def get_launch_queue_entity(env: Environment = None) -> Optional[str]:
    """WANDB_LAUNCH_QUEUE_ENTITY."""
    return _text(LAUNCH_QUEUE_ENTITY, None, env)


def get_launch_trace_id(env: Environment = None) -> Optional[str]:
    """WANDB_LAUNCH_TRACE_ID."""
    return _text(LAUNCH_TRACE_ID, None, env)


def _text(name: str, default: Optional[str], env: Environment) -> Optional[str]:
    found: Optional[str] = _value(name, default, env)
    return found


# --- servers and times ------------------------------------------------------------------------------------------------


def get_base_url(default: Optional[str] = None, env: Environment = None) -> Optional[str]:
    """The server's address, as far as the environment says."""
    return _text(BASE_URL, default, env)


def get_app_url(default: Optional[str] = None, env: Environment = None) -> Optional[str]:
    """The address of the server's pages, WANDB_APP_URL."""
    return _text(APP_URL, default, env)


def get_http_timeout(default: int = 20, env: Environment = None) -> int:
    """Seconds, WANDB_HTTP_TIMEOUT. Raises ValueError for what is no whole number."""
    return int(_value(HTTP_TIMEOUT, default, env))


def get_file_pusher_timeout(default: Optional[int] = None, env: Environment = None) -> Optional[int]:
    """Seconds, WANDB_FILE_PUSHER_TIMEOUT. Raises ValueError for what is no whole number."""
    seconds = _value(FILE_PUSHER_TIMEOUT, default, env)
    return int(seconds) if seconds else None


def get_agent_report_interval(default: Optional[int] = None, env: Environment = None) -> Optional[int]:
    """Seconds, WANDB_AGENT_REPORT_INTERVAL; None where that is no whole number."""
    seconds: Optional[int] = _number(AGENT_REPORT_INTERVAL, default, env)
    return seconds


def get_agent_kill_delay(default: Optional[int] = None, env: Environment = None) -> Optional[int]:
    """Seconds, WANDB_AGENT_KILL_DELAY; None where that is no whole number."""
    seconds: Optional[int] = _number(AGENT_KILL_DELAY, default, env)
    return seconds


def get_crash_nosync_time(default: Optional[int] = None, env: Environment = None) -> Optional[int]:
    """Seconds, WANDB_CRASH_NOSYNC_TIME; None where that is no whole number."""
    seconds: Optional[int] = _number(CRASH_NOSYNC_TIME, default, env)
    return seconds


def get_agent_max_initial_failures(default: Optional[int] = None, env: Environment = None) -> Optional[int]:
    """WANDB_AGENT_MAX_INITIAL_FAILURES; the default where that is no whole number."""
    failures: Optional[int] = _number(AGENT_MAX_INITIAL_FAILURES, default, env, otherwise=default)
    return failures


# --- folders and files ------------------------------------------------------------------------------------------------


def get_dir(default: Optional[str] = None, env: Environment = None) -> Optional[str]:
    """Below which folder runs are kept, WANDB_DIR."""
    return _text(DIR, default, env)


def get_config_paths(default: Optional[str] = None, env: Environment = None) -> Optional[str]:
    """The files with a run's config, WANDB_CONFIG_PATHS."""
    return _text(CONFIG_PATHS, default, env)


def get_data_dir(env: Environment = None) -> str:
    """The folder for data that outlives runs: WANDB_DATA_DIR, or `wandb` in the system's place for such data."""
    place = "~/Library/Application Support" if sys.platform == "darwin" else "~/.local/share"
    home = os.environ.get("XDG_DATA_HOME") or os.path.expanduser(place)
    return str(_value(DATA_DIR, None, env) or os.path.join(home, "wandb"))


def get_cache_dir(env: Environment = None) -> Path:
    """The folder of what can be fetched again: WANDB_CACHE_DIR, or `wandb` in `~/.cache`."""
    from wandb_uploader import cache_folder

    return Path(cache_folder(os.environ if env is None else env))


def get_artifact_dir(env: Environment = None) -> str:
    """Where artifacts are downloaded to: WANDB_ARTIFACT_DIR, or `artifacts` in the working folder."""
    return str(os.path.abspath(_value(ARTIFACT_DIR, "artifacts", env)))


def get_artifact_fetch_file_url_batch_size(env: Environment = None) -> int:
    """WANDB_ARTIFACT_FETCH_FILE_URL_BATCH_SIZE. Raises ValueError for what is no whole number."""
    return int(_value(ARTIFACT_FETCH_FILE_URL_BATCH_SIZE, 5000, env))


def get_use_v1_artifacts(env: Environment = None) -> bool:
    """Whether _WANDB_USE_V1_ARTIFACTS says anything."""
    return bool(_value(USE_V1_ARTIFACTS, None, env))


def get_credentials_file(default: str, env: Environment = None) -> Path:
    """The file for access tokens, WANDB_CREDENTIALS_FILE."""
    return Path(_value(CREDENTIALS_FILE, default, env))
