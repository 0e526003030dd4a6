"""What a run records of the code and the machine around it, found out in a thread while the program goes on.

    what                                   where
    machine, repository                    an Environment record, and files/wandb-metadata.json
    what is installed                      files/requirements.txt
    the program, where save_code wants it  files/code/, and what is in code_dir; a notebook when the run ends
    changes that aren't committed          files/diff.patch

Nothing of it delays `init`, and its end waits only a few seconds for a repository that doesn't answer.
"""

from __future__ import annotations

import contextlib
import json
import threading
import time
from pathlib import Path
from typing import Any, Callable, Dict, Optional

from wandb_storage import Environment, FileSaved, Record, dump_json

from .._terminal import termwarn
from ._environment import describe_environment, program_path
from ._jupyter import save_notebook
from ._loading import loading
from ._periodic import SETTLE_SECONDS
from .wandb_settings import Settings

_STOP_SECONDS = 5.0


class Surroundings:
    """Looks around once, from `start` on."""

    def __init__(self, append: Callable[[Record], None], files: Path, settings: Settings, start: float) -> None:
        self._append, self._files, self._settings, self._start_time = append, files, settings, start
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._look, name="wandb-surroundings", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End; what takes long is left out."""
        self._stopping.set()
        self._thread.join(_STOP_SECONDS)
        if self._saves_code:
            for path in save_notebook(self._settings, self._files):  # with the cells that have been run by now
                self._append(FileSaved(path=path, policy="now", time=time.time()))

    def abandon(self) -> None:
        """In a forked child, where the thread is not: the parent looks around."""

    @property
    def _saves_code(self) -> bool:
        return self._settings.save_code and not self._settings.disable_code

    def _look(self) -> None:
        self._stopping.wait(SETTLE_SECONDS)
        with contextlib.suppress(Exception):  # a run whose surroundings can't be described is a run all the same
            self._record()

    def _record(self) -> None:
        settings = self._settings
        program = program_path(settings)
        root = self._describe(program)
        if settings.x_save_requirements:
            with loading:
                from ._requirements import requirements

            self._write("requirements.txt", requirements().encode())
        if self._saves_code:
            self._save_code(program, root)
        if root is not None and not settings.disable_code:
            self._save_patch(root)

    def _describe(self, program: str) -> Optional[Path]:
        """Record what the metadata says. Returns the root of the repository."""
        if self._settings.x_disable_meta:
            return None
        with loading:
            from ._git import find_repository
            from ._machine import describe_machine
            from ._run_code import code_path

        found: Dict[str, Any] = describe_machine(self._settings)
        repository = find_repository(Path(program).parent if program else Path.cwd(), self._settings)
        root = repository.root if repository is not None else None
        if repository is not None:
            found["git"] = repository.described()
        if program:
            found.update(codePath=code_path(Path(program), root), codePathLocal=code_path(Path(program), None))
        self._append(Environment(json=dump_json(found), time=time.time()))
        described = {**describe_environment(program, self._settings, self._start_time), **found}
        self._write("wandb-metadata.json", json.dumps(described, indent=2).encode())
        return root

    def _save_code(self, program: str, root: Optional[Path]) -> None:
        with loading:
            from . import _run_code

        if program and not program.endswith(".ipynb"):
            path = _run_code.code_path(Path(program), root)
            _run_code.copy_program(Path(program), path, self._files, self._append)
        if self._settings.code_dir:
            folder, files = Path(self._settings.code_dir), self._files
            _run_code.copy_code(folder, files, _run_code.is_source, _run_code.is_no_source, self._append)

    def _save_patch(self, root: Path) -> None:
        with loading:
            from ._git import PATCH_BYTES_MAX, read_patch

        patch = read_patch(root)
        if patch is None:
            return
        if patch.content:
            self._write("diff.patch", patch.content)
        if not patch.whole:
            termwarn(f"changes that aren't committed exceed {PATCH_BYTES_MAX >> 20} MiB; diff.patch holds the first")

    def _write(self, name: str, content: bytes) -> None:
        with contextlib.suppress(OSError):  # a full disk: the log comes first
            (self._files / name).write_bytes(content)
