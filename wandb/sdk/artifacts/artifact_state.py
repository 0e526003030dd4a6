"""Where a version stands at the server."""

from __future__ import annotations

from enum import Enum


class ArtifactState(Enum):
    """What `artifact.state` says."""

    PENDING = "PENDING"
    COMMITTED = "COMMITTED"
    DELETED = "DELETED"
    GARBAGE_COLLECTED = "GARBAGE_COLLECTED"
    PENDING_DELETION = "PENDING_DELETION"
