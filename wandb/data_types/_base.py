"""What all values have in common that are more than a number: how they are written down, stored and read back.

A value is a JSON object with a `_type`. The bytes of media lie beside it, in a file of the run or an entry of an
artifact; `Media` puts them there, and knows of the two only what `_sink` says. An object is read back by the class that
its `_type` names (`WBValue.type_mapping`): one of this package, or a subclass of the user's.
"""

from __future__ import annotations

import importlib
import re
from typing import Any, ClassVar, Dict, Iterator, List, NamedTuple, Optional, Sequence, Type, Union

from ..errors import DataError, UsageError
from ._content import Content
from ._sink import ARTIFACT, RUN, ArtifactSink, Json, RunSink

# In which module of this package the classes are that the `_type` of an object names: they are loaded when it is read.
_HOMES = {
    "audio-file": "_audio",
    "bokeh-file": "_bokeh",
    "bounding-boxes": "_boxes",
    "classes": "_classes",
    "eval-table": "_eval_table",
    "graph-file": "_graph",
    "histogram": "_histogram",
    "html-file": "_html",
    "image-file": "_image",
    "joined-table": "_joined_table",
    "mask": "_mask",
    "molecule-file": "_molecule",
    "object3D-file": "_object3d",
    "partitioned-table": "_partitioned_table",
    "plotly-file": "_plotly",
    "table": "_table",
    "video-file": "_video",
    "wb_trace_tree": "_trace_tree",
}

_REFERENCE = re.compile(r"(gs|s3|https?)://")


class ArtifactPlace(NamedTuple):
    """An artifact, and the name that a value has in it, where it has one."""

    artifact: ArtifactSink
    name: Optional[str] = None


class WBValue:
    """A value that is written down as a JSON object with a `_type`.

    >>> from wandb.data_types import Histogram, WBValue
    >>> WBValue.type_mapping()["histogram"] is Histogram
    True
    >>> Histogram.with_suffix("weights")
    'weights.histogram.json'
    """

    # What `_type` says in an artifact; None for a class that is none of its own.
    _log_type: ClassVar[Optional[str]] = None

    def __init__(self) -> None:
        self._artifact_source: Optional[ArtifactPlace] = None
        self._artifact_target: Optional[ArtifactPlace] = None

    def to_json(self, run_or_artifact: Any) -> Json:
        """The JSON object, for a run or an artifact, which gets the bytes that go along.

        Raises TypeError for another target, UsageError for a medium that `bind_to_run` hasn't given its place.
        """
        raise NotImplementedError(f"{type(self).__name__}.to_json")

    @classmethod
    def from_json(cls, json_obj: Json, source_artifact: Any) -> WBValue:
        """The value again, from its JSON object and the artifact that holds it."""
        raise NotImplementedError(f"{cls.__name__}.from_json")

    @classmethod
    def with_suffix(cls, name: str, filetype: str = "json") -> str:
        """The name of an artifact's entry for a value of this class."""
        suffix = filetype if cls._log_type is None else f"{cls._log_type}.{filetype}"
        return name if name.endswith(suffix) else f"{name}.{suffix}"

    @staticmethod
    def init_from_json(json_obj: Json, source_artifact: Any) -> Optional[WBValue]:
        """The value that a JSON object describes, by the class that its `_type` names; None where none does."""
        kind = WBValue.type_mapping().get(json_obj["_type"])
        if kind is None:
            return None
        value = kind.from_json(json_obj, source_artifact)
        value._set_artifact_source(source_artifact)
        return value

    @staticmethod
    def type_mapping() -> Dict[str, Type[WBValue]]:
        """From `_type` to the class, those of the user's included."""
        return _Classes()

    def to_data_array(self) -> List[Any]:
        """The data as numbers in lists. Raises UsageError for a value that has none."""
        raise UsageError(f"a {type(self).__name__} is no array")

    def __eq__(self, other: object) -> bool:
        return self is other

    def __hash__(self) -> int:
        return id(self)

    # --- artifacts ----------------------------------------------------------------------------------------------------

    def _set_artifact_source(self, artifact: Any, name: Optional[str] = None) -> None:
        """The value was read from an artifact; the name is that of the entry which describes it."""
        self._artifact_source = ArtifactPlace(artifact, name)

    def _set_artifact_target(self, artifact: Any, name: Optional[str] = None) -> None:
        """The value was added to an artifact, under this name."""
        self._artifact_target = ArtifactPlace(artifact, name)

    def _get_artifact_entry_ref_url(self) -> Optional[str]:
        """How a run or another artifact refers to the entry that this value is in; None where it is in none."""
        source, target = self._artifact_source, self._artifact_target
        if source is not None and source.name:
            return str(source.artifact.get_entry(self.with_suffix(source.name)).ref_url())
        return self._client_url(target, "_client_id", "") if target is not None else None

    def _get_artifact_entry_latest_ref_url(self) -> Optional[str]:
        """The same for the newest version of the artifact that the value was added to."""
        target = self._artifact_target
        return self._client_url(target, "_sequence_client_id", ":latest") if target is not None else None

    def _client_url(self, target: ArtifactPlace, client: str, version: str) -> Optional[str]:
        client_id = getattr(target.artifact, client, None)
        if not client_id or not target.name or not getattr(target.artifact, "_final", False):
            return None
        return f"wandb-client-artifact://{client_id}{version}/{self.with_suffix(target.name)}"


