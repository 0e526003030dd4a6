"""This client."""

from __future__ import annotations

from pathlib import Path
from typing import Iterable, Optional

import wandb
from wandb_storage import Reader, Row, is_log_file

from . import _client


class Client:
    def __init__(self) -> None:
        self.run: Optional[wandb.Run] = None

    def open(self, folder: Path) -> _client.LogCall:
        self.run = wandb.init(project="bench", mode="offline", dir=str(folder))
        return self.run.log

    def close(self) -> None:
        assert self.run is not None
        self.run.finish()

    def count(self, folder: Path) -> int:
        [run_folder] = folder.glob("wandb/offline-run-*")
        with Reader(run_folder) as reader:
            return sum(isinstance(entry.record, Row) for entry in reader.entries())

    def log_files(self, folder: Path) -> Iterable[Path]:
        return [path for path in folder.glob("wandb/offline-run-*/*") if is_log_file(path.name)]
