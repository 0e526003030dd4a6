"""Settings: what they are, where they come from, and who wins.

From the lowest to the highest: the defaults, the global file `~/.config/wandb/settings`, the folder's file
`./wandb/settings`, the environment (`WANDB_<NAME>`), `wandb.setup(settings=)`, `wandb.init(settings=)`, the arguments
of `wandb.init`. Each value remembers its source.
"""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import Any, Callable, Dict, Mapping, Optional, Tuple, Union, cast

from ..errors import UsageError

# What a user gets without an account: the server of `wandb server`.
DEFAULT_BASE_URL = "http://127.0.0.1:8080"
MODES = ("online", "offline", "disabled", "shared")
_MODE_ALIASES = {"dryrun": "offline", "run": "online", "noop": "disabled"}
_TRUE, _FALSE = ("1", "true", "yes", "on"), ("0", "false", "no", "off", "")


def _setting(default: Any, parse: Callable[[Any], Any], help: str, env: Optional[str] = None) -> Any:
    return dataclasses.field(default=default, metadata={"parse": parse, "help": help, "env": env})


def _text(value: Any) -> str:
    if not isinstance(value, (str, os.PathLike)):
        raise ValueError("text is expected")
    return os.fspath(value)


def _flag(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    word = str(value).strip().lower()
    if word in _TRUE:
        return True
    if word in _FALSE:
        return False
    raise ValueError("true or false is expected")


def _seconds(value: Any) -> float:
    seconds = float(value)
    if not seconds >= 0:
        raise ValueError("a number of seconds, 0 or more, is expected")
    return seconds


def _tags(value: Any) -> Tuple[str, ...]:
    if isinstance(value, str):
        return tuple(tag.strip() for tag in value.split(",") if tag.strip())
    return tuple(_text(tag) for tag in value)


def _mode(value: Any) -> str:
    mode = _MODE_ALIASES.get(_text(value), _text(value))
    if mode not in MODES:
        raise ValueError(f"one of {', '.join(MODES)} is expected")
    return mode


def _durability(value: Any) -> str:
    word = _text(value)
    if word not in ("process", "power"):
        raise ValueError("process or power is expected")
    return word


def _live_log(value: Any) -> str:
    word = _text(value)
    if word not in ("auto", "local", "run"):
        raise ValueError("one of auto, local, run is expected")
    return word


def _console(value: Any) -> str:
    word = _text(value)
    if word not in ("auto", "wrap", "redirect", "off"):
        raise ValueError("one of auto, wrap, redirect, off is expected")
    return word


def _url(value: Any) -> str:
    url = _text(value).rstrip("/")
    if not url.startswith(("http://", "https://")):
        raise ValueError("a URL that starts with http:// or https:// is expected")
    return url


def _resume(value: Any) -> Optional[str]:
    word = {True: "auto", False: None}[value] if isinstance(value, bool) else _text(value)
    if word not in (None, "allow", "must", "never", "auto"):
        raise ValueError("one of allow, must, never, auto, True, False is expected")
    return word


def _identifier(value: Any) -> str:
    text = _text(value)
    if not text or any(character in "/\\#?%:" for character in text) or text in (".", ".."):
        raise ValueError(r"a name without any of / \ # ? % : is expected")
    if len(text) > 128:
        raise ValueError("at most 128 characters are expected")
    return text


@dataclasses.dataclass
class Settings:
    """The settings of a run. Every field can be set in a file, as `WANDB_<FIELD>`, here, or as noted in its help."""

    base_url: str = _setting(DEFAULT_BASE_URL, _url, "the server to upload to")
    mode: str = _setting("online", _mode, "online, offline or disabled")
    entity: Optional[str] = _setting(None, _text, "the user or team that owns the run")
    project: Optional[str] = _setting(None, _identifier, "the project of the run")
    run_id: Optional[str] = _setting(None, _identifier, "the run's id")
    run_name: Optional[str] = _setting(None, _text, "the run's name on the page", env="WANDB_NAME")
    run_notes: Optional[str] = _setting(None, _text, "what is special about the run", env="WANDB_NOTES")
    run_tags: Optional[Tuple[str, ...]] = _setting(None, _tags, "tags, separated by commas", env="WANDB_TAGS")
    run_group: Optional[str] = _setting(None, _text, "the group that the run belongs to")
    run_job_type: Optional[str] = _setting(None, _text, "train, eval, …", env="WANDB_JOB_TYPE")
    sweep_id: Optional[str] = _setting(None, _text, "the sweep that the run is a trial of")
    program: Optional[str] = _setting(None, _text, "the script that runs")
    root_dir: str = _setting("", _text, "the folder in which the wandb folder stands", env="WANDB_DIR")
    resume: Optional[str] = _setting(None, _resume, "allow, must, never or auto")
    durability: str = _setting(
        "process", _durability, "what log() survives when it returns: the death of the process, or power loss too"
    )
    live_log: str = _setting(
        "auto", _live_log,
        "where the log is while the run goes on: local (a disk of this machine), run (the run's folder), or auto, "
        "which is local where the run's folder is on a network filesystem",
    )  # fmt: skip
    local_log_dir: str = _setting("", _text, "the folder on a disk of this machine for logs that live there")
    disk_budget: Optional[str] = _setting(
        None, str, "what the runs of a wandb folder may take, such as 20GB: beyond it, uploaded parts of logs go"
    )
    strict: bool = _setting(False, _flag, "raise where a row is late or the disk refuses it, instead of counting it")
    silent: bool = _setting(False, _flag, "print nothing")
    quiet: bool = _setting(False, _flag, "print less")
    symlink: bool = _setting(True, _flag, "keep the link latest-run up to date")
    console: str = _setting("auto", _console, "auto captures what the program prints, off doesn't")
    disable_stats: bool = _setting(False, _flag, "don't sample the machine")
    stats_interval: float = _setting(15.0, _seconds, "seconds between two samples of the machine")
    finish_timeout: float = _setting(
        30.0, _seconds, "seconds without progress after which finish leaves the upload to the background"
    )

    def __post_init__(self) -> None:
        self._sources: Dict[str, str] = {}
        for name in _FIELDS:
            value = self.__dict__[name]
            if value != _FIELDS[name].default:
                self._set(name, value, "settings")

    def __setattr__(self, name: str, value: Any) -> None:
        if name in _FIELDS and "_sources" in self.__dict__:
            self._set(name, value, "settings")
        elif name in _FIELDS or name.startswith("_"):
            self.__dict__[name] = value
        else:
            raise UsageError(unknown_setting(name))

    def _set(self, name: str, value: Any, source: str) -> None:
        if name not in _FIELDS:
            raise UsageError(unknown_setting(name))
        if value is not None:
            try:
                value = _FIELDS[name].metadata["parse"](value)
            except (ValueError, TypeError) as error:
                raise UsageError(f"the setting {name} can't be {value!r} ({source}): {error}") from None
        self.__dict__[name] = value
        self._sources[name] = source

    def source(self, name: str) -> str:
        """Where a setting's value comes from."""
        return self._sources.get(name, "default")

    def update(self, values: Mapping[str, Any], source: str) -> None:
        """Take the values that are not None. Raises UsageError for a name or value that makes no sense."""
        for name, value in values.items():
            if value is not None:
                self._set(name, value, source)

    def changed(self) -> Dict[str, Any]:
        """The settings that somebody set."""
        return {name: getattr(self, name) for name in self._sources}

    def to_dict(self) -> Dict[str, Any]:
        """All settings by name."""
        return {name: getattr(self, name) for name in _FIELDS}


_FIELDS: Dict[str, Any] = {field.name: field for field in dataclasses.fields(Settings)}


def unknown_setting(name: str) -> str:
    """What to say of a setting that doesn't exist."""
    import difflib

    near = difflib.get_close_matches(name, _FIELDS, n=1)
    return f"there is no setting {name!r}" + (f"; did you mean {near[0]!r}?" if near else "")


def global_settings_path() -> Path:
    """The user's settings file."""
    folder = os.environ.get("WANDB_CONFIG_DIR") or Path.home() / ".config" / "wandb"
    return Path(folder) / "settings"


def read_settings_file(path: Path) -> Dict[str, str]:
    """The settings in an ini file's section [default]; none where there is no such file.

    Raises UsageError for a file that can't be parsed.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return {}
    except UnicodeDecodeError as error:
        raise UsageError(f"the settings file {path} is no UTF-8 text: {error}; mend or remove it") from None
    import configparser  # only those who have a file pay for it

    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read_string(text)
    except configparser.Error as error:
        raise UsageError(f"the settings file {path} can't be read: {error}; mend or remove it") from None
    return dict(parser["default"]) if parser.has_section("default") else {}


def environment_settings(environment: Mapping[str, str]) -> Dict[str, str]:
    """The settings that the environment holds."""
    found = {}
    for name, field in _FIELDS.items():
        variable = field.metadata["env"] or f"WANDB_{name.upper()}"
        if environment.get(variable):
            found[name] = environment[variable]
    return found


def merged(
    *layers: Tuple[str, Union[None, Settings, Mapping[str, Any]]], environment: Optional[Mapping[str, str]] = None
) -> Settings:
    """Defaults, files and environment, and then the given (source, values) layers, the last one on top."""
    environment = os.environ if environment is None else environment
    settings = Settings()
    root = Path(environment.get("WANDB_DIR") or ".")
    for path in (global_settings_path(), root / "wandb" / "settings"):
        known = {name: value for name, value in read_settings_file(path).items() if name in _FIELDS}
        settings.update(known, str(path))
    settings.update(environment_settings(environment), "environment")
    for source, values in layers:
        if isinstance(values, Settings):
            values = values.changed()
        elif values is not None and not isinstance(values, Mapping):
            raise UsageError(f"{source}: settings are a wandb.Settings or a dictionary, not {type(values).__name__}")
        settings.update(cast(Mapping[str, Any], values or {}), source)
    return settings
