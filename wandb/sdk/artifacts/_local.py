"""Versions that were logged on this machine: found by their names without a server.

They are numbered among themselves, in the order in which they were logged: a server may give them other numbers. As
there, equal content under the same name is the same version, an alias belongs to the version that got it last, and
`latest` is the newest.
"""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any, Dict, Iterator, List, NamedTuple, Optional, Tuple

from wandb_storage import LogError, ManifestDigest, Staged, StagedEntry, StagedHeader, staged_artifacts

from ..._run_folders import run_folders
from ._algorithm import algorithm_of
from ._finishing import finished
from ._names import ArtifactPath, is_version
from ._version import Place, Version
from .exceptions import ArtifactError


class LocalVersion(NamedTuple):
    """A version as this machine knows it."""

    staged: Staged  # as it was logged first
    header: StagedHeader
    number: int
    aliases: List[str]
    before: Tuple[Staged, ...] = ()  # what it adds to: the version before an incremental one, what others have written

    def facts(self) -> Version:
        """The same in words of the server."""
        about = self.header.about
        place = Place(about.get("entity") or "", about.get("project") or "", about["name"], f"v{self.number}")
        source = Place(place.entity, place.project, place.collection, place.version)
        entries = [entry for _, entry in self.entries()]
        digest = ManifestDigest(self.header.algorithm)
        for entry in entries:
            digest.add(entry.path, entry.digest)
        return Version(
            id="",
            place=place,
            source=source,
            type=about["type"],
            digest=digest.hexdigest(),
            algorithm=algorithm_of(self.header.algorithm),
            state="PENDING",
            description=about.get("description"),
            metadata=about.get("metadata") or {},
            aliases=self.aliases,
            tags=about.get("tags") or [],
            ttl=about.get("ttl") or None,
            ttl_is_inherited=about.get("ttl") is None,
            size=sum(entry.size for entry in entries),
            file_count=len(entries),
            created_at=_text(about["time"]),
            history_step=about.get("history_step"),
        )

    def entries(self) -> Iterator[Tuple[Staged, StagedEntry]]:
        """The entries in the order of their paths, and where each is staged."""
        if not self.before:
            yield from ((self.staged, entry) for entry in self.staged.entries())
            return
        found: Dict[str, Tuple[Staged, StagedEntry]] = {}
        for staged in (*self.before, self.staged):
            found.update((entry.path, (staged, entry)) for entry in staged.entries())
        yield from (found[path] for path in sorted(found))


def find_local(wandb_folder: Path, path: ArtifactPath) -> Optional[LocalVersion]:
    """The version that a path names, as far as it says; None where none was logged here. Raises ArtifactError where
    artifacts of several projects have the name."""
    versions = versions_of(wandb_folder, path)
    places = {(one.header.about.get("entity"), one.header.about.get("project")) for one in versions}
    if len(places) > 1:
        named = ", ".join(sorted("/".join(part for part in place if part) for place in places))
        raise ArtifactError(f"{path.name} was logged to {named}; put the project before the name")
    for version in versions:
        if path.alias in version.aliases or path.alias == f"v{version.number}":
            return version
    return None


def local_of(wandb_folder: Path, staged: Staged) -> Optional[LocalVersion]:
    """The version that an artifact became which was logged here; None for a part of one."""
    header = finished(staged)
    about = header.about
    versions = versions_of(wandb_folder, ArtifactPath(about["name"], "", about.get("project"), about.get("entity")))
    return next((one for one in reversed(versions) if one.header.digest == header.digest), None)


def versions_of(wandb_folder: Path, path: ArtifactPath) -> List[LocalVersion]:
    """All versions of an artifact, oldest first."""
    versions: List[LocalVersion] = []
    numbers: Dict[Tuple[str, ...], int] = {}
    holders: Dict[str, int] = {}
    parts: Dict[str, List[Staged]] = {}  # of versions that several processes write: what each of them brought
    for header, staged in sorted(_logged(wandb_folder, path), key=lambda one: float(one[0].about["time"])):
        about = header.about
        shared = about.get("distributed_id")
        if shared and not about.get("finalize", True):
            parts.setdefault(shared, []).append(staged)
            continue
        before = tuple(parts.pop(shared, ())) if shared else ()
        if about.get("incremental") and versions:
            before = (*versions[-1].before, versions[-1].staged, *before)
        number = len(versions)
        if not before:
            number = numbers.setdefault((str(about.get("entity")), str(about.get("project")), header.digest), number)
        if number == len(versions):
            versions.append(LocalVersion(staged, header, number, [], before))
        elif versions[number].header.released and not header.released:
            versions[number] = versions[number]._replace(staged=staged)
        holders["latest"] = number
        holders.update((alias, number) for alias in about.get("aliases") or () if not is_version(alias))
    for alias, number in holders.items():
        versions[number].aliases.append(alias)
    return versions


def _logged(wandb_folder: Path, path: ArtifactPath) -> Iterator[Tuple[StagedHeader, Staged]]:
    for run in run_folders(wandb_folder):
        for staged in staged_artifacts(run.path):
            try:
                header = staged.header()
                if _is_meant(header.about, path):
                    yield finished(staged), staged
            except (LogError, OSError):
                continue  # damaged, or gone meanwhile: it is no version that could be used


def _is_meant(about: Dict[str, Any], path: ArtifactPath) -> bool:
    if about.get("name") != path.name:
        return False
    return all(
        wanted is None or about.get(key) is None or about[key] == wanted
        for key, wanted in (("project", path.project), ("entity", path.entity))
    )


def _text(time: float) -> str:
    return datetime.datetime.fromtimestamp(time, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
