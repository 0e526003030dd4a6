"""The cache of files that were downloaded or uploaded: one for all runs of a user."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Dict

from wandb_storage import ObjectCache

from ...errors import UsageError


def artifacts_cache_dir() -> Path:
    """The cache's folder: `artifacts` in WANDB_CACHE_DIR, or in `~/.cache/wandb`."""
    return get_artifact_file_cache().folder


def get_artifact_file_cache() -> ObjectCache:
    """The cache, up to the size that the setting `cache_limit` allows. Raises UsageError where that is no size."""
    from wandb_uploader import artifact_cache

    from .._upload import uploader_environment
    from ..wandb_settings import merged

    try:
        made = artifact_cache(uploader_environment(merged()))
    except ValueError as error:
        raise UsageError(f"cache_limit (WANDB_CACHE_LIMIT): {error}") from None
    known = _caches.get(made.folder)
    if known is None or known.limit_bytes != made.limit_bytes:
        known = _caches[made.folder] = made
    return known


def artifact_dir() -> Path:
    """Where versions are downloaded to that are given no other place: WANDB_ARTIFACT_DIR, or `./artifacts`."""
    return Path(os.environ.get("WANDB_ARTIFACT_DIR") or "artifacts").expanduser()


# What came in is counted by each cache object, so that a process has one for each folder.
_caches: Dict[Path, ObjectCache] = {}
