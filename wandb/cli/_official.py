"""Runs of the official client among those to be uploaded: an import stands for each."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, List, Optional, Sequence, Tuple

import click

from . import complain

if TYPE_CHECKING:
    from wandb_storage import OfficialImport


def imported(folders: Sequence[Path], make: bool = True) -> Tuple[List[Path], bool]:
    """The folders, with the import of each run that the official client wrote; and whether all could be imported.

    Without `make` nothing is written: a run that would have to be imported is told and left out.
    """
    from wandb_storage import LogError, import_official

    result: List[Path] = []
    complete = True
    for folder in folders:
        original = _original(folder)
        if original is None:
            result.append(folder)
        elif not make:
            click.echo(f"{folder.name}: written by the official client; it is imported when it is uploaded")
        else:
            try:
                found = import_official(original)
            except LogError as error:
                complete = False
                complain(f"{original.name}: {error}")
                continue
            result.append(found.folder)
            _tell(original, found)
    return list(dict.fromkeys(result)), complete


def _original(folder: Path) -> Optional[Path]:
    """The official client's folder that is meant: an import whose file may have grown since leads back to it."""
    from wandb_storage import official_file, official_folder

    for candidate in (folder, official_folder(folder)):
        if candidate is not None and official_file(candidate) is not None:
            return candidate
    return None


def _tell(original: Path, found: OfficialImport) -> None:
    if found.repeated:
        return
    client = f"the official client {found.version}".rstrip()
    rows = f"{found.kept.rows:,} {'row' if found.kept.rows == 1 else 'rows'}"
    click.echo(f"{original.name}: written by {client}; imported {rows} into {found.folder.name}", err=True)
    if not found.whole:
        lost = [
            f"{number:,} {what}"
            for number, what in (
                (found.damage.bytes, "bytes that can't be read"),
                (found.kept.unreadable, "records or values that make no sense"),
                (found.kept.unknown, "records of unknown kinds"),
            )
            if number
        ]
        complain(f"{original.name}: left out {', '.join(lost)}")
    for path, reason in found.files_left_out.items():
        complain(f"{original.name}: the file {path} was not taken over: {reason}")
