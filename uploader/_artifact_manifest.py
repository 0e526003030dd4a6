"""The manifest of an artifact as a server keeps it, written line by line: a hundred thousand entries need no memory."""

from __future__ import annotations

import base64
import json
import tempfile
from typing import IO, Any, BinaryIO, Callable, Dict, List, Optional, cast
from urllib.parse import urlsplit

from wandb_storage import StagedEntry, encoded, new_hash

CLIENT_SCHEME, SERVER_SCHEME = "wandb-client-artifact", "wandb-artifact"
NAME = "wandb_manifest.json"


class ManifestFile:
    """`wandb_manifest.json`, in a temporary file. A context manager."""

    def __init__(self, region: Optional[str], server_id: Callable[[str], str]) -> None:
        """server_id: the server's id of an artifact by the one that its client gave it."""
        self._file: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115  it ends with this object
        self._hash = new_hash()
        self._server_id = server_id
        self._first = True
        config = {"storageLayout": "V2", **({"storageRegion": region} if region else {})}
        head = {"version": 1, "storagePolicy": "wandb-storage-policy-v1", "storagePolicyConfig": config}
        self._write(f'{json.dumps(head, separators=(",", ":"))[:-1]},"contents":{{')

    def add(self, entry: StagedEntry, birth: Optional[str]) -> None:
        """Entries come in the order of their paths. `birth`: the artifact that brought the file."""
        fields: Dict[str, Any] = {"digest": entry.digest}
        if entry.ref is not None:
            fields["ref"] = self._resolved(entry.ref)
        elif birth is not None:
            fields["birthArtifactID"] = birth
        fields["size"] = entry.size
        if entry.extra:
            fields["extra"] = dict(entry.extra)
        start = "" if self._first else ","
        self._first = False
        self._write(f"{start}{json.dumps(entry.path)}:{json.dumps(fields, separators=(',', ':'))}")

    def _resolved(self, ref: str) -> str:
        parts = urlsplit(ref)
        if parts.scheme != CLIENT_SCHEME:
            return ref
        return f"{SERVER_SCHEME}://{base64.standard_b64decode(self._server_id(parts.netloc)).hex()}{parts.path}"

    def _write(self, text: str) -> None:
        raw = text.encode()
        self._hash.update(raw)
        self._file.write(raw)

    def finish(self) -> str:
        """The digest of the whole."""
        self._write("}}")
        self._file.flush()
        return encoded(self._hash)

    @property
    def file(self) -> BinaryIO:
        return cast(BinaryIO, self._file)

    def close(self) -> None:
        self._file.close()


def headers_of(file: Dict[str, Any]) -> List[str]:
    return [str(header) for header in file.get("uploadHeaders") or []]
