"""Reads a project back with whatever `wandb` the interpreter has, and prints what it saw as JSON.

The official client and this one run it against the same server, and must see the same.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any, Callable, Dict, List

import wandb


def read(project: str, of: Any = None) -> Dict[str, Any]:
    """What there is to see of a project with three runs."""
    api: Any = of or wandb.Api()
    found: Dict[str, Any] = {"viewer": [api.viewer.username, api.viewer.teams], "entity": api.default_entity}
    runs = api.runs(project, order="+config.number.value")
    found["count"] = len(runs)
    found["runs"] = [run_facts(run) for run in runs]
    found["slice"] = [run.name for run in api.runs(project, per_page=2, order="-config.number.value")[1:3]]
    filters: Dict[str, Dict[str, Any]] = {
        "config": {"config.number": {"$gte": 1}},
        "value": {"config.number.value": 1},
        "summary": {"summary_metrics.loss": {"$lt": 0.2}},
        "tags": {"tags": {"$in": ["even"]}},
        "or": {"$or": [{"display_name": "run-0"}, {"state": "running"}]},
        "regex": {"display_name": {"$regex": "^run-[12]$"}},
        "nested": {"config.opt.name": "o1"},
        "none": {"config.number": 17},
    }
    found["filtered"] = {name: sorted(run.name for run in api.runs(project, one)) for name, one in filters.items()}
    found["full"] = [[run.config, plain(run.summary)] for run in api.runs(project, order="+created_at", lazy=False)]
    run = api.run(f"{project}/{found['runs'][0]['id']}")
    found["one"] = run_facts(run)
    found["history"] = histories(run)
    found["files"] = sorted([file.name, file.size, file.md5, file.mimetype] for file in run.files())
    found["one file"] = [run.file("extra.txt").size, len(run.files()), len(list(run.files(pattern="%.yaml")))]
    with tempfile.TemporaryDirectory() as folder:
        with run.file("extra.txt").download(root=folder) as file:
            found["text"] = file.read()
        again = raised(lambda: run.file("extra.txt").download(root=folder))
        run.file("extra.txt").download(root=folder, exist_ok=True).close()
    found["metadata"] = {key: value for key, value in (run.metadata or {}).items() if key in ("host", "python")}
    lines = list(run.console_logs(per_page=2))
    found["console"] = [[line.number, str(line.timestamp), line.level, line.label, line.content] for line in lines]
    found["tail"] = [line.content for line in run.console_logs(last=1)]
    found["projects"] = sorted(one.name for one in api.projects() if one.name == project)
    found["project"] = [api.project(project).name, api.project(project).entity, api.project(project).path]
    found["from path"] = [type(api.from_path(path)).__name__ for path in (project, "/".join(run.path))]
    found["artifacts"] = artifacts(api, project, run)
    found["errors"] = {
        "no artifact": raised(lambda: api.artifact(f"{project}/nothing:v0")),
        "type": raised(lambda: api.artifact(f"{project}/digits:v0", type="model")),
        "no collection": raised(lambda: api.artifact_collection("dataset", f"{project}/nothing")),
        "no type": raised(lambda: api.artifact_type("nothing", project)),
        "no versions": raised(lambda: list(api.artifacts("dataset", f"{project}/nothing"))),
        "no run": raised(lambda: api.run(f"{project}/nothing")),
        "path": raised(lambda: api.run("a/b/c/d/e")),
        "empty": raised(lambda: api.run("")),
        "keys": raised(lambda: run.scan_history(keys="loss")),
        "key": raised(lambda: run.scan_history(keys=[1])),
        "names": raised(lambda: run.files(names=["a"], pattern="b")),
        "index": raised(lambda: api.runs(project)[100]),
        "no project": raised(lambda: list(api.runs("nothing-here"))),
        "format": raised(lambda: api.runs(project).histories(format="csv")),
        "sweep": raised(lambda: api.sweep(f"{project}/nothing")),
        "again": again,
    }
    found["nobody"] = api.user("nobody-of-that-name")
    return found


def change(project: str) -> Dict[str, Any]:
    """What changes of a run come to."""
    (run,) = wandb.Api().runs(project)
    run.notes = "changed"
    run.tags = [*run.tags, "added"]
    run.config["added"] = {"deep": [1, 2]}
    run.summary["added"] = 5
    run.summary["nested"]["x"] = 17
    run.update()
    fresh = wandb.Api().run("/".join(run.path))
    found: Dict[str, Any] = {"changed": run_facts(fresh)}
    fresh.summary.update({"added": 6})
    found["summary"] = plain(wandb.Api().run("/".join(run.path)).summary)
    with open("up.txt", "w", encoding="utf-8") as file:
        file.write("up")
    uploaded = run.upload_file("up.txt")
    found["uploaded"] = [uploaded.name, uploaded.size, uploaded.md5]
    uploaded.delete()
    found["left"] = [file.name for file in run.files() if file.name == "up.txt"]
    run.delete()
    found["runs"] = len(wandb.Api().runs(project))
    return found


def artifacts(api: Any, project: str, run: Any) -> Dict[str, Any]:
    name = f"{project}/digits"
    collection = api.artifact_collection("dataset", name)
    used = api.runs(project, {"display_name": "run-1"})[0].used_artifacts()
    best = api.artifact(f"{name}:best", type="dataset")
    return {
        "types": sorted(one.name for one in api.artifact_types(project)),
        "type": [api.artifact_type("dataset", project).name],
        "collections": [[one.name, one.type] for one in api.artifact_collections(project, "dataset")],
        "of project": sorted(one.name for one in api.project(project).collections()),
        "collection": [collection.name, collection.type, collection.tags, collection.is_sequence()],
        "aliases": sorted(collection.aliases),
        "versions": [artifact_facts(one) for one in api.artifacts("dataset", name)],
        "count": len(api.artifacts("dataset", name)),
        "of collection": [one.version for one in collection.artifacts()],
        "logged": sorted([one.version, one.type] for one in run.logged_artifacts() if one.type == "dataset"),
        "used": [artifact_facts(one) for one in used],
        "by alias": artifact_facts(best),
        "by version": artifact_facts(api.artifact(f"{name}:v1")),
        "content": content(best),
        "exist": [
            api.artifact_exists(f"{name}:v1"), api.artifact_exists(f"{name}:v7"),
            api.artifact_collection_exists(name, "dataset"), api.artifact_collection_exists(name, "model"),
        ],
    }  # fmt: skip


def content(artifact: Any) -> Any:
    """What the files of an artifact hold; None where they have left this machine, and no server is asked."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            path = Path(artifact.download(root=folder))
        except wandb.CommError:
            return None
        return {file: (path / file).read_text(encoding="utf-8") for file in sorted(artifact.manifest.entries)}


