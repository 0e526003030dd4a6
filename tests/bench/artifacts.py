"""Artifacts: logging one of many files and one of a large file, and downloading them, beside the official client."""

from __future__ import annotations

import json
import os
import random
import shutil
from pathlib import Path
from typing import Any, Dict, List, Optional

from ._bench import Bench, ratio
from ._peers import OFFICIAL, OURS
from ._report import NONE, Aim, Section, Table, megabytes, part, seconds
from ._uploads import Server, environment, serving, watch

_LOG = """
import json, os, sys, time, wandb
source, name, project = sys.argv[1:]
run = wandb.init(project=project)
start = time.perf_counter()
artifact = wandb.Artifact(name, type="bench")
(artifact.add_dir if os.path.isdir(source) else artifact.add_file)(source)
run.log_artifact(artifact)
caller = time.perf_counter() - start
run.finish()
print(json.dumps({"caller": caller, "total": time.perf_counter() - start}))
"""
_DOWNLOAD = """
import json, os, sys, time, wandb
root, name, project = sys.argv[1:]
run = wandb.init(project=project)
start = time.perf_counter()
run.use_artifact(name + ":latest").download(root)
took = time.perf_counter() - start
run.finish()
count = sum(len(files) for _, _, files in os.walk(root))
print(json.dumps({"caller": took, "total": took, "files": count}))
"""
_STEPS = {"log": "logged", "cold": "downloaded", "cached": "downloaded again, from the cache"}
_SMALL_BYTES = 10_000
_CALLER_AIM = 5


def measure(bench: Bench) -> Section:
    data: Dict[str, Dict[str, Dict[str, Optional[Dict[str, float]]]]] = {}
    for what in ("many", "large"):
        source = _source(bench, what)
        for peer in bench.peers([OURS, OFFICIAL]):
            with serving(bench.scratch / f"artifacts-{what}-{peer.name}") as server:
                data.setdefault(what, {})[peer.name] = _steps(bench, server, peer.name, what, source)
            shutil.rmtree(bench.scratch / f"artifacts-{what}-{peer.name}")
        shutil.rmtree(source.parent)
    table = Table(("an artifact of", "is", "client", "caller", "total", "CPU", "peak memory, MB"))
    for what, by in data.items():
        for step, title in _STEPS.items():
            for peer in bench.peers(by):
                table.rows.append((_title(bench, what), title, peer.title, *_cells(by[peer.name].get(step))))
    return Section(
        "artifacts",
        "Artifacts",
        "Logged to a `wandb server` on the same machine, whose cores both share, and downloaded from it. The caller's "
        "time is that of `Artifact(...)`, `add_dir` or `add_file`, and `log_artifact`, from a process that has called "
        "`wandb.init`; the total is to the end of `finish`, when the server has all of it. A download is "
        "`use_artifact` and `download`. CPU and peak memory are those of all processes of the client. What is logged "
        "is in the memory of the system beforehand.",
        [table],
        data,
        [aim for what, by in data.items() for aim in _aims(bench, what, by)],
    )  # fmt: skip


def _title(bench: Bench, what: str) -> str:
    sizes = bench.sizes
    if what == "many":
        return f"{sizes.artifact_files:,} files of {_SMALL_BYTES // 1000} KB"
    return f"one file of {megabytes(sizes.artifact_bytes)} MB"


def _source(bench: Bench, what: str) -> Path:
    bench.say(f"artifacts: {_title(bench, what)} are made")
    source = bench.new_folder("source") / what
    random_ = random.Random(1)
    if what == "many":
        for index in range(bench.sizes.artifact_files):
            path = source / f"{index // 1000:03}" / f"{index:06}.bin"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(random_.randbytes(_SMALL_BYTES))
        return source
    with source.open("wb") as file:
        left = bench.sizes.artifact_bytes
        while left:
            left -= file.write(random_.randbytes(min(left, 1 << 20)))
    return source


def _steps(
    bench: Bench, server: Server, name: str, what: str, source: Path
) -> Dict[str, Optional[Dict[str, float]]]:  # fmt: skip
    """The one who logs and the one who downloads are on machines of their own, so to say: nothing is cached."""
    found: Dict[str, Optional[Dict[str, float]]] = {}
    writer = bench.new_folder(name)
    found["log"] = _step(bench, server, name, what, "log", writer, source)
    shutil.rmtree(writer)
    reader = bench.new_folder(name)
    for step in ("cold", "cached"):
        found[step] = _step(bench, server, name, what, step, reader, reader / step)
    shutil.rmtree(reader)
    return found


def _step(
    bench: Bench, server: Server, name: str, what: str, step: str, place: Path, path: Path
) -> Optional[Dict[str, float]]:
    bench.say(f"artifacts: {name}: {_title(bench, what)} {_STEPS[step]}")
    if step == "log":
        _read_through(path)
    os.sync()  # what was written before is not this step's work
    script = _LOG if step == "log" else _DOWNLOAD
    command = [str(bench.environments[name].python), "-c", script, str(path), what, "bench"]
    cost = watch(command, environment(server, place), place)
    try:
        said = json.loads(_json_line(cost.output))
    except ValueError:
        bench.fail(name, f"artifacts: {what}: {step}: {cost.output[-200:]}")
        return None
    expected = 1 if what == "large" else bench.sizes.artifact_files
    if said.get("files", expected) != expected:
        bench.fail(name, f"artifacts: {what}: {step}: {said['files']} of {expected} files arrived")
        return None
    return {
        "caller_seconds": said["caller"], "total_seconds": said["total"], "cpu_seconds": cost.cpu_seconds,
        "peak_bytes": cost.peak_bytes,
    }  # fmt: skip


def _json_line(output: str) -> str:
    lines = [line for line in output.splitlines() if line.startswith('{"caller"')]
    return lines[-1] if lines else ""


def _read_through(path: Path) -> None:
    files = [found for found in path.rglob("*") if found.is_file()] if path.is_dir() else [path]
    for each in files:
        with each.open("rb") as file:
            while file.read(1 << 20):
                pass


def _cells(found: Optional[Dict[str, float]]) -> List[str]:
    if found is None:
        return [NONE] * 4
    return [
        seconds(found["caller_seconds"]), seconds(found["total_seconds"]), seconds(found["cpu_seconds"]),
        megabytes(found["peak_bytes"]),
    ]  # fmt: skip


def _aims(bench: Bench, what: str, by: Dict[str, Dict[str, Any]]) -> List[Aim]:
    def times(step: str, figure: str) -> Optional[float]:
        ours, theirs = by.get(OURS, {}).get(step), by.get(OFFICIAL, {}).get(step)
        return ratio(theirs[figure], ours[figure]) if ours and theirs else None

    title, caller = _title(bench, what), times("log", "caller_seconds")
    aims = [
        Aim(
            f"{title}: the caller's time to log, of the official client's", f"at most 1/{_CALLER_AIM}", part(caller),
            None if caller is None else caller >= _CALLER_AIM,
        )
    ]  # fmt: skip
    for step, said in _STEPS.items():
        total = times(step, "total_seconds")
        aims.append(
            Aim(
                f"{title}: {said}, of the official client's time", "no more", part(total),
                None if total is None else total >= 1,
            )
        )  # fmt: skip
    return aims
