"""A server, as the public Api asks it: GraphQL and files, with the credentials, the proxies and the retry policy of the
uploader, and errors of `wandb.errors`.

What passes is tried again, with the uploader's waits, while there is patience: a server that has never answered is
most likely not there at all, and one that has answered is waited for longer. What is refused is an error at once.
"""

from __future__ import annotations

import os
import re
import time
from typing import Any, Callable, Dict, FrozenSet, Iterator, List, Mapping, Optional, Sequence, Tuple, TypeVar, Union

from wandb_uploader import (
    Attempts,
    CredentialError,
    CredentialsRefused,
    Destination,
    Manner,
    NotUploadable,
    Refused,
    ReplyTooLong,
    TransientError,
    Transport,
    UploadError,
    app_url,
    normalize_url,
)

from .._terminal import termwarn
from ..errors import AuthenticationError, CommError, UsageError
from ..sdk._upload import uploader_environment
from ..sdk.wandb_settings import Settings
from ._errors import RefusedError, TooMuchError
from ._paths import RunPath
from ._scan import scan_pages

# How long failures that pass are put up with: before the server's first answer, after it, and where the server itself
# names a wait. An Api is asked by somebody who waits, so hours as for an upload make no sense.
FIRST_PATIENCE_SECONDS = 5.0
PATIENCE_SECONDS = 60.0
THROTTLED_PATIENCE_SECONDS = 600.0
# A wait of this length is told.
_TOLD_SECONDS = 4.0
ANSWER_SECONDS = 20.0
# A page of a history may hold a thousand rows with a table in each.
_REPLY_BYTES_MAX = 256 << 20

_OPERATION = re.compile(r"\b(?:query|mutation)\s+(\w+)")

_FEATURES = "query ServerFeaturesQuery { serverInfo { features { name isEnabled } } }"

T = TypeVar("T")


