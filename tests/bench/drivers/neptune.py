"""neptune-scale, in offline mode: a SQLite database that is written in the logging process."""

from __future__ import annotations

import importlib
import itertools
from pathlib import Path
from typing import Any, Iterable

from . import _client

_READ_BYTES = 64 << 20


class Client:
    def __init__(self) -> None:
        self.run: Any = None

    def open(self, folder: Path) -> _client.LogCall:
        scale = importlib.import_module("neptune_scale")
        self.run = scale.Run(project="bench/bench", run_id="bench", mode="offline", log_directory=folder / "neptune")
        log_metrics, steps = self.run.log_metrics, itertools.count()
        return lambda row: log_metrics(row, step=next(steps))

    def close(self) -> None:
        self.run.close()

    def count(self, folder: Path) -> int:
        logs = list(folder.glob("neptune/**/*.sqlite3"))
        if not logs:
            return 0
        module = importlib.import_module("neptune_scale.sync.operations_repository")
        repository = module.OperationsRepository(db_path=logs[0].resolve())
        steps = set()
        for operation in repository.get_operations(up_to_bytes=_READ_BYTES):
            # Console output and the run's attributes are operations too.
            appended = getattr(operation.operation, "append", {})
            if any(key.startswith(_client.KEY_PREFIX) for key in appended):
                steps.add(operation.operation.step.SerializeToString())
        repository.close(cleanup_files=False)
        return len(steps)

    def log_files(self, folder: Path) -> Iterable[Path]:
        return folder.glob("neptune/**/*.sqlite3*")
