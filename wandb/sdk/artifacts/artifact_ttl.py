"""How long a version lives, where no number of seconds says so."""

from __future__ import annotations

from enum import Enum


class ArtifactTTL(Enum):
    """`artifact.ttl = ArtifactTTL.INHERIT`: as long as the project's policy says.

    >>> import datetime, wandb
    >>> artifact = wandb.Artifact("data", type="dataset")
    >>> artifact.ttl = datetime.timedelta(days=30)
    >>> artifact.ttl = wandb.ArtifactTTL.INHERIT
    """

    INHERIT = 0
