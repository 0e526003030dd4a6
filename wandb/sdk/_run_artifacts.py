"""The calls of a run that are about artifacts. What they do is in `artifacts/_of_run.py`, loaded on first use."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, List, Optional, Union

from ._run_facts import RunFacts

if TYPE_CHECKING:
    from .artifacts.artifact import Artifact

StrPath = Union[str, "os.PathLike[str]"]


class RunArtifacts(RunFacts):
    """Artifacts as a run logs and uses them."""

    def log_artifact(
        self,
        artifact_or_path: Union[Artifact, StrPath],
        name: Optional[str] = None,
        type: Optional[str] = None,
        aliases: Optional[List[str]] = None,
        tags: Optional[List[str]] = None,
    ) -> Artifact:
        """Make a version of an artifact, or of a file, a folder or an address like s3://bucket/path.

        >>> run.log_artifact("model.pt", name="model", type="model", aliases=["best"]).wait().name
        'model:v0'

        name: of a path; `run-ID-` and its last part where none is given. type: of a path. aliases: names of the
        version; it is the "latest" in any case. tags: of the version.

        When this returns, the files survive the death of the process; they are hashed and uploaded in the background.
        Returns the artifact: `wait()` until it has its number, which offline is at once. Raises ArtifactError for what
        is none, and Error where the disk has no room for the files.
        """
        from .artifacts import _of_run

        return _of_run.log(self, artifact_or_path, name, type, aliases, tags)

    def use_artifact(
        self,
        artifact_or_name: Union[str, Artifact],
        type: Optional[str] = None,
        aliases: Optional[List[str]] = None,
        use_as: Optional[str] = None,
    ) -> Artifact:
        """Find a version and record that the run uses it; `download()` it then.

        >>> run.use_artifact("digits:latest", type="dataset").download()
        'artifacts/digits:v0'

        artifact_or_name: `NAME:ALIAS` or `NAME:v3`, with the project, or owner and project, before it where it is
        another one's; or an artifact, which is logged first where it is a draft. type: what it must be. aliases: of a
        draft. use_as: accepted for callers of other clients.

        Online the server is asked, when it has what this run has logged under that name; offline the runs of the same
        wandb folder are. Raises ArtifactError where there is none, and CommError where the server can't be asked.
        """
        from .artifacts import _of_run

        return _of_run.use(self, artifact_or_name, type, aliases)

    def link_artifact(self, artifact: Artifact, target_path: str, aliases: Optional[List[str]] = None) -> Artifact:
        """Let a collection, `PROJECT/NAME` or `wandb-registry-REGISTRY/NAME`, hold a version too.

        >>> run.link_artifact(version, "wandb-registry-dataset/digits").is_link
        True

        Returns the version as it is there. A draft is logged first. Offline the link is made when the run is uploaded,
        and the version itself is returned. Raises ArtifactError, CommError.
        """
        from .artifacts import _of_run

        return _of_run.link(self, artifact, target_path, aliases)

    def upsert_artifact(
        self,
        artifact_or_path: Union[Artifact, str],
        name: Optional[str] = None,
        type: Optional[str] = None,
        aliases: Optional[List[str]] = None,
        distributed_id: Optional[str] = None,
    ) -> Artifact:
        """Add a part to a version that several processes write together; `finish_artifact` makes the version.

        >>> with artifact.new_file("part-0.txt") as file:
        ...     _ = file.write("the first of two")
        >>> _ = run.upsert_artifact(artifact, distributed_id="training-1")

        distributed_id: what these processes have in common, their group where none is given. Raises TypeError where
        there is neither; the rest is as for `log_artifact`.
        """
        from .artifacts import _of_run

        return _of_run.upsert(self, artifact_or_path, name, type, aliases, distributed_id, finalize=False)

    def finish_artifact(
        self,
        artifact_or_path: Union[Artifact, str],
        name: Optional[str] = None,
        type: Optional[str] = None,
        aliases: Optional[List[str]] = None,
        distributed_id: Optional[str] = None,
    ) -> Artifact:
        """Add the last part to a version that several processes have written with `upsert_artifact`, and make the
        version.

        >>> with artifact.new_file("part-1.txt") as file:
        ...     _ = file.write("the second of two")
        >>> _ = run.finish_artifact(artifact, distributed_id="training-1")
        """
        from .artifacts import _of_run

        return _of_run.upsert(self, artifact_or_path, name, type, aliases, distributed_id, finalize=True)

    def log_model(self, path: StrPath, name: Optional[str] = None, aliases: Optional[List[str]] = None) -> None:
        """Make a version of a model: a file, a folder or an address, as an artifact of the type "model".

        >>> run.log_model("model.pt", name="model", aliases=["best"])
        """
        from .artifacts import _of_run

        _of_run.log_model(self, path, name, aliases)

    def use_model(self, name: str) -> str:
        """Download a model, `NAME:ALIAS`; return its file, or the folder where it has several. Raises AssertionError
        for an artifact that is no model; the rest is as for `use_artifact`.

        >>> run.use_model("model:best")
        'artifacts/model:v0/model.pt'
        """
        from .artifacts import _of_run

        return _of_run.use_model(self, name)

    def link_model(
        self,
        path: StrPath,
        registered_model_name: str,
        name: Optional[str] = None,
        aliases: Optional[List[str]] = None,
    ) -> Optional[Artifact]:
        """Make a version of a model and link it to the registered model of that name; `aliases` are the link's.

        >>> run.link_model("model.pt", "digits-classifier", name="model").is_link
        True
        """
        from .artifacts import _of_run

        return _of_run.link_model(self, path, registered_model_name, name, aliases)

    def _finish_artifacts(self) -> None:
        """Wait for the hashes of what was logged: the version is whole then, whatever becomes of this machine."""
        finishing = sys.modules.get(f"{__package__}.artifacts._finishing")
        if finishing is not None:  # something was logged
            finishing.wait_for_all(self._folder)
