"""Every public name of the official client's SDK is here, with its parameters. `official_surface.py` made the list."""

from __future__ import annotations

import inspect
import json
import operator
import subprocess
from pathlib import Path
from typing import Any, Dict, List, Optional, Set

import pytest
from official_surface import WORDS, members, parameters, what_env_says
from peer import peer_python

import wandb

HERE = Path(__file__).parent
OFFICIAL: Dict[str, Any] = json.loads((HERE / "official_surface.json").read_text())

# Names of a service that this client doesn't have.
_NOT_HERE = {"WandbCoreNotAvailableError", "_EXECUTABLE", "_env_as_bool"}

# What scripts and libraries use of the client of 2020, which the official one no longer has.
_OLDER = {
    "wandb": (
        "Api Artifact Audio CommError Config Error Graph Histogram Html Image InternalApi Molecule Object3D Plotly "
        "PublicApi Settings Table UsageError Video __version__ agent api config controller ensure_configured env "
        "finish helper init join log log_artifact login patched plots restore run save set_trace setup summary "
        "superagent sweep termerror termlog termwarn use_artifact util visualize watch"
    ),
    "wandb.Run": "_attach_id _label get_project_url get_sweep_url get_url history join mode project_name",
    "wandb.env": "DEBUG INITED SHOW_RUN get_entity get_project set_entity set_project",
    "wandb.helper": "parse_config",
    "wandb.plots": "explain_text heatmap named_entity part_of_speech precision_recall roc",
    "wandb.tensorboard": "log patch",
    "wandb.util": "generate_id json_dumps_safer",
}
_OLDER_SETTINGS = (
    "anonymous api_key base_url config_paths console disable_code disabled docker entity files_dir_spec git_remote "
    "heartbeat_seconds host ignore_globs log_dir_spec log_internal_spec log_symlink_internal_spec "
    "log_symlink_user_spec log_user_spec magic mode notebook_name problem program program_relpath project reinit "
    "resume resume_fname_spec root_dir run_group run_id run_job_type run_name run_notes run_tags save_code "
    "settings_system_spec settings_workspace_spec show_colors show_console show_emoji show_errors show_info "
    "show_warnings start_method summary_errors summary_warnings sweep_id symlink sync_dir_spec sync_file_spec "
    "sync_symlink_latest_spec system_sample_seconds system_samples username _disable_meta _disable_stats _except_exit "
    "_service_wait _start_method"
)


def missing(official: Dict[str, Optional[List[str]]], own: Dict[str, Optional[List[str]]]) -> Set[str]:
    """Names, and parameters as name(parameter), that are there and not here."""
    found = set()
    for name, expected in official.items():
        if name not in own:
            found.add(name)
        elif expected is not None:
            found |= {f"{name}({parameter})" for parameter in set(expected) - set(own[name] or ())}
    return found - _NOT_HERE


@pytest.mark.parametrize("kind", ["Run", "Config", "Summary"])
def test_members(kind: str) -> None:
    assert missing(OFFICIAL[kind], members(getattr(wandb, kind))) == set()


def test_functions() -> None:
    own = {name: parameters(getattr(wandb, name)) for name in OFFICIAL["functions"]}
    assert missing(OFFICIAL["functions"], own) == set()


def test_settings() -> None:
    assert sorted(set(OFFICIAL["Settings"]) - set(wandb.Settings().to_dict())) == []


@pytest.mark.parametrize("module", ["env", "errors"])
def test_names_of_modules(module: str) -> None:
    assert sorted(set(OFFICIAL[module]) - set(vars(getattr(wandb, module))) - _NOT_HERE) == []


def test_functions_of_the_environment() -> None:
    own = {name: parameters(value) for name, value in vars(wandb.env).items() if inspect.isfunction(value)}
    assert missing(OFFICIAL["env_functions"], own) == set()


@pytest.mark.parametrize("words", WORDS)
def test_what_the_environment_says(words: str) -> None:
    """As the official client reads it, but that a number which nobody has named is None there, and no TypeError."""
    read = {name: value.replace("<class 'TypeError'>", "None") for name, value in OFFICIAL["env_says"][words].items()}
    assert what_env_says(words) == read


@pytest.mark.parametrize("place", _OLDER)
def test_names_of_the_client_of_2020(place: str) -> None:
    owner = operator.attrgetter(place.partition(".")[2])(wandb) if "." in place else wandb
    assert [name for name in _OLDER[place].split() if not hasattr(owner, name)] == []


def test_settings_of_the_client_of_2020_are_taken() -> None:
    values: Dict[str, Any] = dict.fromkeys(_OLDER_SETTINGS.split())
    wandb.Settings(**values)


@pytest.mark.peer
def test_the_list_is_what_the_official_client_says() -> None:
    said = subprocess.run(
        [str(peer_python("0.31.0")), str(HERE / "official_surface.py")], capture_output=True, text=True, check=True
    )
    assert json.loads(said.stdout) == OFFICIAL
