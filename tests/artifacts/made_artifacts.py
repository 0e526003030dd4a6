"""Artifacts for tests to log, and what is in folders afterwards."""

from __future__ import annotations

from pathlib import Path
from typing import Dict

import wandb

# A file that is one of its own, and not in a pack.
LARGE = bytes(range(256)) * 8192
FILES = {"a.txt": b"hello", "sub/b.bin": bytes(range(256)) * 10, "empty": b"", "large.bin": LARGE}


def write(folder: Path, files: Dict[str, bytes] = FILES) -> Path:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def made(name: str = "ds", files: Dict[str, bytes] = FILES, **more: object) -> wandb.Artifact:
    """A draft that holds these files."""
    artifact = wandb.Artifact(name, type="dataset", **more)  # type: ignore[arg-type]
    for path, content in files.items():
        with artifact.new_file(path, mode="wb") as file:
            file.write(content)
    return artifact


def contents(folder: str) -> Dict[str, bytes]:
    root = Path(folder)
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}
