"""How files and artifacts are hashed."""

from __future__ import annotations

from enum import Enum

from .exceptions import ArtifactError


class ArtifactDigestAlgorithm(str, Enum):
    """What a digest is made with, by its name in the protocol."""

    MANIFEST_MD5 = "MANIFEST_MD5"
    MANIFEST_XXH128 = "MANIFEST_XXH128"

    @property
    def short(self) -> str:
        """`MD5` or `XXH128`, as in entries."""
        return self.value.partition("_")[2]


def algorithm_of(name: str) -> ArtifactDigestAlgorithm:
    """By the name that users give it. Raises ArtifactError."""
    try:
        return ArtifactDigestAlgorithm(f"MANIFEST_{name}")
    except ValueError:
        raise ArtifactError(f"digest_algorithm is MD5 or XXH128, not {name!r}") from None
