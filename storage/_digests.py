"""The digests of files and of artifacts, as W&B's protocol has them.

A file's is base64 of its MD5 or of its XXH128. An artifact's is the hash, in hex, of a header and of one line for each
entry in the order of their paths: it says what the artifact holds and nothing else.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import mmap
import os
from typing import Any, Callable

MD5, XXH128 = "MD5", "XXH128"
ALGORITHMS = (MD5, XXH128)
# A large file is read in pieces of this size: no more of it is in memory.
HASH_BYTES = 1 << 20
_MANIFEST_HEADER = b"wandb-artifact-manifest-v1\n"


class DigestUnavailable(RuntimeError):
    """The library that computes a digest isn't installed."""


def new_hash(algorithm: str = MD5) -> Any:
    """A hash object as those of hashlib. Raises ValueError, DigestUnavailable."""
    if algorithm == MD5:
        return hashlib.md5(usedforsecurity=False)
    if algorithm != XXH128:
        raise ValueError(f"{algorithm!r} is no digest algorithm; it is one of {', '.join(ALGORITHMS)}")
    try:
        import xxhash
    except ImportError:
        raise DigestUnavailable("digests of the kind XXH128 need a library: pip install xxhash") from None
    return xxhash.xxh3_128()


def encoded(digest: Any) -> str:
    """What a hash object has computed, as a file's digest."""
    return base64.b64encode(digest.digest()).decode("ascii")


def hex_of(digest: str) -> str:
    """A file's digest in hex, by which it is stored. Raises ValueError for what is none."""
    try:
        raw = base64.b64decode(digest, validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    if len(raw) != 16:
        raise ValueError(f"{digest!r} is not the digest of a file")
    return raw.hex()


def hash_descriptor(descriptor: int, algorithm: str = MD5, progress: Callable[[int], None] = lambda count: None) -> str:
    """The digest of an open file, from its beginning to its end. `progress` is told of each piece's bytes."""
    found = new_hash(algorithm)
    offset = 0
    with mmap.mmap(-1, HASH_BYTES) as buffer, memoryview(buffer) as view:
        while True:
            count = os.preadv(descriptor, [view], offset)
            if not count:
                return encoded(found)
            found.update(view[:count])
            offset += count
            progress(count)


class ManifestDigest:
    """The digest of an artifact whose entries come in the order of their paths."""

    def __init__(self, algorithm: str = MD5) -> None:
        self._hash = new_hash(algorithm)
        self._hash.update(_MANIFEST_HEADER)

    def add(self, path: str, digest: str) -> None:
        self._hash.update(f"{path}:{digest}\n".encode("utf-8", "surrogateescape"))

    def hexdigest(self) -> str:
        return str(self._hash.hexdigest())
