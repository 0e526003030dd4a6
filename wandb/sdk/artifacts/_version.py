"""What is known of one version of an artifact, wherever it was logged."""

from __future__ import annotations

import dataclasses
from typing import Any, Dict, List, Optional

from ._algorithm import ArtifactDigestAlgorithm


@dataclasses.dataclass
class Place:
    """A version in a collection: the one in which it was made, or one that it is linked to."""

    entity: str
    project: str
    collection: str
    version: str  # v0, v1, …
    asked: str = ""  # the alias by which somebody asked for it

    @property
    def name(self) -> str:
        return f"{self.collection}:{self.asked or self.version}"

    @property
    def qualified_name(self) -> str:
        return "/".join(part for part in (self.entity, self.project, self.name) if part)

    def is_in_the_collection_of(self, other: Place) -> bool:
        mine, others = (self.entity, self.project, self.collection), (other.entity, other.project, other.collection)
        return mine == others


@dataclasses.dataclass
class Version:
    """Times are text as the server writes them, `ttl` seconds; `id` is empty until a server knows the version."""

    id: str
    place: Place
    source: Place
    type: str
    digest: str
    algorithm: ArtifactDigestAlgorithm = ArtifactDigestAlgorithm.MANIFEST_MD5
    state: str = "COMMITTED"
    description: Optional[str] = None
    metadata: Dict[str, Any] = dataclasses.field(default_factory=dict)
    aliases: List[str] = dataclasses.field(default_factory=list)
    tags: List[str] = dataclasses.field(default_factory=list)
    ttl: Optional[int] = None
    ttl_is_inherited: bool = True
    size: int = 0
    file_count: int = 0
    commit_hash: str = ""
    created_at: str = ""
    updated_at: str = ""
    linked_at: Optional[str] = None
    history_step: Optional[int] = None

    @property
    def is_link(self) -> bool:
        return not self.place.is_in_the_collection_of(self.source)