class Client:
    """One server. Safe between threads and after a fork: each thread of each process has a connection of its own."""

    def __init__(
        self,
        base_url: str,
        environment: Mapping[str, str] = os.environ,
        timeout: Optional[float] = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        patience: Optional[float] = None,
    ) -> None:
        """environment: where key and proxies stand. timeout: seconds to wait for an answer. patience: seconds to put up
        with failures that pass, 0 for whoever asks again by himself. Raises UsageError for what is no server's
        address."""
        try:
            self.base_url = normalize_url(base_url)
        except NotUploadable as error:
            raise UsageError(str(error)) from None
        self._environment, self._clock, self._sleep, self._patience_max = environment, clock, sleep, patience
        self._manner = Manner(
            {"User-Agent": "wandb-api", "Use-Admin-Privileges": "true"},
            graphql_seconds=timeout or ANSWER_SECONDS,
            reply_bytes_max=_REPLY_BYTES_MAX,
        )
        self._destination = self._connect()
        self._process = os.getpid()
        self._answered = False
        self._features: Optional[FrozenSet[str]] = None

    def __reduce__(self) -> Tuple[Any, ...]:
        """For another process, which finds the key where its environment or netrc has it: none is written down."""
        return _again, (self.base_url, self._manner.graphql_seconds)

    @property
    def app_url(self) -> str:
        """Where the server's pages are."""
        return app_url(self.base_url)

    @property
    def key(self) -> Optional[str]:
        """The API key or access token that requests carry; None where there is none. Raises AuthenticationError where
        the file that should hold one can't be read."""
        try:
            return self._destination.key()
        except UploadError as error:
            raise AuthenticationError(str(error)) from None

    def close(self) -> None:
        """Let go of the connections."""
        self._destination.close()

    def execute(
        self, document: str, variables: Optional[Mapping[str, Any]] = None, repeatable: bool = True
    ) -> Dict[str, Any]:
        """The `data` of the server's answer to a document with one named operation.

        repeatable: whether asking twice does no harm; otherwise it is asked again only where the server said that it
        did nothing. Raises AuthenticationError, and CommError with the server's words.
        """
        found = _OPERATION.search(document)
        operation = found.group(1) if found else ""
        return self._insist(lambda transport: transport.graphql(operation, document, dict(variables or {})), repeatable)

    def supports(self, feature: str) -> bool:
        """Whether the server says that it has a feature. One that doesn't know the question has none."""
        if self._features is None:
            try:
                info = self.execute(_FEATURES).get("serverInfo") or {}
                self._features = frozenset(one["name"] for one in info.get("features") or () if one.get("isEnabled"))
            except RefusedError:
                self._features = frozenset()
        return feature in self._features

    def fetch(self, url: str, name: str, write: Callable[[bytes], object]) -> int:
        """Hand the bytes of a file to `write`, piece by piece; one that breaks off is gone on with where it was.
        Returns their number. Raises CommError, and what `write` raises."""
        taken = 0

        def take(piece: bytes) -> None:
            nonlocal taken
            write(piece)
            taken += len(piece)

        self.fetch_range(url, name, take, 0, None)
        return taken

    def fetch_range(
        self, url: str, name: str, write: Callable[[bytes], object], start: int, stop: Optional[int]
    ) -> bool:
        """`fetch` of the bytes from `start` up to `stop`; whether the server has sent these alone."""
        at = start

        def take(piece: bytes) -> None:
            nonlocal at
            write(piece)
            at += len(piece)

        return self._insist(lambda transport: transport.get(url, name, take, at, stop), progress=lambda: at - start)

    def put(self, url: str, headers: List[str], path: Union[str, os.PathLike[str]], name: str) -> str:
        """Upload a file to a URL that the server gave out; returns its MD5 in hex. Raises CommError, OSError."""
        with open(path, "rb") as file:
            return self._insist(lambda transport: transport.put(url, headers, file, name))[1]

    def scan(
        self, run: RunPath, keys: Optional[Sequence[str]], min_step: int, stop_step: int, page_size: int
    ) -> Iterator[Dict[str, Any]]:
        """Each row of a run's history with `min_step` <= step < `stop_step`, in order of step. With `keys` only these,
        of rows that have all of them."""
        return scan_pages(self, run, keys, min_step, stop_step, page_size)

    def transport(self) -> Transport:
        """This thread's connection, for what is tried once."""
        if os.getpid() != self._process:  # a forked child must not read its parent's replies
            self._process = os.getpid()
            self._destination = self._connect()
        return self._destination.transport()

    def _connect(self) -> Destination:
        return Destination(self.base_url, self._environment, manner=self._manner)

    def _insist(
        self, ask: Callable[[Transport], T], repeatable: bool = True, progress: Callable[[], int] = lambda: 0
    ) -> T:
        attempts, began, so_far = Attempts(), self._clock(), 0
        while True:
            try:
                answer = ask(self.transport())
                self._answered = True
                return answer
            except ReplyTooLong as error:
                raise TooMuchError(str(error)) from None
            except TransientError as error:
                if progress() > so_far:
                    attempts, began, so_far = Attempts(), self._clock(), progress()
                wait = attempts.failed(error, time.time())
                again = repeatable or error.throttled
                if not again or self._clock() - began + wait > self._patience(error):
                    raise CommError(str(error)) from None
                if wait >= _TOLD_SECONDS:
                    termwarn(f"{error}; trying again in {wait:.0f} s")
            except CredentialsRefused as error:
                had_key = bool(self.key)
                if self._destination.pause(error):
                    continue  # there is another key to try
                self._destination = self._connect()
                raise AuthenticationError(f"{error}. {self._advice(had_key)}") from None
            except CredentialError as error:
                raise AuthenticationError(str(error)) from None
            except Refused as error:
                raise RefusedError(str(error), error.status) from None
            self._sleep(wait)

    def _patience(self, error: TransientError) -> float:
        if self._patience_max is not None:
            return self._patience_max
        if error.throttled:
            return THROTTLED_PATIENCE_SECONDS
        return PATIENCE_SECONDS if self._answered or not error.unreachable else FIRST_PATIENCE_SECONDS

    def _advice(self, had_key: bool) -> str:
        if had_key:
            return f"{self.base_url} doesn't take the API key: run `wandb login --relogin`, or look at WANDB_API_KEY"
        return f"There is no API key for {self.base_url}: run `wandb login`, or set WANDB_API_KEY"


def _again(base_url: str, timeout: float) -> Client:
    return Client(base_url, timeout=timeout)


def client_for(
    settings: Settings, api_key: Optional[str] = None, timeout: Optional[float] = None, patience: Optional[float] = None
) -> Client:
    """The server that settings name. A key that is given counts before every other. For the others see `Client`."""
    environment = uploader_environment(settings)
    if api_key:
        environment["WANDB_API_KEY"] = api_key
        environment.pop("WANDB_IDENTITY_TOKEN_FILE", None)
    return Client(settings.base_url, environment, timeout, patience=patience)
