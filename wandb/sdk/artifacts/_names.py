"""What artifacts, their types, aliases, tags and files may be called; and paths like entity/project/name:alias."""

from __future__ import annotations

import json
import math
import re
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any, Dict, Iterable, List, Mapping, NamedTuple, Optional, Tuple, Union

from .._values import storable_mapping
from .exceptions import ArtifactError

NAME_CHARACTERS_MAX = 128
METADATA_KEYS_MAX = 100
# Metadata is kept in the log's record, and read with every look at the version.
METADATA_BYTES_MAX = 4 << 20
REGISTRY_PREFIX = "wandb-registry-"
_NAME = re.compile(r"[a-zA-Z0-9_.-]+")
_TAG = re.compile(r"[-\w]+( +[-\w]+)*")
_SEPARATORS = frozenset("/:")
# Which names of these types are made by the client itself.
_RESERVED = {"job": "", "run_table": "run-", "code": "source-"}
_VERSION = re.compile(r"v\d+")
# A path as most are: parts that are neither empty nor dots, without anything that another system would read otherwise.
_PLAIN_PATH = re.compile(r"(?:(?!\.{1,2}/)[^/\\:\0]+/)*(?!\.{1,2}\Z)[^/\\:\0]+")

Texts = Union[None, str, Iterable[str]]


def check_name(name: str) -> str:
    """Raises ArtifactError."""
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ArtifactError(f"{name!r} can't be the name of an artifact: it takes letters, digits, '-', '_' and '.'")
    if len(name) > NAME_CHARACTERS_MAX:
        raise ArtifactError(f"{name[:40]!r}… is too long a name: {NAME_CHARACTERS_MAX} characters at most")
    if name in (".", ".."):
        raise ArtifactError(f"{name!r} can't be the name of an artifact: files are downloaded to a folder of that name")
    return name


def check_type(kind: str, name: str) -> str:
    """Raises ArtifactError."""
    reserved = _RESERVED.get(kind)
    if kind.startswith("wandb-") or (reserved is not None and name.startswith(reserved)):
        raise ArtifactError(f"artifacts of the type {kind!r} with such a name are made by the client; use another type")
    if not kind or len(kind) > NAME_CHARACTERS_MAX or _SEPARATORS.intersection(kind):
        raise ArtifactError(f"{kind!r} can't be a type: 1 to {NAME_CHARACTERS_MAX} characters without '/' and ':'")
    return kind


def check_aliases(aliases: Texts) -> List[str]:
    """Each once, in their order; an empty one is none, as some callers pass it. Raises ArtifactError."""
    found = [alias for alias in _texts(aliases) if alias]
    for alias in found:
        if len(alias) > NAME_CHARACTERS_MAX or _SEPARATORS.intersection(alias):
            raise ArtifactError(
                f"{alias!r} can't be an alias: at most {NAME_CHARACTERS_MAX} characters without '/' and ':'"
            )
    return found


def check_tags(tags: Texts) -> List[str]:
    """Each once, in their order. Raises ArtifactError."""
    found = _texts(tags)
    for tag in found:
        if not _TAG.fullmatch(tag):
            raise ArtifactError(f"{tag!r} can't be a tag: letters, digits, '-' and '_', with spaces between words")
    return found


def _texts(values: Texts) -> List[str]:
    values = [] if values is None else [values] if isinstance(values, str) else list(values)
    for value in values:
        if not isinstance(value, str):
            raise ArtifactError(f"{value!r} is no text; aliases and tags are")
    return list(dict.fromkeys(values))


def check_metadata(metadata: Union[None, str, Mapping[str, Any]]) -> Dict[str, Any]:
    """As JSON values; a text holds them as JSON. Raises ArtifactError, and TypeError for what is no dictionary."""
    if isinstance(metadata, str):
        metadata = json.loads(metadata) if metadata else {}
    if metadata is None:
        return {}
    if not isinstance(metadata, Mapping):
        raise TypeError(f"metadata is a dictionary, not {type(metadata).__name__}")
    values = storable_mapping(metadata, "metadata")
    if len(values) > METADATA_KEYS_MAX:
        raise ArtifactError(f"metadata has {len(values)} keys, and {METADATA_KEYS_MAX} are the most; nest some of them")
    try:
        text = json.dumps(values, allow_nan=False)
    except ValueError:
        raise ArtifactError(f"metadata: {_first_odd(values)} is not finite, and JSON has no such number") from None
    if len(text) > METADATA_BYTES_MAX:
        raise ArtifactError(f"metadata takes {len(text):,} bytes; add it as a file, or keep it below 4 MiB")
    result: Dict[str, Any] = json.loads(text)
    return result


def _first_odd(value: Any, path: str = "") -> str:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        found = _first_odd(inner, f"{path}.{key}" if path else str(key))
        if found:
            return found
    return path if isinstance(value, float) and not math.isfinite(value) else ""


def entry_path(path: Any) -> str:
    """A path within an artifact: relative, with slashes, and leading nowhere else. Raises ArtifactError."""
    if type(path) is str and _PLAIN_PATH.fullmatch(path):
        return path
    text = path.as_posix() if hasattr(path, "as_posix") else str(path)
    pure = PurePosixPath(text)
    windows = PureWindowsPath(text) if "\\" in text or ":" in text else None
    if (
        pure.anchor
        or not pure.parts
        or ".." in pure.parts
        or "\0" in text
        or (windows is not None and (windows.anchor or ".." in windows.parts))
    ):
        raise ArtifactError(f"{text!r} is no path in an artifact: relative, and without '..'")
    return str(pure)


def is_version(alias: str) -> bool:
    """Whether it is how versions are numbered: v0, v1, …"""
    return _VERSION.fullmatch(alias) is not None


class ArtifactPath(NamedTuple):
    """`entity/project/name:alias`, as far as it was given."""

    name: str
    alias: str = "latest"
    project: Optional[str] = None
    entity: Optional[str] = None

    @classmethod
    def parse(cls, text: str) -> ArtifactPath:
        """Raises ArtifactError."""
        path, _, alias = text.strip().removeprefix("wandb-artifact://").partition(":")
        parts = path.split("/")
        if not 1 <= len(parts) <= 3 or not all(parts):
            raise ArtifactError(f"{text!r} is no artifact: one is called NAME:ALIAS, PROJECT/NAME:ALIAS or "
                                "ENTITY/PROJECT/NAME:ALIAS")  # fmt: skip
        entity, project, name = (None,) * (3 - len(parts)) + tuple(parts)
        assert name is not None
        return cls(name, alias or "latest", project, entity)

    @property
    def label(self) -> str:
        return f"{self.name}:{self.alias}"

    def __str__(self) -> str:
        return "/".join(part for part in (self.entity, self.project, self.label) if part)

    @property
    def is_registry(self) -> bool:
        return bool(self.project and self.project.startswith(REGISTRY_PREFIX))


def split_version(name: str) -> Tuple[str, str]:
    """`name:v3` as (name, v3); without a version, (name, "")."""
    base, _, version = name.partition(":")
    return base, version
