"""The disk budget of a wandb directory: what a person writes, and where the uploader reads it.

The budget belongs to the directory: the run that was started or finished last decides, and the uploader, which may have
been started by an earlier one, looks at the file each time.
"""

from __future__ import annotations

import difflib
import re
from pathlib import Path
from typing import Optional

from ._home import STATES_FOLDER, write_atomically

_UNITS = {
    "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12, "PB": 10**15,
    "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40, "PiB": 1 << 50,
}  # fmt: skip
_SIZE = re.compile(r"(?P<number>\d+(?:\.\d+)?)\s*(?P<unit>[a-zA-Z]*)")
_FORMS = "a size looks like 20GB, 500MiB or 1000000000"


def parse_size(text: str) -> int:
    """Bytes from `20GB`, `500MiB`, `1.5 TB` or a plain number. Raises ValueError, which names the nearest form."""
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is no size: {_FORMS}")
    units = {unit.lower(): unit for unit in _UNITS}
    unit = units.get((match["unit"] or "B").lower())
    if unit is None:
        raise ValueError(f"{text!r} is no size: {_suggestion(match['number'], match['unit'])}")
    # Of a number with many digits a float would lose some.
    number = match["number"]
    return int(float(number) * _UNITS[unit]) if "." in number else int(number) * _UNITS[unit]


def _suggestion(number: str, written: str) -> str:
    near = [unit for unit in _UNITS if len(unit) == 2 and unit[0] == written[0].upper()]
    if not near:
        near = difflib.get_close_matches(written.upper(), [unit for unit in _UNITS if len(unit) == 2], n=1)
    return f"did you mean {number}{near[0]}?" if near else _FORMS


def keep_budget(wandb_dir: Path, budget_bytes: Optional[int]) -> None:
    """Let this be the budget of a directory; None for no budget. Raises OSError."""
    path = _path(wandb_dir)
    if read_budget(wandb_dir) == budget_bytes:
        return
    if budget_bytes is None:
        path.unlink(missing_ok=True)
        return
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    write_atomically(path, str(budget_bytes).encode())


def read_budget(wandb_dir: Path) -> Optional[int]:
    """The budget of a directory in bytes, or None where it has none."""
    try:
        return int(_path(wandb_dir).read_text())
    except (OSError, ValueError):
        return None


def _path(wandb_dir: Path) -> Path:
    return Path(wandb_dir) / STATES_FOLDER / "disk-budget"
