"""The settings files: ini files whose section [default] holds settings by name."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Dict, Mapping, Optional

from ...errors import UsageError

_SECTION = "default"


def global_settings_path(environment: Mapping[str, str] = os.environ) -> Path:
    """The user's settings file: `$WANDB_SETTINGS_SYSTEM`, or `settings` in `$WANDB_CONFIG_DIR` or `~/.config/wandb`."""
    named = environment.get("WANDB_SETTINGS_SYSTEM")
    if named:
        return Path(named).expanduser()
    folder = environment.get("WANDB_CONFIG_DIR")
    return (Path(folder).expanduser() if folder else Path("~/.config/wandb").expanduser()) / "settings"


def read_settings_file(path: Path) -> Dict[str, str]:
    """The settings of a file, none where there is no such file. Raises UsageError for one that can't be understood."""
    try:
        text = path.read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"the settings file {path} can't be read: {error}; mend or remove it") from None
    import configparser  # only those who have a file pay for it

    parser = configparser.RawConfigParser()
    try:
        parser.read_string(text)
    except configparser.Error as error:
        reason = str(error).replace("\n", " ")
        raise UsageError(f"the settings file {path} can't be read: {reason}; mend or remove it") from None
    return dict(parser[_SECTION]) if parser.has_section(_SECTION) else {}


def write_setting(path: Path, name: str, value: Optional[str]) -> None:
    """Put one setting into a file, or with None take it out, and leave the others as they are.

    Raises UsageError for a file that is no settings file, OSError where it can't be written.
    """
    import configparser
    import tempfile

    parser = configparser.RawConfigParser()
    try:
        parser.read(path, encoding="utf-8")
    except (configparser.Error, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is not a settings file: {error}; mend or remove it") from None
    if not parser.has_section(_SECTION):
        parser.add_section(_SECTION)
    if value is None:
        parser.remove_option(_SECTION, name)
    else:
        parser.set(_SECTION, name, value)
    path.parent.mkdir(parents=True, exist_ok=True)
    # Complete or not at all: a run that starts at this moment reads the file.
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=".settings-")
    try:
        with open(descriptor, "w", encoding="utf-8") as file:
            parser.write(file)
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise
