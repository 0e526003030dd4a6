"""Files that appear whole or not at all."""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path
from typing import IO, Iterator


@contextlib.contextmanager
def new_file(target: Path, mode: int = 0o666) -> Iterator[IO[bytes]]:
    """A file to write and read; it takes the place of `target` when the block ends without an exception. Its folder is
    made. mode: its permissions, as far as the user's mask allows them.

    >>> with new_file(Path("deep") / "labels.txt") as file:
    ...     size = file.write(b"0 1")
    >>> Path("deep/labels.txt").read_text()
    '0 1'
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    # Any name that the file may have leaves no room for an addition.
    temporary = target.with_name(f".{secrets.token_hex(8)}.part")
    try:
        with open(temporary, "x+b", opener=lambda path, flags: os.open(path, flags, mode)) as file:
            yield file
        os.replace(temporary, target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
