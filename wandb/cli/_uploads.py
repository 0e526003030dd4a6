"""Uploading runs in the foreground, one after the other."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict

from . import complain
from ._sync_runs import mark_synced
from ._sync_show import report, shown

if TYPE_CHECKING:
    from wandb_uploader import Target


def upload_all(targets: Dict[Path, Target], base_url: str, options: Dict[str, Any], mark: bool = False) -> bool:
    """Upload one after the other; whether all of them got through."""
    from wandb_storage import LogError
    from wandb_uploader import CredentialsRefused, TransientError, upload

    complete = True
    for index, (folder, target) in enumerate(targets.items()):
        try:
            with shown(folder) as show:
                result = upload(folder, base_url, progress=show, target=target, **options)
            complete &= report(folder, result)
            if mark and result.done:
                mark_synced(folder, result.run_id)
        except CredentialsRefused:
            raise  # every other run would hear the same
        except (TransientError, LogError) as error:
            complete = False
            complain(f"{folder.name}: {error}")
            left = len(targets) - index - 1
            if isinstance(error, TransientError) and error.unreachable and left:
                complain(f"{left} more were not tried")
                break
    return complete
