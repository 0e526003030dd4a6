"""What is changed of a run of this machine: records in its log, which reach the server with the next upload."""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
import time
from pathlib import Path
from typing import Any, Dict, Iterator, List, Mapping, Tuple

from wandb_storage import ConfigChange, FileSaved, Labels, Log, LogInUse, Record, SummaryChange

from ..._new_file import new_file
from ..._terminal import termwarn
from ...errors import CommError, UsageError
from ._run import LocalRun

_INTERNAL_KEYS = ("_wandb", "wandb_version")
_PIECE_BYTES = 1 << 20


def update(run: LocalRun, variables: Mapping[str, Any]) -> None:
    """Labels, config and summary. Raises CommError while a program logs the run, LogError."""
    now = time.time()
    records: List[Record] = []
    labels = {
        "name": variables.get("displayName"), "group": variables.get("groupName"), "job_type": variables.get("jobType"),
        "notes": variables.get("notes", variables.get("description")),
    }  # fmt: skip
    tags = variables.get("tags")
    if tags is not None or any(value is not None for value in labels.values()):
        records.append(Labels(**labels, tags=tags or [], tags_changed=tags is not None, time=now))
    state = run.replay.scan().state
    if variables.get("config") is not None:
        wire = json.loads(variables["config"])
        config = {key: entry["value"] for key, entry in wire.items() if key not in _INTERNAL_KEYS}
        changed, removed = _difference(state.config, config)
        records.append(ConfigChange(json=json.dumps(changed), removed=removed, time=now))
    if variables.get("summaryMetrics") is not None:
        summary = {key: value for key, value in json.loads(variables["summaryMetrics"]).items() if key != "_wandb"}
        changed, removed = _difference(state.summary, summary)
        records.append(SummaryChange(json=json.dumps(changed), removed=removed, time=now))
    with _writing(run) as log:
        for record in records:
            log.append(record)


def add_file(run: LocalRun, source: Path, name: str) -> str:
    """Copy a file to those of the run; returns its MD5. Raises CommError while a program logs the run, LogError."""
    root = (run.folder / "files").resolve()
    target = root / name
    if root not in target.resolve().parents:
        raise UsageError(f"the name {name!r} leads out of the run's files")
    digest = hashlib.md5(usedforsecurity=False)
    with _writing(run) as log:
        with source.open("rb") as file, new_file(target) as copy:
            for piece in iter(lambda: file.read(_PIECE_BYTES), b""):
                digest.update(piece)
                copy.write(piece)
        log.append(FileSaved(path=name, policy="end", time=time.time()))
    return digest.hexdigest()


def delete(run: LocalRun) -> None:
    """Remove the run's folder. Raises CommError while a program logs the run, LogError."""
    with _writing(run):
        shutil.rmtree(run.folder)


@contextlib.contextmanager
def _writing(run: LocalRun) -> Iterator[Log]:
    try:
        log = Log.open(run.folder, warn=termwarn)
    except LogInUse as error:
        raise CommError(f"the run {run.run_id} is being logged, change it there: {error}") from None
    with log:
        yield log


def _difference(before: Dict[str, Any], after: Dict[str, Any]) -> Tuple[Dict[str, Any], List[str]]:
    """The keys that have another value now, and those that are gone."""
    changed = {key: value for key, value in after.items() if key not in before or before[key] != value}
    return changed, [key for key in before if key not in after]
