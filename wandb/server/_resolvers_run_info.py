"""What older clients ask a run about its program and machine: an excerpt of the wandb-metadata.json that it sent."""

from __future__ import annotations

from typing import Any

from ._files import file_place, find_file
from ._graphql import Resolvers
from ._limits import METADATA_BYTES_MAX
from ._services import RequestContext
from ._store import Run
from ._values import parse_object

_FILE = "wandb-metadata.json"


def _run_info(run: Run, context: RequestContext) -> dict[str, Any] | None:
    stored = find_file(context.connection, run.id, _FILE)
    if stored is None or stored.size > METADATA_BYTES_MAX:
        return None
    content = context.services.bytes.read(file_place(run.id, _FILE))
    facts = parse_object(content.decode("utf-8", "replace")) if content is not None else None
    if facts is None:
        return None
    git = facts.get("git")
    arguments = facts.get("args")
    return {
        **{name: _text(facts.get(name)) for name in ("program", "os", "python", "colab", "executable", "gpu")},
        "args": [str(argument) for argument in arguments] if isinstance(arguments, list) else None,
        "codeSaved": bool(facts.get("codePath")),
        "cpuCount": _count(facts.get("cpu_count")),
        "gpuCount": _count(facts.get("gpu_count")),
        "git": {name: _text(git.get(name)) for name in ("remote", "commit")} if isinstance(git, dict) else None,
    }


# A run may say anything, and an answer has the types that it says.
def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**31 else None


RUN_INFO_RESOLVERS: Resolvers = {"Run": {"runInfo": _run_info}}
