"""`wandb.log_artifact` and the like: the methods of the active run about artifacts, as functions."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, List, Optional, Union

from ._of_the_active_run import _active

if TYPE_CHECKING:
    from .sdk.artifacts.artifact import Artifact

StrPath = Union[str, "os.PathLike[str]"]


def log_artifact(
    artifact_or_path: Union[Artifact, StrPath],
    name: Optional[str] = None,
    type: Optional[str] = None,
    aliases: Optional[List[str]] = None,
    tags: Optional[List[str]] = None,
) -> Artifact:
    """Let the active run make a version of an artifact, a file, a folder or an address.

    >>> import wandb
    >>> from pathlib import Path
    >>> _ = Path("labels.txt").write_text("zero one two")
    >>> with wandb.init(mode="offline"):
    ...     artifact = wandb.log_artifact("labels.txt", name="labels", type="dataset", aliases=["first"])
    ...     print(artifact.wait().name, artifact.aliases)
    labels:v0 ['latest', 'first']
    """
    return _active("log_artifact").log_artifact(artifact_or_path, name, type, aliases, tags)


def use_artifact(
    artifact_or_name: Union[str, Artifact],
    type: Optional[str] = None,
    aliases: Optional[List[str]] = None,
    use_as: Optional[str] = None,
) -> Artifact:
    """Find a version and record that the active run uses it.

    >>> import wandb
    >>> from pathlib import Path
    >>> _ = Path("labels.txt").write_text("zero one two")
    >>> with wandb.init(mode="offline"):
    ...     _ = wandb.log_artifact("labels.txt", name="labels", type="dataset")
    >>> with wandb.init(mode="offline"):
    ...     folder = wandb.use_artifact("labels:latest").download()
    ...     print(folder, (Path(folder) / "labels.txt").read_text())
    artifacts/labels:v0 zero one two
    """
    return _active("use_artifact").use_artifact(artifact_or_name, type, aliases, use_as)


def log_model(path: StrPath, name: Optional[str] = None, aliases: Optional[List[str]] = None) -> None:
    """Let the active run make a version of a model, as an artifact of the type "model".

    >>> import wandb
    >>> from pathlib import Path
    >>> _ = Path("model.bin").write_bytes(b"weights")
    >>> with wandb.init(mode="offline"):
    ...     wandb.log_model("model.bin", name="digits")
    """
    _active("log_model").log_model(path, name, aliases)


def use_model(name: str) -> str:
    """Download a model for the active run; return its file, or the folder where it has several.

    >>> import wandb
    >>> from pathlib import Path
    >>> _ = Path("model.bin").write_bytes(b"weights")
    >>> with wandb.init(mode="offline"):
    ...     wandb.log_model("model.bin", name="digits")
    >>> with wandb.init(mode="offline"):
    ...     print(wandb.use_model("digits:latest"))
    artifacts/digits:v0/model.bin
    """
    return _active("use_model").use_model(name)


def link_model(
    path: StrPath, registered_model_name: str, name: Optional[str] = None, aliases: Optional[List[str]] = None
) -> Optional[Artifact]:
    """Let the active run make a version of a model, and link it to a registered model.

    >>> import wandb
    >>> from pathlib import Path
    >>> _ = Path("model.bin").write_bytes(b"weights")
    >>> with wandb.init(mode="offline"):
    ...     _ = wandb.link_model("model.bin", "digit classifier", name="digits", aliases=["production"])
    """
    return _active("link_model").link_model(path, registered_model_name, name, aliases)
