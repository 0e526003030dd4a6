"""Settings in the environment: `WANDB_<NAME>`, `WANDB__<NAME>` for `x_<name>`, and a few with names of their own."""

from __future__ import annotations

from typing import Iterator, Mapping, Tuple

from ._field import Field
from ._layered import nearest

_PREFIX = "WANDB_"
OWN_NAMES = {
    "WANDB_APP_URL": "app_url_override",
    "WANDB_DESCRIPTION": "run_notes",  # the first generation's name for them
    "WANDB_DIR": "root_dir",
    "WANDB_FILE_PUSHER_TIMEOUT": "x_file_transfer_timeout_seconds",
    "WANDB_HTTP_TIMEOUT": "x_graphql_timeout_seconds",
    "WANDB_JOB_TYPE": "run_job_type",
    "WANDB_NAME": "run_name",
    "WANDB_NOTES": "run_notes",
    "WANDB_TAGS": "run_tags",
    "WANDB_USER_EMAIL": "email",
}
# So alike are a name and its misspelling. Variables that are no settings, and there are many, are less alike to any.
_MISSPELT = 0.9


def setting_of(variable: str) -> str:
    """The name of the setting that a variable would hold, whether there is one or not."""
    if variable in OWN_NAMES:
        return OWN_NAMES[variable]
    name = variable[len(_PREFIX) :].lower()
    return f"x{name}" if name.startswith("_") else name


def settings_in(environment: Mapping[str, str], fields: Mapping[str, Field]) -> Iterator[Tuple[str, str, str]]:
    """(setting, variable, value) for each that is not empty; where two variables hold a setting, the better name last.

    A variable that seems to be misspelt comes with a name that is no setting.
    """
    found = [name for name in environment if name.startswith(_PREFIX) and environment[name]]
    for variable in sorted(found, key=lambda name: (name in OWN_NAMES, name)):
        name = setting_of(variable)
        if name in fields or nearest(name, fields, _MISSPELT):
            yield name, variable, environment[variable]
