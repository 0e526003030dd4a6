"""The program, as it was when the run began: saved into `files/code/` where `save_code` wants it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Optional

# A script is text that somebody wrote.
_BYTES_MAX = 10 << 20


def code_path(program: Path, root: Optional[Path]) -> str:
    """The program's path in the repository or below the working folder; its name alone where it is elsewhere."""
    for base in (root, Path.cwd()):
        if base is not None:
            relative = os.path.relpath(program.resolve(), base.resolve())
            if not relative.startswith(os.pardir):
                return Path(relative).as_posix()
    return program.name


def save_program(program: Path, path: str, files: Path) -> Optional[str]:
    """Copy the program. Returns its name among the run's files; None where there is nothing to copy."""
    try:
        if not program.is_file() or program.stat().st_size > _BYTES_MAX:
            return None
        target = files / "code" / path
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(program, target)
    except OSError:
        return None
    return f"code/{path}"
