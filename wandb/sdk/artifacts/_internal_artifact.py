"""Artifacts that the client makes itself, under names and types that are reserved for that."""

from __future__ import annotations

import base64
import re
import zlib
from typing import Any, Mapping, Optional

from ._names import NAME_CHARACTERS_MAX
from .artifact import Artifact

_FORBIDDEN = re.compile(r"[^a-zA-Z0-9_.-]+")
_SUFFIX_CHARACTERS = 7


def sanitize_artifact_name(name: str) -> str:
    """A name that an artifact can have, the same for the same `name` and hardly ever that of another.

    >>> sanitize_artifact_name("run-1-val/table")
    'run-1-valtable-IxZW5Q'
    """
    allowed = _FORBIDDEN.sub("", name)
    if allowed == name and len(name) <= NAME_CHARACTERS_MAX:
        return name
    suffix = base64.urlsafe_b64encode(zlib.crc32(name.encode()).to_bytes(4, "big")).rstrip(b"=").decode()
    return f"{allowed[: NAME_CHARACTERS_MAX - _SUFFIX_CHARACTERS]}-{suffix}"


class InternalArtifact(Artifact):
    """An artifact of a reserved type: a table that a run logged, the code of a run."""

    def __init__(
        self,
        name: str,
        type: str,
        description: Optional[str] = None,
        metadata: Optional[Mapping[str, Any]] = None,
        incremental: bool = False,
        use_as: Optional[str] = None,
        digest_algorithm: str = "MD5",
    ) -> None:
        super().__init__(
            sanitize_artifact_name(name), type, description, metadata, incremental, use_as,
            digest_algorithm=digest_algorithm,
        )  # fmt: skip

    def _checked_type(self, type: str) -> str:
        return type