class _Classes(Dict[str, Type[WBValue]]):
    """Classes by their `_type`, loaded when they are asked for."""

    def __init__(self) -> None:
        super().__init__((kind._log_type, kind) for kind in _subclasses(WBValue) if kind._log_type is not None)

    def __missing__(self, name: str) -> Type[WBValue]:
        home = _HOMES[name]
        module = importlib.import_module(f".{home}", __package__)
        for kind in vars(module).values():
            if isinstance(kind, type) and issubclass(kind, WBValue) and kind._log_type == name:
                self[name] = kind
                return kind
        raise KeyError(name)

    def get(self, name: Any, default: Any = None) -> Any:
        try:
            return self[name]
        except KeyError:
            return default


def _subclasses(kind: Type[WBValue]) -> Iterator[Type[WBValue]]:
    # The class itself first: of two with one name, the one that is derived from the other counts.
    yield kind
    for one in kind.__subclasses__():
        yield from _subclasses(one)


class Media(WBValue):
    """A value with bytes of its own, which lie in a file beside the JSON object."""

    # The folder in a run's files and in an artifact.
    _folder: ClassVar[str] = "media"

    def __init__(self, caption: Optional[str] = None) -> None:
        super().__init__()
        self._caption = None if caption is None else str(caption)
        self._content: Optional[Content] = None
        self._entry: Optional[str] = None  # of the artifact that the bytes were read from
        self._run: Optional[RunSink] = None
        self._run_path: Optional[str] = None

    @classmethod
    def get_media_subdir(cls) -> str:
        """The folder in which the files of this class lie, in a run's files and in an artifact."""
        return cls._folder

    @staticmethod
    def path_is_reference(path: Optional[Union[str, object]]) -> bool:
        """Whether this is the address of a file in a bucket or on a web server, and not a path."""
        return isinstance(path, str) and _REFERENCE.match(path) is not None

    @staticmethod
    def captions(media_items: Sequence[Media]) -> Union[bool, List[Optional[str]]]:
        """The captions of a batch; False where it has none."""
        return [one._caption for one in media_items] if media_items[0]._caption is not None else False

    def is_bound(self) -> bool:
        """Whether a run has the bytes."""
        return self._run is not None

    def file_is_set(self) -> bool:
        """Whether there are bytes already."""
        return self._content is not None

    def bind_to_run(
        self, run: Any, key: Union[int, str], step: Union[int, str], id_: Union[None, int, str] = None,
        ignore_copy_err: Optional[bool] = None,
    ) -> None:  # fmt: skip
        """Give the bytes to a run, under a name made of key, step and `id_` (the beginning of their SHA-256).

        When this returns, they survive the death of the process. `log` calls it.
        """
        content = self._ready_content()
        stem = f"{self.get_media_subdir()}/{safe_key(key)}_{step}_"

        def name_of(hashed: Content) -> str:
            return f"{stem}{hashed.sha256[:DIGEST_DIGITS] if id_ is None else id_}{hashed.extension}"

        self._run_path = run._keep_media(content, name_of)
        self._run = run

    def _log_to(self, run: RunSink, key: str, step: Union[int, str]) -> None:
        """What `log` does with a value before it asks for its JSON object."""
        self.bind_to_run(run, key, step)

    def to_json(self, run_or_artifact: Any) -> Json:
        """The JSON object, for the run that the value is bound to, or for an artifact."""
        home = media_home(run_or_artifact)
        result = self._in_run(run_or_artifact) if home == RUN else self._in_artifact(run_or_artifact)
        if self._caption is not None:
            result["caption"] = self._caption
        return result

    @classmethod
    def from_json(cls, json_obj: Json, source_artifact: Any) -> Media:
        """The value again, from its JSON object and the artifact that holds it."""
        value = cls(source_artifact.get_entry(json_obj["path"]).download())
        value._caption = json_obj.get("caption")
        value._entry = json_obj["path"]
        return value

    def _in_run(self, run: RunSink) -> Json:
        result: Json = {"_type": self._log_type}
        if self._content is not None:
            result.update(sha256=self._content.sha256, size=self._content.size)
        url, latest = self._get_artifact_entry_ref_url(), self._get_artifact_entry_latest_ref_url()
        if url is not None:
            result["artifact_path"] = url
        if latest is not None:
            result["_latest_artifact_path"] = latest
        if self._run is not None:
            if self._run is not run:
                raise UsageError(f"this {type(self).__name__} is logged to another run; make another of the same data")
            result["path"] = self._run_path
        elif url is None:
            raise UsageError(f"this {type(self).__name__} has no file yet: bind_to_run gives it one, and log calls it")
        return result

    def _in_artifact(self, artifact: ArtifactSink) -> Json:
        result: Json = {"_type": self._log_type}
        if self._content is not None:
            source = self._artifact_source
            if source is not None and self._entry is not None:
                path = self._entry
                artifact.add_reference(source.artifact.get_entry(path).ref_url(), name=path)
            else:
                path = artifact._keep_media(self._content, self._name_in_artifact)
            result.update(path=path, sha256=self._content.sha256)
        return result

    def _name_in_artifact(self, content: Content) -> str:
        if content.basename:
            return f"{self.get_media_subdir()}/{content.sha256[:DIGEST_DIGITS]}/{content.basename}"
        return f"{self.get_media_subdir()}/{content.md5[:DIGEST_DIGITS]}{content.extension}"

    def _ready_content(self) -> Content:
        """The bytes that a run is to keep."""
        if self._content is None:
            raise UsageError(f"this {type(self).__name__} has no data")
        return self._content

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if type(other) is not type(self) or not isinstance(other, Media):
            return False
        own, others = self._content, other._content
        return own is not None and others is not None and own.sha256 == others.sha256

    # Two objects of equal bytes are equal, and the bytes may come later.
    __hash__ = None  # type: ignore[assignment]


class BatchableMedia(Media):
    """Media of which a list is logged as one batch."""

    # Of a longer list the first so many are kept, with a warning; None keeps all.
    MAX_ITEMS: ClassVar[Optional[int]] = None

    @classmethod
    def seq_to_json(cls, seq: Sequence[Any], run: Any, key: str, step: Union[int, str]) -> Json:
        """The JSON object of a batch whose values are bound to a run."""
        raise NotImplementedError(f"{cls.__name__}.seq_to_json")


# So many digits of a digest stand in the name of a file.
DIGEST_DIGITS = 20


def media_home(run_or_artifact: Any) -> str:
    """RUN or ARTIFACT. Raises TypeError for what is neither."""
    home = getattr(run_or_artifact, "_media_home", None)
    if home not in (RUN, ARTIFACT):
        raise TypeError(f"media go into a wandb.Run or a wandb.Artifact, not into a {type(run_or_artifact).__name__}")
    return str(home)


def safe_key(key: Union[int, str]) -> str:
    """A key as a relative path: slashes make folders, and no part of it leads out of the run's files.

    >>> safe_key("/val/../img.png")
    'val/__/img.png'
    """
    text = str(key).replace("\0", "_").lstrip("/")
    parts = [part.replace(".", "_") if part in (".", "..") else part for part in text.split("/")]
    path = "/".join(parts)
    if len(path.encode()) > KEY_BYTES_MAX or any(len(part.encode()) > NAME_BYTES_MAX for part in parts):
        raise DataError(
            f"{path[:60]}…: a key of {len(path):,} characters is too long for the name of a file; shorten it"
        )
    return path


# Filesystems take names of 255 bytes; step, digest and extension need their part of it.
NAME_BYTES_MAX = 180
KEY_BYTES_MAX = 1024
