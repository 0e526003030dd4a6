"""References as both clients make them: run with a client's Python, it prints what the entries are.

`official_references.json` is what the official client 0.31 has said of the stand-ins of `stores.py`, with boto3 and
google-cloud-storage installed: what differs each time (versions, and the ETags of Google's) stands there as "some".
"""

from __future__ import annotations

import json
import sys
from typing import Any, Dict, List, Tuple

Call = Tuple[str, Dict[str, Any]]


def calls(http: str) -> List[Call]:
    """Address and further arguments of `add_reference`."""
    return [
        ("s3://plain/folder/a.txt", {}),
        ("s3://plain/folder/a.txt", {"name": "named.txt"}),
        ("s3://plain/folder", {}),
        ("s3://plain/folder", {"name": "below"}),
        ("s3://plain", {}),
        ("s3://plain/folder/a.txt", {"checksum": False}),
        ("s3://plain/folder", {"checksum": False, "name": "unchecked"}),
        ("s3://plain", {"checksum": False}),
        ("s3://kept/data/x.bin", {}),
        ("s3://kept/data", {}),
        ("gs://bucket/folder/a.txt", {}),
        ("gs://bucket/folder/a.txt", {"name": "named.txt"}),
        ("gs://bucket/folder", {}),
        ("gs://bucket/folder", {"name": "below"}),
        ("gs://bucket/folder/a.txt", {"checksum": False}),
        (f"{http}/with-etag.csv", {}),
        (f"{http}/with-etag.csv", {"name": "named.csv"}),
        (f"{http}/without-etag.csv", {}),
        (f"{http}/weak-etag.csv", {}),
        (f"{http}/absent.csv?x=1", {"checksum": False}),
    ]


def entries(http: str) -> List[Any]:
    """What each call adds: path, reference, digest, size and what the store says, without what differs each time."""
    import wandb

    found = []
    for uri, more in calls(http):
        artifact = wandb.Artifact("refs", type="dataset")
        artifact.add_reference(uri, **more)
        held = artifact.manifest.entries
        found.append([uri, more, [_entry(path, held[path]) for path in sorted(held)]])
    return json.loads(json.dumps(found).replace(http, "http://HOST"))  # type: ignore[no-any-return]


def _entry(path: str, entry: Any) -> List[Any]:
    extra = {name: "some" if name == "versionID" else value for name, value in entry.extra.items()}
    digest = "some" if (entry.ref or "").startswith("gs:") and entry.digest != entry.ref else entry.digest
    return [path, entry.ref, digest, entry.size, extra]


if __name__ == "__main__":
    json.dump(entries(sys.argv[1]), sys.stdout, indent=1)
    print()
