"""How far a run has been brought to a server: small, durable, replaced in one step.

A cursor names the next record and holds the fold up to there, so that what is sent next follows from the log and the
cursor alone. It moves only when the server has acknowledged.
"""

from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path
from typing import Any, Dict, List, Optional

from ._home import write_atomically

_VERSION = 1


@dataclasses.dataclass
class Bucket:
    """The run as the server knows it."""

    id: str
    entity: str
    project: str
    name: str
    display_name: str = ""


@dataclasses.dataclass
class Earlier:
    """What the server held of a run before this log began: sessions on another machine."""

    config: Dict[str, Any] = dataclasses.field(default_factory=dict)
    summary: Dict[str, Any] = dataclasses.field(default_factory=dict)
    output_lines: int = 0


@dataclasses.dataclass
class ArtifactUnderWay:
    """The artifact that is being sent, as the server knows it."""

    id: str
    committed: bool = False
    base: Optional[str] = None  # the version that it adds to
    manifest: str = ""
    # of large files: upload id -> part number -> what the server calls the part, of parts that have arrived
    parts: Dict[str, Dict[str, str]] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass
class ArtifactProgress:
    """What is told of the artifact that is under way. Sizes are bytes."""

    name: str
    size: int = 0
    done: int = 0  # that the server has
    beats: int = 0  # which go on while something is being done, be it hashing


@dataclasses.dataclass
class Trouble:
    """Why nothing moves at the moment. Times are seconds since the epoch."""

    error: str
    since: float
    next_attempt: float


@dataclasses.dataclass
class Cursor:
    base_url: str
    run_id: str = ""
    log_uuid: str = ""
    next: int = 1  # the first record that is not acknowledged
    sending: int = 0  # the last record of the batch in flight; 0: none
    state: Optional[Dict[str, Any]] = None  # the fold below `next`
    history: int = 0  # the next line of each file at the server
    events: int = 0
    held_history: int = 0  # lines that the server had when this cursor began: they are not sent again
    held_events: int = 0
    rows: int = 0  # acknowledged, of this log
    bytes: int = 0
    bucket: Optional[Bucket] = None
    earlier: Earlier = dataclasses.field(default_factory=Earlier)
    upserted: int = 0  # RunState.label_changes that the server has
    had_tags: bool = False
    summary_digest: str = ""
    files: Dict[str, str] = dataclasses.field(default_factory=dict)  # path -> MD5 of what was uploaded
    begun: float = 0.0  # wall time, where the server had the run before: perhaps its files and alerts too
    parked_files: Dict[str, str] = dataclasses.field(default_factory=dict)  # path -> reason
    parked_items: Dict[str, str] = dataclasses.field(default_factory=dict)  # line or alert -> reason
    alerts: int = 0  # of the run's, that the server has
    alerting: float = 0.0  # wall time of the first attempt at the next one; 0: none yet
    artifacts: int = 0  # records about artifacts that the server has, or that are parked
    artifact: Optional[ArtifactUnderWay] = None  # of the next one
    artifact_progress: Optional[ArtifactProgress] = None
    artifact_files: int = 0  # of those that the server has
    artifact_ids: Dict[str, str] = dataclasses.field(default_factory=dict)  # the client's id -> the server's
    parked_artifacts: Dict[str, str] = dataclasses.field(default_factory=dict)  # number of the record -> reason
    artifacts_again: List[int] = dataclasses.field(default_factory=list)  # parked ones that are tried again
    done: bool = False
    folder_mtime_ns: int = 0  # of the run's folder when it was done: another session changes it
    parked: str = ""
    stopped: bool = False
    trouble: Optional[Trouble] = None

    def save(self, path: Path) -> None:
        """Raises OSError where the disk refuses."""
        fields = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        for name in ("artifact", "artifact_progress", "bucket", "earlier", "trouble"):
            fields[name] = None if fields[name] is None else dataclasses.asdict(fields[name])
        write_atomically(path, json.dumps({"version": _VERSION, **fields}).encode())

    @classmethod
    def load(cls, path: Path) -> Optional[Cursor]:
        """None where there is none that can be used; the server then tells how far the run has come."""
        try:
            fields = json.loads(path.read_bytes())
            if fields.pop("version") != _VERSION:
                return None
            known = {field.name for field in dataclasses.fields(cls)}
            cursor = cls(**{name: value for name, value in fields.items() if name in known})
            cursor.bucket = Bucket(**fields["bucket"]) if fields["bucket"] else None
            cursor.earlier = Earlier(**fields["earlier"])
            cursor.trouble = Trouble(**fields["trouble"]) if fields["trouble"] else None
            cursor.artifact = ArtifactUnderWay(**fields["artifact"]) if fields.get("artifact") else None
            progress = fields.get("artifact_progress")
            cursor.artifact_progress = ArtifactProgress(**progress) if progress else None
            return cursor
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError, AttributeError):
            os.replace(path, path.with_suffix(".damaged"))
            return None
