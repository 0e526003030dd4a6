"""What a server has received of a project: every run with its rows, config, summary, metrics, files and artifacts.

What two programs that do the same can't have in common stands as a word: `<id>` for a run's id, `<name>` for its name,
`<folder>` for the folder in which it ran, `<project>` for its project. Times are left out.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
from pathlib import Path
from typing import Any, Callable, Dict, List, Mapping, Tuple
from urllib.parse import quote

import requests
from own_server import Server, eventually

_RUNS = """
query Runs($project: String!) {
  project(name: $project) {
    runs(first: 100) {
      edges { node {
        name displayName createdAt user { username } state tags group jobType notes
        config summaryMetrics historyLineCount
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
  aliases { alias }
  files(first: 1000) { edges { node { name sizeBytes directUrl } } }
}
"""
# Of these every program has its own, or none.
_TIMES = frozenset({"_timestamp", "_runtime"})
# What the clients write of the machine and of themselves: docs/recorded.md.
_OWN_FILES = re.compile(
    r"config\.yaml|output\.log|requirements\.txt|diff\.patch|wandb-(metadata|summary)\.json|wandb_manifest\.json"
)
# What is drawn by lot, or made of something that is: addresses in memory, names of artifacts before the server knows
# them, and the ends of the names of tables' artifacts.
_BY_LOT = [
    (re.compile(r"wandb-client-artifact://[0-9a-z]{128}"), "wandb-client-artifact://..."),
    (re.compile(r"\b0x[0-9a-f]{6,}"), "0x..."),
    # When a part of a table that grows was logged, behind its number, of which the official client's first has none.
    (re.compile(r"\bNone-\d{13}(?=\..*table\.json)"), "0-<time>"),
    (re.compile(r"\b(\d+)-\d{13}(?=\..*table\.json)"), r"\1-<time>"),
    (re.compile(r"tfevents\.\d+\.[^/]+"), "tfevents..."),
    (re.compile(r"(run-<id>-.+)-[0-9A-Za-z_-]{6}(?=:v\d+$|$)"), r"\1-..."),
]
_SUMMARIES = {1: "min", 2: "max", 3: "mean", 4: "best", 5: "last", 6: "none", 7: "copy", 8: "first"}

Run = Dict[str, Any]


def received(server: Server, project: str, folder: Path) -> List[Run]:
    """The runs of a project in the order in which they began, once all of them have ended."""

    def all_ended() -> Any:
        nodes = _nodes((server.execute(_RUNS, project=project).get("project") or {}).get("runs"))
        return nodes if nodes and all(node["state"] == "finished" and _complete(node) for node in nodes) else None

    return [_run(server, project, node, folder) for node in sorted(eventually(all_ended), key=_began)]


def _complete(node: Mapping[str, Any]) -> bool:
    """Whether the run's artifacts are there as well."""
    return all(version["state"] == "COMMITTED" for version in _nodes(node["outputArtifacts"]))


def _began(node: Mapping[str, Any]) -> Tuple[str, float]:
    """When the server heard of a run, and of several in one second when they logged."""
    times = [json.loads(row).get("_timestamp") or 0.0 for row in node["history"]]
    return (node["createdAt"], min(times, default=0.0))


def _run(server: Server, project: str, node: Mapping[str, Any], folder: Path) -> Run:
    def read(path: str) -> bytes:
        url = f"{server.url}/files/{node['user']['username']}/{project}/{node['name']}/{quote(path)}"
        answer = requests.get(path if "://" in path else url, auth=("api", server.key), timeout=30)
        answer.raise_for_status()
        return answer.content

    words = {node["name"]: "<id>", node["displayName"]: "<name>", str(folder): "<folder>", project: "<project>"}
    config = {key: value.get("value") for key, value in json.loads(node["config"] or "{}").items()}
    internal = config.pop("_wandb", None) or {}
    summary = json.loads(node["summaryMetrics"] or "{}")
    found = {
        "rows": [_with_media(_without_times(json.loads(row)), read) for row in node["history"]],
        "config": config,
        "summary": _with_media(_without_times({key: value for key, value in summary.items() if key != "_wandb"}), read),
        "metrics": _metrics(internal.get("m") or []),
        "charts": internal.get("visualize") or {},
        "files": {one["name"]: one["sizeBytes"] for one in _nodes(node["files"]) if _is_of_the_program(one["name"])},
        "artifacts": _versions(node["outputArtifacts"], read),
        "used": _versions(node["inputArtifacts"], read),
        **{name: node[name] for name in ("tags", "group", "jobType", "notes", "historyLineCount")},
    }  # fmt: skip
    result: Run = _in_words(found, words)
    return result


def _is_of_the_program(name: str) -> bool:
    """Whether it is a file that the program saves; media are looked at where rows name them."""
    return not _OWN_FILES.fullmatch(name) and not name.startswith(("artifact/", "logs/debug", "media/"))


def _with_media(value: Any, read: Callable[[str], bytes]) -> Any:
    """Rows in which media are what they show, and not in which file of which digest they are."""
    if isinstance(value, list):
        return [_with_media(one, read) for one in value]
    if not isinstance(value, dict):
        return value
    if value.get("_type") in _FILES and "path" in value:
        shown = {key: one for key, one in value.items() if key not in ("path", "sha256", "size")}
        content = read(value["path"])
        assert len(content) == value["size"], value["path"]
        return {**shown, "path": _without_digest(value["path"]), "content": _FILES[value["_type"]](content)}
    if value.get("_type") == "images/separated":
        pictures = {_without_digest(path): _pixels(read(path)) for path in value["filenames"]}
        return {**value, "filenames": pictures}
    return {key: _with_media(one, read) for key, one in value.items()}


def _without_digest(path: str) -> str:
    """A medium's path without the step and the digest in it: the step is that at which the file was made, or logged."""
    return re.sub(r"(_\d+)?_[0-9a-f]{20}(?=\.)", "", path)


def _pixels(content: bytes) -> Any:
    """Width, height and a digest of the pixels: the same picture can be compressed in many ways."""
    from PIL import Image

    picture = Image.open(io.BytesIO(content)).convert("RGBA")
    return [*picture.size, hashlib.sha256(picture.tobytes()).hexdigest()]


_FILES: Dict[str, Callable[[bytes], Any]] = {
    "table-file": json.loads,
    "graph-file": json.loads,
    "image-file": _pixels,
    "html-file": lambda content: content.decode(),
    "audio-file": len,
    "video-file": len,
}


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


def _versions(connection: Any, read: Callable[[str], bytes]) -> Dict[str, Any]:
    """Artifacts by name and number: type, aliases, metadata and files with their sizes; of tables, what is in them."""
    found: Dict[str, Any] = {}
    for version in _nodes(connection):
        name = version["artifactSequence"]["name"]
        found[f"{name}:v{version['versionIndex']}"] = {
            "type": version["artifactType"]["name"],
            "description": version["description"],
            "metadata": json.loads(version["metadata"] or "{}"),
            "aliases": sorted(one["alias"] for one in version["aliases"]),
            "files": dict(_content(file, read) for file in _nodes(version["files"])),
        }
    return found


def _content(file: Mapping[str, Any], read: Callable[[str], bytes]) -> Tuple[str, Any]:
    """(name, what is in it) of a file of an artifact: of a picture the pixels, which stand for its digest as well."""
    name = str(file["name"])
    if not file["directUrl"]:
        return name, "a reference"
    if name.endswith(".json"):
        return name, _without_places(json.loads(read(file["directUrl"])))
    if name.endswith(".png"):
        width, height, digest = _pixels(read(file["directUrl"]))
        return re.sub(r"[0-9a-f]{20}(?=\.png$)", digest, name), [width, height]
    return name, file["sizeBytes"]


def _without_places(value: Any) -> Any:
    """A table without the names, sizes and digests of its pictures' files."""
    if isinstance(value, list):
        return [_without_places(one) for one in value]
    if not isinstance(value, dict):
        return value
    places = ("path", "sha256", "size") if value.get("_type") == "image-file" else ()
    return {key: _without_places(one) for key, one in value.items() if key not in places}


def _nodes(connection: Any) -> List[Any]:
    return [edge["node"] for edge in (connection or {}).get("edges", ())]


def _in_words(value: Any, words: Mapping[str, str]) -> Any:
    if isinstance(value, str):
        for own, word in words.items():
            value = value.replace(own, word) if own else value
        for pattern, word in _BY_LOT:
            value = pattern.sub(word, value)
        return value
    if isinstance(value, Mapping):
        return {_in_words(key, words): _in_words(one, words) for key, one in value.items()}
    return [_in_words(one, words) for one in value] if isinstance(value, list) else value
