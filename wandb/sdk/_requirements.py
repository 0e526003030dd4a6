"""`requirements.txt`: what is installed where the program runs.

The heads of the metadata files are read directly: parsing them whole, as the standard library does, takes a tenth of a
second of the program's interpreter lock.
"""

from __future__ import annotations

import contextlib
import os
import re
import sys
from pathlib import Path
from typing import Dict, Iterator, Tuple

_METADATA = {".dist-info": "METADATA", ".egg-info": "PKG-INFO"}
_HEAD_BYTES = 1024
_NAME = re.compile(rb"^Name: *(\S+)", re.M)
_VERSION = re.compile(rb"^Version: *(\S+)", re.M)


def requirements() -> str:
    """One `name==version` a line, sorted. Of a package that is installed twice, the version that is imported."""
    found: Dict[str, str] = {}
    for folder in sys.path:
        for name, version in _installed_in(Path(folder or ".")):
            found.setdefault(name.lower().replace("_", "-"), f"{name}=={version}")
    return "".join(f"{found[name]}\n" for name in sorted(found))


def _installed_in(folder: Path) -> Iterator[Tuple[str, str]]:
    try:
        names = os.listdir(folder)
    except OSError:
        return  # sys.path names what isn't there, and archives
    for entry in names:
        metadata = _METADATA.get(os.path.splitext(entry)[1])
        if metadata is None:
            continue
        with contextlib.suppress(OSError), open(folder / entry / metadata, "rb") as file:
            head = file.read(_HEAD_BYTES)
            name, version = _NAME.search(head), _VERSION.search(head)
            if name and version:
                yield name[1].decode("utf-8", "replace"), version[1].decode("utf-8", "replace")
