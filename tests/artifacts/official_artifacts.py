"""What the official client shows of artifacts: names and parameters. Run with its Python, it prints the list of them.

python tests/artifacts/official_artifacts.py > tests/artifacts/official_artifacts.json
"""

from __future__ import annotations

import inspect
import json
import sys
from typing import Any, Dict, List, Optional

Members = Dict[str, Optional[List[str]]]
_KINDS = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


def members(kind: Any) -> Members:
    """The public members of a class: parameters of methods with their defaults, None for properties."""
    names = [name for name in dir(kind) if not name.startswith("_") or name in ("__getitem__", "__setitem__")]
    return {name: parameters(inspect.getattr_static(kind, name), getattr(kind, name)) for name in names}


def parameters(static: Any, value: Any) -> Optional[List[str]]:
    if not callable(value):
        return ["settable"] if isinstance(static, property) and static.fset else None
    found = inspect.signature(value).parameters.values()
    return [_text(each) for each in found if each.kind not in _KINDS and each.name != "self"]


def _text(parameter: inspect.Parameter) -> str:
    default = parameter.default
    return parameter.name if default is parameter.empty else f"{parameter.name}={default!r}"


def surface() -> Dict[str, Any]:
    import wandb
    from wandb.sdk.artifacts import exceptions
    from wandb.sdk.artifacts.artifact_manifest import ArtifactManifest
    from wandb.sdk.artifacts.artifact_manifest_entry import ArtifactManifestEntry
    from wandb.sdk.artifacts.artifact_state import ArtifactState

    inherited = set(dir(sys.modules["pydantic"].BaseModel)) if "pydantic" in sys.modules else set()
    kinds = {"Artifact": wandb.Artifact, "Manifest": ArtifactManifest, "Entry": ArtifactManifestEntry}
    found: Dict[str, Any] = {
        title: {name: value for name, value in members(kind).items() if name not in inherited}
        for title, kind in kinds.items()
    }
    found["init"] = parameters(None, wandb.Artifact)
    found["states"] = [state.value for state in ArtifactState]
    found["TTL"] = [ttl.name for ttl in wandb.ArtifactTTL]
    own = (
        name
        for name, value in vars(exceptions).items()
        if inspect.isclass(value) and value.__module__.endswith("exceptions")
    )
    found["exceptions"] = sorted(own)
    return found


if __name__ == "__main__":
    json.dump(surface(), sys.stdout, indent=1)
    print()
