"""The configuration in all the forms in which callers have it, and where else it comes from.

From the weakest to the strongest: `config-defaults.yaml` in the working directory, the YAML files of the
setting `config_paths`, `init(config=)`, and the JSON in `WANDB_CONFIG`, by which whoever started the program
overrides what it asks for.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, Dict, Mapping, Optional, Sequence

from .._terminal import termwarn
from ..errors import ConfigError, UsageError

_DEFAULTS_FILE = "config-defaults.yaml"
# A config is written by hand; a file of this size is another one.
_FILE_BYTES_MAX = 16 << 20


def initial_config(
    config: Any,
    include: Optional[Sequence[str]],
    exclude: Optional[Sequence[str]],
    files: Optional[Sequence[str]] = None,
) -> Dict[str, Any]:
    """What a run's config begins with. `include` or `exclude` are top-level keys of `config`.

    Raises UsageError, or ConfigError for a file that can't be read.
    """
    return {**_from_files(files or ()), **chosen_config(config, include, exclude), **_from_environment()}


def chosen_config(config: Any, include: Optional[Sequence[str]], exclude: Optional[Sequence[str]]) -> Dict[str, Any]:
    """A config in any form as a dictionary, of the keys that are wanted. Raises UsageError."""
    if include and exclude:
        raise UsageError("config_include_keys and config_exclude_keys exclude each other")
    values = as_mapping(config)
    if include:
        return {key: value for key, value in values.items() if key in include}
    return {key: value for key, value in values.items() if key not in (exclude or ())}


def as_mapping(source: Any) -> Mapping[str, Any]:
    """A config as a mapping: a dictionary, another run's config, a Namespace or anything else with attributes, the
    flags of absl, a dataclass or pydantic object, or the path of a YAML file."""
    if source is None:
        return {}
    if isinstance(source, Mapping):
        return source
    if isinstance(source, (str, os.PathLike)):
        return read_config_file(Path(source))
    if hasattr(source, "as_dict") and hasattr(type(source), "setdefaults"):  # another run's Config
        held: Mapping[str, Any] = source.as_dict()
        return held
    flags = getattr(source, "FLAGS", source)  # the module absl.flags, or its FLAGS
    if hasattr(flags, "flags_by_module_dict"):
        return _absl_flags(flags)
    if hasattr(type(source), "model_dump"):
        fields: Mapping[str, Any] = source.model_dump()
        return fields
    if hasattr(source, "__dict__") and not isinstance(source, type):
        attributes: Dict[str, Any] = vars(source)
        return attributes
    raise UsageError(
        f"config is a dictionary, a Namespace, absl's FLAGS or the path of a YAML file, not {type(source).__name__}"
    )


def _absl_flags(flags: Any) -> Dict[str, Any]:
    """The program's own flags: those of absl itself say nothing about the experiment."""
    return {
        flag.name: flag.value
        for module, defined in flags.flags_by_module_dict().items()
        if module.split(".")[0] != "absl"
        for flag in defined
    }


def read_config_file(path: Path) -> Dict[str, Any]:
    """The config in a YAML (or JSON) file: plain keys and values, or `key: {value: ..., desc: ...}` as runs keep it.

    Raises ConfigError.
    """
    try:
        if path.stat().st_size > _FILE_BYTES_MAX:
            raise ConfigError(f"the config file {path} is larger than {_FILE_BYTES_MAX >> 20} MiB")
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no UTF-8 text"
        raise ConfigError(f"the config file {path} can't be read: {reason}") from None
    import yaml  # slow to import, and only those who have a file pay for it

    try:
        loaded = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigError(f"the config file {path} is no valid YAML: {error}") from None
    if loaded is None:
        return {}
    if not isinstance(loaded, dict):
        raise ConfigError(f"the config file {path} holds {type(loaded).__name__}, not names with values")
    loaded.pop("wandb_version", None)
    return {str(key): _value_of(value) for key, value in loaded.items() if key != "_wandb"}


def _value_of(entry: Any) -> Any:
    wrapped = isinstance(entry, dict) and "value" in entry and set(entry) <= {"value", "desc"}
    return entry["value"] if wrapped else entry


def _from_files(files: Sequence[str]) -> Dict[str, Any]:
    values: Dict[str, Any] = {}
    if os.path.isfile(_DEFAULTS_FILE):
        values.update(read_config_file(Path(_DEFAULTS_FILE)))
    for name in files:
        values.update(read_config_file(Path(name)))
    return values


def _from_environment() -> Dict[str, Any]:
    text = os.environ.get("WANDB_CONFIG")
    if not text:
        return {}
    try:
        values = json.loads(text)
    except ValueError:
        values = None
    if not isinstance(values, dict):
        termwarn("WANDB_CONFIG is no JSON object, and is ignored")
        return {}
    return values
