"""Where media go: what a run and an artifact offer to the data types, which know neither."""

from __future__ import annotations

from typing import Any, Callable, Dict, Mapping, Optional, Protocol

from ._content import Content

RUN, ARTIFACT = "run", "artifact"

# The path of some bytes, relative and with slashes, from what they are: paths hold digests.
NameOf = Callable[[Content], str]


class MediaSink(Protocol):
    """What keeps the bytes of media."""

    @property
    def _media_home(self) -> str:
        """RUN or ARTIFACT: the same value is written down differently in the two."""

    def _keep_media(self, content: Content, name_of: NameOf) -> str:
        """Keep the bytes under `name_of(content)`, which is returned; bytes that are there already are kept once.

        A run returns when they survive the death of the process. It never raises because its disk refuses.
        """


class RunSink(MediaSink, Protocol):
    """A run."""

    def _keep_labels(self, kind: str, key: str, labels: Mapping[Any, str]) -> None:
        """Keep the names of the classes of a layer of boxes or masks, once for all steps."""

    def _keep_table(self, table: Any, name: str, type: str, entry: str, incremental: bool) -> None:
        """Log an artifact of this name and type that has the table as an entry, with its types and media."""


class EntryPlace(Protocol):
    """An entry of an artifact."""

    @property
    def path(self) -> str: ...
    @property
    def digest(self) -> str: ...
    def download(self) -> str:
        """The entry as a local file."""

    def ref_url(self) -> str:
        """How another artifact refers to it."""


class ArtifactSink(MediaSink, Protocol):
    """An artifact: one that is being put together, or one that values are read from."""

    def add(self, obj: Any, name: str) -> EntryPlace:
        """Add a value under a name."""

    def add_reference(self, uri: str, name: str) -> Any:
        """Add a reference under a name."""

    def get(self, name: str) -> Optional[Any]:
        """The value under a name."""

    def get_entry(self, name: str) -> EntryPlace:
        """The entry under a name."""


Json = Dict[str, Any]