def artifact_facts(artifact: Any) -> Dict[str, Any]:
    return {
        "version": artifact.version, "type": artifact.type, "aliases": sorted(artifact.aliases), "size": artifact.size,
        "digest": artifact.digest, "metadata": artifact.metadata, "description": artifact.description,
        "files": sorted(artifact.manifest.entries), "entity": artifact.entity, "project": artifact.project,
        "count": artifact.file_count, "collection": artifact.source_name.split(":")[0],
    }  # fmt: skip


def run_facts(run: Any) -> Dict[str, Any]:
    return {
        "id": run.id, "name": run.name, "state": run.state, "tags": run.tags, "group": run.group, "notes": run.notes,
        "job": run.job_type, "path": run.path, "url": run.url, "created": run.created_at, "beat": run.heartbeat_at,
        "user": run.user.username, "config": run.config, "summary": plain(run.summary), "entity": run.entity,
        "project": run.project, "storage": run.storage_id, "last step": run.lastHistoryStep, "repr": repr(run),
        "lines": run.history_line_count, "system": sorted(run.system_metrics), "sweep": run.sweep_name,
        "raw": sorted(run.rawconfig), "commit": run.commit, "number": sorted(json.loads(run.json_config)),
        "keys": {key: value for key, value in run.history_keys["keys"].items() if not key.startswith("_")},
    }  # fmt: skip


def histories(run: Any) -> Dict[str, Any]:
    return {
        "whole": run.history(pandas=False),
        "three": run.history(samples=3, pandas=False),
        "keys": run.history(keys=["loss"], pandas=False),
        "both": run.history(keys=["loss", "every third"], pandas=False),
        "axis": run.history(keys=["loss"], x_axis="_timestamp", pandas=False),
        "nothing": run.history(keys=["no such key"], pandas=False),
        "system": [sorted(row) for row in run.history(stream="system", pandas=False)],
        "scan": list(run.scan_history()),
        "scan twice": [len(list(scan)) for scan in [run.scan_history()] for _ in range(2)],
        "scan keys": list(run.scan_history(keys=["loss", "_step"])),
        "scan pages": list(run.scan_history(keys=["every third", "_step"], page_size=3)),
        "scan part": list(run.scan_history(min_step=5, max_step=9)),
        "scan beyond": list(run.scan_history(min_step=1000)),
    }


def plain(summary: Any) -> Any:
    return json.loads(json.dumps(summary._json_dict))


def raised(call: Callable[[], Any]) -> List[str]:
    """The kinds of error that callers catch, of what a call raises."""
    kinds = (ValueError, IndexError, TypeError, wandb.CommError, wandb.Error)
    try:
        call()
    except kinds as error:
        return [kind.__name__ for kind in kinds if isinstance(error, kind)]
    return []


if __name__ == "__main__":
    os.environ["WANDB_SILENT"] = "true"
    seen = {"read": read, "change": change}[sys.argv[1]](sys.argv[2])
    with open("result.json", "w", encoding="utf-8") as result:
        json.dump(seen, result)
