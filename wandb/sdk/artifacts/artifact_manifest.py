"""What an artifact holds: entries by their paths, their common digest, and the JSON that servers keep."""

from __future__ import annotations

from typing import Any, Dict, List, Mapping, Optional

from wandb_storage import ManifestDigest

from ._algorithm import ArtifactDigestAlgorithm
from .artifact_manifest_entry import ArtifactManifestEntry
from .exceptions import ArtifactError

STORAGE_POLICY = "wandb-storage-policy-v1"
_VERSION = 1


class ArtifactManifest:
    """The entries of an artifact.

    >>> import wandb
    >>> manifest = wandb.Artifact("data", type="dataset").manifest
    >>> manifest.digest(), len(manifest)
    ('64e7c61456b10382e2f3b571ac24b659', 0)
    """

    def __init__(
        self,
        entries: Optional[Dict[str, ArtifactManifestEntry]] = None,
        digest_algorithm: ArtifactDigestAlgorithm = ArtifactDigestAlgorithm.MANIFEST_MD5,
        storage_region: Optional[str] = None,
    ) -> None:
        self.entries: Dict[str, ArtifactManifestEntry] = entries or {}
        self.digest_algorithm = digest_algorithm
        self.storage_region = storage_region

    @classmethod
    def version(cls) -> int:
        """The version of the JSON."""
        return _VERSION

    @classmethod
    def from_manifest_json(
        cls,
        manifest_json: Mapping[str, Any],
        digest_algorithm: ArtifactDigestAlgorithm = ArtifactDigestAlgorithm.MANIFEST_MD5,
    ) -> ArtifactManifest:
        """From `wandb_manifest.json`. Raises ArtifactError for what is none, and for a path that leads elsewhere."""
        contents = manifest_json.get("contents")
        if manifest_json.get("version") != _VERSION or not isinstance(contents, Mapping):
            raise ArtifactError("this is no manifest, or one of a version that isn't known here")
        entries: Dict[str, ArtifactManifestEntry] = {}
        for path, fields in contents.items():
            if not _is_entry(fields):
                raise ArtifactError(f"{path!r} is no entry of a manifest: {fields!r:.200}")
            entry = ArtifactManifestEntry(
                path, fields["digest"], fields.get("ref"), fields.get("birthArtifactID"), fields.get("size"),
                fields.get("extra"), None, bool(fields.get("skip_cache")),
            )  # fmt: skip
            entries[entry.path] = entry
        region = (manifest_json.get("storagePolicyConfig") or {}).get("storageRegion")
        return cls(entries, digest_algorithm, region)

    def to_manifest_json(self) -> Dict[str, Any]:
        """As it stands in `wandb_manifest.json`."""
        config = {"storageLayout": "V2", **({"storageRegion": self.storage_region} if self.storage_region else {})}
        return {
            "version": _VERSION,
            "storagePolicy": STORAGE_POLICY,
            "storagePolicyConfig": config,
            "contents": {path: _contents(entry) for path, entry in self.entries.items()},
        }

    def digest(self) -> str:
        """What tells one content from another, in hex."""
        whole = ManifestDigest(self.digest_algorithm.short)
        for path in sorted(self.entries):
            whole.add(path, self.entries[path].digest)
        return whole.hexdigest()

    def size(self) -> int:
        """Bytes, all files together."""
        return sum(entry.size or 0 for entry in self.entries.values())

    def add_entry(self, entry: ArtifactManifestEntry, overwrite: bool = False) -> None:
        """Raises ArtifactError where there is another content under the same path."""
        before = self.entries.get(entry.path)
        if before is not None and not overwrite and before.digest != entry.digest:
            raise ArtifactError(
                f"there is another {entry.path} in the artifact already; overwrite=True (of a folder merge=True) "
                "replaces it"
            )
        self.entries[entry.path] = entry

    def remove_entry(self, entry: ArtifactManifestEntry) -> None:
        """Raises FileNotFoundError where it isn't there."""
        if self.entries.pop(entry.path, None) is None:
            raise FileNotFoundError(f"the artifact holds no {entry.path}")

    def get_entry_by_path(self, path: str) -> Optional[ArtifactManifestEntry]:
        """The entry; None where there is none."""
        return self.entries.get(path)

    def get_entries_in_directory(self, directory: str) -> List[ArtifactManifestEntry]:
        """The entries below a folder."""
        prefix = f"{directory}/"
        return [entry for path, entry in self.entries.items() if path.startswith(prefix)]

    def __len__(self) -> int:
        return len(self.entries)


def _contents(entry: ArtifactManifestEntry) -> Dict[str, Any]:
    fields = {
        "digest": entry.digest, "ref": entry.ref, "birthArtifactID": entry.birth_artifact_id, "size": entry.size,
        "extra": entry.extra or None,
    }  # fmt: skip
    return {name: value for name, value in fields.items() if value is not None}


def _is_entry(fields: Any) -> bool:
    """Whether a server has sent what an entry is made of."""
    if not isinstance(fields, dict) or not isinstance(fields.get("digest"), str):
        return False
    size, ref, extra = fields.get("size"), fields.get("ref"), fields.get("extra")
    return (
        (size is None or (isinstance(size, int) and size >= 0))
        and (ref is None or isinstance(ref, str))
        and (extra is None or isinstance(extra, dict))
    )
