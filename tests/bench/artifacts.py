"""Artifacts: logging one of many files and one of a large file, and downloading them, beside the official client; and
what memory this client needs for ten times as much.
"""

from __future__ import annotations

import json
import os
import random
import shutil
from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Optional

from ._bench import Bench, ratio
from ._peers import OFFICIAL, OURS
from ._report import NONE, Aim, Section, Table, megabytes, part, seconds
from ._uploads import Server, environment, serving, watch

# load -> client -> step -> figures
_Data = Dict[str, Dict[str, Dict[str, Optional[Dict[str, float]]]]]

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
run.use_artifact(name + ":latest").download(root, skip_cache=os.path.basename(root) == "uncached")
took = time.perf_counter() - start
run.finish()
count = sum(len(files) for _, _, files in os.walk(root))
print(json.dumps({"caller": took, "total": took, "files": count}))
"""
_STEPS = {"log": "logged", "cold": "downloaded", "cached": "downloaded again, from the cache"}
_STEPS_ALONE = {"log": "logged", "uncached": "downloaded, without the cache"}  # which would need as much room again
_CALLER_AIM = 5
_PEAK_BYTES_MAX = 256_000_000


class _Load(NamedTuple):
    """What an artifact holds."""

    name: str
    files: int
    file_bytes: int
    sparse: bool = False

    @property
    def title(self) -> str:
        if self.files > 1:
            return f"{self.files:,} files of {self.file_bytes // 1000} KB"
        return f"one file of {megabytes(self.file_bytes)} MB"


def measure(bench: Bench) -> Section:
    sizes = bench.sizes
    loads = [_Load("many", sizes.artifact_files, 10_000), _Load("large", 1, sizes.artifact_bytes)]
    most = [_Load("most", sizes.artifact_files * 10, 1_000), _Load("largest", 1, sizes.artifact_bytes * 5, True)]
    data: _Data = {}
    for load in [*loads, *most]:
        source = _source(bench, load)
        for peer in bench.peers([OURS, OFFICIAL] if load in loads else [OURS]):
            with serving(bench.scratch / f"artifacts-{load.name}-{peer.name}") as server:
                found = _steps(bench, server, peer.name, load, source, _STEPS if load in loads else _STEPS_ALONE)
                data.setdefault(load.name, {})[peer.name] = found
            shutil.rmtree(bench.scratch / f"artifacts-{load.name}-{peer.name}")
        shutil.rmtree(source.parent)
    table = Table(("an artifact of", "is", "client", "caller", "total", "CPU", "peak memory, MB"))
    for load in [*loads, *most]:
        by = data[load.name]
        for step, title in (_STEPS if load in loads else _STEPS_ALONE).items():
            for peer in bench.peers(by):
                table.rows.append((load.title, title, peer.title, *_cells(by[peer.name].get(step))))
    return Section(
        "artifacts",
        "Artifacts",
        "Logged to a `wandb server` on the same machine, whose cores both share, and downloaded from it. The caller's "
        "time is that of `Artifact(...)`, `add_dir` or `add_file`, and `log_artifact`, from a process that has called "
        "`wandb.init`; the total is to the end of `finish`, when the server has all of it. A download is "
        "`use_artifact` and `download`. CPU and peak memory are those of all processes of the client. What is logged "
        "is in the memory of the system beforehand. The largest file is a sparse one, a tenth of which is data.",
        [table],
        data,
        [
            *(aim for load in loads for aim in _aims(load, data[load.name])),
            *(aim for load in most for aim in _aims_alone(load, data[load.name])),
        ],
    )  # fmt: skip


def _source(bench: Bench, load: _Load) -> Path:
    bench.say(f"artifacts: {load.title} are made")
    source = bench.new_folder("source") / load.name
    random_ = random.Random(1)
    if load.files > 1:
        for index in range(load.files):
            path = source / f"{index // 1000:03}" / f"{index:06}.bin"
            if not index % 1000:
                path.parent.mkdir(parents=True)
            path.write_bytes(random_.randbytes(load.file_bytes))
        return source
    with source.open("wb") as file:
        file.truncate(load.file_bytes)
        for start in range(0, load.file_bytes, 10 << 20 if load.sparse else 1 << 20):
            file.seek(start)
            file.write(random_.randbytes(min(load.file_bytes - start, 1 << 20)))
    return source


def _steps(
    bench: Bench, server: Server, name: str, load: _Load, source: Path, steps: Dict[str, str]
) -> Dict[str, Optional[Dict[str, float]]]:  # fmt: skip
    """The one who logs and the one who downloads are on machines of their own, so to say: nothing is cached."""
    found: Dict[str, Optional[Dict[str, float]]] = {}
    place = bench.new_folder(name)
    for step, title in steps.items():
        bench.say(f"artifacts: {name}: {load.title} {title}")
        found[step] = _step(bench, server, name, load, step, place, source if step == "log" else place / step)
        if step == "log":
            shutil.rmtree(place)
            place = bench.new_folder(name)
    shutil.rmtree(place)
    return found


def _step(
    bench: Bench, server: Server, name: str, load: _Load, step: str, place: Path, path: Path
) -> Optional[Dict[str, float]]:
    if step == "log":
        _read_through(path)
    os.sync()  # what was written before is not this step's work
    script = _LOG if step == "log" else _DOWNLOAD
    command = [str(bench.environments[name].python), "-c", script, str(path), load.name, "bench"]
    cost = watch(command, environment(server, place), place)
    try:
        said = json.loads(_json_line(cost.output))
    except ValueError:
        bench.fail(name, f"artifacts: {load.name}: {step}: {cost.output[-200:]}")
        return None
    if said.get("files", load.files) != load.files:
        bench.fail(name, f"artifacts: {load.name}: {step}: {said['files']} of {load.files} files arrived")
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


def _aims(load: _Load, by: Dict[str, Dict[str, Any]]) -> List[Aim]:
    def times(step: str, figure: str) -> Optional[float]:
        ours, theirs = by.get(OURS, {}).get(step), by.get(OFFICIAL, {}).get(step)
        return ratio(theirs[figure], ours[figure]) if ours and theirs else None

    title, caller = load.title, times("log", "caller_seconds")
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


def _aims_alone(load: _Load, by: Dict[str, Dict[str, Any]]) -> List[Aim]:
    aims = []
    for step, said in _STEPS_ALONE.items():
        found = by.get(OURS, {}).get(step)
        peak = found["peak_bytes"] if found else None
        aims.append(
            Aim(
                f"{load.title}: {said}: memory of all processes of this client",
                f"at most {megabytes(_PEAK_BYTES_MAX)} MB",
                NONE if peak is None else f"{megabytes(peak)} MB",
                None if peak is None else peak <= _PEAK_BYTES_MAX,
            )
        )  # fmt: skip
    return aims
