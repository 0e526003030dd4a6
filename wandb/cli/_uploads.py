"""Uploading runs in the foreground: one after the other, or some at a time."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, List, NamedTuple

import click

from . import complain
from ._sync_runs import mark_synced
from ._sync_show import plainly, report, shown

if TYPE_CHECKING:
    from wandb_uploader import Target


class How(NamedTuple):
    """What is done beside uploading."""

    mark: bool = False  # leave a file that says that the run is uploaded
    verbose: bool = False  # name the files that arrived
    workers: int = 1


def upload_all(targets: Dict[Path, Target], base_url: str, options: Dict[str, Any], how: How = How()) -> bool:  # noqa: B008 - a tuple
    """Whether all of the runs got through. Raises CredentialsRefused: every other run would hear the same."""
    batch = _Batch(base_url, options, how, len(targets))
    if how.workers == 1 or len(targets) == 1:
        for folder, target in targets.items():
            batch.upload(folder, target)
    else:
        with ThreadPoolExecutor(how.workers, thread_name_prefix="sync") as pool:
            list(pool.map(batch.upload, targets, targets.values()))
    if batch.skipped:
        complain(f"{batch.skipped} more were not tried")
    return batch.complete


class _Batch:
    def __init__(self, base_url: str, options: Dict[str, Any], how: How, count: int) -> None:
        self._base_url, self._options, self._how = base_url, options, how
        self._show = shown if how.workers == 1 or count == 1 else plainly  # of several bars one is all that can be read
        self._away = False
        self.complete = True
        self.skipped = 0

    def upload(self, folder: Path, target: Target) -> None:
        from wandb_storage import LogError
        from wandb_uploader import TransientError, upload

        if self._away:  # the server doesn't answer at all
            self.skipped += 1
            return
        try:
            with self._show(folder) as show:
                result = upload(folder, self._base_url, progress=show, target=target, **self._options)
        except (TransientError, LogError) as error:
            self.complete = False
            complain(f"{folder.name}: {error}")
            self._away = isinstance(error, TransientError) and error.unreachable
            return
        self.complete &= report(folder, result)
        if self._how.verbose:
            for path in self._files(folder):
                click.echo(f"  {path}")
        if self._how.mark and result.done:
            mark_synced(folder, result.run_id)

    def _files(self, folder: Path) -> List[str]:
        from wandb.replay._words import clean
        from wandb_uploader import normalize_url, run_uploads

        there = normalize_url(self._base_url)
        return sorted(
            {clean(path) for one in run_uploads(folder) if one.destination == there for path in one.files_acked}
        )
