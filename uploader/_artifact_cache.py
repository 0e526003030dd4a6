"""The cache of artifacts' files: one for all wandb directories of a user."""

from __future__ import annotations

import os
from typing import Mapping

from wandb_storage import ObjectCache

from ._budget import parse_size
from ._policy_cache import cache_folder

# Without a word of the user's. The files that were used longest ago go first.
CACHE_LIMIT_DEFAULT = "50GB"


def artifact_cache(environment: Mapping[str, str] = os.environ) -> ObjectCache:
    """Where WANDB_CACHE_DIR says, up to the size that WANDB_CACHE_LIMIT says. Raises ValueError for what is no size."""
    limit = parse_size(environment.get("WANDB_CACHE_LIMIT") or CACHE_LIMIT_DEFAULT)
    return ObjectCache(cache_folder(environment) / "artifacts", limit)
