"""The part of `Api` about artifacts."""

from __future__ import annotations

from ._connection import Connection


class ArtifactsPart(Connection):
    """The base of `Api`."""
