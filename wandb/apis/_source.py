"""Where runs are read from: a server, or the logs on this machine. The one seam below the public Api's objects."""

from __future__ import annotations

import os
from typing import Any, Callable, Dict, Iterator, List, Mapping, Optional, Protocol, Sequence, Union

from ._paths import RunPath

Row = Dict[str, Any]


class Source(Protocol):
    """Answers the documents of the public Api. `_client.Client` asks a server, `_local.LocalLogs` reads logs."""

    @property
    def base_url(self) -> str:
        """The server's address; of logs, that of their folder."""

    @property
    def app_url(self) -> str:
        """Where pages are."""

    def execute(
        self, document: str, variables: Optional[Mapping[str, Any]] = None, repeatable: bool = True
    ) -> Dict[str, Any]:
        """The `data` of the answer to a document with one named operation. Raises CommError.

        repeatable: whether asking twice does no harm.
        """

    def supports(self, feature: str) -> bool:
        """Whether the server says that it has a feature."""

    def fetch(self, url: str, name: str, write: Callable[[bytes], object]) -> int:
        """Hand the bytes of a file to `write`, piece by piece, and return their number. Raises CommError."""

    def put(self, url: str, headers: List[str], path: Union[str, os.PathLike[str]], name: str) -> str:
        """Bring a file to a URL that an answer named, and return its MD5 in hexadecimal. Raises CommError."""

    def scan(
        self, run: RunPath, keys: Optional[Sequence[str]], min_step: int, stop_step: int, page_size: int
    ) -> Iterator[Row]:
        """Each row of a run's history with `min_step` <= step < `stop_step`, in order of step. With `keys` only these,
        of rows that have all of them."""
