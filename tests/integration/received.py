"""What a server has received of a project: every run with its rows, config, summary, metrics, files and artifacts.

What two programs that do the same can't have in common stands as a word: `<id>` for a run's id, `<name>` for its name,
`<folder>` for the folder in which it ran. Times are left out.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, Dict, List, Mapping, Tuple

from own_server import Server, eventually

_RUNS = """
query Runs($project: String!) {
  project(name: $project) {
    runs(first: 100) {
      edges { node {
        name displayName state tags group jobType notes config summaryMetrics historyLineCount
        history(samples: 100000)
        files(first: 1000) { edges { node { name sizeBytes } } }
        outputArtifacts(first: 100) { edges { node { ...Version } } }
        inputArtifacts(first: 100) { edges { node { ...Version } } }
      } }
    }
  }
}
fragment Version on Artifact {
  artifactType { name } artifactSequence { name } versionIndex description metadata state size
  aliases { alias artifactCollectionName }
  files(first: 1000) { edges { node { name sizeBytes } } }
}
"""
# Of these every program has its own, or none.
_TIMES = frozenset({"_timestamp", "_runtime"})
# What the clients write of the machine and of themselves: docs/recorded.md.
_OWN_FILES = re.compile(
    r"config\.yaml|output\.log|requirements\.txt|diff\.patch|wandb-(metadata|summary)\.json|wandb_manifest\.json"
)
_ADDRESS = re.compile(r"0x[0-9a-f]{6,}")
_SUMMARIES = {1: "min", 2: "max", 3: "mean", 4: "best", 5: "last", 6: "none", 7: "copy", 8: "first"}

Run = Dict[str, Any]


def received(server: Server, project: str, folder: Path) -> List[Run]:
    """The runs of a project in the order in which they began, once all of them have ended."""

    def all_ended() -> Any:
        nodes = _nodes((server.execute(_RUNS, project=project).get("project") or {}).get("runs"))
        return nodes if nodes and all(node["state"] == "finished" and _complete(node) for node in nodes) else None

    return [_run(node, folder) for node in sorted(eventually(all_ended), key=_began)]


def _complete(node: Mapping[str, Any]) -> bool:
    """Whether the run's artifacts are there as well."""
    return all(version["state"] == "COMMITTED" for version in _nodes(node["outputArtifacts"]))


def _began(node: Mapping[str, Any]) -> Tuple[float, str]:
    rows = [json.loads(row) for row in node["history"]]
    times = [row["_timestamp"] for row in rows if row.get("_timestamp")]
    return (min(times) if times else 0.0, node["name"])


def _run(node: Mapping[str, Any], folder: Path) -> Run:
    words = {node["name"]: "<id>", node["displayName"]: "<name>", str(folder): "<folder>"}
    config = {key: value.get("value") for key, value in json.loads(node["config"] or "{}").items()}
    internal = config.pop("_wandb", None) or {}
    summary = json.loads(node["summaryMetrics"] or "{}")
    found = {
        "rows": [_without_times(json.loads(row)) for row in node["history"]],
        "config": config,
        "summary": _without_times({key: value for key, value in summary.items() if key != "_wandb"}),
        "metrics": _metrics(internal.get("m") or []),
        "charts": internal.get("visualize") or {},
        "files": {file["name"]: file["sizeBytes"] for file in _nodes(node["files"]) if _is_of_the_program(file["name"])},
        "artifacts": _versions(node["outputArtifacts"]),
        "used": _versions(node["inputArtifacts"]),
        **{name: node[name] for name in ("tags", "group", "jobType", "notes", "historyLineCount")},
    }  # fmt: skip
    result: Run = _in_words(found, words)
    return result


def _is_of_the_program(name: str) -> bool:
    return not _OWN_FILES.fullmatch(name) and not name.startswith(("artifact/", "logs/"))


def _without_times(row: Mapping[str, Any]) -> Dict[str, Any]:
    return {key: value for key, value in row.items() if key not in _TIMES}


def _metrics(entries: List[Mapping[str, Any]]) -> Dict[str, Any]:
    """What `define_metric` has said, by name, as the server keeps it by numbers."""
    names = [str(entry.get("1") or entry.get("2")) for entry in entries]
    return {
        name: {
            "step": names[entry["5"] - 1] if entry.get("5") else None,
            "sync": 1 in entry.get("6", []),
            "hidden": 2 in entry.get("6", []),
            "summary": sorted(_SUMMARIES.get(number, str(number)) for number in entry.get("7", [])),
        }
        for name, entry in zip(names, entries)
    }


def _versions(connection: Any) -> Dict[str, Any]:
    """Artifacts by name and number: type, aliases, metadata and files with their sizes."""
    found: Dict[str, Any] = {}
    for version in _nodes(connection):
        name = version["artifactSequence"]["name"]
        found[f"{name}:v{version['versionIndex']}"] = {
            "type": version["artifactType"]["name"],
            "description": version["description"],
            "metadata": json.loads(version["metadata"] or "{}"),
            "aliases": sorted(one["alias"] for one in version["aliases"] if one["artifactCollectionName"] == name),
            "files": {file["name"]: file["sizeBytes"] for file in _nodes(version["files"])},
        }
    return found


def _nodes(connection: Any) -> List[Any]:
    return [edge["node"] for edge in (connection or {}).get("edges", ())]


def _in_words(value: Any, words: Mapping[str, str]) -> Any:
    if isinstance(value, str):
        for own, word in words.items():
            value = value.replace(own, word) if own else value
        return _ADDRESS.sub("0x...", value)
    if isinstance(value, Mapping):
        return {_in_words(key, words): _in_words(one, words) for key, one in value.items()}
    return [_in_words(one, words) for one in value] if isinstance(value, list) else value
